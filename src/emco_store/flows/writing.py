"""What one transaction writes: resources as records, and what a delete does to those that refer to it.

Nothing here reaches the backend; :mod:`.unit` turns it into one commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from emco_store.core.codec import Draft, draft, with_meta
from emco_store.core.documents import decode
from emco_store.core.indexing import dated
from emco_store.core.keys import Key
from emco_store.core.matching import Match
from emco_store.core.meta import Meta
from emco_store.core.plan import Deleted
from emco_store.core.records import Edge, Record, Stamp, with_matches, without_options
from emco_store.core.reserved import refuse_reserved
from emco_store.core.resource import Resource
from emco_store.core.specs import ModelSpec
from emco_store.core.views import refuse_write
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows.asking import Flow
from emco_store.flows.cascade import Cascade
from emco_store.flows.context import Context, uid_of
from emco_store.flows.freezing import Freezing
from emco_store.flows.refusals import already_exists, not_found, stale
from emco_store.flows.view import View

R = TypeVar("R", bound=Resource)


class Writing(View):
    """What one transaction has read and writes.

    Attributes:
        origin: Who acts, and why: as it was when the transaction began.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.origin = context.actors.origin
        self._now_us = 0
        self._before: dict[Key, tuple[Edge, ...]] = {}
        self._cascade: Cascade | None = None
        self._selects = False
        self._freezing: Freezing | None = None
        self._given: dict[Key, tuple[Resource, Record]] = {}

    @property
    def now_us(self) -> int:
        """The time of all that it writes, in microseconds since 1970, UTC."""
        if not self._now_us:
            self._now_us = self.context.now_us()
        return self._now_us

    def create(self, resource: R, only: Match | None = None) -> R:
        """Add a new resource; that its key is free is checked at the commit."""
        refuse_stored(only)
        return self._add(self._draft(resource))

    def update(self, resource: R, only: Match | None = None) -> R:
        """Replace a resource that was read before; that it has not changed since is checked at the commit."""
        made = self._draft(resource)
        meta = meta_before(resource, made.key)
        key = made.key
        stamp = Stamp(meta.uid, meta.version)
        if self.puts and key in self.puts and self.puts[key].stamp != stamp:
            raise InvalidCall(
                f"Cannot update {key}.",
                why=["it was changed earlier in this transaction, and this value is from before"],
                hint="get() it again from tx, or go on with what the earlier call gave back.",
            )
        if any(key in known for known in (self.puts, self.gone, self.base) if known):
            self.match(key, self.current(key), stamp)
        else:
            self.expect[key] = stamp
            self._before[key] = meta.edges
        if only is not None and not only.admits(meta):
            raise stale([key])
        return self._put(made, uid=meta.uid, version=meta.version + 1, created_us=meta.created_us)

    def put(self, resource: R, only: Match | None = None) -> Flow[R]:
        """Create the resource, or replace the one that has its key; one that is equal already stays as it is."""
        made = self._draft(resource)
        key = made.key
        yield from self.fetch([key])
        old = self.current(key)
        if only is not None and not only.admits(old):
            raise stale([key])
        return self.write(made, old)

    def write(self, made: Draft[R], old: Record | None) -> R:
        """Add a resource, or replace the one that has its key, as it was read; an equal one stays as it is."""
        self._selects |= type(made.resource).__emco__.selects
        if old is None:
            return self._add(made)
        type(made.resource).__emco__.evolution.check_replaced(old.document, old.key)
        if is_same(old, made):
            return with_meta(made.resource, old)
        return self._put(made, uid=old.uid, version=old.version + 1, created_us=old.created_us)

    def renew(self, old: Record) -> bool:
        """Write a stored resource as its model does now, and return whether that is not how it is stored already.

        Raises:
            NewerModel: Only newer versions of the model can read the document.
            InvalidResource: The document cannot be read, or made current.

        Rules: MIG-4.
        """
        made = self._draft(self.context.value(old))
        if is_same(old, made):
            return False
        self.remember(old)
        self.write(made, old)
        return True

    def delete(
        self, targets: Sequence[Any], only: Match | None = None, *, missing_ok: bool = False
    ) -> Flow[Deleted]:  # fmt: skip
        """Delete resources, and do to all who refer to them what their rules say.

        Blockers are judged at the commit, because a later step of the unit may still re-point or delete them.

        Rules: DEL-1 to DEL-18.
        """
        keys = self.context.deletable(targets)
        return (yield from self.delete_records(keys, targets, only, missing_ok=missing_ok))

    def delete_records(
        self, keys: Sequence[Key], given: Sequence[Any] = (), only: Match | None = None, *, missing_ok: bool = False
    ) -> Flow[Deleted]:
        """Delete records, those of reserved kinds too; see :meth:`delete`.

        Args:
            keys: The keys of the records.
            given: For each key, what the caller named; a value deletes that one and no other.
            only: What each of them must match.
            missing_ok: Skip what is not there.
        """
        if not keys:
            return Deleted.of((), ())
        referrers = yield from self.referrers_of(keys)
        absent = [key for key in keys if self.current(key) is None]
        if absent and not missing_ok:
            raise not_found(absent)
        values: Sequence[Any] = given or keys
        for key, target in zip(keys, values, strict=True):
            record = self.current(key)
            other = record is not None and uid_of(target) not in {None, record.uid}
            if other or (record is not None and only is not None and not only.admits(record)):
                raise stale([key])
        self._cascade = cascade = self._cascade or Cascade()
        there = [key for key in keys if self.current(key) is not None] if absent else keys
        return (yield from cascade.follow(self, there, referrers, self.now_us, self.origin))

    def write_record(self, record: Record) -> None:
        """Write a record as it is; one that is new must still be new at the commit."""
        if self.current(record.key) is None:
            self.expect.setdefault(record.key, None)
        self._selects |= any(edge.selection is not None for edge in record.edges)
        if record.version > 1:
            self._freezing = self._freezing or Freezing()
        self.puts[record.key] = record

    def _draft(self, resource: R) -> Draft[R]:
        spec = writable(self.context, resource)
        made = draft(resource, max_bytes=self.context.limits.max_bytes)
        self._selects |= spec.selects
        if spec.lifecycle is not None:
            self._freezing = self._freezing or Freezing()
        return made

    def _add(self, made: Draft[R]) -> R:
        if self.current(made.key) is not None:
            raise already_exists(made.key)
        self.expect.setdefault(made.key, None)
        return self._put(made, uid=self.context.new_id(), version=1, created_us=self.now_us)

    def _put(self, made: Draft[R], *, uid: str, version: int, created_us: int) -> R:
        record = made.record(
            uid=uid, version=version, created_us=created_us, updated_us=self.now_us, origin=self.origin
        )  # fmt: skip
        if self._freezing is not None:
            self._freezing.note(self, record)
        self.puts[record.key] = record
        if self._selects:
            self._given[record.key] = made.resource, record
        return with_meta(made.resource, record)


