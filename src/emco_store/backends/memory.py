"""The memory backend: the reference for all others, deterministic, and no softer than they are."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.health import PROBE, Finding, Report, durability_finding, latency
from emco_store.ports import (
    Commit,
    Durability,
    Failure,
    Fenced,
    Follow,
    Followed,
    Guarantees,
    Missing,
    Moved,
    Outcome,
    Receipt,
    Refusal,
    Scan,
    Stale,
    Taken,
)

Moment = Literal["before", "after"]
Hook = Callable[[str, Moment, object], None]
"""Called around each request with its name, the moment and its argument; what it raises takes the reply's place."""

OUTCOMES_KEPT = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""


@dataclass(slots=True)
class _Space:
    """The data of one namespace: the records, and four indexes that are kept with them."""

    records: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    referrers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unique: dict[tuple[str, str, str], Key] = field(default_factory=dict)
    index: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    outcomes: dict[str, tuple[Outcome, float]] = field(default_factory=dict)

    def settled(self, txid: str, outcome: Outcome | None = None) -> Outcome | None:
        """Give the outcome of a commit, ``outcome`` from now on if it has none yet; forget those that are old."""
        now = time.monotonic()
        for old, (_, since) in self.outcomes.items():
            if now - since < OUTCOMES_KEPT.total_seconds():
                break
            del self.outcomes[old]
            break  # one for each request: as many go as come
        if outcome is not None:
            self.outcomes.setdefault(txid, (outcome, now))
        found = self.outcomes.get(txid)
        return None if found is None else found[0]

    def add(self, record: Record) -> None:
        text, kind = record.key.text, record.key.kind
        self.records[text] = record
        insort(self.keys[kind], text)
        for edge in record.edges:
            self.referrers[edge.target.text].add(text)
        for name, value in record.unique:
            self.unique[kind, name, value] = record.key
        for name, value in record.index:
            insort(self.index[kind, name], (value, text))

    def drop(self, key: Key) -> None:
        record = self.records.pop(key.text, None)
        if record is None:
            return
        _discard(self.keys[key.kind], key.text)
        for edge in record.edges:
            self.referrers[edge.target.text].discard(key.text)
        for name, value in record.unique:
            del self.unique[key.kind, name, value]
        for name, value in record.index:
            _discard(self.index[key.kind, name], (value, key.text))


def _discard(ordered: list[Any], value: Any) -> None:
    del ordered[bisect_left(ordered, value)]


class MemoryBackend:
    """Data in memory that several stores of one process can share, by namespace.

    Args:
        hook: Called around every request; for tests that fail requests or look at them.
    """

    def __init__(self, *, hook: Hook | None = None) -> None:
        self.hook = hook
        self._lock = threading.RLock()
        self._spaces: dict[str, _Space] = defaultdict(_Space)

    def port(self, namespace: str) -> MemoryPort:
        """Open one namespace for blocking use."""
        return MemoryPort(self, namespace)

    def async_port(self, namespace: str) -> AsyncMemoryPort:
        """Open one namespace for asyncio."""
        return AsyncMemoryPort(MemoryPort(self, namespace))

    def report(self, namespace: str) -> Report:
        """Look at a namespace."""
        port = self.port(namespace)
        with self.request(namespace, "report", None) as space:
            records = {kind: len(keys) for kind, keys in sorted(space.keys.items()) if keys}
        findings = (
            Finding("server", "none: the data is in the memory of this process"),
            durability_finding(port.guarantees.durability),
            latency("read", lambda: port.get((PROBE,))),
        )
        return Report("memory", findings, records, durability=port.guarantees.durability)

    @contextmanager
    def request(self, namespace: str, name: str, argument: object) -> Generator[_Space]:
        """Perform one request: alone, and with the hook around it."""
        if self.hook is not None:
            self.hook(name, "before", argument)
        with self._lock:
            yield self._spaces[namespace]
        if self.hook is not None:
            self.hook(name, "after", argument)


