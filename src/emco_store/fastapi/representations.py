"""Resources as bodies of requests and responses, in FastAPI and in the OpenAPI that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from emco_store import Key, Page, Resource

R = TypeVar("R", bound=Resource)


class MetaBody(BaseModel):
    """What the store knows about a resource, as clients see it."""

    model_config = ConfigDict(title="Meta")

    key: Key
    uid: str
    version: int
    etag: str = Field(description="The entity tag, quotes included: the value of the header ETag.")
    created_at: datetime
    updated_at: datetime
    actor: str
    reason: str
    operation: str

    @classmethod
    def of(cls, resource: Resource) -> MetaBody:
        """Return the meta of a stored resource.

        Raises:
            InvalidCall: It was never stored.
        """
        return cls.model_validate({name: getattr(resource.meta, name) for name in cls.model_fields})


class _Represented:
    """The marker in ``Representation[…]``: to its type checker a resource, in JSON with its ``meta``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(source)
        if not isinstance(source, type):  # the type variable of a generic body
            return inner
        meta = MetaBody.__pydantic_core_schema__

        def to_json(resource: Resource, write: Any) -> dict[str, Any]:
            return {**write(resource), "meta": MetaBody.of(resource).model_dump(mode="json")}

        def to_schema(_: CoreSchema, to: GetJsonSchemaHandler) -> dict[str, Any]:
            schema = to.resolve_ref_schema(to(inner))
            properties = {**schema["properties"], "meta": {"allOf": [to(meta)], "readOnly": True}}
            is_answer = to.mode == "serialization"
            required = [*schema.get("required", ()), *(["meta"] if is_answer else ())]
            return {**schema, "properties": properties, "required": required}

        return core_schema.no_info_before_validator_function(
            _without_meta,
            inner,
            ref=f"{source.__module__}.{source.__qualname__}Representation:{id(source)}",
            serialization=core_schema.wrap_serializer_function_ser_schema(to_json, schema=inner),
            metadata={"pydantic_js_functions": [to_schema]},
        )


def _without_meta(data: Any) -> Any:
    """Leave out what a client sends back as it was read."""
    if not isinstance(data, Mapping):
        return data
    given = cast("Mapping[str, Any]", data)
    return {name: value for name, value in given.items() if name != "meta"}


Representation = Annotated[R, _Represented()]
"""``Representation[App]``: the type of a body. Type checkers see an ``App``.

In a response, the JSON has the fields of the model and ``meta``. In a request, ``meta`` is read-only and ignored, so
that a client can send back what it has read.
"""


class Listed(BaseModel, Generic[R]):
    """A page as a body; ``answer.page(page)`` makes it.

    Attributes:
        items: The resources.
        next: The cursor for ``after=``; None at the end.
        unreadable: The keys of resources of this page that cannot be read.
    """

    items: list[Representation[R]]
    next: str | None = None
    unreadable: list[str] = []

    @classmethod
    def of(cls, page: Page[R]) -> Listed[R]:
        """Return the body of a page."""
        unreadable = [str(error.key) for error in page.errors]
        return cls.model_construct(items=list(page.resources), next=page.next, unreadable=unreadable)


class Changes(dict[str, Any], Generic[R]):
    """``Changes[App]``: the type of the body of a ``PATCH``, new values by the names of fields, for ``store.patch``.

    The fields of the key cannot be among them. Each value replaces the whole field.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        model = source.__args__[0]
        fixed = {"parent", *model.__emco__.key_fields}
        fields: dict[str, Any] = {
            name: (info.rebuild_annotation(), None) for name, info in model.model_fields.items() if name not in fixed
        }
        changed = create_model(f"{model.__name__}Changes", __config__=ConfigDict(extra="forbid"), **fields)

        def given(values: Any) -> Changes[Any]:
            return cls({name: getattr(values, name) for name in values.model_fields_set})

        return core_schema.no_info_after_validator_function(given, handler.generate_schema(changed))
