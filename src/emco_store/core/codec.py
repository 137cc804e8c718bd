"""From a resource to its record and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from emco_store.core.documents import decode, encode, is_plain, problems_in
from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.records import PARENT_PATH, Edge, Record, known_edge
from emco_store.core.refs import as_ref
from emco_store.core.resource import (
    Lineage,
    Meta,
    Resource,
    attach,
    invalid_resource,
    parent_of,
    validated_key,
)
from emco_store.core.specs import ModelSpec
from emco_store.errors import InvalidResource

R = TypeVar("R", bound=Resource)
_WITHOUT_PARENT = {"parent"}
"""What a document leaves out, because its key says it."""


@dataclass(frozen=True, slots=True)
class Draft(Generic[R]):
    """A resource that has passed every check that needs no I/O, in the form in which it will be stored."""

    resource: R
    key: Key
    document: bytes
    edges: tuple[Edge, ...]
    unique: tuple[tuple[str, str], ...]
    index: tuple[tuple[str, str], ...]

    def record(self, *, uid: str, version: int, created_us: int, updated_us: int) -> Record:
        """Make the record of this resource."""
        return Record(
            self.key, uid, version, self.document, self.edges, self.unique, self.index, created_us, updated_us
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Untyped:
    """A stored resource of a kind that this store has no model of: to be read, referred to and deleted.

    Attributes:
        key: Its key.
        meta: What the store knows of it.
        document: Its data, as JSON values.
    """

    key: Key
    meta: Meta
    document: dict[str, Any]


def draft(resource: R, *, max_bytes: int) -> Draft[R]:
    """Check a resource and write its document.

    The document is read back before it is accepted: what is stored can be read, and a value that was changed around
    its model (``model_copy(update=…)``, a list changed in place) meets the same checks as a new one.

    Raises:
        InvalidResource: Something about it is not acceptable; all reasons are given.

    Rules: BAD-1 to BAD-6.
    """
    model = type(resource)
    spec = model.__emco__
    try:
        given = _json(resource)
        parent = None if resource.parent is None else as_ref(resource.parent)
        checked = _read(model, given, Lineage(parent))
        own = validated_key(checked)
        document = None if spec.is_flat else _written(checked)
        edges, keys = _edges(spec, checked, document, own)
        data = _json(checked) if document is None else encode(document)
    except ValidationError as problem:
        raise invalid_resource(model.__name__, problem) from problem
    except (PydanticSerializationError, ValueError, RecursionError) as problem:
        raise _refusal(model, None, [_reason(problem)]) from problem
    problems = ([] if is_plain(given) else problems_in(_written(resource), keys=keys)) or _lost(resource, checked)
    if len(data) > max_bytes:
        problems.append(f"its document has {len(data)} bytes, the limit of this store is {max_bytes}")
    if problems:
        raise _refusal(model, own, problems)
    try:
        index = {name: index_text(getattr(checked, name)) for name in spec.indexed}
    except ValueError as problem:
        raise _refusal(model, own, [str(problem)]) from problem
    return Draft(
        resource=checked,
        key=own,
        document=data,
        edges=edges,
        unique=tuple((name, index[name]) for name in spec.unique if getattr(checked, name) is not None),
        index=tuple(index.items()),
    )


def _json(resource: Resource) -> bytes:
    """Write a resource as JSON text."""
    return type(resource).__pydantic_serializer__.to_json(resource, warnings="none", exclude=_WITHOUT_PARENT)


def _written(resource: Resource) -> dict[str, Any]:
    """Write a resource as JSON values."""
    return type(resource).__pydantic_serializer__.to_python(  # type: ignore[no-any-return]  # a model gives a dict
        resource, mode="json", warnings="none", exclude=_WITHOUT_PARENT
    )


def _read(model: type[R], data: bytes, lineage: Lineage) -> R:
    """Read a document as it will be read from the store, with what its key implies."""
    return model.__pydantic_validator__.validate_json(  # type: ignore[no-any-return]  # a model gives an instance
        data, context=lineage, by_alias=False, by_name=True
    )


def _lost(resource: Resource, checked: Resource) -> list[str]:
    """Name the fields that JSON would give back as something else: bytes or a set in ``Any``, a masked secret.

    A value that was put around the model is validated before it is compared, so that text in the place of a date, or a
    short reference, is as welcome as in a new resource.
    """
    if resource.__dict__ == checked.__dict__ and resource.__pydantic_extra__ == checked.__pydantic_extra__:
        return []
    model = type(resource)
    known = {name for name in resource.__dict__ if not isinstance(getattr(model, name, None), cached_property)}
    given = {name: resource.__dict__[name] for name in known} | (resource.__pydantic_extra__ or {})
    try:
        again = model.__pydantic_validator__.validate_python(given, by_alias=False, by_name=True)
    except ValidationError as problem:
        return list(invalid_resource(model.__name__, problem).problems)
    return [
        f"{name}: it would come back from the store as another value; JSON has no form for it"
        for name in given
        if getattr(again, name) != getattr(checked, name)
    ]


def _edges(
    spec: ModelSpec, resource: Resource, document: dict[str, Any] | None, own: Key
) -> tuple[tuple[Edge, ...], frozenset[str]]:
    edges: list[Edge] = []
    keys: set[str] = set()
    if resource.parent is not None:
        edges.append(known_edge(resource.parent.text, PARENT_PATH, spec.on_parent_delete, at_key=False, default=None))
    values = resource.__dict__
    for name, node in spec.shape.items():
        value = values[name]
        if value is None:
            continue
        for path, at_key, place, ref in node.visit(value, document and document[name], (name,)):
            if ref.key is not None:
                default = place.default_key(own)
                edges.append(known_edge(ref.text, path, place.rule, at_key, default and default.text))
            if at_key:
                keys.add(ref.text)
    return tuple(edges), frozenset(keys)


def _reason(problem: Exception) -> str:
    if isinstance(problem, PydanticSerializationError) and "Circular reference" in str(problem):
        return "it contains itself, or is nested too deep to be written"
    if isinstance(problem, PydanticSerializationError):
        return "it holds a value that has no JSON form"
    if isinstance(problem, RecursionError):
        return "it is nested too deep to be written"
    return str(problem)


def _refusal(model: type[BaseModel], key: Key | None, problems: list[str]) -> InvalidResource:
    return InvalidResource(
        f"Cannot store the {model.__name__}{f' {key}' if key else ''}.",
        why=problems,
        do="correct the data.",
        key=key,
        problems=tuple(problems),
    )


def meta_of(record: Record) -> Meta:
    """Give what a caller may know of a record."""
    return Meta(
        uid=record.uid,
        version=record.version,
        created_us=record.created_us,
        updated_us=record.updated_us,
        key=record.key,
        edges=record.edges,
    )


def with_meta(resource: R, record: Record) -> R:
    """Attach what the store knows to a value that the caller has not seen yet."""
    attach(resource, meta_of(record))
    return resource


def load(record: Record, model: type[R]) -> R:
    """Read a record with its model.

    Raises:
        InvalidResource: The stored document does not fit the model, or says another name than its key.
    """
    spec = model.__emco__
    key = record.key
    try:
        parent = None
        if spec.parent is not None:
            parent = parent_of(spec.parent.__emco__.kind, key.segments[: -len(spec.key_fields)])
        resource = _read(model, record.document, Lineage(parent, key))
    except ValidationError as problem:
        reasons = list(invalid_resource(spec.kind, problem).problems)
        raise InvalidResource(
            f"Cannot read {key}: its stored document does not fit the model {model.__name__}.",
            why=reasons,
            do="put() a correct one in its place, delete it, or use the model that it was written with.",
            key=key,
            problems=tuple(reasons),
        ) from problem
    return with_meta(resource, record)


def load_untyped(record: Record) -> Untyped:
    """Read a record without a model.

    Raises:
        InvalidResource: The stored document is no JSON object.
    """
    try:
        document: Any = decode(record.document)
    except ValueError as problem:
        raise _unreadable(record.key, [str(problem)]) from problem
    if not isinstance(document, dict):
        raise _unreadable(record.key, ["it is no JSON object"])
    return Untyped(record.key, meta_of(record), cast("dict[str, Any]", document))


def _unreadable(key: Key, reasons: list[str]) -> InvalidResource:
    return InvalidResource(
        f"Cannot read {key}: its stored document is no resource.",
        why=reasons,
        do="put() a correct one in its place, or delete it.",
        key=key,
        problems=tuple(reasons),
    )
