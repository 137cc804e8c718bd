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

from emco_store.core.documents import INT64, MAX_DEPTH
from emco_store.core.refs import Ref, as_ref
from emco_store.core.schema_parts import Schema, all_parts_of, parts_of, with_parts

_EDITS = ("strip_whitespace", "to_lower", "to_upper")
"""What a schema may do to a text."""
_NESTS = {"dict", "frozenset", "list", "model", "set"}
_subclasses = type.__subclasses__


class Unproven(Exception):
    """The schema has a part about which nothing is known."""


class Strict:
    """What proves of the values of one model that their documents would give them back.

    The numbers and the nesting of such a document are within the limits too, so that only its texts remain to be looked
    at (:func:`emco_store.core.documents.has_plain_texts`).

    Args:
        schema: The core schema of the model.
        checks: Functions that run after validation and change nothing but references; they are left to the caller.

    Raises:
        Unproven: Some values of the model can only be proved by reading their documents back.
    """

    __slots__ = ("_converts", "_nested", "_validator")

    def __init__(self, schema: Schema, checks: frozenset[Any]) -> None:
        strict: Any = _strict(schema, checks)
        if _depth(schema, {part["ref"]: part for part in schema.get("definitions", ())}) > MAX_DEPTH:
            raise Unproven
        # The prebuilt validator of a nested class would take its instances unseen.
        self._validator = SchemaValidator(strict, _use_prebuilt=False)
        parts = list(all_parts_of(schema))
        self._nested = tuple({part["cls"] for part in parts if _is_nested(part)})
        self._converts = any(_may_convert(part) for part in parts)

    def proved(self, resource: BaseModel) -> Any:
        """Return a copy of a resource that is what its document would give back; None if only reading can tell.

        Strict validation converts nothing, with two exceptions, for which the copy is compared: what a schema says
        itself, and an instance of a subclass, which comes back as one of the class.
        """
        try:
            read = self._validator.validate_python(resource, by_alias=False, by_name=True)
        except ValidationError:
            return None
        if (self._converts or any(map(_subclasses, self._nested))) and not is_equal(resource, read):
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
    change = _CHANGES.get(kind)
    return strict if change is None else change(strict)


def _inner(strict: Schema) -> Schema:
    """Leave out a default, because a field that an instance lacks was not given, and what the caller checks."""
    return cast("Schema", strict["schema"])


def _reference(_: Schema) -> Schema:
    return {"type": "is-instance", "cls": Ref}


def _within_64_bits(strict: Schema) -> Schema:
    return strict | {"ge": max(strict.get("ge", -INT64), -INT64), "le": min(strict.get("le", INT64 - 1), INT64 - 1)}


def _finite_float(strict: Schema) -> Schema:
    """Refuse an integer too, which would become a float."""
    return {"type": "chain", "steps": [{"type": "is-instance", "cls": float}, strict | {"allow_inf_nan": False}]}


def _of_known_zone(strict: Schema) -> Schema:
    check = {"type": "no-info", "function": _with_fixed_offset}
    return {"type": "function-after", "function": check, "schema": strict}


def _model(strict: Schema) -> Schema:
    """Take no instance of another class, not even of the generic class that this one was made of."""
    config = {**strict.get("config", {}), "strict": True}
    own = {name: value for name, value in strict.items() if name != "generic_origin"}
    return own | {"config": config, "strict": True, "revalidate_instances": "always"}


_CHANGES: Mapping[str, Callable[[Schema], Schema]] = {
    "datetime": _of_known_zone,
    "default": _inner,
    "float": _finite_float,
    "function-after": _inner,
    "function-plain": _reference,
    "int": _within_64_bits,
    "model": _model,
}
"""For each form of a schema, how it becomes strict, where the strict configuration is not enough."""


def _depth(schema: Schema, definitions: Mapping[str, Schema]) -> int:
    """Return how many maps and lists may stand in one another.

    Raises:
        Unproven: There is no such number, because a part holds itself.
    """
    if schema["type"] == "definition-ref":
        name = schema["schema_ref"]
        if name not in definitions:
            raise Unproven
        return _depth(definitions[name], {other: part for other, part in definitions.items() if other != name})
    within = [_depth(part, definitions) for part, slot, _ in parts_of(schema) if slot != "definitions"]
    return max(within, default=0) + (schema["type"] in _NESTS)


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
