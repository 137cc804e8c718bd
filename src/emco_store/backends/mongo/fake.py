"""``mongomock://``: MongoDB's documents and filters on a stand-in inside the process, for unit tests; never a proof.

mongomock has neither sessions nor the ``update`` command, and its unique indexes let pass what arrays share. So a
commit is checked and applied under one lock here, and only the documents and the filters are those of the real port.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import mongomock
from pymongo.errors import DuplicateKeyError

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.feeds import KEPT, Ring, Wake, awaited
from emco_store.backends.health import PROBE, Finding, Report, durability_finding, latency
from emco_store.backends.judging import alive, ended_pulses
from emco_store.backends.mongo import commands, indexes, judging, ranges
from emco_store.backends.mongo.documents import Document, decoded, outcome_id
from emco_store.backends.pulses import PulseTable, lease_without_pulse, pulse_without_lease
from emco_store.backends.schemes import OpenOptions, stand_in
from emco_store.core.flaws import Flaw, hold_problem, next_place, read_place, stale_hold
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE
from emco_store.core.records import Record, Stamp
from emco_store.core.txids import may_be_forgotten
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
    Held,
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

GUARANTEES = Guarantees(
    "mongomock",
    "strict serializable",
    Durability.VOLATILE,
    indexes.OUTCOMES_KEPT,
    leases=True,
    feed=True,
    feed_retention=KEPT,
)
"""One request at a time, for all threads of the process; nothing survives it."""
_MOST = 1_000_000
_STAGES = ("records",)
_HOLDS = "holds"


@dataclass(frozen=True, slots=True)
class _Server:
    """The data of one stand-in, the holds and pulses by collection, and the lock that makes each request one step."""

    client: Any = field(default_factory=mongomock.MongoClient)
    holds: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict[tuple[str, str], tuple[str, float]])
    pulses: dict[str, PulseTable] = field(default_factory=lambda: defaultdict(PulseTable))
    feeds: dict[str, Ring] = field(default_factory=lambda: defaultdict(Ring))
    lock: threading.RLock = field(default_factory=threading.RLock)


_NAMED: dict[str, _Server] = {}


def open_target(target: object, _options: OpenOptions) -> MongomockBackend:
    """Return the stand-in that a URL names; see :data:`emco_store.backends.schemes.Opener`."""
    return MongomockBackend(stand_in(target))


class MongomockBackend:
    """A MongoDB server inside this process, for any number of namespaces.

    Args:
        name: Backends of one name in one process are the same server, until the process ends; without a name, it is
            a server of its own.
    """

    def __init__(self, name: str = "") -> None:
        # The one state of the module: what a URL names must be found by its name. One step, so safe among threads.
        self._server = _NAMED.setdefault(name, _Server()) if name else _Server()

    def port(self, namespace: str) -> MongomockPort:
        """Open one namespace for blocking use."""
        return MongomockPort(self._server, namespace)

    def async_port(self, namespace: str) -> ImmediatePort:
        """Open one namespace for asyncio."""
        return ImmediatePort(self.port(namespace))

    def report(self, namespace: str) -> Report:
        """Look at a namespace."""
        port = self.port(namespace)
        findings = (
            Finding("server", "mongomock, which stands in for MongoDB in the memory of this process"),
            durability_finding(GUARANTEES.durability),
            latency("read", lambda: port.ask(Get((PROBE,)))),
        )
        records = Counter(record.key.kind for record in port.ask(Scan(kind=None, limit=_MOST)).records)
        return Report("mongomock", findings, records, durability=GUARANTEES.durability)


class MongomockPort(PortBase):
    """One namespace of a :class:`MongomockBackend`; see :class:`emco_store.ports.Port`."""

    def __init__(self, server: _Server, namespace: str) -> None:
        self._server = server
        self._name = commands.collection(namespace)
        self._records = server.client.emco.get_collection(self._name)

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return GUARANTEES

    def open(self) -> None:
        """Do nothing: without a server there is nothing to look at, and the stand-in needs no index."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.PortBase.get`."""
        return {record.key: record for record in decoded(self._find(commands.by_id(request.keys)))}

    def scan(self, scan: Scan) -> RecordPage:
        """See :meth:`emco_store.ports.PortBase.scan`."""
        query, order, _ = ranges.scan(scan)
        found = self._find(query, sort=list(order.items()), limit=scan.limit)
        following = ranges.position(scan, found[-1]) if len(found) == scan.limit else None
        return RecordPage(tuple(decoded(found)), following)

    def count(self, count: Count) -> int:
        """See :meth:`emco_store.ports.PortBase.count`."""
        query = ranges.count(count.scan)["pipeline"][0]["$match"]
        with self._server.lock:
            found: int = self._records.count_documents(query)
        return found

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.PortBase.referrers`."""
        wanted, _ = commands.referrers(query)
        return commands.referrer_page(query, self._find(wanted, sort=[("_id", 1)]), None)

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        with self._server.lock:
            answer = self._answer(commit)
            if answer is not None:
                return answer
            if self._pulses:
                for uid in ended_pulses(commit, self._leases()):
                    self._pulses.pop(uid, None)
            if self._feed.takes(commit):
                self._feed.add(commit, self._stamps(commit))
            # All that the filters of the statements say was checked, so the _id is enough.
            for statement in commands.updates(commit) if commit.size or commit.silent else ():
                self._carry_out(statement)
            for key in (*commit.deletes, *(record.key for record in commit.puts)):
                self._server.holds.pop((self._name, key.text), None)
            return Receipt(commit.txid)

    def settle(self, request: Settle) -> Outcome | None:
        """See :meth:`emco_store.ports.PortBase.settle`."""
        is_old = may_be_forgotten(request.txid, time.time_ns() // 1_000_000, indexes.OUTCOMES_KEPT)
        fence = commands.FORGOTTEN if is_old else Outcome.ABORTED.value
        query = {"_id": outcome_id(request.txid)}
        change = {"$setOnInsert": {"o": fence}, "$currentDate": {"t": True}}
        with self._server.lock:
            found = self._records.find_one_and_update(query, change, upsert=True, return_document=True)
        return None if found["o"] == commands.FORGOTTEN else Outcome(found["o"])

    def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.PortBase.hold`."""
        with self._server.lock:
            until = time.monotonic() + hold.lasts.total_seconds()
            free = [key for key in self.get(Get(hold.keys)) if not self._is_held(key, hold.holder)]
            self._server.holds.update({(self._name, key.text): (hold.holder, until) for key in free})

    def release(self, release: Release) -> None:
        """See :meth:`emco_store.ports.PortBase.release`."""
        with self._server.lock:
            for key in release.keys:
                if not self._is_held(key, release.holder):
                    self._server.holds.pop((self._name, key.text), None)

    def beat(self, beat: Beat) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        with self._server.lock:
            return self._pulses.beat(beat.beats, _now_us())

    def pulses(self, pulses: Pulses) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        with self._server.lock:
            return self._pulses.page(pulses, _now_us())

    def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        return awaited(self, events)

    def events_now(self, events: Events) -> EventPage:
        """Return the next events without waiting for one."""
        with self._server.lock:
            return self._feed.page(events)

    def waking(self, wake: Wake) -> AbstractContextManager[None]:
        """Have something called after each commit that the feed tells; see :class:`.adapters.Wakes`."""
        return self._feed.waking(self._server.lock, wake)

    def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.PortBase.audit`; beside the records, only holds and pulses could be wrong."""
        stage, after = read_place(audit.after, _STAGES)
        with self._server.lock:
            page = self.scan(Scan(kind=None, after=("", after), limit=audit.limit))
            records = page.records
            targets = {target for record in records for target in record.targets}
            absent = frozenset(targets - self.get(Get(tuple(targets))).keys())
            last = None if page.next is None else page.next[1]
            flaws = [lease_without_pulse(one.key.text, one.uid) for one in records if self._pulses.is_lost(one)]
            if last is None:
                left = [uid for uid in self._pulses if self._pulses.is_left(uid, self._leases(), _now_us())]
                flaws += [pulse_without_lease(self._pulses[uid].key.text, uid) for uid in left]
                flaws += self._endless()
        return Audited(records, absent, tuple(flaws), len(records), next_place(_STAGES, stage, last))

    def mend(self, mend: Mend) -> None:
        """See :meth:`emco_store.ports.PortBase.mend`; ``audit`` names flaws of holds and pulses alone."""
        with self._server.lock:
            for flaw in mend.flaws:
                stage, uid, text = flaw.entry
                if stage == _HOLDS:
                    self._server.holds.pop((self._name, text), None)
                else:
                    self._pulses.mend(uid, text, self._leases(), _now_us())

    def close(self) -> None:
        """Do nothing: the data belongs to the backend."""

    @property
    def _feed(self) -> Ring:
        return self._server.feeds[self._name]

    def _stamps(self, commit: Commit) -> Mapping[Key, Stamp]:
        keys = (*commit.deletes, *(record.key for record in commit.puts))
        return {key: record.stamp for key, record in self.get(Get(keys)).items()}

    @property
    def _pulses(self) -> PulseTable:
        return self._server.pulses[self._name]

    def _leases(self) -> Mapping[str, Record]:
        return {record.key.text: record for record in self.scan(Scan(kind=LEASE, limit=_MOST)).records}

    def _endless(self) -> Iterator[Flaw]:
        """Yield the holds that end too late."""
        for (name, text), (holder, until) in self._server.holds.items():
            problem = hold_problem(until - time.monotonic())
            if name == self._name and problem is not None:
                yield stale_hold(text, problem, (_HOLDS, holder, text))

    def _is_held(self, key: Key, holder: str) -> bool:
        """Tell whether somebody else holds a record."""
        by, until = self._server.holds.get((self._name, key.text), (holder, 0.0))
        return by != holder and until > time.monotonic()

    def _find(self, query: Any, **options: Any) -> Sequence[Any]:
        with self._server.lock:
            return list(self._records.find(query, **options))

    def _carry_out(self, statement: Document) -> None:
        query, change, upsert = {"_id": statement["q"]["_id"]}, statement["u"], statement.get("upsert", False)
        if statement.get("multi"):
            self._records.update_many(query, change)
        elif next(iter(change)).startswith("$"):
            self._records.update_one(query, change, upsert=upsert)
        else:  # a new record; the stand-in looks at every document to find one by its _id, and at none to insert one
            try:
                self._records.insert_one({**query, **change})
            except DuplicateKeyError:  # there is a tombstone
                self._records.replace_one(query, change)

    def _answer(self, commit: Commit) -> Receipt | Refusal | None:
        """Say what the commit has come to already, or what stands in its way."""
        found = self._find(judging.evidence([commit]))
        (reply,) = judging.judge([commit], found)
        beating = tuple(alive(commit, self._pulses))
        if beating and not isinstance(reply, Receipt):
            return Refusal((*beating, *(reply.failures if reply else ())))
        held = [Held(key) for key in sorted(commit.keys) if commit.size and self._is_held(key, commit.holder)]
        if held and not isinstance(reply, Receipt):
            return Refusal((*held, *(reply.failures if reply else ())))
        return reply


def _now_us() -> int:
    return time.monotonic_ns() // 1_000
