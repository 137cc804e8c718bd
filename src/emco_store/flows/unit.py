"""The unit of work: what one transaction wants to write, until it is committed in one step.

Reads see what the unit has written before. Nothing reaches the backend before :meth:`Unit.commit`, whose one request
carries everything that the unit rests on, so a crash at any moment leaves all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from emco_store.core.codec import with_meta
from emco_store.core.indexing import dated
from emco_store.core.keys import Key
from emco_store.core.messages import Message, Outbox
from emco_store.core.naming import is_status
from emco_store.core.origins import Origin
from emco_store.core.plan import Blocker, Plan
from emco_store.core.pulses import Seen
from emco_store.core.records import Edge, Record, Stamp
from emco_store.core.reserved import status_resource
from emco_store.core.resource import Resource
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    MissingReference,
    StoreError,
    UniqueViolation,
)
from emco_store.flows.asking import Flow, read
from emco_store.flows.cascade import Cascade
from emco_store.flows.context import Context
from emco_store.flows.freezing import Freezing
from emco_store.flows.gating import refuse_waiting
from emco_store.flows.holding import Holding
from emco_store.flows.outcomes import is_lost_race, submit
from emco_store.flows.refusals import (
    first_blockers,
    missing_references,
    moved,
    read_apart,
    restricted,
)
from emco_store.flows.selecting import Selecting
from emco_store.flows.trailing import NONE, Entries, entries_of, leaves_trail
from emco_store.flows.writing import Writing
from emco_store.ports import Commit, Get

R = TypeVar("R", bound=Resource)


class Unit(Writing):
    """One attempt at one transaction.

    Attributes:
        holding: What this attempt shares with those before and after it; None where there is only this one.
        before_commit: What is called before the commit, and may refuse it.
    """

    def __init__(self, context: Context, holding: Holding | None = None) -> None:
        super().__init__(context)
        self.holding = holding
        self._txid = ""
        self.before_commit: list[Callable[[], None]] = []
        self._fenced: dict[Key, str] | None = None
        self._silent: dict[Key, Seen] | None = None
        self._outbox: Outbox | None = None

    @property
    def txid(self) -> str:
        """The name of the commit; what only reads needs none."""
        if not self._txid:
            self._txid = self.context.new_id()
        return self._txid

    @property
    def messages(self) -> tuple[Message, ...]:
        """What it says beside what it writes."""
        return () if self._outbox is None else tuple(self._outbox.messages)

    def rest_on_lease(self, key: Key, uid: str) -> None:
        """Commit only if this very lease is there then.

        Rules: LEA-4.
        """
        self._fenced = {**(self._fenced or {}), key: uid}

    def rest_on_silence(self, key: Key, seen: Seen) -> None:
        """Commit only if the holder of a lease has not beaten since.

        Rules: SUP-1.
        """
        self._silent = {**(self._silent or {}), key: seen}

    def emit(self, topic: Any, body: Any, key: Any) -> None:
        """Add a message to the commit.

        Args:
            topic: The topic.
            body: The content.
            key: A text, or a resource, a key or a reference, whose key counts; None for no key.

        Raises:
            InvalidCall: One of them is something else, or the transaction has too many or too large messages.

        Rules: FEED-10.
        """
        name = key if key is None or isinstance(key, str) else self.context.address(key).text
        self._outbox = self._outbox or Outbox()
        self._outbox.add(topic, name, body)

    def commit(self) -> Flow[None]:
        """Write everything, or raise and write nothing.

        Raises:
            Conflict: Something that the unit rests on has moved.
            DeleteRestricted: A resource that stays refers to one that goes.
            StateForbids: A field that the state of its resource freezes would change.
            MissingReference: A parent or target is not there.
            AlreadyExists: A new resource's key is not free.
            UniqueViolation: Another resource holds a unique value.
            NotReady: A segment that this store has registered waits, and owns what would be written.
            UnknownOutcome: No answer came.
        """
        if self.context.registered.waiting:
            yield from refuse_waiting(self.context, [key.kind for key in self.puts])
        cascade = self._cascade
        unmatched = (yield from self._choose_matches()) if self._chooses else []
        if cascade is not None:
            blockers = cascade.blockers(self, unmatched)
            if blockers:
                raise self._restricted(cascade, [*blockers, *(yield from cascade.look(self))])
        if unmatched:
            raise missing_references((yield from self.unresolved(unmatched)))
        if self.before_commit or self._freezing is not None or (cascade is not None and cascade.changes):
            yield from self.ask_states()
        commit = (yield from self.proposed()) if leaves_trail(self) else self._commit(NONE)
        if not commit.size and self.reads < 2 and self._fenced is None and self._silent is None:  # noqa: PLR2004 - a single read is of one moment
            return
        try:
            yield from submit(commit, self.base.keys())
        except Conflict as problem:
            yield from self._hold(commit, problem)
            raise
        except (AlreadyExists, MissingReference, UniqueViolation) as problem:
            yield from self._go_on(problem)
        if self.holding:
            self.holding.forget((*commit.deletes, *self.puts))

    def confirm(self) -> Flow[None]:
        """Check that everything that was read is of one moment, before it is refused for what was read.

        Raises:
            Conflict: Something has changed between two reads; another attempt sees what is there.
        """
        if self.reads > 1:
            yield from submit(
                Commit(self.context.new_id(), dict(self.expect), sealed=dict(self.sealed)), self.base.keys()
            )

    def _go_on(self, problem: StoreError) -> Flow[None]:
        """Commit again by the lifecycle records where there is a freeze; otherwise raise why the commit was refused."""
        freezing = self._freezing
        if isinstance(problem, AlreadyExists) and freezing is not None and freezing.meets(problem):
            yield from freezing.ask(self)
            self._txid = ""  # what was refused may have been settled
            yield from self.commit()
            return
        reason = yield from self._reason(problem)
        if reason is None:
            raise problem
        raise reason from problem

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

    def ask_states(self, *, is_plan: bool = False) -> Flow[None]:
        """Ask what else may refuse the commit, or a plan: frozen fields, and what transitions rest on."""
        for judge in self.before_commit:
            judge()
        if self._freezing is not None or (self._cascade is not None and self._cascade.changes):
            self._freezing = self._freezing or Freezing()
            yield from self._freezing.check(self, is_plan=is_plan)

    def plan(self) -> Flow[Plan]:
        """Return what the deletes of this unit would do."""
        cascade, blockers, _ = yield from self.judge()
        if not blockers:
            yield from self.ask_states(is_plan=True)
        commit = Commit(self.txid) if blockers else (yield from self.proposed())
        shown = first_blockers(blockers, self.context.limits.max_records)
        refusal = restricted(cascade.named, shown, len(shown), len(blockers)) if blockers else None
        return Plan.of(
            cascade.deletions, cascade.changes_in(self), shown, commit, blocker_count=len(blockers), refusal=refusal
        )

    def judge(self) -> Flow[tuple[Cascade, list[Blocker], list[tuple[Key, Edge]]]]:
        """Return what its deletes reach, what forbids them, and the selections without a match."""
        cascade = self._cascade or Cascade()
        unmatched = (yield from self._choose_matches()) if self._chooses else []
        return cascade, [*cascade.blockers(self, unmatched), *(yield from cascade.look(self))], unmatched

    def _restricted(self, cascade: Cascade, blockers: Sequence[Blocker]) -> DeleteRestricted:
        return restricted(cascade.named, blockers, self.context.limits.max_records)

    @property
    def _chooses(self) -> bool:
        """Whether there may be selections that need a match."""
        return self._selects or (self._cascade is not None and self._cascade.reselects)

    def _choose_matches(self) -> Flow[list[tuple[Key, Edge]]]:
        """Choose the matches of selections that are new, or that lose theirs; return those without any."""
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

    def unresolved(self, unmatched: Iterable[tuple[Key, Edge]]) -> Flow[list[tuple[str, Key]]]:
        """Return the places of all references that do not resolve; those by selection are known already."""
        return [*self._places(unmatched), *(yield from self._absent_targets())]

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
        require: dict[str, Key] = {}  # by their texts: of many records, most refer to the same few
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
                elif (
                    target.text not in require
                    and target not in kept
                    and (target not in puts or self._was_there(target))
                ):
                    require[target.text] = target
        if missing:
            raise missing_references(missing)
        origin = self.origin  # of all that it writes, whoever has built the record
        written = tuple([_as_written(one, origin) for one in puts.values()])
        removed = tuple(deletes)
        if entries is not NONE:
            written, removed = (*written, *entries.puts), (*removed, *entries.deletes)
        self.check_size(len(written) + len(removed), "the records of this commit")
        commit = Commit(
            self.txid, self._expected(deletes), frozenset(require.values()), dict(self.sealed), written, removed,
            holder=self.holding.holder if self.holding else "", origin=origin,
            messages=self.messages,
        )  # fmt: skip
        if self._fenced is None and self._silent is None:
            return commit
        return replace(commit, fenced=self._fenced or {}, silent=self._silent or {})

    def _expected(self, deletes: Iterable[Key]) -> dict[Key, Stamp | None]:
        """Return the states that the commit rests on; not those of statuses that only go with their resources."""
        expect = dict(self.expect)
        for key in deletes:
            if is_status(key.kind) and key not in self.watched and status_resource(key) in self.gone:
                expect.pop(key, None)
        return expect

    def _was_there(self, key: Key) -> bool:
        return self.expect.get(key) is not None


def _as_written(record: Record, origin: Origin) -> Record:
    """Return a record with the origin of the commit, and with its times where an index holds them."""
    index = dated(record.index, record.created_us, record.updated_us)
    if record.origin is origin and index == record.index:
        return record
    return replace(record, origin=origin, index=index)
