"""Storage: how the resources of one model are written as documents, and read from them.

A document holds each field under its own name, in the form of its type. What a model only shows stays out of it:
computed fields, aliases, other forms of numbers and times.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator

from emco_store.core.likeness import is_alike
from emco_store.core.schema_parts import Schema, all_parts_of
from emco_store.core.sets import Orders, with_sets_in_order
from emco_store.core.storable import storage_problems
from emco_store.core.stored_form import StoredForm, settings_of
from emco_store.core.strict import Strict, Unproven

_SINGLE = (bool, int, str, bytes, Enum)
_OF_ITS_OWN = {"call", "custom-error", "dataclass", "is-instance"}


class Storage:
    """What writes and reads the documents of one model.

    Args:
        model: The class, with all its annotations resolved.
        checks: Functions that run after validation and change nothing but references.
        since: The fields that came with a later version of the model, each with that version and its default.
        is_view: Whether fields that the model does not declare are ignored, at any depth.

    Attributes:
        problems: What in the model could never come back from a document.
        compares_itself: Whether a class in it may say by a rule of its own what equals what.
    """

    __slots__ = ("_read", "_since", "_strict", "_write", "compares_itself", "problems")

    def __init__(
        self,
        model: type[BaseModel],
        checks: frozenset[Any],
        since: tuple[tuple[str, int, Any], ...] = (),
        *,
        is_view: bool = False,
    ) -> None:
        self._since = since
        schema = StoredForm(cast("Schema", model.__pydantic_core_schema__), checks, is_view=is_view).schema
        compiled: Any = schema
        # The settings given here hold for values without a declared type.
        settings: Any = settings_of(dict(model.model_config))
        self._write = SchemaSerializer(
            cast("Any", with_sets_in_order(_without_parent(schema))), settings, _use_prebuilt=False
        )
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
        # pydantic takes a sixth longer for "none" than for False, which means the same.
        return self._write.to_json(
            resource, warnings=False, by_alias=False, exclude=self._left_out(resource), round_trip=True
        )

    def exact_text(self, resource: BaseModel, *, field: str | None = None) -> bytes | None:
        """Write a resource, or one of its fields, as JSON text; None if a value is not of the type of its field."""
        try:
            return self._write.to_json(
                resource, warnings="error", by_alias=False, exclude=self._left_out(resource), round_trip=True,
                include=None if field is None else {field},
            )  # fmt: skip
        except PydanticSerializationError:
            return None

    def used(self, resource: BaseModel) -> int:
        """Return the newest version of the fields that the document of a resource holds; 1 where none came later.

        Rules: MIG-1.
        """
        left_out = self._left_out(resource) or ()
        return max([version for name, version, _ in self._since if name not in left_out], default=1)

    def _left_out(self, resource: BaseModel) -> set[str] | None:
        if not self._since:
            return None
        return {name for name, _, default in self._since if self._comes_back(resource, name, default)}

    def _comes_back(self, resource: BaseModel, name: str, default: Any) -> bool:
        """Return whether reading a document without a field would give back its value: 1 is not True, nor 1.0."""
        value = resource.__dict__.get(name, default)
        if value is default:
            return True
        if type(value) is not type(default):
            return False
        if isinstance(value, _SINGLE):
            return bool(value == default)
        return is_alike(value, default) and self._text_of(resource, name) == self._text_of(
            resource.model_copy(update={name: default}), name
        )

    def _text_of(self, resource: BaseModel, name: str) -> bytes:
        return self._write.to_json(resource, include={name}, warnings=False, by_alias=False, round_trip=True)

    def values(self, resource: BaseModel, orders: Orders | None = None) -> dict[str, Any]:
        """Write a resource as JSON values, and put the order of each set into ``orders``."""
        return self._write.to_python(  # type: ignore[no-any-return]  # a model gives a dict
            resource, mode="json", warnings=False, by_alias=False, exclude=self._left_out(resource), round_trip=True,
            context=orders,
        )  # fmt: skip

    def read(self, data: bytes, context: Any) -> Any:
        """Read a document.

        Raises:
            ValidationError: It does not fit the model.
        """
        return self._read.validate_json(data, context=context, by_alias=False, by_name=True)

    def proved(self, resource: BaseModel) -> Any:
        """Return a copy of a resource that is what its document would give back; None if only reading can tell.

        Its place in the hierarchy is for the caller to check.
        """
        return None if self._strict is None else self._strict.proved(resource)


def _without_parent(schema: Schema) -> Schema:
    """Return the schema of a model by which its parent is not written, because its key says it."""
    if schema["type"] != "model-fields":
        return schema | {"schema": _without_parent(schema["schema"])}
    fields = schema["fields"]
    return schema | {"fields": fields | {"parent": fields["parent"] | {"serialization_exclude": True}}}


def _compares_itself(schema: Schema) -> bool:
    kind = schema["type"]
    if kind == "model":
        return not hasattr(schema["cls"], "__emco__") and schema["cls"].__eq__ is not BaseModel.__eq__
    return kind in _OF_ITS_OWN
