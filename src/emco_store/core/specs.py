"""What is compiled from a model when it is defined, and how models find one another."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo

from emco_store.core.compiling import Site, compile_field, compile_selections
from emco_store.core.indexing import Index, Unique, is_scalar
from emco_store.core.refs import Ref, RefSpec
from emco_store.core.rules import Rule
from emco_store.core.selection import SelectionSpec
from emco_store.core.shapes import Leaf, Node
from emco_store.core.storage import Storage
from emco_store.errors import InvalidModel

Model = Any
"""A class of resources; the base of all of them is above this module."""


@dataclass(slots=True, weakref_slot=True)
class ModelSpec:
    """What is known of a model: its place in the hierarchy, and where its references stand.

    Attributes:
        kind: The name of its kind.
        parent: Its parent's class, None for a root.
        key_fields: The fields that form its own part of the key.
        chain: For each ancestor and itself, from the root: the kind, and how many names it adds to a key.
        on_parent_delete: What the delete of its parent does to it.
        checks: The functions after validation that change nothing but references.
        length: The number of names in a key of this kind.
        own_in: Gives its own part of the key from the values of its fields.
        own_of: Gives the same from the names of a key.
        is_complete: Whether the annotations were compiled, which what follows comes from.
        is_flat: Whether every reference is the whole of a field, and no field is a set.
        plain: The fields that hold one reference each, whatever else the resource says.
        nodes: The other fields that hold references or sets.
        selections: The fields that hold references by selection, those inside nested models apart.
        selects: Whether it holds references by selection anywhere.
    """

    model: Model
    kind: str
    parent: Model | None
    key_fields: tuple[str, ...]
    chain: tuple[tuple[str, int], ...]
    on_parent_delete: Rule
    checks: frozenset[Any] = frozenset()
    children: weakref.WeakSet[Model] = field(default_factory=weakref.WeakSet)
    referrers: weakref.WeakSet[Model] = field(default_factory=weakref.WeakSet)
    _shape: dict[str, Node] = field(default_factory=dict[str, Node])
    _storage: Storage | None = None
    is_complete: bool = False
    is_flat: bool = False
    plain: tuple[tuple[str, Node, Mapping[str, Ref[Any]]], ...] = ()
    nodes: tuple[tuple[str, Node], ...] = ()
    selections: dict[str, SelectionSpec] = field(default_factory=dict[str, SelectionSpec])
    selects: bool = False
    unique: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()
    length: int = field(init=False)
    own_in: Callable[[Mapping[str, Any]], Any] = field(init=False)
    own_of: Callable[[Sequence[str]], Any] = field(init=False)

    def __post_init__(self) -> None:
        self.length = sum(count for _, count in self.chain)
        own = len(self.key_fields)
        self.own_in = itemgetter(*self.key_fields)
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
                try:
                    self.model.model_rebuild()
                except PydanticUndefinedAnnotation as problem:
                    raise undefined(self.model, problem) from problem
            self.compile()

    def compile(self) -> None:
        """Compile the annotations.

        Raises:
            InvalidModel: A field or a rule cannot work.
        """
        site = Site(owner=self.model, find=find_model, path="", siblings=frozenset(self.model.model_fields))
        fields = {name: field for name, field in self.model.model_fields.items() if name != "parent"}
        for name, info in fields.items():
            _check_markers(self.model, name, info)
        nodes = {name: compile_field(name, info, site) for name, info in fields.items()}
        shape = {name: node for name, node in nodes.items() if node is not None}
        for spec in _references(shape):
            if isinstance(spec, RefSpec) and not any(isinstance(target, str) for target in spec.targets):
                spec.resolve()
        self._shape = shape
        self.selections = compile_selections(fields, site)
        self.selects = any(isinstance(spec, SelectionSpec) for spec in self._all_references())
        storage = Storage(self.model, self.checks)
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
        self.unique = tuple(name for name, info in fields.items() if _marked(info, Unique))
        self.indexed = tuple(name for name, info in fields.items() if _marked(info, Unique) or _marked(info, Index))
        self.is_complete = True
        for target in self.targets():
            if not isinstance(target, str):
                target.__emco__.referrers.add(self.model)

    def targets(self) -> Iterator[Any]:
        """Yield the targets of all references: classes, or names where they were given as text."""
        self.complete()
        for spec in self._all_references():
            yield from spec.targets

    def _all_references(self) -> Iterator[RefSpec | SelectionSpec]:
        yield from self.selections.values()
        yield from _references(self._shape)


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


def _marked(info: FieldInfo, mark: type) -> bool:
    return any(isinstance(found, mark) for found in info.metadata)


def _check_markers(model: Model, name: str, info: FieldInfo) -> None:
    if (_marked(info, Unique) or _marked(info, Index)) and not is_scalar(info.annotation):
        raise InvalidModel(
            f"Cannot define {model.__name__}: field {name!r}.",
            why=["unique() and indexed() need a single text, number, boolean, date, enum, UUID or Ref"],
            hint="put the marker on a field of such a type.",
            model=model.__name__,
        )


def is_kind(value: object) -> bool:
    """Tell whether it is the class of a kind, and neither an abstract one nor anything else."""
    return isinstance(value, type) and hasattr(value, "__emco__")


def find_model(owner: Model, target: Any) -> Model:
    """Find the class of a reference's target, which may be given by the name of its kind.

    Raises:
        InvalidModel: No class of that name can be seen from the owner.
    """
    if not isinstance(target, str):
        return target
    for model in connected([owner]):
        if model.__emco__.kind == target:
            return model
    found = getattr(sys.modules.get(owner.__module__), target, None)
    if is_kind(found):
        return found
    raise InvalidModel(
        f"Cannot resolve the reference of {owner.__name__} to {target!r}.",
        why=["no resource of that name can be seen from it"],
        hint="define it in the same module, or refer to the class itself.",
        model=owner.__name__,
    )


def connected(models: list[Model]) -> list[Model]:
    """Give the models and all that hang together with them: ancestors, children, targets and referrers."""
    found: dict[Model, None] = {}
    stack = list(models)
    while stack:
        model = stack.pop()
        if model in found:
            continue
        found[model] = None
        spec = model.__emco__
        if spec.parent is not None:
            stack.append(spec.parent)
        stack.extend(sorted((*spec.children, *spec.referrers), key=lambda other: other.__emco__.kind))
        stack.extend(target for target in spec.targets() if not isinstance(target, str))
    return list(found)


def undefined(cls: type, problem: Exception) -> InvalidModel:
    """Make the error for a model whose annotations name what cannot be found."""
    return InvalidModel(
        f"Cannot use {cls.__name__}.",
        why=[str(problem).splitlines()[0]],
        hint="define what its annotations name, in the same module, before it is used.",
        model=cls.__name__,
    )
