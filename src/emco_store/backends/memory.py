"""The memory backend: the reference for all others, deterministic, and no softer than they are."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nsmallest
from itertools import islice
from types import TracebackType
from typing import Any, Literal, TypeVar

from sortedcontainers import SortedList

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.health import PROBE, Finding, Report, durability_finding, latency
from emco_store.core.flaws import (
    Flaw,
    duplicate,
    hold_problem,
    missing_entry,
    next_place,
    read_place,
    stale_hold,
    stray_entry,
)  # fmt: skip
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.txids import ahead_ms, may_be_forgotten
from emco_store.ports import (
    Audit,
    Audited,
    Commit,
    Durability,
    Failure,
    Fenced,
    Get,
    Guarantees,
    Held,
    Hold,
    Mend,
    Missing,
    Moved,
    Outcome,
    PortBase,
    Receipt,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Release,
    Scan,
    Settle,
    Stale,
    Taken,
)
from emco_store.queueing.forks import Renewed

Moment = Literal["before", "after"]
Hook = Callable[[str, Moment, object], None]
"""Called around each request with its name, the moment and its argument; what it raises takes the reply's place."""

OUTCOMES_KEPT = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""
T = TypeVar("T", str, tuple[str, str])
_OUTCOMES_KEPT_S = OUTCOMES_KEPT.total_seconds()


