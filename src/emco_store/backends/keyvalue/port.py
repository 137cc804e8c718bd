"""The port over an ordered map: a whole backend, for blocking use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar
from zlib import crc32

from emco_store.backends.codec import Unreadable, read_pulse, write_pulse
from emco_store.backends.keyvalue.auditing import audited, mended
from emco_store.backends.keyvalue.feed import KEPT, begun, page
from emco_store.backends.keyvalue.ordered_map import ABSENT, OrderedMap, Outright, Snapshot, Write
from emco_store.backends.keyvalue.planning import (
    OUTCOMES_KEPT,
    Hold as Held,
    NoFeed,
    Settled,
    guarding,
    is_held_by_another,
    is_over,
    outcome_in,
    plan,
    record_in,
    recovered,
    rests_on,
)
from emco_store.backends.keyvalue.ranges import all_under, behind, position, span_of, under
from emco_store.backends.keyvalue.rows import Names
from emco_store.backends.keyvalue.weighing import refuse_beyond, refuse_write_beyond
from emco_store.backends.patience import Patience
from emco_store.backends.pulses import PulseTable
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.txids import may_be_forgotten
from emco_store.notices import Outages
from emco_store.ports import (
    Audit,
    Audited,
    Beat,
    Beaten,
    Commit,
    Count,
    EventPage,
    Events,
    Get,
    Guarantees,
    Hold,
    Mend,
    Outcome,
    OutcomeLost,
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
    Unreachable,
    not_open,
)
from emco_store.queueing.forks import Renewed

SWEPT = 64
"""One commit of this number looks for outcomes and events that need not be kept any more."""
SWEEP = 4 * SWEPT
"""The maximum number of rows that it removes of each."""
T = TypeVar("T")


class KeyValuePort(PortBase, Renewed):
    """One namespace in an ordered map; see :class:`emco_store.ports.Port`.

    Args:
        rows: The map; several ports may share it.
        namespace: The namespace.
    """

    def __init__(self, rows: OrderedMap, namespace: str) -> None:
        super().__init__()
        self._map = rows
        self._names = Names(namespace)
        self._outages = Outages(rows.name)
        self._guarantees: Guarantees | None = None
        self._is_open = False
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._turns = threading.Lock()

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        if self._guarantees is None:
            raise not_open()
        return self._guarantees

    def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        if not self._is_open:
            self._tried(self._opened)

    def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        if self._is_open:
            self._is_open = False
            self._map.close()

    def get(self, request: Get) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.PortBase.get`."""
        return self._read(lambda snapshot: self._records(snapshot, request.keys)) if request.keys else {}

    def scan(self, scan: Scan) -> RecordPage:
        """See :meth:`emco_store.ports.PortBase.scan`."""

        def read(snapshot: Snapshot) -> RecordPage:
            found = list(islice(self._scanned(snapshot, scan), scan.limit))
            following = position(self._names, scan, found[-1][0]) if len(found) == scan.limit else None
            return RecordPage(tuple(record for _, record in found), following)

        return self._read(read)

    def count(self, count: Count) -> int:
        """See :meth:`emco_store.ports.PortBase.count`."""
        return self._read(lambda snapshot: snapshot.count(span_of(self._names, count.scan)))

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.PortBase.referrers`."""

        def read(snapshot: Snapshot) -> ReferrerPage:
            loaded = self._records(snapshot, query.load)
            found = tuple(islice(self._referring(snapshot, query), query.limit))
            return ReferrerPage(loaded, found, found[-1].key.text if len(found) == query.limit else None)

        return self._read(read)

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        refuse_beyond(self._map.limits, self._names, commit)
        keys = tuple(dict.fromkeys(rests_on(self._names, commit)))

        def attempt() -> tuple[Receipt | Refusal] | None:
            with self._map.snapshot() as snapshot:
                found = snapshot.get(keys)
            try:
                answer = plan(self._names, commit, found, self._map.about_now_us())
            except NoFeed:
                self._begin_feed()
                return None
            if not isinstance(answer, Write):
                return (answer,)
            refuse_write_beyond(self._map.limits, answer)
            return (Receipt(commit.txid),) if self._map.write(answer) else None

        (reply,) = self._tried(attempt, is_repeatable=False)
        if crc32(commit.txid.encode()) % SWEPT == 0:
            with suppress(Unreachable, OutcomeLost):  # the next one of this number does it
                self._sweep()
        return reply

    def settle(self, request: Settle) -> Outcome | None:
        """See :meth:`emco_store.ports.PortBase.settle`."""
        row = self._names.outcome(request.txid)

        def attempt() -> tuple[Outcome | None] | None:
            with self._map.snapshot() as snapshot:
                outcome = outcome_in(self._names, request.txid, snapshot.get((row,)))
            now_us = self._map.about_now_us()
            if outcome is not None or may_be_forgotten(request.txid, now_us // 1000, OUTCOMES_KEPT):
                return (outcome,)
            aborted = Settled.at(Outcome.ABORTED, request.txid, now_us).written()
            return (Outcome.ABORTED,) if self._map.write(Write({row: ABSENT}, {row: aborted})) else None

        return self._tried(attempt)[0]

    def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.PortBase.hold`."""
        names = self._names
        rows = {key: (names.record(key.text), names.hold(key.text)) for key in hold.keys}

        def attempt() -> bool | None:
            with self._map.snapshot() as snapshot:
                found = snapshot.get([row for pair in rows.values() for row in pair])
            now_us = self._map.about_now_us()
            value = Held(hold.holder, now_us + int(hold.lasts.total_seconds() * 1_000_000)).written()
            free = [
                (record, row)
                for record, row in rows.values()
                if record in found and not (row in found and is_held_by_another(found[row].value, hold.holder, now_us))
            ]
            when = {row: found[row].revision if row in found else ABSENT for pair in free for row in pair}
            return not free or self._map.write(Write(when, {row: value for _, row in free})) or None

        self._tried(attempt)

    def release(self, release: Release) -> None:
        """See :meth:`emco_store.ports.PortBase.release`."""
        rows = [self._names.hold(key.text) for key in release.keys]

        def attempt() -> bool | None:
            with self._map.snapshot() as snapshot:
                found = snapshot.get(rows)
            own = {row: entry.revision for row, entry in found.items() if _holder(entry.value) == release.holder}
            return not own or self._map.write(Write(own, deletes=frozenset(own))) or None

        self._tried(attempt)

    def beat(self, beat: Beat) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        rows = {uid: self._names.pulse(uid) for uid in beat.beats}

        def attempt() -> Beaten | None:
            with self._map.snapshot() as snapshot:
                found = snapshot.get(tuple(rows.values()))
            pulses = PulseTable()
            for uid, row in rows.items():
                with suppress(KeyError, Unreadable):
                    pulses[uid] = read_pulse(uid, found[row].value)
            before = dict(pulses)
            reply = pulses.beat(beat.beats, self._map.now_us())
            puts = {rows[uid]: write_pulse(one) for uid, one in pulses.items() if one is not before.get(uid)}
            when = {row: found[row].revision if row in found else ABSENT for row in puts}
            return reply if not puts or self._map.write(Write(when, puts)) else None

        return self._tried(attempt)

    def pulses(self, pulses: Pulses) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        prefix = self._names.pulses

        def read(snapshot: Snapshot) -> PulsePage:
            if pulses.uids is None:
                entries = all_under(snapshot, prefix)
            else:
                entries = iter(snapshot.get([self._names.pulse(uid) for uid in pulses.uids]).values())
            table = PulseTable()
            for entry in entries:
                uid = entry.key.removeprefix(prefix).decode()
                with suppress(Unreadable):
                    table[uid] = read_pulse(uid, entry.value)
            return table.page(pulses, self._map.now_us())

        return self._read(read)

    def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        until_s = time.monotonic() + events.wait.total_seconds()
        while True:
            found = self._tried(lambda: self._page(events))
            left_s = until_s - time.monotonic()
            if found.events or events.after is None or left_s <= 0:
                return found
            self._map.wait(self._names.tip, int(events.after.partition(".")[0]), left_s)

    def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.PortBase.audit`."""
        return self._read(lambda snapshot: audited(self._names, snapshot, audit, self._map.about_now_us()))

    def mend(self, mend: Mend) -> None:
        """See :meth:`emco_store.ports.PortBase.mend`."""
        for flaw in mend.flaws:

            def attempt(entry: tuple[str, ...] = flaw.entry) -> bool | None:
                with self._map.snapshot() as snapshot:
                    write = mended(self._names, snapshot, entry, self._map.about_now_us())
                return write is None or self._map.write(write) or None

            self._tried(attempt)

    # what they share

    def _opened(self) -> bool:
        self._map.open()
        self._is_open = True
        self._guarantees = Guarantees(
            self._map.name, "strict serializable", self._map.durability, OUTCOMES_KEPT, leases=True, feed=True,
            feed_retention=KEPT, limits=self._map.limits,
        )  # fmt: skip
        return True

    def _read(self, read: Callable[[Snapshot], T]) -> T:
        def attempt() -> tuple[T]:
            with self._map.snapshot() as snapshot:
                return (read(snapshot),)

        return self._tried(attempt)[0]

    def _tried(self, attempt: Callable[[], T | None], *, is_repeatable: bool = True) -> T:
        """Make an attempt until it has an answer; one that has lost a race, None, or reached nothing has none.

        After the first one, the attempts of this port go one by one, so that they do not hinder each other.

        Args:
            attempt: The attempt, which reads anew what it rests on.
            is_repeatable: Whether it may be made again if a write was sent and no answer came.

        Raises:
            OutcomeLost: No answer came to the write of an attempt that may not be made again.
            Unreachable: The time is up; nothing was written by an attempt that may not be made again.
        """
        patience = Patience()
        has_turn = False
        try:
            while True:
                try:
                    found = attempt()
                    if found is not None:
                        return found
                    has_turn = has_turn or self._turns.acquire(timeout=patience.left_s)
                    reasons: tuple[str, ...] = ("others kept changing what the request rests on",)
                    pause_s = patience.pause_s()
                except OutcomeLost:
                    if not is_repeatable:
                        raise
                    reasons, pause_s = ("no answer came",), patience.pause_s()
                except Unreachable as problem:
                    self._outages.noticed(problem.reasons)
                    reasons = problem.reasons
                    pause_s = patience.pause_without_server_s(is_outright=isinstance(problem, Outright))
                if pause_s is None:
                    raise Unreachable(*reasons)
                time.sleep(pause_s)
        finally:
            if has_turn:
                self._turns.release()

    def _scanned(self, snapshot: Snapshot, scan: Scan) -> Iterator[tuple[bytes, Record]]:
        """Yield the records of a scan with the rows that lead to them, one part of its rows after the other."""
        span = span_of(self._names, scan)
        while True:
            part = snapshot.scan(span)
            found = [(key, entry) for entry in part.entries if (key := self._names.key_to(entry))]
            if scan.field is None:
                yield from ((entry.key, recovered(key, entry.value)) for key, entry in found)
            else:
                rows = {key: entry.key for key, entry in found if key.text.startswith(scan.prefix)}
                records = self._records(snapshot, tuple(rows))
                yield from ((rows[key], record) for key, record in records.items())
            if not part.more:
                return
            span = behind(span, part.entries[-1].key)

    def _referring(self, snapshot: Snapshot, query: ReferrerQuery) -> Iterator[Record]:
        """Yield the referrers of any of the targets, by the texts of their keys."""
        after, is_last = query.after.encode(), False
        while not is_last:
            found: dict[Key, list[Key]] = {}
            ends: list[str] = []  # where parts have ended early: what stands behind is not known yet
            for target in query.targets:
                prefix = self._names.referring(target.text)
                part = snapshot.scan(under(prefix, after=after, limit=query.limit))
                if part.more:
                    ends.append(part.entries[-1].key.removeprefix(prefix).decode())
                for entry in part.entries:
                    if key := self._names.key_to(entry):
                        found.setdefault(key, []).append(target)
            keys = sorted(key for key in found if not ends or key.text <= min(ends))
            for at in range(0, len(keys), query.limit):
                for key, record in self._records(snapshot, keys[at : at + query.limit]).items():
                    yield record if record.uid else guarding(record, found[key])
            after, is_last = min(ends, default="").encode(), not ends

    def _records(self, snapshot: Snapshot, keys: Sequence[Key]) -> dict[Key, Record]:
        if not keys:
            return {}
        found = snapshot.get([self._names.record(key.text) for key in keys])
        return {key: record for key in keys if (record := record_in(self._names, key, found))}

    def _page(self, events: Events) -> EventPage | None:
        found = page(self._map, self._names, events)
        if found is None:
            self._begin_feed()
        return found

    def _begin_feed(self) -> None:
        """Keep events from now on, if nobody has begun it; the request is to be tried again then."""
        self._map.write(begun(self._names))

    def _sweep(self) -> None:
        """Remove outcomes whose time is over, and the oldest events beyond those that the feed keeps.

        The names of commits begin with their times, so the first outcomes are the oldest.
        """
        now_us = self._map.about_now_us()
        with self._map.snapshot() as snapshot:
            first = snapshot.scan(under(self._names.outcomes, limit=SWEEP)).entries
            old = [entry for entry in first if is_over(entry.value, now_us)]
            beyond = snapshot.count(under(self._names.feed, limit=1)) - KEPT - 1
        if beyond > 0:
            old += self._map.later(self._names.feed, 0, min(beyond, SWEEP))
        if old:
            self._map.write(Write({entry.key: entry.revision for entry in old}, deletes=frozenset(e.key for e in old)))


def _holder(data: bytes) -> str | None:
    with suppress(ValueError):
        return Held.read(data).holder
    return None
