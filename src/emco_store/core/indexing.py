"""Indexed values: which fields may be indexed, and how a value is written so that text order is value order."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from emco_store.core.enumerations import values_of
from emco_store.core.refs import Ref, as_ref
from emco_store.core.schema_parts import Schema, choices_of
from emco_store.core.times import moment


@dataclass(frozen=True, slots=True)
class Unique:
    """The marker that :func:`unique` puts into an annotation."""


@dataclass(frozen=True, slots=True)
class Index:
    """The marker that :func:`indexed` puts into an annotation."""


def unique() -> Unique:
    """State that no two resources of the kind have the same value of the field; None does not count.

    The field is indexed too.

    Rules: ID-6.
    """
    return Unique()


def indexed() -> Index:
    """State that an index on the field serves lists that are filtered or ordered by it."""
    return Index()


_SCALARS = {"bool", "date", "datetime", "float", "int", "none", "str", "uuid"}
Pairs = tuple[tuple[str, str], ...]
TIMES = ("meta.created_at", "meta.updated_at")
"""What may stand in an index beside the fields of the model."""
_META = "meta."
_WRAPPERS = {"default", "function-after", "function-before", "function-wrap", "nullable"}


def is_scalar(schema: Schema, definitions: Sequence[Schema] = ()) -> bool:
    """Return whether a field can be indexed: one text, number, boolean, date, enum, UUID or reference.

    Args:
        schema: The core schema of the field.
        definitions: The schemas that it may refer to.
    """
    kind = schema["type"]
    if kind in _WRAPPERS:
        return is_scalar(schema["schema"], definitions)
    if kind == "definition-ref":
        return is_scalar(next(found for found in definitions if found["ref"] == schema["schema_ref"]), definitions)
    if kind == "union":
        choices = choices_of(schema)
        return all(is_scalar(choice, definitions) for choice in choices)
    values = values_of(schema)
    if values is not None:
        return all(map(_has_text, values))
    return kind in _SCALARS or (kind == "function-plain" and schema["function"]["function"] is as_ref)


def _has_text(value: Any) -> bool:
    try:
        index_text(value)
    except ValueError:
        return False
    return True


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
        moment = in_utc(value)
        if moment.utcoffset():
            message = f"{value} lies outside the years 1 to 9999 in UTC"
            raise ValueError(message)
        text = moment.replace(tzinfo=None).isoformat(timespec="microseconds")
        return f"3{text}" if value.utcoffset() is None else f"3{text}Z"  # a time without a zone is not the same
    if isinstance(value, str | UUID | Ref | date):
        return f"3{value}"
    message = f"{type(value).__name__} cannot be compared in an index"
    raise ValueError(message)


def index_name(fields: Sequence[str]) -> str:
    """Return the name of the index over some fields; a name of ``meta`` is marked, because it may hold no dot."""
    return ",".join(f"@{field.removeprefix(_META)}" if field.startswith(_META) else field for field in fields)


def entry_of(texts: Sequence[str]) -> str:
    """Write the indexed texts of the fields of one index as one, so that it sorts by the first, then by the next."""
    return texts[0] if len(texts) == 1 else "".join(map(part_of, texts))


def entry_with(name: str, entry: str, texts: Mapping[str, str]) -> str:
    """Return an entry in which some fields have other indexed texts.

    Args:
        name: The name of the index.
        entry: The entry.
        texts: The new texts, by the names of the fields as they stand in the name of the index.
    """
    fields = name.split(",")
    if texts.keys().isdisjoint(fields):
        return entry
    if len(fields) == 1:
        return texts[name]
    parts = entry.split("\0")  # each ends with NUL, so that an empty one is left over
    return "".join(
        part_of(texts[field]) if field in texts else f"{part}\0" for field, part in zip(fields, parts, strict=False)
    )


def dated(index: Pairs, created_us: int, updated_us: int) -> Pairs:
    """Return entries with the times of their record, which only the commit knows."""
    if not index or not any("@" in name for name, _ in index):
        return index
    texts = {
        f"@{name}": index_text(moment(us)) for name, us in (("created_at", created_us), ("updated_at", updated_us))
    }
    return tuple((name, entry_with(name, entry, texts)) for name, entry in index)


def part_of(text: str) -> str:
    """Write one of several texts: NUL ends it, and stands nowhere in it."""
    return text.replace("\1", "\1\2").replace("\0", "\1\1") + "\0"


def last_text(entry: str) -> str:
    """Read the last of several texts from what :func:`entry_of` wrote."""
    return entry[:-1].rpartition("\0")[2].replace("\1\1", "\0").replace("\1\2", "\1")


def in_utc(value: datetime) -> datetime:
    """Return the same moment in UTC; what has no zone, or lies outside the calendar there, stays as it is."""
    with suppress(OverflowError):
        return value if value.utcoffset() is None else value.astimezone(UTC)
    return value


def _number(value: float) -> str:
    """Write a number as 16 hexadecimal digits of its float, then what the float could not hold of an integer."""
    near = float(value) + 0.0  # makes -0.0 the same as 0.0
    (bits,) = struct.unpack(">Q", struct.pack(">d", near))
    ordered = bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 1 << 63)
    rest = int(Decimal(value) - Decimal(near)) if isinstance(value, int) else 0
    return f"{ordered:016x}{rest + 2048:04d}"
