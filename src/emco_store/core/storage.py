"""Storage: how the resources of one model are written as documents, and read from them.

A document holds each field under its own name, in the form of its type. What a model only shows stays out of it:
computed fields, aliases, other forms of numbers and times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, ValidationError

from emco_store.core.schema_parts import Schema, all_parts_of, with_parts
from emco_store.core.strict import strict_validator

_SETTINGS = {
    "ser_json_inf_nan": "constants",
    "ser_json_temporal": "iso8601",
    "ser_json_timedelta": "iso8601",
}
"""How every document is written, whatever the model's own settings."""
_WITHOUT_PARENT = {"parent"}
"""What a document leaves out, because its key says it."""
_OF_ITS_OWN = {"call", "custom-error", "dataclass", "is-instance"}


class Storage:
    """What writes and reads the documents of one model.

    Args:
        model: The class, with all its annotations resolved.
        checks: Functions that run after validation and change nothing but references.

    Attributes:
        compares_itself: Whether a class in it may say by a rule of its own what equals what.
    """

    __slots__ = ("_read", "_strict", "_write", "compares_itself")

    def __init__(self, model: type[BaseModel], checks: frozenset[Any]) -> None:
        schema = _stored(cast("Schema", model.__pydantic_core_schema__))
        compiled: Any = schema
        # The settings given here hold for values without a declared type.
        settings: Any = _settings(dict(model.model_config))
        self._write = SchemaSerializer(compiled, settings, _use_prebuilt=False)
        self._read = SchemaValidator(compiled, settings, _use_prebuilt=False)
        self._strict = strict_validator(schema, checks)
        self.compares_itself = any(_compares_itself(part) for part in all_parts_of(schema))

    def text(self, resource: BaseModel) -> bytes:
        """Write a resource as JSON text.

        Raises:
            PydanticSerializationError: It holds a value that has no JSON form.
        """
        return self._write.to_json(resource, warnings="none", by_alias=False, exclude=_WITHOUT_PARENT, round_trip=True)

    def exact_text(self, resource: BaseModel, *, field: str | None = None) -> bytes | None:
        """Write a resource, or one of its fields, as JSON text; None if a value is not of the type of its field."""
        try:
            return self._write.to_json(
                resource, warnings="error", by_alias=False, exclude=_WITHOUT_PARENT, round_trip=True,
                include=None if field is None else {field},
            )  # fmt: skip
        except PydanticSerializationError:
            return None

    def values(self, resource: BaseModel) -> dict[str, Any]:
        """Write a resource as JSON values."""
        return self._write.to_python(  # type: ignore[no-any-return]  # a model gives a dict
            resource, mode="json", warnings="none", by_alias=False, exclude=_WITHOUT_PARENT, round_trip=True
        )

    def read(self, data: bytes, context: Any) -> Any:
        """Read a document.

        Raises:
            ValidationError: It does not fit the model.
        """
        return self._read.validate_json(data, context=context, by_alias=False, by_name=True)

    def proved(self, resource: BaseModel, context: Any) -> Any:
        """Return a copy of a resource that is what its document would give back; None if only reading can tell."""
        if self._strict is None:
            return None
        try:
            return self._strict.validate_python(resource, context=context, by_alias=False, by_name=True)
        except ValidationError:
            return None


def _stored(schema: Schema) -> Schema:
    """Return the schema without what is only for show."""
    stored = with_parts(schema, lambda part, _: _stored(part))
    if "config" in schema:
        stored["config"] = schema["config"] | _settings(schema["config"])
    if "computed_fields" in schema:
        stored["computed_fields"] = []
    return stored


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings under which the values of one model are written and read."""
    chosen = {config.get("ser_json_bytes", "utf8"), config.get("val_json_bytes", "utf8")} - {"utf8"}
    form = config.get("ser_json_bytes") if len(chosen) > 1 else next(iter(chosen), "utf8")
    return {**_SETTINGS, "ser_json_bytes": form, "val_json_bytes": form}


def _compares_itself(schema: Schema) -> bool:
    kind = schema["type"]
    if kind == "model":
        return not hasattr(schema["cls"], "__emco__") and schema["cls"].__eq__ is not BaseModel.__eq__
    return kind in _OF_ITS_OWN
