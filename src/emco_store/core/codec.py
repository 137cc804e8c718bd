"""From a resource to its record and back."""

from __future__ import annotations

from collections.abc import Iterator, Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from emco_store.core.documents import decode, encode, has_plain_texts, is_plain, problems_in
from emco_store.core.evolution import BY_HAND, in_order, without_stamp
from emco_store.core.indexing import TIMES, dated, entry_of, index_name, index_text
from emco_store.core.keys import Key
from emco_store.core.meta import Lineage, Meta
from emco_store.core.naming import is_status
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.readback import read_back
from emco_store.core.records import PARENT_PATH, Edge, Record, known_edge
from emco_store.core.refs import Ref
from emco_store.core.reserved import lease_of
from emco_store.core.resource import (
    Resource,
    attach,
    invalid_resource,
    parent_of,
)
from emco_store.core.sets import Orders
from emco_store.core.shapes import Found, Selected
from emco_store.core.specs import ModelSpec
from emco_store.core.values import value
from emco_store.core.wording import count
from emco_store.errors import InvalidResource

R = TypeVar("R", bound=Resource)


@value(frozen=True, slots=True)
class Draft(Generic[R]):
    """A resource that has passed every check that needs no I/O, in the form in which it will be stored."""

    resource: R
    key: Key
    document: bytes
    edges: tuple[Edge, ...]
    unique: tuple[tuple[str, str], ...]
    index: tuple[tuple[str, str], ...]

    def record(
        self, *, uid: str, version: int, created_us: int, updated_us: int, origin: Origin = NOBODY
    ) -> Record:  # fmt: skip
        """Make the record of this resource."""
        return Record(
            self.key, uid, version, self.document, self.edges, self.unique, dated(self.index, created_us, updated_us),
            created_us, updated_us, 0, origin,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Untyped:
    """A stored resource of a kind that this store has no model of; it can be read, referred to and deleted.

    Attributes:
        key: The key of the resource.
        meta: What the store knows about it.
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
        checked, own, data, problems = read_back(resource)
        is_within = is_plain if data is not None else has_plain_texts
        orders: Orders = {}
        document = None if spec.is_flat else spec.storage.values(checked, orders)
        edges, keys = _edges(spec, checked, document, orders, own)
        if document is not None:
            data = encode(document)
        elif data is None:
            data = spec.storage.text(checked)
    except ValidationError as problem:
        raise invalid_resource(model.__name__, problem) from problem
    except (PydanticSerializationError, ValueError, RecursionError) as problem:
        raise _refusal(model, None, [_reason(problem)]) from problem
    if not is_within(data):
        problems = problems_in(spec.storage.values(checked), keys=keys) or problems
    if not spec.evolution.is_plain:
        data = spec.evolution.stamped(data, spec.storage.used(checked))
    if len(data) > max_bytes:
        problems.append(f"its document has {count(len(data), 'byte')}, the limit of this store is {max_bytes}")
    if problems:
        raise _refusal(model, own, problems)
    unique, index = _indexed(spec, checked, own) if spec.indexes else ((), ())
    if spec.trail is not None:
        index = (*index, spec.trail.mark)
    return Draft(checked, own, data, edges, unique, index)


def _indexed(
    spec: ModelSpec, checked: Resource, own: Key
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Return the values that must be unique, and those by which it is found and ordered."""
    try:
        texts = {name: "" if name in TIMES else index_text(getattr(checked, name)) for name in spec.in_indexes}
    except ValueError as problem:
        raise _refusal(type(checked), own, [str(problem)]) from problem
    unique = [(name, texts[name]) for name in spec.unique if getattr(checked, name) is not None]
    index = [(index_name(fields), entry_of([texts[name] for name in fields])) for fields in spec.indexes]
    return tuple(unique), tuple(index)


def _edges(
    spec: ModelSpec, resource: Resource, document: dict[str, Any] | None, orders: Orders, own: Key
) -> tuple[tuple[Edge, ...], AbstractSet[str]]:
    """Return the references of a resource as edges, and the texts of those that stand in the key of a map.

    The edges of selections are open: which match they hold is not known here.
    """
    edges: list[Edge] = []
    keys: set[str] = set()
    values = resource.__dict__
    parent: Ref[Any] | None = values["parent"]
    if parent is not None:
        edges.append(spec.edge_to_parent(parent.text))
    for name, node, edge_to in spec.places:
        value = values[name]
        if value is None:
            continue
        if edge_to is not None:
            edges.append(edge_to(value.text))
            continue
        for one in node.visit(value, document and document[name], (name,), orders):
            edges += one.edges(own) if isinstance(one, Selected) else _edges_of(one, own)
            if isinstance(one, Found) and one.at_key:
                keys.add(one.ref.text)
    for name, selection in spec.selections.items():
        edges += Selected((name,), selection, values[name], values).edges(own)
    return tuple(edges), keys


def _edges_of(found: Found, own: Key) -> Iterator[Edge]:
    path, at_key, place, ref = found
    if ref.has_key:
        default = None if place.fallback is None else place.default_key(own)
        if place.on_expire is None:
            yield known_edge(ref.text, path, place.rule, at_key, default and default.text)
        else:
            yield from _with_lease(found, ref.key, default)


def _with_lease(found: Found, target: Key, default: Key | None) -> Iterator[Edge]:
    """Yield the edges of a reference that needs the lease of its target: to the target, and to the lease.

    Rules: LEA-5, LEA-6.
    """
    path, at_key, place, _ = found
    given = place.rule.fallback(default)
    yield known_edge(target.text, path, place.rule, at_key, given and given.text)
    if place.on_expire is not None:
        given = place.on_expire.fallback(default and lease_of(default))
        yield known_edge(lease_of(target).text, path, place.on_expire, at_key, given and given.text)


def _reason(problem: Exception) -> str:
    if isinstance(problem, PydanticSerializationError) and "Circular reference" in str(problem):
        return "it contains itself, or is nested too deep to be written"
    if isinstance(problem, PydanticSerializationError):
        return "it holds a value that has no JSON form"
    if isinstance(problem, RecursionError):
        return "it is nested too deep to be written"
    return str(problem)


def _refusal(model: type[BaseModel], key: Key | None, problems: list[str]) -> InvalidResource:
    named = f"the {model.__name__}{f' {key}' if key else ''}"
    return InvalidResource(
        f"Cannot store {key if key and is_status(key.kind) else named}.",
        why=problems,
        hint="correct the data.",
        key=key,
        problems=tuple(problems),
    )


def meta_of(record: Record) -> Meta:
    """Return what a caller may know of a record."""
    # What the constructor of Meta calls, in little more than half the time.
    return tuple.__new__(  # pyright: ignore[reportUnknownMemberType]  # of a tuple of anything
        Meta,
        (record.uid, record.version, record.created_us, record.updated_us, record.key, record.edges, record.origin),
    )


def with_meta(resource: R, record: Record) -> R:
    """Attach what the store knows to a value that the caller has not seen yet."""
    attach(resource, meta_of(record))
    return resource


def load(record: Record, model: type[R]) -> R:
    """Read a record with its model.

    Raises:
        NewerModel: Only newer versions of the model can read the document.
        InvalidResource: The stored document does not fit the model, or says another name than its key.

    Rules: MIG-2, MIG-3.
    """
    spec = model.__emco__
    key = record.key
    if spec.is_view:
        return _load_view(record, model)
    try:
        above = spec.parent_kind
        parent = None if above is None else parent_of(above, key.segments[: -len(spec.key_fields)])
        edges = record.edges
        is_misplaced = edges and edges[0].target.kind != above and edges[0].path == PARENT_PATH
        if is_misplaced or len(key.segments) != spec.length:
            reason = _contradiction(key, edges[0].target.kind if is_misplaced else None, spec)
            raise _misfit(model, key, [reason], hint=f"use the model that it was written with; or {BY_HAND}")
        resource: R = spec.storage.read(spec.evolution.current(record.document, key), Lineage(parent, key))
    except ValidationError as problem:
        ordered = in_order(record.document)
        if ordered is not record.document:
            return load(replace(record, document=ordered), model)
        raise _misfit(model, key, list(invalid_resource(spec.kind, problem).problems)) from problem
    except ValueError as problem:
        raise _misfit(model, key, [str(problem)]) from problem
    return with_meta(resource, record)


def _load_view(record: Record, view: type[R]) -> R:
    """Read a record with a view, which may leave it to the owner of the kind where the record lies.

    Raises:
        NewerModel: A step that the view does not have has changed the form of the document.
        InvalidResource: The stored document does not have what the view declares, or lies elsewhere than it says.

    Rules: VIEW-1, VIEW-5, MIG-3.
    """
    spec, key = view.__emco__, record.key
    above = next((edge.target for edge in record.edges if edge.is_parent), None)
    kind = None if above is None else above.kind
    if spec.length and (len(key.segments) != spec.length or kind != spec.parent_kind):
        raise _misfit(view, key, [_contradiction(key, kind, spec)])
    parent = None if above is None else parent_of(above.kind, above.segments)
    try:
        document = spec.evolution.current(record.document, key)
        return with_meta(cast("R", spec.storage.read(document, Lineage(parent, key))), record)
    except ValidationError as problem:
        raise _misfit(view, key, list(invalid_resource(spec.kind, problem).problems)) from problem
    except ValueError as problem:
        raise _misfit(view, key, [str(problem)]) from problem


def _contradiction(key: Key, parent: str | None, spec: ModelSpec) -> str:
    """Say how the model that wrote a record contradicts this one: by another key, or another parent."""
    names = len(key.segments)
    if names != spec.length:
        return f"its key has {count(names, 'name')}, keys of {spec.kind} have {spec.length} here: models contradict"
    above = spec.parent_kind or "none"
    return f"its parent is of the kind {parent or 'none'}, that of {spec.kind} here is {above}: models contradict"


def _misfit(
    model: type[Resource], key: Key, reasons: list[str],
    hint: str = "put() a correct one in its place, delete it, or use the model that it was written with.",
) -> InvalidResource:  # fmt: skip
    return InvalidResource(
        f"Cannot read {key}: its stored document does not fit the model {model.__name__}.",
        why=reasons,
        hint=hint,
        key=key,
        problems=tuple(reasons),
        stored=True,
    )


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
    return Untyped(record.key, meta_of(record), without_stamp(cast("dict[str, Any]", document)))


def _unreadable(key: Key, reasons: list[str]) -> InvalidResource:
    return InvalidResource(
        f"Cannot read {key}: its stored document is no resource.",
        why=reasons,
        hint="put() a correct one in its place, or delete it.",
        key=key,
        problems=tuple(reasons),
        stored=True,
    )
