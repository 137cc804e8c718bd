"""Likeness: whether two values say the same to whoever reads them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from typing import Any, cast

from pydantic import BaseModel


def is_alike(left: Any, right: Any) -> bool:
    """Return whether two values are the same to whoever reads them; datetimes by their moment and their offset.

    Python calls datetimes of two zones different in the hours in which clocks are changed, and equal if only their
    moments are. What has no equality of its own counts as alike if it is of one type.
    """
    return bool(_comparable(left) == _comparable(right))


def _comparable(value: Any) -> Any:  # noqa: PLR0911 - one return for each form
    if isinstance(value, datetime | time):
        return (value.replace(tzinfo=None, fold=0), value.utcoffset())
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return "NaN"
    if isinstance(value, BaseModel):
        inner = (value.__dict__, value.__pydantic_extra__, value.__pydantic_private__)
        return (type(value), *map(_comparable, inner))
    if is_dataclass(value) and not isinstance(value, type):
        return (type(value), {field.name: _comparable(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, Mapping):
        return {_hashable(key): _comparable(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]  # of any types
    if isinstance(value, AbstractSet):
        return frozenset(map(_hashable, cast("Iterable[Any]", value)))
    if isinstance(value, list | tuple | deque):
        kind = list if isinstance(value, list) else tuple if isinstance(value, tuple) else deque
        return (kind, [_comparable(inner) for inner in cast("Iterable[Any]", value)])
    return _itself_or_class(value)


def _itself_or_class(value: Any) -> Any:
    """Return what equality compares: the value where its class says so, and else the class alone."""
    kind = value.__class__
    return value if any("__eq__" in one.__dict__ for one in kind.__mro__[:-1]) else kind


def _hashable(value: Any) -> Any:
    found = _comparable(value)
    try:
        hash(found)
    except TypeError:
        return value
    return found
