"""Enumerations: types of a few values, each read back by the form in which it is written.

Pydantic reads most of them back from JSON, but not all: not a member whose value is a tuple, a literal that is a member
of an enum, or a number in the key of a map. Their values are few, so that a table can say which text means which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, ValidationError, to_json

from emco_store.core.documents import decode
from emco_store.core.schema_parts import Schema


class NoForm(Exception):
    """A value of an enumeration that JSON cannot hold, or not apart from another one."""


def values_of(schema: Schema) -> list[Any] | None:
    """Return all values of a type, if it is an enumeration."""
    return {"enum": schema.get("members"), "literal": schema.get("expected")}.get(schema["type"])


def readable(schema: Schema) -> Schema:
    """Return a schema of the same values, each of which comes back from JSON.

    Raises:
        NoForm: One of them cannot.
    """
    values = values_of(schema) or []
    if all(_comes_back(schema, value) for value in values):
        return schema
    return _with_table(schema, {_text(schema, value): value for value in values}, values, as_key=False)


def readable_key(schema: Schema) -> Schema:
    """Return the same for the keys of a map, which are texts in JSON.

    Raises:
        NoForm: One of them cannot.
    """
    as_map: Schema = {"type": "dict", "keys_schema": schema, "values_schema": {"type": "int"}}
    values = values_of(schema) or []
    if all(_comes_back(as_map, {value: 0}) for value in values):
        return schema
    texts = [next(iter(decode(_text(as_map, {value: 0})))) for value in values]
    return _with_table(schema, dict(zip(texts, values, strict=True)), values, as_key=True)


def _comes_back(schema: Schema, value: Any) -> bool:
    compiled: Any = schema
    try:
        back = SchemaValidator(compiled).validate_json(_text(schema, value))
    except (NoForm, ValidationError):
        return False
    return bool(type(value) is type(back) and value == back)


def _text(schema: Schema, value: Any) -> bytes:
    compiled: Any = schema
    try:
        return SchemaSerializer(compiled).to_json(value)
    except PydanticSerializationError:
        message = f"{value!r:.80} has no JSON form"
        raise NoForm(message) from None


def _with_table(schema: Schema, table: Mapping[Any, Any], values: list[Any], *, as_key: bool) -> Schema:
    if len(table) < len(values):
        message = f"two of {values!r:.120} have the same JSON form"
        raise NoForm(message)

    def read(form: Any) -> Any:
        found = table.get(form if as_key else to_json(form), values)
        if found is values:
            message = f"Input should be one of {', '.join(map(repr, values)):.200}"
            raise ValueError(message)
        return found

    forms: dict[Any, Any] = {
        (value.__class__, value): text if as_key else decode(text) for text, value in table.items()
    }

    def write(value: Any) -> Any:
        return forms.get((value.__class__, value), value)

    return {
        "type": "json-or-python",
        "json_schema": {"type": "function-plain", "function": {"type": "no-info", "function": read}},
        "python_schema": schema,
        "serialization": {"type": "function-plain", "function": write, "when_used": "json"},
    }