def _now_ms() -> int:
    """Return the time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


_LAST = "\U0010ffff"
_Entry = tuple[str, ...]
"""One entry of an index: its name, then what it is found by; the key of its record is the last."""
_STAGES = ("records", "keys", "referrers", "index", "unique", "holds")
"""What an audit looks at, one after the other."""


@dataclass(slots=True)
class _Space:
    """The data of one namespace: the records, and four indexes that are kept with them."""

    records: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, SortedList[str]] = field(default_factory=lambda: defaultdict(SortedList))
    referrers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unique: dict[tuple[str, str, str], Key] = field(default_factory=dict)
    index: dict[tuple[str, str], SortedList[tuple[str, str]]] = field(default_factory=lambda: defaultdict(SortedList))
    outcomes: dict[str, tuple[Outcome, float]] = field(default_factory=dict)
    holds: dict[str, tuple[str, float]] = field(default_factory=dict)

    def settled(self, txid: str, now: float, outcome: Outcome | None = None) -> Outcome | None:
        """Return the outcome of a commit, ``outcome`` from now on if it has none yet; forget those that are old."""
        for old, (_, since) in self.outcomes.items():
            if now - since >= _OUTCOMES_KEPT_S:
                del self.outcomes[old]
            elif since > now:  # of a client whose clock is ahead: it hinders none of those after it
                self.outcomes[old] = self.outcomes.pop(old)
            break  # one for each request: as many go as come
        if outcome is not None:
            self.outcomes.setdefault(txid, (outcome, now + ahead_ms(txid, time.time_ns() // 1_000_000) / 1000))
        found = self.outcomes.get(txid)
        return None if found is None else found[0]

    def add(self, record: Record) -> None:
        text, kind = record.key.text, record.key.kind
        self.records[text] = record
        self.keys[kind].add(text)
        for edge in record.edges:
            self.referrers[edge.target.text].add(text)
        for name, value in record.unique:
            self.unique[kind, name, value] = record.key
        for name, value in record.index:
            self.index[kind, name].add((value, text))

    def has(self, entry: _Entry) -> bool:
        """Tell whether an index has an entry."""
        stage, *rest = entry
        if stage == "keys":
            return rest[1] in self.keys.get(rest[0], ())
        if stage == "referrers":
            return rest[1] in self.referrers.get(rest[0], ())
        if stage == "index":
            return (rest[2], rest[3]) in self.index.get((rest[0], rest[1]), ())
        owner = self.unique.get((rest[0], rest[1], rest[2]))
        return owner is not None and owner.text == rest[3]

    def entries(self, stage: str, after: _Entry, limit: int) -> Iterator[_Entry]:
        """Yield entries of an index behind one of them, in an order of its own; at most so many of each value."""
        behind = after[1:]
        if stage in {"records", "holds"}:
            texts = self.records if stage == "records" else self.holds
            yield from ((stage, text) for text in _next(texts, behind[:1], limit))
        elif stage == "unique":
            yield from ((stage, *claim, self.unique[claim].text) for claim in _next(self.unique, [behind[:3]], limit))
        elif stage == "index":
            for at in sorted(at for at in self.index if at >= behind[:2]):
                first = (behind[2], behind[3]) if at == behind[:2] else None
                yield from ((stage, *at, *pair) for pair in _ranged(self.index[at], None, None, first))
        else:
            found: Mapping[str, Collection[str]] = self.keys if stage == "keys" else self.referrers
            for by in sorted(by for by in found if (by,) >= behind[:1]):
                rest = behind[1:] if behind[:1] == (by,) else ()
                yield from ((stage, by, text) for text in _next(found[by], rest, limit))

    def is_held(self, text: str, holder: str, now: float) -> bool:
        """Tell whether somebody else holds a record; forget a hold that has ended."""
        found = self.holds.get(text)
        if found is not None and found[1] <= now:
            del self.holds[text]
            return False
        return found is not None and found[0] != holder

    def drop(self, key: Key) -> None:
        self.holds.pop(key.text, None)
        record = self.records.pop(key.text, None)
        if record is None:
            return
        self.keys[key.kind].remove(key.text)
        for edge in record.edges:
            self.referrers[edge.target.text].discard(key.text)
        for name, value in record.unique:
            del self.unique[key.kind, name, value]
        for name, value in record.index:
            self.index[key.kind, name].remove((value, key.text))


def _next(found: Iterable[Any], after: Sequence[Any], limit: int) -> list[Any]:
    """Return the least values after the one that ``after`` holds, if any."""
    return nsmallest(limit, (one for one in found if one > after[0]) if after and after[0] else found)


def _ranged(
    ordered: SortedList[T], low: T | None, high: T | None, after: T | None, *, descending: bool = False
) -> Iterator[T]:
    """Yield the values from ``low`` to ``high``, and behind ``after`` on the way; None sets no bound."""
    holds_low = holds_high = True
    if after is not None and descending and (high is None or after <= high):
        high, holds_high = after, False
    elif after is not None and not descending and (low is None or after >= low):
        low, holds_low = after, False
    return ordered.irange(low, high, (holds_low, holds_high), reverse=descending)


class MemoryBackend(Renewed):
    """Data in memory that several stores of one process can share, by namespace.

    Args:
        hook: Called before and after every request; for tests that make requests fail or examine them.
        clock: Returns seconds since any fixed moment; holds and outcomes expire by it.
    """

    def __init__(self, *, hook: Hook | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.hook = hook
        self.clock = clock
        self._spaces: dict[str, _Space] = defaultdict(_Space)
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._lock = threading.RLock()

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
        )
        return Report("memory", findings, records, durability=port.guarantees.durability)

    def request(self, namespace: str, name: str, argument: object) -> AbstractContextManager[_Space]:
        """Perform one request: alone, and with the hook around it."""
        return _Request(self, self._lock, self._spaces, namespace, name, argument)


class _Request(AbstractContextManager[_Space]):
    """The time of one request; see :meth:`MemoryBackend.request`."""

    def __init__(  # noqa: PLR0917 - of one caller
        self,
        backend: MemoryBackend,
        lock: AbstractContextManager[object],
        spaces: dict[str, _Space],
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

    def __enter__(self) -> _Space:
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
        return Guarantees("memory", "strict serializable", Durability.VOLATILE, OUTCOMES_KEPT)

    def open(self) -> None:
        """Do nothing: there is no server."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.PortBase.get`."""
        with self._backend.request(self._namespace, "get", request) as space:
            return {key: space.records[key.text] for key in request.keys if key.text in space.records}

    def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.PortBase.scan`."""
        with self._backend.request(self._namespace, "scan", scan) as space:
            found: list[Record] = []
            for text in _scan_by_key(space, scan) if scan.field is None else _scan_by_field(space, scan):
                if len(found) == scan.limit:
                    break
                if text in space.records:  # an entry without a record takes up no place of the page
                    found.append(space.records[text])
            return tuple(found)

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.PortBase.referrers`."""
        with self._backend.request(self._namespace, "referrers", query) as space:
            loaded = {key: space.records[key.text] for key in query.load if key.text in space.records}
            texts = {text for target in query.targets for text in space.referrers.get(target.text, ())}
            behind = sorted(text for text in texts if text > query.after and text in space.records)[: query.limit]
            return ReferrerPage(loaded, tuple(space.records[text] for text in behind))

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        with self._backend.request(self._namespace, "commit", commit) as space:
            now = self._backend.clock()
            outcome, _ = space.outcomes.get(commit.txid, (None, now))
            if outcome is Outcome.COMMITTED:
                return Receipt(commit.txid)
            failures = [Fenced(commit.txid)] if outcome is Outcome.ABORTED else list(_failures(space, commit, now))
            if failures:
                return Refusal(tuple(failures))
            if commit.size:
                _apply(space, commit)
                space.settled(commit.txid, now, Outcome.COMMITTED)
            return Receipt(commit.txid)

    def settle(self, request: Settle) -> Outcome | None:
        """See :meth:`emco_store.ports.PortBase.settle`."""
        with self._backend.request(self._namespace, "settle", request) as space:
            is_old = may_be_forgotten(request.txid, _now_ms(), OUTCOMES_KEPT)
            return space.settled(request.txid, self._backend.clock(), None if is_old else Outcome.ABORTED)

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

    def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.PortBase.audit`."""
        with self._backend.request(self._namespace, "audit", audit) as space:
            return _audited(space, audit, self._backend.clock())

    def mend(self, mend: Mend) -> None:
        """See :meth:`emco_store.ports.PortBase.mend`."""
        with self._backend.request(self._namespace, "mend", mend) as space:
            for flaw in mend.flaws:
                _mend(space, flaw.entry, self._backend.clock())

    def close(self) -> None:
        """Do nothing: the data belongs to the backend."""


