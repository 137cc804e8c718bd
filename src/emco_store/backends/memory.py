"""The memory backend: the reference for all others, deterministic, and no softer than they are."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.feeds import KEPT, Ring, Wake, awaited
from emco_store.backends.health import PROBE, Finding, Report, durability_finding, latency
from emco_store.backends.judging import ended_pulses, judge
from emco_store.backends.schemes import OpenOptions
from emco_store.backends.spaces import OUTCOMES_KEPT, Space, audited, mended, ranged
from emco_store.core.keys import Key
from emco_store.core.records import Record, Stamp
from emco_store.core.txids import ahead_ms, may_be_forgotten
from emco_store.errors import InvalidCall
from emco_store.ports import (
    Audit,
    Audited,
    Beat,
    Beaten,
    Commit,
    Count,
    Durability,
    EventPage,
    Events,
    Get,
    Guarantees,
    Hold,
    Mend,
    Outcome,
    PortBase,
    PulsePage,
    Pulses,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Release,
    Scan,
    Settle,
)
from emco_store.queueing.forks import Renewed

Moment = Literal["before", "after"]
Hook = Callable[[str, Moment, object], None]
"""Called around each request with its name, the moment and its argument; what it raises takes the reply's place."""
_LAST = "\U0010ffff"


def _now_ms() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def open_target(target: object, _options: OpenOptions) -> MemoryBackend:
    """Return new data in memory, for ``memory://``; see :data:`emco_store.backends.schemes.Opener`."""
    if target != "memory://":
        raise InvalidCall(
            "Cannot open this URL of data in memory.",
            why=["the URL of data in memory is just memory://"],
            hint="to share data between stores of one process, give them the same MemoryBackend().",
        )
    return MemoryBackend()


class MemoryBackend(Renewed):
    """Data in memory that several stores of one process can share, by namespace.

    Args:
        hook: Called before and after every request; for tests that make requests fail or examine them.
        clock: Returns seconds since any fixed moment; holds, outcomes and leases expire by it.
        feed_kept: How many of the newest commits the feed of a namespace keeps (>= 1).
    """

    def __init__(
        self, *, hook: Hook | None = None, clock: Callable[[], float] = time.monotonic, feed_kept: int = KEPT
    ) -> None:
        super().__init__()
        self.hook = hook
        self.clock = clock
        self.feed_kept = feed_kept
        self._spaces: dict[str, Space] = defaultdict(lambda: Space(feed=Ring(feed_kept)))
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._lock = threading.RLock()
        for space in self._spaces.values():
            space.feed.waiting.clear()  # threads and tasks of the parent

    def port(self, namespace: str) -> MemoryPort:
        """Open one namespace for blocking use."""
        return MemoryPort(self, namespace)

    def async_port(self, namespace: str) -> ImmediatePort:
        """Open one namespace for asyncio."""
        return ImmediatePort(MemoryPort(self, namespace))

    def report(self, namespace: str) -> Report:
        """Examine a namespace."""
        port = self.port(namespace)
        with self.request(namespace, "report", None) as space:
            records = {kind: len(keys) for kind, keys in sorted(space.keys.items()) if keys}
        findings = (
            Finding("server", "none: the data is in the memory of this process"),
            durability_finding(port.guarantees.durability),
            latency("read", lambda: port.ask(Get((PROBE,)))),
            Finding("feed", f"the newest {port.guarantees.feed_retention:,} commits, once somebody reads it"),
        )
        return Report("memory", findings, records, durability=port.guarantees.durability)

    def waking(self, namespace: str, wake: Wake) -> AbstractContextManager[None]:
        """Have something called after each commit in a namespace that its feed tells."""
        return self._spaces[namespace].feed.waking(self._lock, wake)

    def request(self, namespace: str, name: str, argument: object) -> _Request:
        """Perform one request: alone, and with the hook around it."""
        return _Request(self, self._lock, self._spaces, namespace, name, argument)


