"""The unit of work: what one transaction has read and wants to write, until it is committed in one step.

Reads see what the unit has written before. Nothing reaches the backend before :meth:`Unit.commit`, whose one request
carries everything that the unit rests on, so a crash at any moment leaves all of it or nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from operator import attrgetter
from typing import Any, TypeVar

from emco_store.core.codec import Draft, Untyped, draft, with_meta
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.plan import Blocker, Change, Deletion, Plan, count, without
from emco_store.core.records import Edge, Record, Seal, Stamp
from emco_store.core.resource import Resource
from emco_store.errors import Conflict, DeleteRestricted, InvalidCall, InvalidResource, NotFound
from emco_store.flows.asking import Flow, read
from emco_store.flows.context import Context
from emco_store.flows.holding import Holding
from emco_store.flows.outcomes import already_exists, is_worth_repeating, missing_references, submit
from emco_store.ports import Commit, Get, ReferrerQuery

R = TypeVar("R", bound=Resource)


class Unit:
    """One attempt at one transaction.

    Attributes:
        base: Records as the backend gave them; None where there was none.
        expect: The states that the commit rests on.
        sealed: The guards that the commit rests on.
        puts: What would be written.
        gone: What would be deleted; True where it was named, False where a cascade reached it.
        reads: How many requests were answered; one is consistent by itself.
        holding: What this attempt shares with those before and after it; None where there is only this one.
    """

    def __init__(self, context: Context, holding: Holding | None = None) -> None:
        self.context = context
        self.holding = holding
        self.base: dict[Key, Record | None] = {}
        self.expect: dict[Key, Stamp | None] = {}
        self.sealed: dict[Key, Seal] = {}
        self.puts: dict[Key, Record] = {}
        self.gone: dict[Key, bool] = {}
        self.reads = 0
        self._txid = ""
        self._now_us: int | None = None
        self._before: dict[Key, tuple[Edge, ...]] = {}
        self._dropped: dict[Key, Record] = {}
        self._followed: list[tuple[AbstractSet[Key], Sequence[Record]]] = []
        self._deletions: list[Deletion] = []
        self._changes: list[Change] = []
        self._suspects: list[Blocker] = []

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

    # reading

    def fetch(self, keys: Iterable[Key]) -> Flow[Mapping[Key, Record]]:
        """Give the records that are there, this unit's own writes included; each becomes part of what it rests on."""
        wanted = list(dict.fromkeys(keys))
        yield from self.load([key for key in wanted if key not in self.puts and key not in self.gone])
        return {key: record for key in wanted if (record := self.current(key)) is not None}

    def current(self, key: Key) -> Record | None:
        """Give a record as this unit sees it, if it has read or written it."""
        if self.puts and key in self.puts:
            return self.puts[key]
        return self.base.get(key) if self.base and key not in self.gone else None

    def remember(self, record: Record) -> Record:
        """Make a record that a scan gave part of what the unit rests on, unless an older read of it is."""
        known = self.base.setdefault(record.key, record)
        if known is not None:
            self._rest_on(record.key, known)
        return known or record

    def seal(self, key: Key) -> None:
        """Rest on nobody referring to the record from now on; it must have been loaded before its referrers are."""
        record = self.base.get(key)
        if record is not None:
            self.sealed.setdefault(key, record.seal)

    def load(self, keys: Sequence[Key]) -> Flow[None]:
        """Read what the backend has, once for each key; what was read becomes part of what the unit rests on."""
        unread = tuple(key for key in keys if key not in self.base)
        if unread:
            self._learn(unread, (yield from read(Get(unread))))

    def _learn(self, keys: Iterable[Key], found: Mapping[Key, Record]) -> None:
        self.reads += 1
        for key in keys:
            record = found.get(key)
            self.base[key] = record
            self._rest_on(key, record)

    def _rest_on(self, key: Key, record: Record | None) -> None:
        """Make a state part of what the unit rests on; one that an earlier write rules out fails now, and for good."""
        stamp = None if record is None else record.stamp
        expected = self.expect.setdefault(key, stamp)
        if expected is stamp:
            return
        if expected is None:
            raise already_exists(key)
        self._match(key, record, expected)

    def referrers_of(self, targets: Sequence[Key]) -> Flow[list[Record]]:
        """Load the targets, seal them, and give all who refer to any of them, as this unit sees those.

        Referrers that the unit deletes are among them, as they last were: PROTECT asks for them. The backend
        still knows them, but for what the unit wrote before it deleted them.
        """
        unread = tuple(key for key in targets if key not in self.base)
        limit = self.context.limits.max_records + 1
        answer = yield from read(ReferrerQuery(tuple(targets), unread, limit=limit))
        self._learn(unread, answer.records)
        for target in targets:
            self.seal(target)
        found = [self.remember(record) for record in answer.referrers]
        self._check_size(len(self.gone) + len(found), "the records that refer to what goes")
        if self._dropped or self.puts:
            latest = {record.key: record for record in found} | self._dropped | self.puts
            found = sorted(latest.values(), key=attrgetter("key.text"))
        wanted = frozenset(targets)
        return [record for record in found if record.edges_to(wanted)]

    # writing

    def create(self, resource: R, *, if_version: int | None = None) -> R:
        """Add a new resource; that its key is free is checked at the commit."""
        check_version(if_version)
        if if_version:
            raise InvalidCall(
                f"Cannot create a resource with if_version={if_version!r:.40}.",
                why=["a new resource has no version"],
                hint="leave if_version out, or update().",
            )
        return self._add(self._draft(resource))

    def update(self, resource: R, *, if_version: int | None = None) -> R:
        """Replace a resource that was read before; that it has not changed since is checked at the commit."""
        made = self._draft(resource)
        check_version(if_version)
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
            self._match(key, self.current(key), stamp)
        else:
            self.expect[key] = stamp
            self._before[key] = meta.edges
        if if_version is not None and if_version != meta.version:
            raise stale([key])
        record = made.record(uid=meta.uid, version=meta.version + 1, created_us=meta.created_us, updated_us=self.now_us)
        return self._put(made.resource, record)

    def put(self, resource: R, *, if_version: int | None = None) -> Flow[R]:
        """Create the resource, or replace the one that has its key; one that is equal already stays as it is."""
        check_version(if_version)
        made = self._draft(resource)
        key = made.key
        yield from self.fetch([key])
        old = self.current(key)
        if if_version is not None and if_version != (0 if old is None else old.version):
            raise stale([key])
        if old is None:
            return self._add(made)
        if _is_same(old, made):
            return with_meta(made.resource, old)
        record = made.record(uid=old.uid, version=old.version + 1, created_us=old.created_us, updated_us=self.now_us)
        return self._put(made.resource, record)

    def delete(self, targets: Sequence[Any], *, if_version: int | None = None) -> Flow[None]:
        """Delete resources, and do to all who refer to them what their rules say.

        Blockers are judged at the commit, because a later step of the unit may still re-point or delete them.

        Rules: DEL-1 to DEL-9.
        """
        check_version(if_version)
        if not targets:
            raise InvalidCall(
                "Cannot delete nothing.", why=["no target was given"], hint="give resources, keys or references."
            )
        keys = [self.context.address(target) for target in targets]
        referrers = yield from self.referrers_of(keys)
        absent = [key for key in keys if self.current(key) is None]
        if absent:
            raise not_found(absent)
        for key, target in zip(keys, targets, strict=True):
            record = self.current(key)
            is_value = isinstance(target, Untyped) or (isinstance(target, Resource) and target.is_stored)
            other = record is not None and is_value and record.uid != target.meta.uid
            if other or (record is not None and if_version is not None and record.version != if_version):
                raise stale([key])
        self._deletions += [Deletion(key) for key in dict.fromkeys(keys)]
        for key in keys:
            self._drop(key, named=True)
        yield from self._follow(keys, referrers)

    def _follow(self, frontier: Sequence[Key], referrers: Sequence[Record]) -> Flow[None]:
        """Follow the references to what goes, level by level, until nothing more goes."""
        lost: dict[Key, list[Edge]] = defaultdict(list)
        while frontier:
            level = frozenset(frontier)
            self._followed.append((level, referrers))
            reached = [deletion for record in referrers if (deletion := self._reach(record, level, lost))]
            for deletion in reached:
                self._drop(deletion.key, named=False)
            self._deletions += reached
            frontier = [deletion.key for deletion in reached]
            referrers = (yield from self.referrers_of(frontier)) if frontier else ()
        for key, edges in lost.items():
            remaining = self.current(key)
            if remaining is not None:
                self._release(remaining, edges)

    def _reach(self, record: Record, level: AbstractSet[Key], lost: dict[Key, list[Edge]]) -> Deletion | None:
        """Take note of what the rules of a record say when its targets go; give its own deletion if it goes along."""
        is_going = record.key in self.gone and record.key not in self.puts
        reached: Deletion | None = None
        for edge in record.edges_to(level):
            if edge.rule.blocks(goes=is_going, is_named=False):
                self._suspect(record.key, edge)
            elif is_going:
                continue
            elif edge.rule.cascades:
                reached = reached or Deletion(record.key, edge)
            else:
                lost[record.key].append(edge)
        return reached

    def _release(self, record: Record, edges: Sequence[Edge]) -> None:
        """Apply the rules of lost references; a default that goes as well cannot take their place and blocks."""
        stuck = [edge for edge in edges if not edge.rule.can_edit(edge.default, self.gone.keys())]
        for edge in stuck:
            self._suspect(record.key, edge)
        lost = [edge for edge in edges if edge not in stuck]
        if lost:
            self._changes += [Change(record.key, edge) for edge in lost]
            self.puts[record.key] = without(record, lost, self.now_us)

    def _suspect(self, referrer: Key, edge: Edge) -> None:
        self._suspects.append(Blocker(referrer, edge.place, edge.rule, edge.target))

    def _drop(self, key: Key, *, named: bool) -> None:
        if self.puts and key in self.puts:
            self._dropped[key] = self.puts.pop(key)
        if named:
            self.gone[key] = True
        else:
            self.gone.setdefault(key, False)

    def _draft(self, resource: R) -> Draft[R]:
        model = type(resource)
        if not hasattr(model, "__emco__") and not isinstance(resource, Resource):  # pyright: ignore[reportUnnecessaryIsInstance]  # see Key.parse
            raise InvalidCall(
                f"Cannot store {resource!r:.80}.",
                why=["it is not a resource"],
                hint="give an instance of a subclass of Resource.",
            )
        self.context.schema.learn(model)
        return draft(resource, max_bytes=self.context.limits.max_bytes)

    def _add(self, made: Draft[R]) -> R:
        if self.current(made.key) is not None:
            raise already_exists(made.key)
        self.expect.setdefault(made.key, None)
        now = self.now_us
        record = made.record(uid=self.context.new_id(), version=1, created_us=now, updated_us=now)
        return self._put(made.resource, record)

    def _put(self, resource: R, record: Record) -> R:
        self.puts[record.key] = record
        return with_meta(resource, record)

    def _match(self, key: Key, record: Record | None, stamp: Stamp) -> None:
        if record is None or record.uid != stamp.uid:
            raise not_found([key])
        if record.stamp != stamp:
            raise stale([key])

    # committing

    def commit(self) -> Flow[None]:
        """Write everything, or raise and write nothing.

        Raises:
            Conflict: Something that the unit rests on has moved.
            DeleteRestricted: A resource that stays refers to one that goes.
            MissingReference: A parent or target is not there.
            AlreadyExists: A new resource's key is not free.
            UniqueViolation: Another resource holds a unique value.
            UnknownOutcome: No answer came.
        """
        blockers = self._blockers()
        if blockers:
            raise restricted([deletion.key for deletion in self._deletions if deletion.via is None], blockers)
        commit = self._commit()
        if not commit.size and self.reads < 2:  # noqa: PLR2004 - a single read is of one moment
            return
        try:
            yield from submit(commit, self.base.keys())
        except Conflict as problem:
            if self.holding and problem.held:
                yield from self.holding.give_back()
            elif self.holding and self._deletions and is_worth_repeating(problem):
                yield from self.holding.take(commit)
            raise
        if self.holding:
            self.holding.forget((*commit.deletes, *self.puts))

    def plan(self) -> Plan:
        """Give what the deletes of this unit would do."""
        blockers = self._blockers()
        commit = Commit(self.txid) if blockers else self._commit()
        return Plan(tuple(self._deletions), tuple(self._changes), tuple(blockers), commit)

    def _blockers(self) -> list[Blocker]:
        """Judge the suspects by what the unit would leave behind.

        A target that is created again blocks nothing, nor does a referrer that was re-pointed; RESTRICT also steps back
        for a referrer that goes, PROTECT only for one that was named.
        """
        found: list[Blocker] = []
        for suspect in self._suspects:
            if suspect.target in self.puts:
                continue
            if suspect.referrer in self.gone and suspect.referrer not in self.puts:
                if suspect.rule.blocks(goes=True, is_named=self.gone[suspect.referrer]):
                    found.append(suspect)
                continue
            record = self.current(suspect.referrer)
            if record is not None and suspect.target in record.targets:
                found.append(suspect)
        return found

    def _commit(self) -> Commit:
        puts, gone = self.puts, self.gone
        going = [key for key in gone if key not in puts] if puts else gone
        deletes = tuple([key for key in going if self.base.get(key) is not None])
        followed = self._followed_to_puts() if puts and self._followed else ()
        require: set[Key] = set()
        missing: list[tuple[str, Key]] = []
        for key, record in puts.items():
            base = self.base.get(key) if self.base else None
            before = self._before.get(key, ()) if base is None else base.edges
            if before == record.edges and not gone:
                continue
            kept = {edge.target for edge in before} if before else ()
            for edge in record.edges:
                target = edge.target
                if gone and target in gone and target not in puts:
                    if target in kept and (key, target) not in followed:  # the two were read at different times
                        raise _read_apart(key, pinned=base is None)
                    missing.append((f"{key} {edge.place}", target))
                elif target not in kept and (target not in puts or self._was_there(target)):
                    require.add(target)
        if missing:
            raise missing_references(missing)
        self._check_size(len(self.puts) + len(deletes), "the records of this commit")
        return Commit(
            self.txid, dict(self.expect), frozenset(require), dict(self.sealed), tuple(self.puts.values()), deletes,
            holder=self.holding.holder if self.holding else "",
        )  # fmt: skip

    def _followed_to_puts(self) -> AbstractSet[tuple[Key, Key]]:
        """Give the references that were followed from what goes to what is written, as pairs of referrer and target."""
        return {
            (record.key, edge.target)
            for level, records in self._followed
            for record in records if record.key in self.puts
            for edge in record.edges_to(level)
        }  # fmt: skip

    def _was_there(self, key: Key) -> bool:
        return self.expect.get(key) is not None

    def _check_size(self, size: int, what: str) -> None:
        limit = self.context.limits.max_records
        if size > limit:
            raise InvalidCall(
                "The commit would be too large.",
                why=[f"{what} number {size:,} or more, the limit of this store is {limit:,}"],
                hint="delete in stages, children before parents, a page of list(…) at a time; or open the store with a "
                "higher max_records, knowing that a Redis server stands still for about 7 us a record.",
                size=size,
                limit=limit,
            )