def _scan_by_key(space: _Space, scan: Scan) -> Iterator[str]:
    # Beside its kind a key holds what sorts before all that a kind may hold, so kinds follow each other as keys do.
    kinds = sorted(space.keys, reverse=scan.descending) if scan.kind is None else [scan.kind]
    high = scan.prefix + _LAST if scan.prefix else None
    after = scan.after and scan.after[1]
    for kind in kinds:
        yield from _ranged(space.keys[kind], scan.prefix, high, after, descending=scan.descending)


def _scan_by_field(space: _Space, scan: Scan) -> Iterator[str]:
    low = None if scan.low is None else (scan.low, "")
    high = None if scan.high is None else (scan.high, _LAST)
    entries = space.index[scan.kind or "", scan.field or ""]
    for _, text in _ranged(entries, low, high, scan.after, descending=scan.descending):
        if text.startswith(scan.prefix):
            yield text


def _failures(space: _Space, commit: Commit, now: float) -> Iterator[Failure]:
    if space.holds and commit.size:
        yield from (Held(key) for key in sorted(commit.keys) if space.is_held(key.text, commit.holder, now))
    for key, expected in commit.expect.items():
        record = space.records.get(key.text)
        found = record.stamp if record is not None else None
        if found != expected:
            yield Stale(key, expected, found)
    for key in sorted([key for key in commit.require if key.text not in space.records]):
        yield Missing(key)
    for key, seal in commit.sealed.items():
        record = space.records.get(key.text)
        if record is None or record.seal != seal:
            yield Moved(key)
    claims = [(record.key, name, value) for record in commit.puts for name, value in record.unique]
    if claims:
        yield from _claims_of_others(space, commit, claims)


def _claims_of_others(space: _Space, commit: Commit, claims: Sequence[tuple[Key, str, str]]) -> Iterator[Taken]:
    going = {key.text for key in commit.deletes} | {record.key.text for record in commit.puts}
    claimed: dict[tuple[str, str, str], Key] = {}
    for key, name, value in claims:
        claim = (key.kind, name, value)
        owner = space.unique.get(claim)
        if owner is None or owner.text in going:
            owner = claimed.setdefault(claim, key)
        if owner != key:
            yield Taken(key, name, owner)