def writable(context: Context, resource: Resource) -> ModelSpec:
    """Return the specification of the model of a resource that a caller gives to be written.

    Raises:
        InvalidCall: It is no resource, or of a kind that callers do not write.
    """
    model = type(resource)
    if not hasattr(model, "__emco__") and not isinstance(resource, Resource):  # pyright: ignore[reportUnnecessaryIsInstance]  # see Key.parse
        raise InvalidCall(
            f"Cannot store {resource!r:.80}.",
            why=["it is not a resource"],
            hint="give an instance of a subclass of Resource.",
        )
    spec = context.schema.learn(model)
    refuse_reserved(spec.kind)
    if spec.is_view:
        refuse_write("write", model)
    return spec


def refuse_stored(only: Match | None) -> None:
    """Refuse to create what must be stored already.

    Raises:
        InvalidCall: It must have a version or an entity tag.
    """
    if only is not None and not only.admits(None):
        raise InvalidCall(
            "Cannot create a resource that must be stored already.",
            why=["a new resource has neither a version nor an entity tag"],
            hint="leave if_version= and if_match= out, or update().",
        )


def meta_before(resource: Resource, key: Key) -> Meta:
    """Return what is known of the stored resource that another value of it is to replace.

    Args:
        resource: The new value.
        key: The key of the new value.

    Raises:
        InvalidCall: It was never stored.
        InvalidResource: The fields of its key have changed.
    """
    if not resource.is_stored:
        raise InvalidCall(
            f"Cannot update this {type(resource).__name__}.",
            why=["it was never stored"],
            hint="create() it; or get() the stored one and change that with model_copy(update=…).",
        )
    meta = resource.meta
    if key != meta.key:
        raise InvalidResource(
            f"Cannot update {meta.key}: the fields of its key have changed.",
            why=[f"its key would become {key}"],
            hint="keep the fields of the key; to rename, create the new one and delete the old one.",
            key=meta.key,
            problems=("key changed",),
        )
    return meta


def is_same(old: Record, made: Draft[Any] | Record) -> bool:
    """Return whether what would be written says the same as what is stored, whatever the order of fields."""
    try:
        same_document = old.document == made.document or decode(old.document) == decode(made.document)
    except ValueError:
        return False  # what cannot be read is to be replaced
    edges = without_options(with_matches(made.edges, old.edges))
    index = dated(made.index, old.created_us, old.updated_us)
    return same_document and (old.edges, old.unique, old.index) == (edges, made.unique, index)