class _Request:
    """The time of one request; see :meth:`MemoryBackend.request`."""

    __slots__ = ("_argument", "_backend", "_lock", "_name", "_namespace", "_spaces")

    def __init__(  # noqa: PLR0917 - of one caller
        self,
        backend: MemoryBackend,
        lock: AbstractContextManager[object],
        spaces: dict[str, Space],
        namespace: str,
        name: str,
        argument: object,
    ) -> None:
        self._backend = backend
        self._lock = lock
        self._spaces = spaces
        self._namespace = namespace
        self._name = name
        self._argument = argument

    def __enter__(self) -> Space:
        if self._backend.hook is not None:
            self._backend.hook(self._name, "before", self._argument)
        self._lock.__enter__()
        return self._spaces[self._namespace]

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.__exit__(kind, problem, trace)
        if kind is None and self._backend.hook is not None:
            self._backend.hook(self._name, "after", self._argument)


class MemoryPort(PortBase):
    """One namespace of a :class:`MemoryBackend`; see :class:`emco_store.ports.Port`."""

    def __init__(self, backend: MemoryBackend, namespace: str) -> None:
        self._backend = backend
        self._namespace = namespace

    @property
    def guarantees(self) -> Guarantees:
        """Strict serializability within the process; nothing survives it."""
        return Guarantees(
            "memory", "strict serializable", Durability.VOLATILE, OUTCOMES_KEPT, leases=True, feed=True,
            feed_retention=self._backend.feed_kept,
        )  # fmt: skip

    def open(self) -> None:
        """Do nothing: there is no server."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.PortBase.get`."""
        with self._backend.request(self._namespace, "get", request) as space:
            return {key: space.records[key.text] for key in request.keys if key.text in space.records}

    def scan(self, scan: Scan) -> RecordPage:
        """See :meth:`emco_store.ports.PortBase.scan`."""
        with self._backend.request(self._namespace, "scan", scan) as space:
            found: list[Record] = []
            for place in _places(space, scan):
                if place[1] in space.records:  # an entry may have lost its record
                    found.append(space.records[place[1]])
                    if len(found) == scan.limit:
                        return RecordPage(tuple(found), place)
            return RecordPage(tuple(found), None)

    def count(self, count: Count) -> int:
        """See :meth:`emco_store.ports.PortBase.count`."""
        with self._backend.request(self._namespace, "count", count) as space:
            return sum(text in space.records for _, text in _places(space, count.scan))

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.PortBase.referrers`."""
        with self._backend.request(self._namespace, "referrers", query) as space:
            loaded = {key: space.records[key.text] for key in query.load if key.text in space.records}
            texts = {text for target in query.targets for text in space.referrers.get(target.text, ())}
            behind = sorted(text for text in texts if text > query.after and text in space.records)[: query.limit]
            following = behind[-1] if len(behind) == query.limit else None
            return ReferrerPage(loaded, tuple(space.records[text] for text in behind), following)

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        with self._backend.request(self._namespace, "commit", commit) as space:
            now = self._backend.clock()
            answer = _judged(space, commit, now)
            if answer is not None:
                return answer
            if space.pulses:
                for uid in ended_pulses(commit, space.records):
                    space.pulses.pop(uid, None)
            if commit.puts or commit.deletes or commit.messages or commit.silent:
                if space.feed.takes(commit):
                    space.feed.add(commit, _stamps(space, commit))
                _apply(space, commit)
                space.settled(commit.txid, now, Outcome.COMMITTED, ahead_ms(commit.txid, time.time_ns() // 1_000_000))
            return Receipt(commit.txid)

    def settle(self, request: Settle) -> Outcome | None:
        """See :meth:`emco_store.ports.PortBase.settle`."""
        with self._backend.request(self._namespace, "settle", request) as space:
            is_old = may_be_forgotten(request.txid, _now_ms(), OUTCOMES_KEPT)
            outcome = None if is_old else Outcome.ABORTED
            return space.settled(request.txid, self._backend.clock(), outcome, ahead_ms(request.txid, _now_ms()))

    def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.PortBase.hold`."""
        with self._backend.request(self._namespace, "hold", hold) as space:
            now = self._backend.clock()
            until = now + hold.lasts.total_seconds()
            free = [key.text for key in hold.keys if not space.is_held(key.text, hold.holder, now)]
            space.holds |= {text: (hold.holder, until) for text in free if text in space.records}

    def release(self, release: Release) -> None:
        """See :meth:`emco_store.ports.PortBase.release`."""
        with self._backend.request(self._namespace, "release", release) as space:
            for key in release.keys:
                if space.holds.get(key.text, ("",))[0] == release.holder:
                    del space.holds[key.text]

    def beat(self, beat: Beat) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        with self._backend.request(self._namespace, "beat", beat) as space:
            return space.pulses.beat(beat.beats, self._now_us())

    def pulses(self, pulses: Pulses) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        with self._backend.request(self._namespace, "pulses", pulses) as space:
            return space.pulses.page(pulses, self._now_us())

    def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        return awaited(self, events)

    def events_now(self, events: Events) -> EventPage:
        """Return the next events without waiting for one."""
        with self._backend.request(self._namespace, "events", events) as space:
            return space.feed.page(events)

    def waking(self, wake: Wake) -> AbstractContextManager[None]:
        """Have something called after each commit that the feed tells; see :class:`.adapters.Wakes`."""
        return self._backend.waking(self._namespace, wake)

    def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.PortBase.audit`."""
        with self._backend.request(self._namespace, "audit", audit) as space:
            return audited(space, audit, self._backend.clock())

    def mend(self, mend: Mend) -> None:
        """See :meth:`emco_store.ports.PortBase.mend`."""
        with self._backend.request(self._namespace, "mend", mend) as space:
            for flaw in mend.flaws:
                mended(space, flaw.entry, self._backend.clock())

    def close(self) -> None:
        """Do nothing: the data belongs to the backend."""

    def _now_us(self) -> int:
        return int(self._backend.clock() * 1_000_000)


