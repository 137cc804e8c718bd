"""Strict validation: a look at a value that proves as much as writing its document and reading that back.

This holds for a model of which every part is of a type whose values JSON gives back as they are. Such models get one
more validator, compiled from their core schema: it converts nothing, and looks into instances of nested models too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel
from pydantic_core import SchemaValidator, TzInfo

from emco_store.core.refs import as_ref
from emco_store.core.schema_parts import Schema, with_parts


class _Unproven(Exception):
    """The schema has a part about which nothing is known."""


def strict_validator(schema: Schema, checks: frozenset[Any]) -> SchemaValidator | None:
    """Build the strict validator of a model; None if some of its values can only be proved by reading them back.

    Args:
        schema: The core schema of the model.
        checks: Functions that run after validation and change nothing but references.
    """
    try:
        strict: Any = _strict(schema, checks)
    except _Unproven:
        return None
    # The prebuilt validator of a nested class would take its instances unseen.
    return SchemaValidator(strict, _use_prebuilt=False)


def _strict(schema: Schema, checks: frozenset[Any]) -> Schema:
    kind = schema["type"]
    is_exact = _LOOKS.get(kind)
    if kind == "function-after" and schema["function"]["function"] not in checks:
        raise _Unproven
    if "serialization" in schema and kind != "function-plain":
        raise _Unproven
    if is_exact is None or not is_exact(schema):
        raise _Unproven

    def strictly(part: Schema, slot: str, name: str) -> Schema:  # noqa: ARG001 - the parameters of a change
        return _strict(part, checks)

    strict = with_parts(schema, strictly)
    if kind == "datetime":
        check = {"type": "no-info", "function": _with_fixed_offset}
        return {"type": "function-after", "function": check, "schema": strict}
    if kind == "model":
        config = {**schema.get("config", {}), "strict": True}
        strict |= {"config": config, "strict": True, "revalidate_instances": "always"}
    return strict


def _always(_: Schema) -> bool:
    return True


def _is_plain_model(schema: Schema) -> bool:
    """Return whether nothing of the class's own takes part in making and comparing its instances."""
    config, model = schema.get("config", {}), schema["cls"]
    return (
        config.get("extra_fields_behavior") == "forbid"
        and not any(schema.get(name) for name in ("root_model", "custom_init", "post_init"))
        and (hasattr(model, "__emco__") or model.__eq__ is BaseModel.__eq__)
    )


def _has_text_keys(schema: Schema) -> bool:
    return schema.get("keys_schema", {}).get("type") in {"str", "function-plain"} and "values_schema" in schema


def _is_of_texts(schema: Schema) -> bool:
    return all(type(value) is str for value in schema["expected"])


_LOOKS: Mapping[str, Callable[[Schema], bool]] = {
    **dict.fromkeys(
        ("bool", "date", "datetime", "definition-ref", "definitions", "float", "function-after", "int",
         "none", "nullable", "str", "uuid"),
        _always,
    ),
    **dict.fromkeys(("frozenset", "list", "set"), lambda schema: "items_schema" in schema),
    "default": lambda schema: schema.get("on_error", "raise") == "raise",
    "dict": _has_text_keys,
    "function-plain": lambda schema: schema["function"]["function"] is as_ref,
    "literal": _is_of_texts,
    "model-field": lambda schema: not any(name.startswith("serialization_exclude") for name in schema),
    "model": _is_plain_model,
    "model-fields": lambda schema: not schema.get("extra_behavior"),
}  # fmt: skip
"""For each form of a schema that JSON may give back exactly, what else must be so."""


def _with_fixed_offset(value: datetime) -> datetime:
    """Refuse a datetime whose zone JSON does not name: it comes back with an offset instead."""
    zone = value.tzinfo
    if type(value) is not datetime or not (zone is None or zone is UTC or type(zone) is TzInfo):
        message = "to be read back"
        raise ValueError(message)
    return value
