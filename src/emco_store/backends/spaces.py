"""The data of one namespace in memory, and its examination for flaws."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nsmallest
from itertools import islice
from typing import Any, TypeVar

from sortedcontainers import SortedList

from emco_store.backends.feeds import Ring
from emco_store.backends.pulses import STAGE, PulseTable, lease_without_pulse, pulse_without_lease
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
from emco_store.ports import Audit, Audited, Outcome

OUTCOMES_KEPT = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""
_OUTCOMES_KEPT_S = OUTCOMES_KEPT.total_seconds()
T = TypeVar("T", str, tuple[str, str])
_Entry = tuple[str, ...]
"""One entry of an index: its name, then what it is found by; the key of its record is the last."""
_STAGES = ("records", "keys", "referrers", "index", "unique", "holds", STAGE)
"""What an audit looks at, one after the other."""


@dataclass(slots=True)
class Space:
    """The data of one namespace: the records, and four indexes that are kept with them."""

    records: dict[str, Record] = field(default_factory=dict)
    keys: dict[str, SortedList[str]] = field(default_factory=lambda: defaultdict(SortedList))
    referrers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unique: dict[tuple[str, str, str], Key] = field(default_factory=dict)
    index: dict[tuple[str, str], SortedList[tuple[str, str]]] = field(default_factory=lambda: defaultdict(SortedList))
    outcomes: dict[str, tuple[Outcome, float]] = field(default_factory=dict)
    holds: dict[str, tuple[str, float]] = field(default_factory=dict)
    pulses: PulseTable = field(default_factory=PulseTable)
    feed: Ring = field(default_factory=Ring)

    def settled(self, txid: str, now: float, outcome: Outcome | None = None, ahead_ms: int = 0) -> Outcome | None:
        """Return the outcome of a commit, ``outcome`` from now on if it has none yet; forget those that are old."""
        for old, (_, since) in self.outcomes.items():
            if now - since >= _OUTCOMES_KEPT_S:
                del self.outcomes[old]
            elif since > now:  # of a client whose clock is ahead: it hinders none of those after it
                self.outcomes[old] = self.outcomes.pop(old)
            break  # one for each request: as many go as come
        if outcome is not None:
            self.outcomes.setdefault(txid, (outcome, now + ahead_ms / 1000))
        found = self.outcomes.get(txid)
        return None if found is None else found[0]

    def add(self, record: Record) -> None:
        """Add a record, and the entries that lead to it."""
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
        elif stage == STAGE:
            yield from ((stage, uid, self.pulses[uid].key.text) for uid in _next(self.pulses, behind[:1], limit))
        elif stage == "unique":
            yield from ((stage, *claim, self.unique[claim].text) for claim in _next(self.unique, [behind[:3]], limit))
        elif stage == "index":
            for at in sorted(at for at in self.index if at >= behind[:2]):
                first = (behind[2], behind[3]) if at == behind[:2] else None
                yield from ((stage, *at, *pair) for pair in ranged(self.index[at], None, None, first))
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
        """Remove a record, if there is one, and the entries that lead to it."""
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


def ranged(
    ordered: SortedList[T], low: T | None, high: T | None, after: T | None, *, descending: bool = False
) -> Iterator[T]:
    """Yield the values from ``low`` to ``high``, and behind ``after`` on the way; None sets no bound."""
    holds_low = holds_high = True
    if after is not None and descending and (high is None or after <= high):
        high, holds_high = after, False
    elif after is not None and not descending and (low is None or after >= low):
        low, holds_low = after, False
    return ordered.irange(low, high, (holds_low, holds_high), reverse=descending)


def audited(space: Space, audit: Audit, now: float) -> Audited:
    """Examine the next part; see :meth:`emco_store.ports.PortBase.audit`."""
    stage, position = read_place(audit.after, _STAGES)
    after = tuple(json.loads(position)) if position else ()
    entries = list(islice(space.entries(stage, after, audit.limit), audit.limit))
    records = [space.records[entry[1]] for entry in entries] if stage == "records" else []
    if stage == "records":
        flaws = [flaw for record in records for flaw in _missing(space, record)]
    elif stage == "holds":
        flaws = [flaw for entry in entries for flaw in _left_behind(space, entry, now)]
    elif stage == STAGE:
        now_us = int(now * 1_000_000)
        left = [entry for entry in entries if space.pulses.is_left(entry[1], space.records, now_us)]
        flaws = [pulse_without_lease(key, uid) for _, uid, key in left]
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


def _belongs(space: Space, entry: _Entry) -> bool:
    record = space.records.get(entry[-1])
    return record is not None and entry in _wanted(record)


def _missing(space: Space, record: Record) -> Iterator[Flaw]:
    for entry in _wanted(record):
        if not space.has(entry):
            owner = space.unique.get((entry[1], entry[2], entry[3])) if entry[0] == "unique" else None
            if owner is not None and _belongs(space, (*entry[:-1], owner.text)):
                yield duplicate(record.key.text, entry[2], owner.text)
            else:
                yield missing_entry(record.key.text, " ".join(entry[:-1]), entry)
    if space.pulses.is_lost(record):
        yield lease_without_pulse(record.key.text, record.uid)


def _left_behind(space: Space, entry: _Entry, now: float) -> Iterator[Flaw]:
    problem = hold_problem(space.holds[entry[1]][1] - now)
    if problem is not None:
        yield stale_hold(entry[1], problem, entry)


def mended(space: Space, entry: _Entry, now: float) -> None:
    """Add an entry that a record should have, or take away one that belongs to none."""
    stage, *rest = entry
    if stage == "holds":
        if rest[0] in space.holds and hold_problem(space.holds[rest[0]][1] - now):
            del space.holds[rest[0]]
        return
    if stage == STAGE:
        space.pulses.mend(rest[0], rest[1], space.records, int(now * 1_000_000))
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
