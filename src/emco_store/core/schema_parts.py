"""Core schemas of pydantic: how to look through one, and how to change a copy of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast

Schema = dict[str, Any]
"""One part of a core schema; its ``type`` says which form it has.

Source: pydantic_core.core_schema, the typed dicts of ``CoreSchema``.
"""
Change = Callable[[Schema, str, str], Schema]
"""Takes a part, the slot that the whole holds it in (``items_schema``), and its name where it is a field."""

_SLOTS = (
    "schema", "items_schema", "keys_schema", "values_schema", "extras_schema", "extras_keys_schema", "json_schema",
    "python_schema", "lax_schema", "strict_schema", "arguments_schema", "fields", "choices", "steps", "definitions",
)  # fmt: skip
"""Where a core schema holds others; ``serialization`` is left out, because it says how a value is written."""
_NAMED = {"fields", "choices"}
"""Where the parts may stand in a dict by names of their own, of which one may be "type"."""


def with_parts(schema: Schema, change: Change) -> Schema:
    """Return a copy of a schema in which each direct part is what ``change`` makes of it."""
    copied = dict(schema)
    for slot in _SLOTS:
        if slot in schema:
            copied[slot] = _changed(schema[slot], partial(_at, change, slot), is_named=slot in _NAMED)
    return copied


def fields_of(schema: Schema) -> Mapping[str, Schema]:
    """Return the schemas of a model's fields."""
    while schema["type"] != "model-fields":
        schema = schema["schema"]
    return {name: field["schema"] for name, field in schema["fields"].items()}


def parts_of(schema: Schema) -> list[tuple[Schema, str, str]]:
    """Return the direct parts of a schema, each with its slot and its name."""
    found: list[tuple[Schema, str, str]] = []

    def take(part: Schema, slot: str, name: str) -> Schema:
        found.append((part, slot, name))
        return part

    with_parts(schema, take)
    return found


def all_parts_of(schema: Schema) -> Iterator[Schema]:
    """Yield a schema and all that it holds, at any depth."""
    yield schema
    for part, _, _ in parts_of(schema):
        yield from all_parts_of(part)


def choices_of(union: Schema) -> list[Schema]:
    """Return the choices of a union, without their labels."""
    return [cast("tuple[Schema, str]", one)[0] if isinstance(one, tuple) else one for one in union["choices"]]


def _at(change: Change, slot: str, part: Schema, name: str) -> Schema:
    return change(part, slot, name)


def _changed(value: Any, change: Callable[[Schema, str], Schema], *, is_named: bool) -> Any:
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        if is_named:
            return {name: change(part, str(name)) for name, part in parts.items()}
        return change(parts, str(parts.get("name", "")))
    if isinstance(value, list | tuple):
        items = [_changed(inner, change, is_named=False) for inner in cast("Iterable[Any]", value)]
        return items if isinstance(value, list) else tuple(items)
    return value  # the label of a choice