class MemoryPort:
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

    def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        with self._backend.request(self._namespace, "get", keys) as space:
            return {key: space.records[key.text] for key in keys if key.text in space.records}

    def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        with self._backend.request(self._namespace, "scan", scan) as space:
            found: list[Record] = []
            for text in _scan_by_key(space, scan) if scan.field is None else _scan_by_field(space, scan):
                if len(found) == scan.limit:
                    break
                found.append(space.records[text])
            return tuple(found)

    def referrers(self, follow: Follow) -> Followed:
        """See :meth:`emco_store.ports.Port.referrers`."""
        with self._backend.request(self._namespace, "referrers", follow) as space:
            loaded = {key: space.records[key.text] for key in follow.load if key.text in space.records}
            texts = {text for target in follow.targets for text in space.referrers.get(target.text, ())}
            behind = sorted(text for text in texts if text > follow.after)[: follow.limit]
            return Followed(loaded, tuple(space.records[text] for text in behind))

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        with self._backend.request(self._namespace, "commit", commit) as space:
            outcome = space.settled(commit.txid)
            if outcome is Outcome.COMMITTED:
                return Receipt(commit.txid)
            failures = [Fenced(commit.txid)] if outcome is Outcome.ABORTED else list(_failures(space, commit))
            if failures:
                return Refusal(tuple(failures))
            _apply(space, commit)
            return Receipt(commit.txid)

    def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        with self._backend.request(self._namespace, "settle", txid) as space:
            return space.settled(txid, Outcome.ABORTED) or Outcome.ABORTED

    def close(self) -> None:
        """Do nothing: the data belongs to the backend."""


class AsyncMemoryPort:
    """The same for asyncio; nothing in it waits."""

    def __init__(self, port: MemoryPort) -> None:
        self._port = port

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`MemoryPort.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return self._port.get(keys)

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return self._port.scan(scan)

    async def referrers(self, follow: Follow) -> Followed:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return self._port.referrers(follow)

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        return self._port.commit(commit)

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        return self._port.settle(txid)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        self._port.close()


def _scan_by_key(space: _Space, scan: Scan) -> Iterator[str]:
    keys = sorted(space.records) if scan.kind is None else space.keys[scan.kind]
    low = bisect_left(keys, scan.prefix)
    high = bisect_left(keys, scan.prefix + "\U0010ffff") if scan.prefix else len(keys)
    if scan.after is not None:
        if scan.descending:
            high = min(high, bisect_left(keys, scan.after[1]))
        else:
            low = max(low, bisect_right(keys, scan.after[1]))
    places = range(high - 1, low - 1, -1) if scan.descending else range(low, high)
    return (keys[at] for at in places)


def _scan_by_field(space: _Space, scan: Scan) -> Iterator[str]:
    entries = space.index[scan.kind or "", scan.field or ""]
    low = 0 if scan.low is None else bisect_left(entries, (scan.low, ""))
    high = len(entries) if scan.high is None else bisect_right(entries, (scan.high, "\U0010ffff"))
    if scan.after is not None:
        if scan.descending:
            high = min(high, bisect_left(entries, scan.after))
        else:
            low = max(low, bisect_right(entries, scan.after))
    places = range(high - 1, low - 1, -1) if scan.descending else range(low, high)
    return (entries[at][1] for at in places if entries[at][1].startswith(scan.prefix))


def _failures(space: _Space, commit: Commit) -> Iterator[Failure]:
    for key, expected in commit.expect.items():
        record = space.records.get(key.text)
        found = record.stamp if record is not None else None
        if found != expected:
            yield Stale(key, expected, found)
    for key in sorted(commit.require):
        if key.text not in space.records:
            yield Missing(key)
    for key, seal in commit.sealed.items():
        record = space.records.get(key.text)
        if record is None or record.seal != seal:
            yield Moved(key)
    yield from _claims_of_others(space, commit)


def _claims_of_others(space: _Space, commit: Commit) -> Iterator[Taken]:
    going = {key.text for key in commit.deletes} | {record.key.text for record in commit.puts}
    claimed: dict[tuple[str, str, str], Key] = {}
    for record in commit.puts:
        for name, value in record.unique:
            claim = (record.key.kind, name, value)
            owner = space.unique.get(claim)
            if owner is None or owner.text in going:
                owner = claimed.setdefault(claim, record.key)
            if owner != record.key:
                yield Taken(record.key, name, owner)


def _apply(space: _Space, commit: Commit) -> None:
    guards = {record.key.text: space.records[record.key.text].guard
              for record in commit.puts if record.key.text in space.records}  # fmt: skip
    for key in commit.deletes:
        space.drop(key)
    for record in commit.puts:
        space.drop(record.key)
    for record in commit.puts:
        space.add(replace(record, guard=guards.get(record.key.text, 0)))
    for key in commit.require:
        record = space.records[key.text]
        space.records[key.text] = replace(record, guard=record.guard + 1)
    if commit.size:
        space.settled(commit.txid, Outcome.COMMITTED)
