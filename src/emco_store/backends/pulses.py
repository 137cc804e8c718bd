"""Pulses in memory: what the memory backend keeps of heartbeats, and what audits of all backends say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from heapq import heappop, heappush, nsmallest

from emco_store.core.flaws import Flaw, missing_entry, stray_entry
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE, Heartbeat, Pulse
from emco_store.core.records import Record
from emco_store.ports import Beaten, PulsePage, Pulses

STAGE = "pulses"
"""What an audit calls them."""
LEFT_US = 3600 * 1_000_000
"""A pulse without a lease that has been due for longer was left by a taker that died, and no reaper has removed it."""
MENDED_TTL = timedelta(seconds=15)
"""The TTL of the pulse that a repair gives a lease: its holder beats on until then, or a reaper ends it."""


class PulseTable(dict[str, Pulse]):
    """The pulses of one namespace, by the uids of their leases.

    A heap holds for each of them a time before which it is not due. A later beat leaves that time as it is. A look for
    those that are due corrects the times that have passed, and does not touch the others, however many they are.
    """

    __slots__ = ("_times",)

    def __init__(self, given: Mapping[str, Pulse] | None = None) -> None:
        super().__init__()
        self._times: list[tuple[int, str]] = []
        for uid, pulse in (given or {}).items():
            self[uid] = pulse

    def __setitem__(self, uid: str, pulse: Pulse) -> None:
        """Keep a pulse, in place of one that was there."""
        found = self.get(uid)
        if found is None or pulse.due_us < found.due_us:
            heappush(self._times, (pulse.due_us, uid))
        super().__setitem__(uid, pulse)

    def beat(self, beats: Mapping[str, Heartbeat], now_us: int) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        lapsed: list[str] = []
        for uid, beat in beats.items():
            found = self.get(uid)
            if found is None and beat.number > 1:
                lapsed.append(uid)
            elif found is None or beat.number > found.number:
                self[uid] = Pulse(uid, beat.key, beat.number, beat.ttl, now_us, beat.progress)
        return Beaten(now_us, frozenset(lapsed))

    def page(self, query: Pulses, now_us: int) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        among: Iterable[str] = self if query.uids is None else set(query.uids) & self.keys()
        if query.due:
            due = self._due(now_us)
            among = due if query.uids is None else due & set(query.uids)
        behind = nsmallest(query.limit, (uid for uid in among if uid > query.after))
        return PulsePage(
            now_us, tuple(self[uid] for uid in behind), next=behind[-1] if len(behind) == query.limit else None
        )

    def is_lost(self, record: Record) -> bool:
        """Tell whether a record is a lease without a pulse."""
        return record.key.kind == LEASE and record.uid not in self

    def is_left(self, uid: str, records: Mapping[str, Record], now_us: int) -> bool:
        """Tell whether a pulse belongs to no lease, and to no taker of one."""
        pulse = self.get(uid)
        is_old = pulse is not None and now_us - pulse.due_us > LEFT_US
        return is_old and pulse is not None and not _has_uid(records, pulse.key.text, uid)

    def mend(self, uid: str, text: str, records: Mapping[str, Record], now_us: int) -> None:
        """Give a lease its pulse, or remove one that is left behind."""
        if self.is_left(uid, records, now_us):
            del self[uid]
        elif _has_uid(records, text, uid):
            self.beat({uid: Heartbeat(Key.parse(text), 1, MENDED_TTL)}, now_us)

    def _due(self, now_us: int) -> set[str]:
        """Return the uids of those that are due."""
        passed: set[str] = set()
        while self._times and self._times[0][0] <= now_us:
            passed.add(heappop(self._times)[1])
        passed &= self.keys()
        for uid in passed:
            heappush(self._times, (self[uid].due_us, uid))
        return {uid for uid in passed if self[uid].due_us <= now_us}


def _has_uid(records: Mapping[str, Record], text: str, uid: str) -> bool:
    record = records.get(text)
    return record is not None and record.uid == uid


def lease_without_pulse(key: str, uid: str) -> Flaw:
    """Build the flaw of a lease that nobody would ever find silent."""
    return missing_entry(key, "pulse", (STAGE, uid, key))


def pulse_without_lease(key: str, uid: str) -> Flaw:
    """Build the flaw of a pulse that has long been due, and whose lease is gone or has never been."""
    return stray_entry(key, "pulse", (STAGE, uid, key))