def _places(space: Space, scan: Scan) -> Iterator[tuple[str, str]]:
    """Yield the places of an order that a scan covers: indexed text and key text."""
    return _scan_by_key(space, scan) if scan.field is None else _scan_by_field(space, scan)


def _scan_by_key(space: Space, scan: Scan) -> Iterator[tuple[str, str]]:
    # Beside its kind a key holds what sorts before all that a kind may hold, so kinds follow each other as keys do.
    kinds = sorted(space.keys, reverse=scan.descending) if scan.kind is None else [scan.kind]
    high = min((bound for bound in (scan.prefix and scan.prefix + _LAST, scan.until) if bound), default=None)
    after = scan.after and scan.after[1]
    for kind in kinds:
        for text in ranged(space.keys[kind], scan.prefix, high, after, descending=scan.descending):
            if not scan.until or text < scan.until:
                yield "", text


def _scan_by_field(space: Space, scan: Scan) -> Iterator[tuple[str, str]]:
    low = None if scan.low is None else (scan.low, "")
    high = None if scan.below is None else (scan.below, "")  # which no record has as its key
    if scan.equal is not None:  # the keys follow each other, so that the prefix bounds the range
        low, high = (scan.equal, scan.prefix), (scan.equal, scan.prefix + _LAST)
    entries = space.index[scan.kind or "", scan.field or ""]
    for place in ranged(entries, low, high, scan.after, descending=scan.descending):
        if place[1].startswith(scan.prefix):
            yield place


def _judged(space: Space, commit: Commit, now: float) -> Receipt | Refusal | None:
    outcome, _ = space.outcomes.get(commit.txid, (None, now))
    held: list[Key] = []
    if space.holds and commit.size:
        held += [key for key in sorted(commit.keys) if space.is_held(key.text, commit.holder, now)]
    return judge(
        commit, space.records, owners=space.unique, held=held, pulses=space.pulses, outcome=outcome
    )  # fmt: skip


def _stamps(space: Space, commit: Commit) -> dict[Key, Stamp]:
    keys = (*commit.deletes, *(record.key for record in commit.puts))
    return {key: space.records[key.text].stamp for key in keys if key.text in space.records}


def _apply(space: Space, commit: Commit) -> None:
    for key in commit.deletes:
        space.drop(key)
    added: list[Record] = []
    for record in commit.puts:
        old = space.records.get(record.key.text)
        if old is None:
            added.append(record.guarded(0))
            continue
        new = record.guarded(old.guard)
        if (old.edges, old.unique, old.index) == (new.edges, new.unique, new.index):
            space.holds.pop(new.key.text, None)
            space.records[new.key.text] = new
        else:
            space.drop(new.key)
            added.append(new)
    for record in added:
        space.add(record)
    for key in commit.require:
        record = space.records[key.text]
        space.records[key.text] = record.guarded(record.guard + 1)
