"""Storage: how the resources of one model are written as documents, and read from them.

A document holds each field under its own name, in the form of its type. What a model only shows stays out of it:
computed fields, aliases, other forms of numbers and times.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator

from emco_store.core.schema_parts import Schema, all_parts_of
from emco_store.core.storable import storage_problems
from emco_store.core.stored_form import StoredForm, settings_of
from emco_store.core.strict import Strict, Unproven

_WITHOUT_PARENT = {"parent"}
"""What a document leaves out, because its key says it."""
_OF_ITS_OWN = {"call", "custom-error", "dataclass", "is-instance"}


class Storage:
    """What writes and reads the documents of one model.

    Args:
        model: The class, with all its annotations resolved.
        checks: Functions that run after validation and change nothing but references.
        is_view: Whether fields that the model does not declare are ignored, at any depth.

    Attributes:
        problems: What in the model could never come back from a document.
        compares_itself: Whether a class in it may say by a rule of its own what equals what.
    """

    __slots__ = ("_read", "_strict", "_write", "compares_itself", "problems")

    def __init__(self, model: type[BaseModel], checks: frozenset[Any], *, is_view: bool = False) -> None:
        schema = StoredForm(cast("Schema", model.__pydantic_core_schema__), checks, is_view=is_view).schema
        compiled: Any = schema
        # The settings given here hold for values without a declared type.
        settings: Any = settings_of(dict(model.model_config))
        self._write = SchemaSerializer(compiled, settings, _use_prebuilt=False)
        self._read = SchemaValidator(compiled, settings, _use_prebuilt=False)
        try:
            self._strict: Strict | None = Strict(schema, checks)
        except Unproven:
            self._strict = None
        self.problems = storage_problems(schema)
        self.compares_itself = any(_compares_itself(part) for part in all_parts_of(schema))

    @property
    def is_exact(self) -> bool:
        """Whether no validator of the model's own takes part in reading a document."""
        return self._strict is not None

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
        return None if self._strict is None else self._strict.proved(resource, context)


def _compares_itself(schema: Schema) -> bool:
    kind = schema["type"]
    if kind == "model":
        return not hasattr(schema["cls"], "__emco__") and schema["cls"].__eq__ is not BaseModel.__eq__
    return kind in _OF_ITS_OWN
