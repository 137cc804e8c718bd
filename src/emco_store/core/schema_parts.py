"""Core schemas of pydantic: how to look through one, and how to change a copy of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
"""One part of a core schema; its ``type`` says which form it has.

Source: pydantic_core.core_schema, the typed dicts of ``CoreSchema``.
"""

_PARTS = (
    "schema", "items_schema", "keys_schema", "values_schema", "extras_schema", "extras_keys_schema", "json_schema",
    "python_schema", "lax_schema", "strict_schema", "arguments_schema", "fields", "choices", "steps", "definitions",
)  # fmt: skip
"""Where a core schema holds others; ``serialization`` is left out, because it says how a value is written."""
_NAMED = {"fields", "choices"}
"""Where the parts may stand in a dict by names of their own, of which one may be "type"."""


def parts_of(schema: Schema) -> Iterator[Schema]:
    """Yield the parts that a schema directly holds."""
    for name in _PARTS:
        if name in schema:
            yield from _listed(schema[name], is_named=name in _NAMED)


def all_parts_of(schema: Schema) -> Iterator[Schema]:
    """Yield a schema and all that it holds, at any depth."""
    yield schema
    for part in parts_of(schema):
        yield from all_parts_of(part)


def with_parts(schema: Schema, change: Callable[[Schema, str], Schema]) -> Schema:
    """Return a copy of a schema in which each direct part is what ``change`` makes of it.

    Args:
        schema: The schema.
        change: Takes a part and the name of the field that it is; the name is empty where it is no field.
    """
    copied = dict(schema)
    for name in _PARTS:
        if name in schema:
            copied[name] = _changed(schema[name], change, is_named=name in _NAMED)
    return copied


def _listed(value: Any, *, is_named: bool) -> Iterator[Schema]:
    if isinstance(value, dict):
        yield from value.values() if is_named else (value,)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _listed(inner, is_named=False)


def _changed(value: Any, change: Callable[[Schema, str], Schema], *, is_named: bool) -> Any:
    if isinstance(value, dict):
        if is_named:
            return {name: change(part, str(name)) for name, part in value.items()}
        return change(value, str(value.get("name", "")))
    if isinstance(value, list | tuple):
        return type(value)(_changed(inner, change, is_named=False) for inner in value)
    return value  # the label of a choice
