"""The unit of work: what one transaction wants to write, until it is committed in one step.

Reads see what the unit has written before. Nothing reaches the backend before :meth:`Unit.commit`, whose one request
carries everything that the unit rests on, so a crash at any moment leaves all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from emco_store.core.codec import Draft, draft, with_meta
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.matching import Match
from emco_store.core.plan import Blocker, Deleted, Plan
from emco_store.core.records import Edge, Record, Stamp, with_matches, without_options
from emco_store.core.reserved import is_status, refuse_reserved, status_resource
from emco_store.core.resource import Resource
from emco_store.errors import (
    Conflict,
    DeleteRestricted,
    InvalidCall,
    InvalidResource,
    MissingReference,
    StoreError,
    UniqueViolation,
)
from emco_store.flows.asking import Flow, read
from emco_store.flows.cascade import Cascade
from emco_store.flows.context import Context, uid_of
from emco_store.flows.freezing import Freezing
from emco_store.flows.holding import Holding
from emco_store.flows.outcomes import is_lost_race, submit
from emco_store.flows.refusals import (
    already_exists,
    first_blockers,
    missing_references,
    moved,
    not_found,
    read_apart,
    restricted,
    stale,
)
from emco_store.flows.selecting import Selecting
from emco_store.flows.trailing import NONE, Entries, entries_of, leaves_trail
from emco_store.flows.view import View
from emco_store.ports import Commit, Get

R = TypeVar("R", bound=Resource)


class Unit(View):
    """One attempt at one transaction.

    Attributes:
        holding: What this attempt shares with those before and after it; None where there is only this one.
        origin: Who acts, and why: as it was when the unit began.
        before_commit: What is called before the commit, and may refuse it.
    """

    def __init__(self, context: Context, holding: Holding | None = None) -> None:
        super().__init__(context)
        self.holding = holding
        self.origin = context.actors.origin
        self._txid = ""
        self._now_us: int | None = None
        self._before: dict[Key, tuple[Edge, ...]] = {}
        self._cascade: Cascade | None = None
        self._selects = False
        self._freezing = Freezing()
        self.before_commit: list[Callable[[], None]] = []
        self._given: dict[Key, tuple[Resource, Record]] = {}

    @property
    def txid(self) -> str:
        """The name of the commit; what only reads needs none."""
        if not self._txid:
            self._txid = self.context.new_id()
        return self._txid

    @property
    def now_us(self) -> int:
        """The time of all that it writes, in microseconds since 1970, UTC."""
        if self._now_us is None:
            self._now_us = self.context.now_us()
        return self._now_us

    # writing

    def create(self, resource: R, only: Match | None = None) -> R:
        """Add a new resource; that its key is free is checked at the commit."""
        if only is not None and not only.admits(None):
            raise InvalidCall(
                "Cannot create a resource that must be stored already.",
                why=["a new resource has neither a version nor an entity tag"],
                hint="leave if_version= and if_match= out, or update().",
            )
        return self._add(self._draft(resource))

    def update(self, resource: R, only: Match | None = None) -> R:
        """Replace a resource that was read before; that it has not changed since is checked at the commit."""
        made = self._draft(resource)
        if not resource.is_stored:
            raise InvalidCall(
                f"Cannot update this {type(resource).__name__}.",
                why=["it was never stored"],
                hint="create() it; or get() the stored one and change that with model_copy(update=…).",
            )
        meta = resource.meta
        key = made.key
        if key != meta.key:
            raise InvalidResource(
                f"Cannot update {meta.key}: the fields of its key have changed.",
                why=[f"its key would become {key}"],
                hint="keep the fields of the key; to rename, create the new one and delete the old one.",
                key=meta.key,
                problems=("key changed",),
            )
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
        if _is_same(old, made):
            return with_meta(made.resource, old)
        return self._put(made, uid=old.uid, version=old.version + 1, created_us=old.created_us)

    def delete(
        self, targets: Sequence[Any], only: Match | None = None, *, missing_ok: bool = False
    ) -> Flow[Deleted]:  # fmt: skip
        """Delete resources, and do to all who refer to them what their rules say.

        Blockers are judged at the commit, because a later step of the unit may still re-point or delete them.

        Rules: DEL-1 to DEL-18.
        """
        keys = self.context.addresses(targets)
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
        self._freezing.is_needed |= record.version > 1
        self.puts[record.key] = record

    def _draft(self, resource: R) -> Draft[R]:
        model = type(resource)
        if not hasattr(model, "__emco__") and not isinstance(resource, Resource):  # pyright: ignore[reportUnnecessaryIsInstance]  # see Key.parse
            raise InvalidCall(
                f"Cannot store {resource!r:.80}.",
                why=["it is not a resource"],
                hint="give an instance of a subclass of Resource.",
            )
        self.context.schema.learn(model)
        refuse_reserved(model.__emco__.kind)
        self._selects |= model.__emco__.selects
        self._freezing.is_needed |= model.__emco__.freezes
        return draft(resource, max_bytes=self.context.limits.max_bytes)

    def _add(self, made: Draft[R]) -> R:
        if self.current(made.key) is not None:
            raise already_exists(made.key)
        self.expect.setdefault(made.key, None)
        return self._put(made, uid=self.context.new_id(), version=1, created_us=self.now_us)

    def _put(self, made: Draft[R], *, uid: str, version: int, created_us: int) -> R:
        record = made.record(
            uid=uid, version=version, created_us=created_us, updated_us=self.now_us, origin=self.origin
        )  # fmt: skip
        if self._freezing.is_needed:
            self._freezing.note(self, record)
        self.puts[record.key] = record
        if self._selects:
            self._given[record.key] = made.resource, record
        return with_meta(made.resource, record)

    # committing

    def commit(self) -> Flow[None]:
        """Write everything, or raise and write nothing.

        Raises:
            Conflict: Something that the unit rests on has moved.
            DeleteRestricted: A resource that stays refers to one that goes.
            StateForbids: A field that the state of its resource freezes would change.
            MissingReference: A parent or target is not there.
            AlreadyExists: A new resource's key is not free.
            UniqueViolation: Another resource holds a unique value.
            UnknownOutcome: No answer came.
        """
        unmatched = yield from self._choose_matches()
        cascade = self._cascade
        if cascade is not None:
            blockers = cascade.blockers(self, unmatched)
            if blockers:
                raise self._restricted(cascade, [*blockers, *(yield from cascade.look(self))])
        if unmatched:
            raise missing_references([*self._places(unmatched), *(yield from self._absent_targets())])
        yield from self.ask_states()
        commit = yield from self.proposed()
        if not commit.size and self.reads < 2:  # noqa: PLR2004 - a single read is of one moment
            return
        try:
            yield from submit(commit, self.base.keys())
        except Conflict as problem:
            yield from self._hold(commit, problem)
            raise
        except (MissingReference, UniqueViolation) as problem:
            reason = yield from self._reason(problem)
            if reason is None:
                raise
            raise reason from problem
        if self.holding:
            self.holding.forget((*commit.deletes, *self.puts))

    def _hold(self, commit: Commit, problem: Conflict) -> Flow[None]:
        """Hold what a delete has lost, so that the next attempt wins; let go where another client holds something."""
        if self.holding and problem.held:
            yield from self.holding.give_back()
        elif self.holding and self._cascade and is_lost_race(problem):
            yield from self.holding.take(commit)

    def _reason(self, problem: StoreError) -> Flow[StoreError | None]:
        """Return why rules could not put their defaults, if the commit was refused for that."""
        cascade = self._cascade
        if cascade is None or not cascade.has_caused(problem, self):
            return None
        found = yield from cascade.look(self)
        if not found:  # another client was faster, and has made room again
            return moved([change.key for change in cascade.changes])
        return self._restricted(cascade, found)

    def ask_states(self) -> Flow[None]:
        """Ask what else may refuse the commit: frozen fields, and what transitions rest on."""
        for judge in self.before_commit:
            judge()
        if self._freezing.is_needed or (self._cascade is not None and self._cascade.changes):
            yield from self._freezing.check(self)

    def plan(self) -> Flow[Plan]:
        """Return what the deletes of this unit would do."""
        cascade, blockers, _ = yield from self.judge()
        if not blockers:
            yield from self.ask_states()
        commit = Commit(self.txid) if blockers else (yield from self.proposed())
        shown = first_blockers(blockers, self.context.limits.max_records)
        refusal = restricted(cascade.named, shown, len(shown), len(blockers)) if blockers else None
        return Plan.of(
            cascade.deletions, cascade.changes_in(self), shown, commit, blocker_count=len(blockers), refusal=refusal
        )

    def judge(self) -> Flow[tuple[Cascade, list[Blocker], list[tuple[Key, Edge]]]]:
        """Return what its deletes reach, what forbids them, and the selections without a match."""
        cascade = self._cascade or Cascade()
        unmatched = yield from self._choose_matches()
        return cascade, [*cascade.blockers(self, unmatched), *(yield from cascade.look(self))], unmatched

    def _restricted(self, cascade: Cascade, blockers: Sequence[Blocker]) -> DeleteRestricted:
        return restricted(cascade.named, blockers, self.context.limits.max_records)

    def _choose_matches(self) -> Flow[list[tuple[Key, Edge]]]:
        """Choose the matches of selections that are new, or that lose theirs; return those without any."""
        if not self._selects and (self._cascade is None or not self._cascade.reselects):
            return []
        selecting = Selecting(self)
        for key, record in list(self.puts.items()):
            if any(edge.selection is not None for edge in record.edges):
                chosen = yield from selecting.choose(record, self._edges_before(key))
                self.puts[key] = chosen
                if self._cascade is not None:
                    self._cascade.rewrite(record, chosen)
                given, written = self._given.get(key, (None, None))
                if given is not None and written is record:  # and no rule has edited it since
                    with_meta(given, chosen)
        return selecting.unmatched

    def _edges_before(self, key: Key) -> tuple[Edge, ...]:
        base = self.base.get(key)
        return self._before.get(key, ()) if base is None else base.edges

    def _places(self, edges: Iterable[tuple[Key, Edge]]) -> list[tuple[str, Key]]:
        return [(f"{key} {edge.place}", edge.target) for key, edge in edges]

    def _absent_targets(self) -> Flow[list[tuple[str, Key]]]:
        """Return the places of the other references that do not resolve, so that all of them are named at once."""
        edges = [(key, edge) for key, record in self.puts.items() for edge in record.edges if not edge.is_open]
        wanted = {edge.target for _, edge in edges if edge.target not in self.puts}
        found: Mapping[Key, Record] = (yield from read(Get(tuple(sorted(wanted))))) if wanted else {}
        gone = {key for key in wanted if key in self.gone or key not in found}
        return self._places((key, edge) for key, edge in edges if edge.target in gone)

    def proposed(self) -> Flow[Commit]:
        """Return the commit of all that it writes and rests on."""
        return self._commit((yield from self._entries()) if leaves_trail(self) else NONE)

    def _entries(self) -> Flow[Entries]:
        return entries_of(self, txid=self.txid, now_us=self.now_us, origin=self.origin)

    def _commit(self, entries: Entries) -> Commit:
        puts, gone = self.puts, self.gone
        going = [key for key in gone if key not in puts] if puts else gone
        deletes = [key for key in going if self.base.get(key) is not None]
        followed = self._cascade.followed_to_puts(self) if puts and self._cascade else ()
        require: set[Key] = set()
        missing: list[tuple[str, Key]] = []
        for key, record in puts.items():
            before = self._edges_before(key)
            if before == record.edges and not gone:
                continue
            kept = {edge.target for edge in before} if before else ()
            for edge in record.edges:
                target = edge.target
                if gone and target in gone and target not in puts:
                    if target in kept and (key, target) not in followed:  # the two were read at different times
                        raise read_apart(key, pinned=self.base.get(key) is None)
                    missing.append((f"{key} {edge.place}", target))
                elif target not in kept and (target not in puts or self._was_there(target)):
                    require.add(target)
        if missing:
            raise missing_references(missing)
        origin = self.origin  # of all that it writes, whoever has built the record
        signed = [one if one.origin is origin else replace(one, origin=origin) for one in puts.values()]
        written, removed = (*signed, *entries.puts), (*deletes, *entries.deletes)
        self.check_size(len(written) + len(removed), "the records of this commit")
        return Commit(
            self.txid, self._expected(deletes), frozenset(require), dict(self.sealed), written, removed,
            holder=self.holding.holder if self.holding else "",
        )  # fmt: skip

    def _expected(self, deletes: Iterable[Key]) -> dict[Key, Stamp | None]:
        """Return the states that the commit rests on; not those of statuses that only go with their resources."""
        expect = dict(self.expect)
        for key in deletes:
            if is_status(key.kind) and key not in self.watched and status_resource(key) in self.gone:
                expect.pop(key, None)
        return expect

    def _was_there(self, key: Key) -> bool:
        return self.expect.get(key) is not None


def _is_same(old: Record, made: Draft[Any]) -> bool:
    try:
        same_document = old.document == made.document or decode(old.document) == decode(made.document)
    except ValueError:
        return False  # what cannot be read is to be replaced
    edges = without_options(with_matches(made.edges, old.edges))
    return same_document and (old.edges, old.unique, old.index) == (edges, made.unique, made.index)