def _apply(space: _Space, commit: Commit) -> None:
    for key in commit.deletes:
        space.drop(key)
    added: list[Record] = []
    for record in commit.puts:
        old = space.records.get(record.key.text)
        new = record.guarded(0 if old is None else old.guard)
        if old is not None and (old.edges, old.unique, old.index) == (new.edges, new.unique, new.index):
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


def _audited(space: _Space, audit: Audit, now: float) -> Audited:
    stage, position = read_place(audit.after, _STAGES)
    after = tuple(json.loads(position)) if position else ()
    entries = list(islice(space.entries(stage, after, audit.limit), audit.limit))
    records = [space.records[entry[1]] for entry in entries] if stage == "records" else []
    if stage == "records":
        flaws = [flaw for record in records for flaw in _missing(space, record)]
    elif stage == "holds":
        flaws = [flaw for entry in entries for flaw in _left_behind(space, entry, now)]
    else:
        flaws = [stray_entry(entry[-1], " ".join(entry[:-1]), entry) for entry in entries if not _belongs(space, entry)]
    absent = {edge.target for record in records for edge in record.edges if edge.target.text not in space.records}
    is_full = len(entries) == audit.limit
    place = next_place(_STAGES, stage, json.dumps(entries[-1]) if is_full else None)
    return Audited(tuple(records), frozenset(absent), tuple(flaws), len(entries), place)


def _wanted(record: Record) -> Iterator[_Entry]:
    """Yield the entries that lead to a record."""
    text, kind = record.key.text, record.key.kind
    yield "keys", kind, text
    yield from (("referrers", target.text, text) for target in record.targets)
    yield from (("index", kind, name, value, text) for name, value in record.index)
    yield from (("unique", kind, name, value, text) for name, value in record.unique)


def _belongs(space: _Space, entry: _Entry) -> bool:
    record = space.records.get(entry[-1])
    return record is not None and entry in _wanted(record)


def _missing(space: _Space, record: Record) -> Iterator[Flaw]:
    for entry in _wanted(record):
        if not space.has(entry):
            owner = space.unique.get((entry[1], entry[2], entry[3])) if entry[0] == "unique" else None
            if owner is not None and _belongs(space, (*entry[:-1], owner.text)):
                yield duplicate(record.key.text, entry[2], owner.text)
            else:
                yield missing_entry(record.key.text, " ".join(entry[:-1]), entry)


def _left_behind(space: _Space, entry: _Entry, now: float) -> Iterator[Flaw]:
    problem = hold_problem(space.holds[entry[1]][1] - now)
    if problem is not None:
        yield stale_hold(entry[1], problem, entry)


def _mend(space: _Space, entry: _Entry, now: float) -> None:
    """Add an entry that a record should have, or take away one that belongs to none."""
    stage, *rest = entry
    if stage == "holds":
        if rest[0] in space.holds and hold_problem(space.holds[rest[0]][1] - now):
            del space.holds[rest[0]]
        return
    is_wanted, is_there = _belongs(space, entry), space.has(entry)
    owner = space.unique.get((rest[0], rest[1], rest[2])) if stage == "unique" else None
    is_taken = is_wanted and owner is not None and _belongs(space, (*entry[:-1], owner.text))
    if is_wanted == is_there or is_taken:
        return
    if stage == "keys":
        (space.keys[rest[0]].add if is_wanted else space.keys[rest[0]].remove)(rest[1])
    elif stage == "referrers":
        (space.referrers[rest[0]].add if is_wanted else space.referrers[rest[0]].discard)(rest[1])
    elif stage == "index":
        entries = space.index[rest[0], rest[1]]
        (entries.add if is_wanted else entries.remove)((rest[2], rest[3]))
    elif not is_wanted:
        del space.unique[rest[0], rest[1], rest[2]]
    else:
        space.unique[rest[0], rest[1], rest[2]] = Key.parse(rest[3])
