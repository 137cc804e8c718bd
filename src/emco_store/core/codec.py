"""From a resource to its record and back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from emco_store.core.documents import decode, encode, problems_in
from emco_store.core.indexing import index_text
from emco_store.core.keys import Key, known_key
from emco_store.core.records import PARENT_PATH, Edge, Record
from emco_store.core.refs import Ref
from emco_store.core.resource import Meta, ModelSpec, Resource, invalid_resource
from emco_store.errors import InvalidResource

R = TypeVar("R", bound=Resource)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        parent = None if resource.parent is None else Ref(resource.parent).text
        written = _written(resource)
        checked = _read(model, encode(written), parent)
        document = _written(checked)
        own = checked.key
        edges, keys = _edges(spec, checked, document, own)
        data = encode(document)
    except ValidationError as problem:
        raise invalid_resource(model.__name__, problem) from problem
    except (PydanticSerializationError, ValueError, RecursionError) as problem:
        raise _refusal(model, None, [_reason(problem)]) from problem
    problems = problems_in(written, keys=keys) or _lost(resource, checked)
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


def _written(resource: Resource) -> dict[str, Any]:
    """Write a resource as JSON values, without its parent, which its key says."""
    return type(resource).__pydantic_serializer__.to_python(  # type: ignore[no-any-return]  # a model gives a dict
        resource, mode="json", warnings="none", exclude={"parent"}
    )


def _read(model: type[R], data: bytes, parent: str | None) -> R:
    """Read a document as it will be read from the store, with the parent that its key implies."""
    if parent is not None:
        data = data[:-1] + b',"parent":' + encode(parent) + b"}"  # every document holds at least the name
    return model.__pydantic_validator__.validate_json(data, by_alias=False, by_name=True)  # type: ignore[no-any-return]


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
    spec: ModelSpec, resource: Resource, document: dict[str, Any], own: Key
) -> tuple[tuple[Edge, ...], frozenset[str]]:
    edges: list[Edge] = []
    keys: set[str] = set()
    if resource.parent is not None and resource.parent.key is not None:
        edges.append(Edge(resource.parent.key, PARENT_PATH, spec.on_parent_delete))
    for name, node in spec.shape.items():
        value = getattr(resource, name)
        if value is None:
            continue
        for found in node.visit(value, document[name], (name,)):
            if found.ref.key is not None:
                edges.append(
                    Edge(found.ref.key, found.path, found.spec.rule, found.at_key, found.spec.default_key(own))
                )
            if found.at_key:
                keys.add(found.ref.text)
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
        created_at=_EPOCH + timedelta(microseconds=record.created_us),
        updated_at=_EPOCH + timedelta(microseconds=record.updated_us),
        key=record.key,
        edges=record.edges,
    )


def microseconds(moment: datetime) -> int:
    """Give a moment as microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def with_meta(resource: R, record: Record) -> R:
    """Attach what the store knows to a value that the caller has not seen yet."""
    resource._meta = meta_of(record)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the one place that fills it
    return resource


def load(record: Record, model: type[R]) -> R:
    """Read a record with its model.

    Raises:
        InvalidResource: The stored document does not fit the model, or says another name than its key.
    """
    spec = model.__emco__
    key = record.key
    above = key.segments[: len(key.segments) - len(spec.key_fields)]
    try:
        parent = None if spec.parent is None else known_key(spec.parent.__emco__.kind, above).text
        resource = _read(model, record.document, parent)
        if (*above, *(getattr(resource, name) for name in spec.key_fields)) != key.segments:
            message = f"the document says that its key is {resource.key}"
            raise ValueError(message)  # noqa: TRY301 - joins the other ways in which a document may not fit
    except (ValidationError, ValueError) as problem:
        reasons = (
            list(invalid_resource(spec.kind, problem).problems)
            if isinstance(problem, ValidationError)
            else [str(problem)]
        )
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
