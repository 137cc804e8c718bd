"""What is compiled from a model when it is defined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import lru_cache
from itertools import count
from operator import itemgetter
from typing import Any, cast

from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from emco_store.core.compiling import Site, compile_field, compile_selections
from emco_store.core.evolution import PLAIN, Evolution, Since
from emco_store.core.indexing import TIMES, Index, Unique, is_scalar
from emco_store.core.kinship import Model, Newest, find_anywhere, find_model, find_nearby
from emco_store.core.records import PARENT_PATH, Edge, known_edge
from emco_store.core.refs import Ref, RefSpec
from emco_store.core.rules import Rule
from emco_store.core.schema_parts import Schema, fields_of
from emco_store.core.shapes import Leaf, Node
from emco_store.core.some_of import SelectionSpec
from emco_store.core.storage import Storage
from emco_store.core.trails import Trail
from emco_store.errors import InvalidModel

EdgeTo = Callable[[str], Edge]
_KNOWN = 10_000
"""How many edges a field remembers."""
_numbers = count()


@dataclass(slots=True, weakref_slot=True)
class ModelSpec:
    """What is known of a model: its place in the hierarchy, and where its references stand.

    Attributes:
        kind: The name of its kind.
        parent: Its parent's class, None for a root.
        key_fields: The fields that form its own part of the key.
        chain: For each ancestor and itself, from the root: the kind, and how many names it adds to a key.
        on_parent_delete: What the delete of its parent does to it.
        base: The base class of all models.
        number: Greater for a class that was defined later.
        lifecycle: The class of its lifecycle; None if it has none.
        freezes: Whether a state of the lifecycle freezes fields.
        trail: What it says about its trail; None if it has none.
        lease: How long a lease of such a resource counts as alive after a beat; None if it cannot be leased.
        checks: The functions after validation that change nothing but references.
        is_view: Whether it is a view of a kind that another service owns; with the length 0, it does not say where.
        writer: The name of the writer, where it is a status; statuses of one kind of resource share their kind.
        evolution: The versions of the model.
        declared: The fields of each index that the class declares by ``indexes=``.
        indexes: The fields of each index, those of the markers included.
        in_indexes: The fields that stand in any of them.
        length: The number of names in a key of this kind.
        parent_kind: The kind of its parent, None for a root.
        own_in: Gives its own part of the key from the values of its fields.
        own_of: Gives the same from the names of a key.
        is_complete: Whether the annotations were compiled, which what follows comes from.
        is_flat: Whether every reference is the whole of a field.
        plain: The fields that hold one reference each, whatever else the resource says.
        nodes: The other fields that hold references.
        edge_to_parent: Gives the edge to the parent with a key of this text.
        places: The fields that hold references, in their order, each with a function that gives the edge of a
            reference with this text; None where the text alone does not say what its edge is.
        selections: The fields that hold references by selection, those inside nested models apart.
        selects: Whether it holds references by selection anywhere.
    """

    model: Model
    kind: str
    parent: Model | None
    key_fields: tuple[str, ...]
    chain: tuple[tuple[str, int], ...]
    on_parent_delete: Rule
    lifecycle: Any = None
    trail: Trail | None = None
    lease: timedelta | None = None
    checks: frozenset[Any] = frozenset()
    writer: str = ""
    is_view: bool = False
    base: Model = None
    evolution: Evolution = PLAIN
    children: Newest = field(default_factory=Newest)
    referrers: Newest = field(default_factory=Newest)
    number: int = field(default_factory=_numbers.__next__)
    _shape: dict[str, Node] = field(default_factory=dict[str, Node])
    _references: tuple[RefSpec | SelectionSpec, ...] = ()
    _storage: Storage | None = None
    is_complete: bool = False
    is_flat: bool = False
    plain: tuple[tuple[str, Node, Mapping[str, Ref[Any]]], ...] = ()
    nodes: tuple[tuple[str, Node], ...] = ()
    edge_to_parent: EdgeTo = field(init=False)
    places: tuple[tuple[str, Node, EdgeTo | None], ...] = ()
    selections: dict[str, SelectionSpec] = field(default_factory=dict[str, SelectionSpec])
    selects: bool = False
    unique: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()
    declared: tuple[tuple[str, ...], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    in_indexes: tuple[str, ...] = ()
    label: str = field(init=False)
    freezes: bool = field(init=False)
    length: int = field(init=False)
    parent_kind: str | None = field(init=False)
    own_in: Callable[[Mapping[str, Any]], Any] = field(init=False)
    own_of: Callable[[Sequence[str]], Any] = field(init=False)

    def __post_init__(self) -> None:
        self.label = f"{self.kind}/{self.writer}" if self.writer else self.kind
        self.freezes = self.lifecycle is not None and bool(self.lifecycle.spec.frozen)
        self.edge_to_parent = _edge_to(PARENT_PATH, self.on_parent_delete)
        self.length = sum(count for _, count in self.chain)
        self.parent_kind = self.chain[-2][0] if self.parent is not None else None
        own = len(self.key_fields)
        self.own_in = itemgetter(*self.key_fields or ("name",))
        self.own_of = itemgetter(-1 if own == 1 else slice(-own, None))

    @property
    def shape(self) -> dict[str, Node]:
        """The fields that hold references or sets."""
        self.complete()
        return self._shape

    @property
    def storage(self) -> Storage:
        """What writes and reads the documents."""
        if self._storage is None:
            self.complete()
            return self.storage
        return self._storage

    def complete(self) -> None:
        """Compile the annotations if that had to wait, because one of them names a class defined later."""
        if not self.is_complete:
            if not self.model.__pydantic_complete__:
                self._rebuild()
            self.compile()

    def _rebuild(self) -> None:
        """Resolve the annotations, of which one may name a class that only type checkers see imported."""
        found: dict[str, Model] = {}
        while not self.model.__pydantic_complete__:
            try:
                self.model.model_rebuild(_types_namespace=found or None)
            except PydanticUndefinedAnnotation as problem:
                name = problem.name or ""
                model = None if name in found else find_anywhere(self.model, name)
                if model is None:
                    raise undefined(self.model, problem) from problem
                found[name] = model

    def compile(self) -> None:
        """Compile the annotations.

        Raises:
            InvalidModel: A field or a rule cannot work.
        """
        site = Site(owner=self.model, find=find_model, path="", siblings=frozenset(self.model.model_fields))
        fields = {name: field for name, field in self.model.model_fields.items() if name != "parent"}
        unique = tuple(name for name, info in fields.items() if _marked(info, Unique))
        indexed = tuple(name for name, info in fields.items() if _marked(info, Unique) or _marked(info, Index))
        if self.is_view and indexed:
            raise _indexed_view(self.model, indexed)
        _check_markers(self.model, indexed, is_listed=not self.writer)
        _check_indexes(self.model, self.declared, indexed, is_listed=not self.writer)
        nodes = {name: compile_field(name, info, site) for name, info in fields.items()}
        shape = {name: node for name, node in nodes.items() if node is not None}
        for spec in _references(shape):
            if isinstance(spec, RefSpec):
                _check_targets(self.model, spec)
        self._shape = shape
        self.selections = compile_selections(fields, site)
        self._references = (*self.selections.values(), *_references(shape))
        self.selects = any(isinstance(spec, SelectionSpec) for spec in self._references)
        storage = Storage(self.model, self.checks, self._since(fields, shape), is_view=self.is_view)
        if storage.problems:
            raise InvalidModel(
                f"Cannot define {self.model.__name__}.",
                why=storage.problems,
                hint="change the type, or give it a validator and a serializer that belong together.",
                model=self.model.__name__,
            )
        self._storage = storage
        self.is_flat = all(isinstance(node, Leaf) for node in shape.values())
        plain = {
            name: node.spec for name, node in shape.items() if isinstance(node, Leaf) and not node.spec.options.when
        }
        self.plain = tuple((name, shape[name], spec.known) for name, spec in plain.items())
        self.nodes = tuple((name, node) for name, node in shape.items() if name not in plain)
        self.places = tuple((name, node, _edge_to_leaf(name, node)) for name, node in shape.items())
        self.unique, self.indexed = unique, indexed
        self.indexes = (*((name,) for name in indexed), *self.declared)
        self.in_indexes = tuple(dict.fromkeys(name for fields in self.indexes for name in fields))
        self.is_complete = True
        self._check_lifecycle()
        for target in () if self.is_view else self.targets():
            if not isinstance(target, str):
                target.__emco__.referrers.add(self.model)

    def _since(self, fields: Mapping[str, FieldInfo], shape: Mapping[str, Node]) -> tuple[tuple[str, int, Any], ...]:
        """Return the fields that came with a later version of the model, each with that version and its default.

        Raises:
            InvalidModel: A document could not leave one of them out.
        """
        marked = {
            name: [mark.version for mark in info.metadata if isinstance(mark, Since)] for name, info in fields.items()
        }
        newest = self.evolution.version
        reasons: list[str] = []
        for name, versions in marked.items():
            if not versions:
                continue
            info = fields[name]
            if len(versions) > 1 or type(versions[0]) is not int or not 2 <= versions[0] <= newest:  # noqa: PLR2004 - see steps
                reasons.append(f"{name}: since() names one version from 2 to model_version={newest}")
            elif info.is_required() or info.default_factory_takes_validated_data:
                reasons.append(f"{name}: since() needs a default that does not depend on other fields")
            elif isinstance(shape.get(name), Leaf) and info.get_default(call_default_factory=True) is not None:
                reasons.append(f"{name}: a reference with since() has the default None")
        if reasons:
            raise InvalidModel(
                f"Cannot define {self.model.__name__} with since().",
                why=reasons,
                hint="declare it as in Annotated[int, since(2)] = 0, in a class with model_version=2.",
                model=self.model.__name__,
            )
        return tuple(
            (name, versions[0], fields[name].get_default(call_default_factory=True))
            for name, versions in marked.items() if versions
        )  # fmt: skip

    def _check_lifecycle(self) -> None:
        if self.lifecycle is None:
            return
        problems: list[str] = self.lifecycle.problems_of(self.model)
        if problems:
            self.is_complete = False
            raise InvalidModel(
                f"Cannot define {self.model.__name__} with the lifecycle {self.lifecycle.__name__}.",
                why=problems,
                hint="change the lifecycle, or the class, as said.",
                model=self.model.__name__,
            )

    def targets(self) -> Iterator[Any]:
        """Yield the targets of all references: classes, or names where they were given as text."""
        self.complete()
        for spec in self._references:
            yield from spec.targets


def _edge_to(path: tuple[str, ...], rule: Rule) -> EdgeTo:
    @lru_cache(maxsize=_KNOWN)
    def edge_to(text: str) -> Edge:
        return known_edge(text, path, rule, False, None)  # noqa: FBT003 - as it is stored

    return edge_to


def _edge_to_leaf(name: str, node: Node) -> EdgeTo | None:
    if not isinstance(node, Leaf):
        return None
    spec = node.spec
    is_alone = spec.fallback is None and spec.on_expire is None and not (spec.options.when or spec.options.ignore)
    return _edge_to((name,), spec.rule) if is_alone else None


def _references(shape: Mapping[str, Node]) -> Iterator[RefSpec | SelectionSpec]:
    stack: list[Any] = list(shape.values())
    while stack:
        node = stack.pop()
        if hasattr(node, "spec"):
            yield node.spec
        for name in ("item", "key", "value"):
            inner = getattr(node, name, None)
            if inner is not None:
                stack.append(inner)
        yield from getattr(node, "selections", {}).values()
        stack.extend(getattr(node, "fields", {}).values())
        stack.extend(getattr(node, "options", ()))


def _check_targets(model: Model, spec: RefSpec) -> None:
    """Check a reference against its targets, as far as these are there; one that is named may be defined again."""
    targets = [find_nearby(model, target) if isinstance(target, str) else target for target in spec.targets]
    if spec.is_known:
        spec.resolve()
    elif all(targets):
        replace(spec, targets=tuple(targets)).resolve()


def _indexed_view(model: Model, names: Sequence[str]) -> InvalidModel:
    """Build the error for markers in a view: whether there is such an index is for the owner to say."""
    return InvalidModel(
        f"Cannot define {model.__name__}: field {', '.join(map(repr, names))}.",
        why=["a view writes no index, so a list that relied on one would miss resources"],
        hint="leave unique() and indexed() out; conditions on the field are judged on the documents.",
        model=model.__name__,
    )


def _marked(info: FieldInfo, mark: type) -> bool:
    return any(isinstance(found, mark) for found in info.metadata)


def _check_markers(model: Model, names: Sequence[str], *, is_listed: bool) -> None:
    """Refuse a marker for the index on a field that holds more than one value, or in a model that is in no list."""
    whole = cast("Schema", model.__pydantic_core_schema__)
    schemas, definitions = fields_of(whole), whole.get("definitions", [])
    if names and not is_listed:
        raise InvalidModel(
            f"Cannot define {model.__name__}: field {', '.join(map(repr, names))}.",
            why=["unique() and indexed() would have no effect, because a status is in no list"],
            hint="leave the marker out.",
            model=model.__name__,
        )
    wrong = [name for name in names if not is_scalar(schemas[name], definitions)]
    if wrong:
        raise InvalidModel(
            f"Cannot define {model.__name__}: field {', '.join(map(repr, wrong))}.",
            why=["unique() and indexed() need a single text, number, boolean, date, enum, UUID or Ref"],
            hint="put the marker on a field of such a type.",
            model=model.__name__,
        )


def _check_indexes(
    model: Model, declared: Sequence[tuple[str, ...]], indexed: Sequence[str], *, is_listed: bool
) -> None:  # fmt: skip
    """Refuse an index that could serve no list.

    Raises:
        InvalidModel: A field is unknown, holds more than one value, or stands twice; or the index is there already.
    """
    whole = cast("Schema", model.__pydantic_core_schema__)
    schemas, definitions = fields_of(whole), whole.get("definitions", [])
    reasons: list[str] = [] if is_listed or not declared else ["a status is in no list"]
    for at, fields in enumerate(declared):
        shown = ", ".join(map(repr, fields)) or "no field"
        wrong = [name for name in fields if name not in TIMES and name not in schemas]
        several = [name for name in fields if name in schemas and not is_scalar(schemas[name], definitions)]
        reasons += [f"{name!r} is neither a field nor one of {', '.join(TIMES)}" for name in wrong]
        reasons += [
            f"{name!r} does not hold a single text, number, boolean, date, enum, UUID or Ref" for name in several
        ]
        if not fields or len(set(fields)) != len(fields):
            reasons.append(f"an index names at least one field, and none twice: {shown}")
        if fields in declared[:at] or (len(fields) == 1 and fields[0] in indexed):
            reasons.append(f"there is an index on {shown} already")
    if reasons:
        raise InvalidModel(
            f"Cannot define {model.__name__} with indexes=.",
            why=reasons,
            hint='name fields of the model that are single values: indexes=[("region", "meta.created_at")].',
            model=model.__name__,
        )


def undefined(cls: type, problem: Exception) -> InvalidModel:
    """Make the error for a model whose annotations name what cannot be found."""
    return InvalidModel(
        f"Cannot use {cls.__name__}.",
        why=[str(problem).splitlines()[0]],
        hint="define what its annotations name, or import the module that does, before it is used.",
        model=cls.__name__,
    )