def check_version(version: Any) -> None:
    """Refuse what cannot be a version, before it is compared with one.

    Raises:
        InvalidCall: It is no number of 0 or more.
    """
    if version is not None and (type(version) is not int or version < 0):
        raise InvalidCall(
            f"Cannot compare a version with {version!r:.40}.",
            why=["versions are whole numbers: 0 for what is not there, 1 for what is new"],
            hint="give resource.meta.version.",
        )


def _is_same(old: Record, made: Draft[Any]) -> bool:
    try:
        same_document = old.document == made.document or decode(old.document) == decode(made.document)
    except ValueError:
        return False  # what cannot be read is to be replaced
    return same_document and (old.edges, old.unique, old.index) == (made.edges, made.unique, made.index)


def not_found(keys: Sequence[Key]) -> NotFound:
    """Make the error for resources that are not there."""
    return NotFound(
        f"Cannot find {', '.join(map(str, keys))}.",
        why=["nothing has this key" if len(keys) == 1 else "nothing has these keys"],
        hint="check the key; list(…) shows what is there.",
        keys=tuple(keys),
    )


def _read_apart(key: Key, *, pinned: bool) -> Conflict:
    return Conflict(
        f"Cannot read {key} as of one moment.",
        why=["it changed between two reads"],
        hint="read again and repeat; store.run(fn) does so by itself.",
        keys=(key,),
        pinned=pinned,
    )


def stale(keys: Sequence[Key]) -> Conflict:
    """Make the error for resources that do not have the version that the caller holds; repeating alone cannot help."""
    return Conflict(
        f"Cannot go on with the version of {', '.join(map(str, keys))} that the call asks for.",
        why=["the store holds another one"],
        hint="get() it again, apply the change to that, and repeat; store.run(fn) does so by itself.",
        keys=tuple(keys),
        pinned=True,
    )


def restricted(keys: Sequence[Key], blockers: Sequence[Blocker]) -> DeleteRestricted:
    """Make the error for a delete that references forbid, with all of them."""
    return DeleteRestricted(
        f"Cannot delete {', '.join(map(str, keys))}: {count(len(blockers), 'reference')} still in the way.",
        why=[str(blocker) for blocker in blockers],
        hint="delete or re-point the referrers first; store.plan_delete(key) shows the whole plan.",
        keys=tuple(keys),
        blockers=tuple(blockers),
    )
