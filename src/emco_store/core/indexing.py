"""Indexed values: which fields may be indexed, and how a value is written so that text order is value order."""

from __future__ import annotations

import struct
import types
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from emco_store.core.refs import Ref


@dataclass(frozen=True, slots=True)
class Unique:
    """The marker that :func:`unique` puts into an annotation."""


@dataclass(frozen=True, slots=True)
class Index:
    """The marker that :func:`indexed` puts into an annotation."""


def unique() -> Unique:
    """State that no two resources of the kind have the same value here; None never counts as the same.

    The field is indexed too.

    Rules: ID-6.
    """
    return Unique()


def indexed() -> Index:
    """State that lists are filtered and ordered by this field without reading every resource of the kind."""
    return Index()


_SCALARS = (str, int, float, bool, datetime, date, Enum, UUID, Ref)


def is_scalar(annotation: Any) -> bool:
    """Tell whether a field of this type can be indexed: one text, number, boolean, date, enum, UUID or reference."""
    origin = get_origin(annotation)
    if origin is Union or origin is types.UnionType:
        return all(is_scalar(arg) for arg in get_args(annotation) if arg is not type(None))
    if origin is Literal or origin is Ref or annotation is Ref:
        return True
    return isinstance(annotation, type) and issubclass(annotation, _SCALARS)


def index_text(value: Any) -> str:
    """Write a value as text that sorts as the values do: None, booleans, numbers, then all else as text.

    Raises:
        ValueError: The value has no place in that order.
    """
    if isinstance(value, Enum):
        value = value.value
    if value is None:
        return "0"
    if isinstance(value, bool):
        return f"1{value:d}"
    if isinstance(value, int | float):
        return f"2{_number(value)}"
    if isinstance(value, datetime):
        try:
            moment = value if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError:
            message = f"{value} lies outside the years 1 to 9999 in UTC"
            raise ValueError(message) from None
        return f"3{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}"
    if isinstance(value, str | UUID | Ref | date):
        return f"3{value}"
    message = f"{type(value).__name__} cannot be compared in an index"
    raise ValueError(message)


def _number(value: float) -> str:
    """Write a number as 16 hexadecimal digits of its float, then what the float could not hold of an integer."""
    near = float(value) + 0.0  # makes -0.0 the same as 0.0
    (bits,) = struct.unpack(">Q", struct.pack(">d", near))
    ordered = bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63)
    rest = int(Decimal(value) - Decimal(near)) if isinstance(value, int) else 0
    return f"{ordered:016x}{rest + 2048:04d}"
