"""Stored form: the core schema by which the documents of a model are written and read.

It is the model's own schema without what is only for show: computed fields, the settings of how JSON is written, and
serializers of values that JSON can hold as they are. A serializer whose form some validator may read stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from emco_store.core.enumerations import NoForm, readable, readable_key, values_of
from emco_store.core.schema_parts import Schema, all_parts_of, parts_of, with_parts

MAPS = {"counter", "dict", "ordered-dict"}
"""The forms of maps."""
PARSERS = {"function-before", "function-plain", "function-wrap"}
"""The validators that may read any form, so that nobody but the author of the model knows what is written for them."""
_SETTINGS = {"ser_json_inf_nan": "constants", "ser_json_temporal": "iso8601", "ser_json_timedelta": "iso8601"}
_HELD_BY_JSON = {
    "bool", "bytes", "complex", "counter", "dataclass", "dataclass-args", "dataclass-field", "date", "datetime",
    "decimal", "default", "definition-ref", "deque", "dict", "enum", "float", "fraction", "frozenset", "int", "json",
    "list", "literal", "model", "model-field", "model-fields", "multi-host-url", "none", "nullable", "ordered-dict",
    "set", "str", "tagged-union", "time", "timedelta", "tuple", "typed-dict", "typed-dict-field", "union", "url",
    "uuid",
}  # fmt: skip
"""The forms whose values pydantic writes and reads without help."""


class StoredForm:
    """The schema of a model's documents.

    Args:
        schema: The core schema of the model.
        checks: Functions that run after validation and change nothing but references.
        is_view: Whether fields that the model does not declare are ignored.

    Attributes:
        schema: The schema of its documents.
    """

    def __init__(self, schema: Schema, checks: frozenset[Any], *, is_view: bool = False) -> None:
        self._unknown = "ignore" if is_view else "forbid"
        self._checks = checks
        self._parsed = _parsed_definitions(schema)
        self.schema = self._stored(schema, is_parsed=False, is_converted=False)

    def _stored(self, schema: Schema, *, is_parsed: bool, is_converted: bool) -> Schema:
        """Return the stored form of a part.

        Args:
            schema: The part.
            is_parsed: Whether it stands below a validator that may read any form.
            is_converted: Whether a validator of the author's converts what this part has read.
        """
        kind = schema["type"]
        is_below = is_parsed or kind in PARSERS or schema.get("ref") in self._parsed
        converts = kind == "function-after" and schema["function"]["function"] not in self._checks

        def change(part: Schema, slot: str, _: str) -> Schema:
            if slot == "keys_schema" and values_of(part) is not None:
                return _readable(part, as_key=True)
            return self._stored(part, is_parsed=is_below, is_converted=converts)

        stored = with_parts(schema, change)
        if "config" in schema:
            stored["config"] = schema["config"] | settings_of(schema["config"])
        if "computed_fields" in schema:
            stored["computed_fields"] = []
        if _has_serializer(schema) and not (is_below or is_converted) and _is_held(schema):
            del stored["serialization"]
        if kind in {"enum", "literal"}:
            return _readable(stored, as_key=False)
        if kind == "tagged-union":
            tags = {tag.value: choice for tag, choice in stored["choices"].items() if isinstance(tag, Enum)}
            stored["choices"] = {**tags, **stored["choices"]}
        if kind == "typed-dict" and stored.get("extra_behavior") != "allow":
            stored["extra_behavior"] = self._unknown  # otherwise pydantic drops unknown fields in silence
        if kind == "dataclass" and stored.get("config", {}).get("extra_fields_behavior") != "allow":
            stored["config"] = stored.get("config", {}) | {"extra_fields_behavior": self._unknown}  # the same
        return stored


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return how the values of one model are written and read, of which a model chooses the form of bytes."""
    chosen = {config.get("ser_json_bytes", "utf8"), config.get("val_json_bytes", "utf8")} - {"utf8"}
    form = config.get("ser_json_bytes") if len(chosen) > 1 else next(iter(chosen), "utf8")
    return {**_SETTINGS, "ser_json_bytes": form, "val_json_bytes": form}


def _parsed_definitions(schema: Schema) -> frozenset[str]:
    """Return the names of the definitions that some validator stands above."""
    return frozenset(
        part["schema_ref"]
        for above in all_parts_of(schema)
        if above["type"] in PARSERS
        for part in all_parts_of(above)
        if part["type"] == "definition-ref"
    )


def _readable(schema: Schema, *, as_key: bool) -> Schema:
    try:
        return readable_key(schema) if as_key else readable(schema)
    except NoForm:
        return schema  # it is refused when the whole is judged


def _has_serializer(schema: Schema) -> bool:
    return str(schema.get("serialization", {}).get("type", "")).startswith("function-")


def _is_held(schema: Schema) -> bool:
    """Return whether pydantic writes and reads the values of a part without the serializer that the part has."""
    is_model = schema["type"] == "model"
    return schema["type"] in _HELD_BY_JSON and all(
        _is_written(part) if is_model else _is_held(part) and "serialization" not in part
        for part, _, _ in parts_of(schema)
    )


def _is_written(schema: Schema) -> bool:
    """Return whether a part of a model is written as it is read, by pydantic or by a serializer of its own."""
    if "serialization" in schema or schema["type"] in {"function-after", "function-before", "function-wrap"}:
        return True
    if schema["type"] in {"model-fields", "model-field", "default", "nullable"}:
        return all(_is_written(part) for part, _, _ in parts_of(schema))
    return _is_held(schema)
