"""Fields: what the path of a field leads to in a model, by its annotations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

from emco_store.core.keys import Key
from emco_store.core.refs import Ref

_SCALARS: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    Decimal: "a number",
    str: "text",
    Key: "text",
    Ref: "text",
    UUID: "a UUID",
    datetime: "a datetime",
    date: "a date",
    time: "a time",
    timedelta: "a timedelta",
    bytes: "bytes",
    NoneType: "None",
}
"""What values of a type are called; values of different names are never equal. A subclass comes before its base."""
META: Final[Mapping[str, Any]] = {
    "uid": str,
    "version": int,
    "created_at": datetime,
    "updated_at": datetime,
    "actor": str,
    "reason": str,
    "operation": str,
    "etag": str,
}
"""The fields of ``meta`` that can be named, and their types."""
_REF: Final[Mapping[str, Any]] = {"text": str, "name": str}


def kind_of(value: object) -> str | None:
    """Return what a single value is called; None if it is no single value."""
    return next((name for kind, name in _SCALARS.items() if isinstance(value, kind)), None)


@dataclass(frozen=True, slots=True)
class Lead:
    """What a path leads to: one of several forms, if the annotation is a union.

    Attributes:
        scalars: What its single values are called.
        named: The fields of each form that has fields, with their annotations.
        values: The annotations of the values of maps.
        keys: The annotations of the keys of maps.
        items: The annotations of what is in lists, sets and tuples.
        is_open: Whether nothing is known of a form, so that anything may be there.
    """

    scalars: frozenset[str] = frozenset()
    named: tuple[Mapping[str, Any], ...] = ()
    values: tuple[Any, ...] = ()
    keys: tuple[Any, ...] = ()
    items: tuple[Any, ...] = ()
    is_open: bool = False

    def step(self, name: str) -> Lead | None:
        """Return what a further name leads to; None if there is no such name."""
        if self.is_open:
            return _OPEN
        found = [fields[name] for fields in self.named if name in fields]
        found += [_OPEN for fields in self.named if name not in fields and None in fields]
        found += self.values
        return merged(map(lead_of, found)) if found else None

    def names(self) -> list[str]:
        """Return the names that may follow, as far as they are known."""
        return sorted({name for fields in self.named for name in fields if name})

    @property
    def shown(self) -> str:
        """What it is, for messages."""
        parts = [*sorted(self.scalars)]
        parts += ["a model"] * bool(self.named) + ["a map"] * bool(self.values) + ["a list"] * bool(self.items)
        return " or ".join(parts) or "anything"


_OPEN: Final = Lead(is_open=True)


def merged(leads: Iterable[Lead]) -> Lead:
    """Return what may be any of several."""
    found = [*leads]
    return Lead(
        frozenset[str]().union(*(one.scalars for one in found)),
        tuple(fields for one in found for fields in one.named),
        tuple(inner for one in found for inner in one.values),
        tuple(inner for one in found for inner in one.keys),
        tuple(inner for one in found for inner in one.items),
        any(one.is_open for one in found),
    )


def lead_of_model(model: type[BaseModel]) -> Lead:
    """Return what an empty path leads to: the fields of a model, and ``meta`` of a resource."""
    return Lead(named=(fields_of(model),))


def fields_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """Return the fields of a model with their annotations; under None stands that there may be others."""
    fields: dict[Any, Any] = {name: info.annotation for name, info in model.model_fields.items()}
    if model.model_config.get("extra") == "allow":
        fields[None] = Any
    return fields


def lead_of(annotation: Any) -> Lead:  # noqa: C901, PLR0911, PLR0912 - one table
    """Return what an annotation says about its values."""
    if isinstance(annotation, Lead):
        return annotation
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return lead_of(arguments[0])
    if origin in {Union, UnionType}:
        return merged(map(lead_of, arguments))
    if origin is Literal:
        return merged(map(_lead_of_value, arguments))
    if hasattr(annotation, "__supertype__"):  # NewType
        return lead_of(annotation.__supertype__)
    if hasattr(annotation, "__value__"):  # type X = …
        return lead_of(annotation.__value__)
    if annotation is None:
        return Lead(frozenset({"None"}))
    kind = origin or annotation
    if not isinstance(kind, type):
        return _OPEN
    if issubclass(kind, Enum):
        return merged(_lead_of_value(member.value) for member in kind) if len(kind) else _OPEN
    if issubclass(kind, BaseModel):
        return Lead(named=(fields_of(kind),))
    if issubclass(kind, Ref):
        return Lead(frozenset({"text"}), named=(_REF,))
    for scalar, name in _SCALARS.items():
        if issubclass(kind, scalar):
            return Lead(frozenset({name}))
    if issubclass(kind, Mapping):
        key, value = arguments or (Any, Any)
        return Lead(keys=(key,), values=(value,))
    if issubclass(kind, Sequence | AbstractSet | Collection) and not issubclass(kind, str | bytes):
        items = tuple(one for one in arguments if one is not ...)
        return Lead(items=items or (Any,))
    return _OPEN


def _lead_of_value(value: object) -> Lead:
    inner = value.value if isinstance(value, Enum) else value
    name = kind_of(inner)
    return _OPEN if name is None else Lead(frozenset({name}))


def walked(root: Lead, path: Sequence[str]) -> Iterator[tuple[int, Lead, Lead | None]]:
    """Yield for each name of a path its position, where it starts from, and what it leads to; None ends it."""
    here: Lead | None = root
    for at, name in enumerate(path):
        if here is None:
            return
        before, here = here, here.step(name)
        yield at, before, here


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the name that is most like another one, if any is."""
    return next(iter(get_close_matches(name, names, 1)), None)
