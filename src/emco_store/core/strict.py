"""Strict validation: a look at a value that proves as much as writing its document and reading that back.

This holds for a model of which every part is of a type whose values JSON gives back as they are. Such models get one
more validator, compiled from their core schema: it converts nothing, and looks into instances of nested models too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator, TzInfo

from emco_store.core.refs import as_ref
from emco_store.core.schema_parts import Schema, all_parts_of, with_parts

_EDITS = ("strip_whitespace", "to_lower", "to_upper")
"""What a schema may do to a text."""


class Unproven(Exception):
    """The schema has a part about which nothing is known."""


class Strict:
    """What proves of the values of one model that their documents would give them back.

    Args:
        schema: The core schema of the model.
        checks: Functions that run after validation and change nothing but references.

    Raises:
        Unproven: Some values of the model can only be proved by reading their documents back.
    """

    __slots__ = ("_converts", "_nested", "_validator")

    def __init__(self, schema: Schema, checks: frozenset[Any]) -> None:
        strict: Any = _strict(schema, checks)
        # The prebuilt validator of a nested class would take its instances unseen.
        self._validator = SchemaValidator(strict, _use_prebuilt=False)
        parts = list(all_parts_of(schema))
        self._nested = tuple({part["cls"] for part in parts if _is_nested(part)})
        self._converts = any(_may_convert(part) for part in parts)

    def proved(self, resource: BaseModel, context: Any) -> Any:
        """Return a copy of a resource that is what its document would give back; None if only reading can tell.

        Strict validation converts nothing, with two exceptions, for which the copy is compared: what a schema says
        itself, and an instance of a subclass, which comes back as one of the class.
        """
        try:
            read = self._validator.validate_python(resource, context=context, by_alias=False, by_name=True)
        except ValidationError:
            return None
        if (self._converts or any(one.__subclasses__() for one in self._nested)) and not is_equal(resource, read):
            return None
        return read


def is_equal(given: BaseModel, read: BaseModel) -> bool:
    """Return whether two values of one model are equal; False means that one has to look closer."""
    return given.__dict__ == read.__dict__ and given.__pydantic_extra__ == read.__pydantic_extra__


def _strict(schema: Schema, checks: frozenset[Any]) -> Schema:
    kind = schema["type"]
    is_exact = _LOOKS.get(kind)
    if kind == "function-after" and schema["function"]["function"] not in checks:
        raise Unproven
    if "serialization" in schema and kind != "function-plain":
        raise Unproven
    if is_exact is None or not is_exact(schema):
        raise Unproven

    def strictly(part: Schema, slot: str, name: str) -> Schema:  # noqa: ARG001 - the parameters of a change
        return _strict(part, checks)

    strict = with_parts(schema, strictly)
    if kind == "default":  # a field that an instance lacks is no value that was given
        return cast("Schema", strict["schema"])
    if kind == "float":  # an int would become one
        return {"type": "chain", "steps": [{"type": "is-instance", "cls": float}, strict]}
    if kind == "datetime":
        check = {"type": "no-info", "function": _with_fixed_offset}
        return {"type": "function-after", "function": check, "schema": strict}
    if kind == "model":
        config = {**schema.get("config", {}), "strict": True}
        strict |= {"config": config, "strict": True, "revalidate_instances": "always"}
    return strict


def _is_nested(schema: Schema) -> bool:
    return schema["type"] == "model" and not hasattr(schema["cls"], "__emco__")


def _may_convert(schema: Schema) -> bool:
    """Return whether what strict validation accepts may come out of it as something else."""
    kind, config = schema["type"], schema.get("config", {})
    return (
        (kind == "str" and any(schema.get(name) for name in _EDITS))
        or (kind == "model" and any(config.get(f"str_{name}") for name in _EDITS))
        or (kind == "dict" and schema["keys_schema"]["type"] != "str")  # two references may become one
    )


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
