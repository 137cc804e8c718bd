"""Shapes: where in a model its references and sets stand, compiled once from its annotations.

A shape visits the model's values and its JSON document side by side, so that it finds the references by their declared
place and never by scanning names (EMCO's B13).
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, is_dataclass, replace
from inspect import isclass
from typing import Annotated, Any, NamedTuple, Protocol, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emco_store.core.documents import sort_set
from emco_store.core.indexing import Index, Unique
from emco_store.core.keys import Key
from emco_store.core.refs import OnDelete, Ref, Reference, RefSpec, as_ref, targets_of
from emco_store.core.rules import RESTRICT, Rule
from emco_store.errors import InvalidModel

Step = str | int
Path = tuple[Step, ...]


class Found(NamedTuple):
    """One reference in a resource: where it stands in the document, and what it is."""

    path: Path
    at_key: bool
    spec: RefSpec
    ref: Ref[Any]


class Node(Protocol):
    """One level of a shape."""

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """Return ``value`` with full references; the same object where nothing changed."""
        ...

    def visit(self, value: Any, document: Any, path: Path) -> Iterator[Found]:
        """Yield the references, and put sets in ``document`` into their canonical order."""
        ...


@dataclass(slots=True)
class Leaf:
    """One reference."""

    spec: RefSpec

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """See :meth:`Node.bind`."""
        for name, wanted in self.spec.options.when.items():
            if siblings.get(name) not in wanted:
                return as_ref(value)
        return self.spec.bind(value, own)

    def visit(self, value: Any, document: Any, path: Path) -> Iterator[Found]:  # noqa: ARG002 - the protocol's
        """See :meth:`Node.visit`."""
        if isinstance(value, Ref) and value.key is not None:
            yield Found(path, at_key=False, spec=self.spec, ref=value)


@dataclass(slots=True)
class Items:
    """A list, a set, or a tuple of any length."""

    item: Node | None
    make: Any

    @property
    def is_set(self) -> bool:
        """Whether the order of the items means nothing."""
        return self.make in {set, frozenset}

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """See :meth:`Node.bind`."""
        if self.item is None:
            return value
        item = self.item
        bound = [old if old is None else item.bind(old, own, siblings) for old in value]
        return value if all(new is old for new, old in zip(bound, value, strict=True)) else self.make(bound)

    def visit(self, value: Any, document: Any, path: Path) -> Iterator[Found]:
        """See :meth:`Node.visit`."""
        pairs = sort_set(value, document) if self.is_set else list(zip(value, document, strict=True))
        if self.item is not None:
            for index, (item, inner) in enumerate(pairs):
                yield from self.item.visit(item, inner, (*path, index))


@dataclass(slots=True)
class Entries:
    """A map; references stand in its keys, in its values, or in both."""

    key: Leaf | None
    value: Node | None

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """See :meth:`Node.bind`."""
        changed = False
        bound: dict[Any, Any] = {}
        for old_key, old in value.items():
            new_key = old_key if self.key is None else self.key.bind(old_key, own, siblings)
            new = old if self.value is None or old is None else self.value.bind(old, own, siblings)
            if new_key in bound:
                message = f"two entries have the key {new_key}"
                raise ValueError(message)
            changed |= new_key is not old_key or new is not old
            bound[new_key] = new
        return bound if changed else value

    def visit(self, value: Any, document: Any, path: Path) -> Iterator[Found]:
        """See :meth:`Node.visit`."""
        for (key, inner), (name, inner_document) in zip(value.items(), document.items(), strict=True):
            if self.key is not None and isinstance(key, Ref) and key.key is not None:
                yield Found((*path, name), at_key=True, spec=self.key.spec, ref=key)
            if self.value is not None:
                yield from self.value.visit(inner, inner_document, (*path, name))


@dataclass(slots=True)
class Struct:
    """A nested model."""

    model: type[BaseModel]
    fields: dict[str, Node]

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the protocol's
        """See :meth:`Node.bind`."""
        changes = {}
        values = value.__dict__
        for name, node in self.fields.items():
            old = values[name]
            if old is not None:
                new = bind_field(name, node, old, own, values)
                if new is not old:
                    changes[name] = new
        return value.model_copy(update=changes) if changes else value

    def visit(self, value: Any, document: Any, path: Path) -> Iterator[Found]:
        """See :meth:`Node.visit`."""
        values = value.__dict__
        for name, node in self.fields.items():
            inner = values[name]
            if inner is not None:
                yield from node.visit(inner, document[name], (*path, name))


@dataclass(slots=True)
class Either:
    """One of several nested models, told apart by class."""

    options: tuple[Struct, ...]

    def _chosen(self, value: Any) -> Struct | None:
        return next((option for option in self.options if isinstance(value, option.model)), None)

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """See :meth:`Node.bind`."""
        option = self._chosen(value)
        return value if option is None else option.bind(value, own, siblings)

    def visit(self, value: Any, document: Any, path: Path) -> Iterator[Found]:
        """See :meth:`Node.visit`."""
        option = self._chosen(value)
        if option is not None:
            yield from option.visit(value, document, path)


def bind_field(name: str, node: Node, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
    """Bind one field, and name it in the error of a reference that cannot be bound.

    Raises:
        ValueError: A reference in it cannot be made full.
    """
    try:
        return node.bind(value, own, siblings)
    except ValueError as problem:
        reason = str(problem)
        message = f"at {name}.{reason[3:]}" if reason.startswith("at ") else f"at {name}: {reason}"
        raise ValueError(message) from None


@dataclass(frozen=True, slots=True)
class Site:
    """Where the compiler stands: what surrounds the annotation that it looks at."""

    owner: Any
    find: Any
    path: str
    rule: Rule = RESTRICT
    options: Reference = field(default_factory=Reference)
    container: str = ""
    nullable: bool = False
    min_length: int = 0
    default: Any = None
    siblings: frozenset[str] = frozenset()
    seen: tuple[type, ...] = ()

    def refuse(self, reason: str, hint: str) -> InvalidModel:
        """Make the error for a model that cannot work."""
        name = self.owner.__name__
        return InvalidModel(f"Cannot define {name}: field {self.path!r}.", why=[reason], hint=hint, model=name)

    def marked(self, metadata: Sequence[Any]) -> Site:
        """Take over the markers of an ``Annotated``; ``on_delete`` and ``reference`` hold for all that lies within."""
        site = self
        for mark in metadata:
            if isinstance(mark, OnDelete):
                site = replace(site, rule=mark.rule)
            elif isinstance(mark, Reference):
                site = replace(site, options=mark)
            elif isinstance(mark, FieldInfo):
                site = site.marked(mark.metadata)
            elif isinstance(getattr(mark, "min_length", None), int):  # annotated_types.MinLen and its like
                site = replace(site, min_length=mark.min_length)
        return site


def compile_field(name: str, info: FieldInfo, site: Site) -> Node | None:
    """Compile one field of a model; None when it holds neither references nor sets.

    Raises:
        InvalidModel: A reference stands where it could not be followed, or its rule cannot work there.
    """
    default = None if info.is_required() else info.get_default(call_default_factory=False)
    path = f"{site.path}.{name}" if site.path else name
    if site.path:
        _check_no_index(info.metadata, replace(site, path=path))
    at = replace(site, path=path, container="", nullable=False, min_length=0, default=default).marked(info.metadata)
    return _compile(info.annotation, at)


def _compile(annotation: Any, site: Site) -> Node | None:  # noqa: C901, PLR0911 - one return for each form
    origin = get_origin(annotation)
    if hasattr(annotation, "__value__"):  # an alias made by TypeAliasType or a ``type`` statement
        return _compile(annotation.__value__, site)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        _check_no_index(metadata, site)
        return _compile(inner, site.marked(metadata))
    if annotation is Ref or origin is Ref:
        return _leaf(annotation, site)
    if origin is Union or origin is types.UnionType:
        return _union(get_args(annotation), site)
    if isclass(annotation) and issubclass(annotation, BaseModel):
        return _struct(annotation, site)
    container: Any = origin or annotation
    args = get_args(annotation)
    if isclass(container) and not issubclass(container, str | bytes) and not _is_record(container):
        if issubclass(container, tuple):
            return _tuple(args, site)
        if issubclass(container, Mapping):
            return _entries(args, site)
        if issubclass(container, AbstractSet | Sequence):
            return _items(container, args, site)
    if _mentions_reference(annotation):
        raise site.refuse(
            f"a reference inside {annotation!r:.120} could not be followed",
            "use a list, set, tuple, dict, or a pydantic model around references",
        )
    return None


def _check_no_index(metadata: Sequence[Any], site: Site) -> None:
    if any(isinstance(mark, Unique | Index) for mark in metadata):
        raise site.refuse(
            "unique() and indexed() would have no effect inside a field",
            "put them around the whole field of a resource",
        )


def _leaf(annotation: Any, site: Site) -> Leaf:
    targets = targets_of(annotation)
    if not targets:
        raise site.refuse("Ref without a target", "write Ref[Target], or Ref[A | B]")
    for target in targets:
        if not isinstance(target, str) and not hasattr(target, "__emco__"):
            raise site.refuse(f"{target!r:.100} is not a resource", "name a subclass of Resource")
    unknown = sorted(set(site.options.when) - site.siblings)
    if unknown:
        raise site.refuse(f"when= names {unknown}, which are no fields beside it", "name fields of the same model")
    refusal = site.rule.refusal(site)
    if refusal is not None:
        raise site.refuse(*refusal)
    return Leaf(
        RefSpec(
            owner=site.owner, targets=targets, rule=site.rule, options=site.options,
            fallback=site.rule.fallback(site.default), find=site.find,
        )
    )  # fmt: skip


def _union(args: tuple[Any, ...], site: Site) -> Node | None:
    nullable = site.nullable or type(None) in args
    options = [arg for arg in args if arg is not type(None)]
    inner = replace(site, nullable=nullable)
    if len(options) == 1:
        return _compile(options[0], inner)
    nodes = [node for node in (_compile(option, inner) for option in options) if node is not None]
    if not nodes:
        return None
    if all(isinstance(node, Struct) for node in nodes):
        return Either(tuple(node for node in nodes if isinstance(node, Struct)))
    if any(_mentions_reference(option) for option in options):
        raise site.refuse(
            "a reference in a union with something else could be read in two ways",
            "use Ref[A | B] for several kinds, reference(ignore=…) for names that are none, or a field for each",
        )
    return None


def _items(container: Any, args: tuple[Any, ...], site: Site) -> Node | None:
    make = frozenset if issubclass(container, frozenset) else set if issubclass(container, AbstractSet) else list
    entry = replace(site, container="item" if make is list else "set", nullable=False)
    item = _compile(args[0], entry) if args else None
    return Items(item, make) if item is not None or make is not list else None


def _tuple(args: tuple[Any, ...], site: Site) -> Node | None:
    if args[1:] == (Ellipsis,):
        item = _compile(args[0], replace(site, container="item", nullable=False))
        return Items(item, tuple) if item is not None else None
    if any(_mentions_reference(arg) for arg in args):
        raise site.refuse("a reference in a tuple of fixed length could not be removed or told apart", "use fields")
    return None


def _entries(args: tuple[Any, ...], site: Site) -> Node | None:
    if not args:
        return None
    key = _compile(args[0], replace(site, container="key", nullable=False))
    value = None if len(args) == 1 else _compile(args[1], replace(site, container="value", nullable=False))  # a Counter
    if key is not None and not isinstance(key, Leaf):
        raise site.refuse("the keys of a map are text or references", "use Ref[Target] or str as the key")
    return Entries(key, value) if key is not None or value is not None else None


def _struct(model: type[BaseModel], site: Site) -> Node | None:
    if hasattr(model, "__emco__"):
        raise site.refuse(
            f"{model.__name__} is a resource and cannot be part of another one", f"refer to it: Ref[{model.__name__}]"
        )
    if model.model_config.get("extra") not in {"forbid", "allow"}:
        raise site.refuse(
            f"{model.__name__} does not say what becomes of unknown fields; pydantic would drop them in silence",
            f'declare it as class {model.__name__}(BaseModel, extra="forbid"), or extra="allow"',
        )
    if model in site.seen:
        raise site.refuse(f"{model.__name__} contains itself", "make it a resource of its own and refer to it")
    inner = replace(site, seen=(*site.seen, model), container="nested", siblings=frozenset(model.model_fields))
    fields = {name: compile_field(name, info, inner) for name, info in model.model_fields.items()}
    found = {name: node for name, node in fields.items() if node is not None}
    return Struct(model, found) if found else None


def _mentions_reference(annotation: Any, seen: frozenset[Any] = frozenset()) -> bool:
    if annotation is Ref or get_origin(annotation) is Ref:
        return True
    if any(_mentions_reference(arg, seen) for arg in get_args(annotation) if arg is not annotation):
        return True
    if _is_record(annotation) and annotation not in seen:
        deeper = seen | {annotation}
        return any("Ref[" in str(a) or _mentions_reference(a, deeper) for a in annotation.__annotations__.values())
    return False


def _is_record(annotation: Any) -> bool:
    """Tell a dataclass, a TypedDict or a NamedTuple, whose fields are never looked at."""
    return isclass(annotation) and (
        is_dataclass(annotation)
        or (hasattr(annotation, "_fields") and issubclass(annotation, tuple))
        or (hasattr(annotation, "__total__") and issubclass(annotation, dict))  # of typing and its extensions
    )
