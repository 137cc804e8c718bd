"""Forms: the type of a field as JSON Schema without what is only for people, and which forms another one reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Final, cast

from pydantic import BaseModel, PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

Form = dict[str, Any]
"""A JSON Schema without references; the empty one stands for any value."""
_ONLY_SHOWN: Final = {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"}
_IN_WORDS: Final = {"anyOf", "oneOf", "allOf"}


class _Forms(GenerateJsonSchema):
    """Takes a type that has no JSON Schema for one of any value."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:  # noqa: ARG002 - pydantic's
        return {}


def forms_of(model: type[BaseModel]) -> dict[str, Form]:
    """Return the form of each field of a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a default that JSON cannot hold is not looked at here
        try:
            schema = model.model_json_schema(by_alias=False, schema_generator=_Forms)
        except PydanticInvalidForJsonSchema:
            return {name: {} for name in model.model_fields}
    named: Mapping[str, Any] = schema.get("$defs", {})
    return {name: _plain(form, named, ()) for name, form in schema.get("properties", {}).items()}


def _plain(value: Any, named: Mapping[str, Any], within: tuple[str, ...], *, is_form: bool = True) -> Any:
    """Return a schema with the named ones written in their places, without what is only shown, in one order."""
    if isinstance(value, list):
        several: list[Any] = value  # pyright: ignore[reportUnknownVariableType]  # JSON
        return [_plain(one, named, within) for one in several]
    if not isinstance(value, dict):
        return value
    schema = cast("dict[str, Any]", value)
    if is_form and "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return {"$ref": name} if name in within or name not in named else _plain(named[name], named, (*within, name))
    kept = {name: inner for name, inner in schema.items() if not (is_form and name in _ONLY_SHOWN)}
    plain = {
        name: inner
        if name in {"enum", "const", "required"}
        else _plain(inner, named, within, is_form=name not in {"properties", "mapping"} or not is_form)
        for name, inner in sorted(kept.items())
    }
    return _sorted(plain) if is_form else plain


def _sorted(form: Form) -> Form:
    """Put into one form what means the same in several."""
    if "const" in form:
        form["enum"] = [form.pop("const")]
    for name in ("required", "enum", *_IN_WORDS):
        if isinstance(form.get(name), list):
            form[name] = sorted(form[name], key=repr)
    return form


def misfits(reader: Form, written: Form) -> bool:
    """Return whether a field of one form cannot be trusted to read what a field of another one holds.

    Args:
        reader: The form of the field that reads.
        written: The form of the field that is written.
    """
    if not reader or reader == written:
        return False
    theirs, own = _choices(written), _choices(reader)
    if len(theirs) > 1 or len(own) > 1:
        return any(all(misfits(one, held) for one in own) for held in theirs)
    types = reader.get("type"), written.get("type")
    if types[0] != types[1] and types != ("number", "integer"):
        return True
    if types[0] == "object":
        return _misfits_object(reader, written)
    is_list = types[0] == "array" and "prefixItems" not in reader
    if is_list and misfits(reader.get("items", {}), written.get("items", {})):
        return True
    return _is_narrower(reader, written, {"items"} if is_list else set())


def _choices(form: Form) -> list[Form]:
    return next((form[word] for word in ("anyOf", "oneOf") if word in form), [form])


def _misfits_object(reader: Form, written: Form) -> bool:
    fields, theirs = reader.get("properties", {}), written.get("properties", {})
    more = reader.get("additionalProperties", True)
    if "properties" not in written and written.get("additionalProperties") is not False:  # a map
        values = _values_of(written.get("additionalProperties", True))
        return bool(fields) or misfits(_values_of(more), values)
    others = written.get("additionalProperties", False)
    if others is not False and misfits(_values_of(more), _values_of(others)):
        return True
    if set(reader.get("required", ())) - set(written.get("required", ())):
        return True
    if any(misfits(form, theirs[name]) for name, form in fields.items() if name in theirs):
        return True
    return any(misfits(_values_of(more), theirs[name]) for name in theirs.keys() - fields.keys())


def _values_of(more: Any) -> Form:
    """Return the form of the values of a map: any, none, or one that is said."""
    return {} if more is True else {"not": {}} if more is False else more


def _is_narrower(reader: Form, written: Form, seen: set[str]) -> bool:
    """Return whether a form demands what the other one does not promise."""
    if "enum" in reader:
        held = written.get("enum")
        if held is None or not all(one in reader["enum"] for one in held):
            return True
    demanded = {name for name in reader if name not in {"type", "enum", *seen}}
    return any(reader[name] != written.get(name) for name in demanded)
