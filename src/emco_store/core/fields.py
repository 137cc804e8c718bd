"""Fields: what the path of a field leads to in a model, by its annotations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from difflib import get_close_matches
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, TypedDict, Union, get_args, get_origin
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
ANY_NAME: Final = "*"
_REF: Final[Mapping[str, Any]] = {"text": str, "name": str}


class UnknownName(TypedDict):
    """Why a name leads nowhere, and what to do, as an error says it."""

    why: list[str]
    hint: str


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
        found += [_OPEN for fields in self.named if name not in fields and ANY_NAME in fields]
        found += self.values
        return merged(map(lead_of, found)) if found else None

    def may_lack(self, name: str) -> bool:
        """Return whether a value may have nothing under a name that leads somewhere."""
        return self.is_open or bool(self.scalars) or bool(self.values) or any(name not in one for one in self.named)

    @property
    def entries(self) -> Lead | None:
        """What lists and sets hold, and the keys of maps; None if it is none of these."""
        inner = (*self.items, *self.keys)
        return merged(map(lead_of, inner)) if inner else None

    def names(self) -> list[str]:
        """Return the names that may follow, as far as they are known."""
        return sorted({name for fields in self.named for name in fields} - {ANY_NAME})

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
    is_resource = hasattr(model, "__emco__")
    return Lead(named=({**fields_of(model), **({"meta": Lead(named=(META,))} if is_resource else {})},))


def fields_of(model: type[BaseModel]) -> Mapping[str, Any]:
    """Return the fields of a model with their annotations; :data:`ANY_NAME` says that there may be others."""
    fields: dict[str, Any] = {name: info.annotation for name, info in model.model_fields.items()}
    if model.model_config.get("extra") == "allow":
        fields[ANY_NAME] = Any
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


def reached(root: Lead, path: Sequence[str]) -> tuple[Lead, bool] | int:
    """Return what a path leads to, and whether a part of it may be absent; or the position of an unknown name."""
    here, may_be_absent = root, False
    for at, name in enumerate(path):
        further = here.step(name)
        if further is None:
            return at
        may_be_absent = may_be_absent or here.may_lack(name)
        here = further
    return here, may_be_absent


def step_to(root: Lead, path: Sequence[str]) -> Lead:
    """Return what a path leads to that is known to lead somewhere."""
    found = reached(root, path)
    return root if isinstance(found, int) else found[0]


def unknown_name(lead: Lead, name: str, path: Sequence[str]) -> UnknownName:
    """Say why a name leads nowhere, and which one may be meant."""
    names = lead.names()
    if lead.items and not names:
        return UnknownName(
            why=["it is a list, and a path does not lead into one"], hint="use contains(...) for a single value in it."
        )
    if not names:
        return UnknownName(why=[f"it is {lead.shown}, which has no fields"], hint="compare the field itself.")
    near = get_close_matches(name, names, 1)
    meant = ".".join((*path, near[0])) if near else ""
    return UnknownName(
        why=[f"its fields are: {', '.join(names)}"],
        hint=f"did you mean {meant}?" if near else "name one of these fields.",
    )
