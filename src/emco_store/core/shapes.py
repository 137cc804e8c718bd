"""Shapes: where in a model its references stand, compiled once from its annotations.

A shape visits the model's values and its JSON document side by side, so that it finds the references by their declared
place and never by scanning names (EMCO's B13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel

from emco_store.core.keys import Key
from emco_store.core.records import Edge, open_edge
from emco_store.core.refs import Ref, RefSpec, as_ref
from emco_store.core.sets import Orders
from emco_store.core.some_of import SelectionSpec

Step = str | int
Path = tuple[Step, ...]


class Found(NamedTuple):
    """One reference in a resource: where it stands in the document, and what it is."""

    path: Path
    at_key: bool
    spec: RefSpec
    ref: Ref[Any]


class Selected(NamedTuple):
    """One selection in a resource: where it stands in the document, and what it looks for."""

    path: Path
    spec: SelectionSpec
    value: Any
    siblings: Mapping[str, Any]

    def edges(self, own: Key) -> Iterator[Edge]:
        """Yield the edges for which matches are to be chosen.

        Args:
            own: The key of the resource.

        Raises:
            ValueError: It does not say what it selects.
        """
        for rest, selection in self.spec.found_in(self.value, own, self.siblings):
            yield open_edge((*self.path, *rest), selection)


class Node(Protocol):
    """One level of a shape."""

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """Return ``value`` with full references; the same object where nothing changed."""
        ...

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:
        """Yield the references and selections of a value, whose document holds the members of sets in these orders."""
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

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:  # noqa: ARG002 - the protocol's
        """See :meth:`Node.visit`; the document of a reference that is the whole of a field is not needed."""
        if isinstance(value, Ref) and value.has_key:
            _expect(document is None or document == value.text, path)
            yield Found(path, at_key=False, spec=self.spec, ref=value)


@dataclass(slots=True)
class Items:
    """A list, a set, or a tuple of any length."""

    item: Node
    make: Any

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """See :meth:`Node.bind`."""
        bound = [old if old is None else self.item.bind(old, own, siblings) for old in value]
        return value if all(new is old for new, old in zip(bound, value, strict=True)) else self.make(bound)

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:
        """See :meth:`Node.visit`."""
        items: Any = orders.get(id(value), ()) if self.make in {set, frozenset} else value
        _expect(document.__class__ is list and len(document) == len(items) == len(value), path)
        for index, (item, inner) in enumerate(zip(items, document, strict=True)):
            yield from self.item.visit(item, inner, (*path, index), orders)


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
        if not changed:
            return value
        if value.__class__ is dict:
            return bound
        made = copy(value)  # of the same class: a Counter, or an OrderedDict
        made.clear()
        made.update(bound)
        return made

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:
        """See :meth:`Node.visit`."""
        _expect(document.__class__ is dict and len(document) == len(value), path)
        for (key, inner), (name, inner_document) in zip(value.items(), document.items(), strict=True):
            if self.key is not None and isinstance(key, Ref) and key.has_key:
                _expect(name == key.text, path)
                yield Found((*path, name), at_key=True, spec=self.key.spec, ref=key)
            if self.value is not None:
                yield from self.value.visit(inner, inner_document, (*path, name), orders)


@dataclass(slots=True)
class Struct:
    """A nested model."""

    model: type[BaseModel]
    fields: dict[str, Node]
    selections: dict[str, SelectionSpec]

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

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:
        """See :meth:`Node.visit`."""
        values = value.__dict__
        for name, node in self.fields.items():
            inner = values[name]
            if inner is not None:
                _expect(document.__class__ is dict and name in document, path)
                yield from node.visit(inner, document[name], (*path, name), orders)
        for name, spec in self.selections.items():
            yield Selected((*path, name), spec, values[name], values)


@dataclass(slots=True)
class Root:
    """A model that is one value: its document is the document of that value."""

    model: type[BaseModel]
    item: Node

    def bind(self, value: Any, own: Key, siblings: Mapping[str, Any]) -> Any:
        """See :meth:`Node.bind`."""
        bound = self.item.bind(value.root, own, siblings)
        return value if bound is value.root else value.model_copy(update={"root": bound})

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:
        """See :meth:`Node.visit`."""
        return self.item.visit(value.root, document, path, orders)


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

    def visit(self, value: Any, document: Any, path: Path, orders: Orders) -> Iterator[Found | Selected]:
        """See :meth:`Node.visit`."""
        option = self._chosen(value)
        if option is not None:
            yield from option.visit(value, document, path, orders)


def _expect(is_as_declared: bool, path: Path) -> None:  # noqa: FBT001 - what is expected
    """Refuse a document in which references stand where only its writer knows.

    Raises:
        ValueError: A part is not written as its type says.
    """
    if not is_as_declared:
        place = ".".join(map(str, path))
        message = f"at {place}: a serializer of its own writes this, so nothing tells where in it references stand"
        raise ValueError(message)


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
