"""From a commit and the rows that it rests on to its answer, or to the one write that carries it out; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from emco_store.backends.codec import Unreadable, read_pulse, read_record, write_event, write_record
from emco_store.backends.feeds import changes_of
from emco_store.backends.judging import claims_of, ended_pulses, judge
from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, Write
from emco_store.backends.keyvalue.rows import Names, Rows
from emco_store.core.keys import Key
from emco_store.core.pulses import Pulse
from emco_store.core.records import Edge, Record
from emco_store.core.rules import RESTRICT
from emco_store.core.txids import ahead_ms
from emco_store.errors import Misconfigured
from emco_store.ports import Commit, Outcome, Receipt, Refusal

OUTCOMES_KEPT: Final = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""
_KEPT_US: Final = OUTCOMES_KEPT // timedelta(microseconds=1)
Found = Mapping[bytes, Entry]
"""The rows of those asked for that are there."""


class NoFeed(Exception):
    """Raised for a commit with messages before the feed has begun."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds a record, and until when by the clock of the map."""

    holder: str
    until_us: int

    @classmethod
    def read(cls, data: bytes) -> Hold:
        """Read a hold.

        Raises:
            ValueError: It is none.
        """
        until_us, _, holder = data.decode().partition(" ")
        return cls(holder, int(until_us))

    def written(self) -> bytes:
        """Return the value of its row."""
        return f"{self.until_us} {self.holder}".encode()


@dataclass(frozen=True, slots=True)
class Settled:
    """How a commit ended, and until when that is remembered by the clock of the map."""

    outcome: Outcome
    until_us: int

    @classmethod
    def at(cls, outcome: Outcome, txid: str, now_us: int) -> Settled:
        """Build what is noted now; that of a client whose clock is ahead is remembered for longer."""
        return cls(outcome, now_us + _KEPT_US + 1000 * ahead_ms(txid, now_us // 1000))

    @classmethod
    def read(cls, data: bytes) -> Settled:
        """Read the value of its row.

        Raises:
            ValueError: It is none.
        """
        outcome, _, until_us = data.decode().partition(" ")
        return cls(Outcome(outcome), int(until_us))

    def written(self) -> bytes:
        """Return the value of its row."""
        return f"{self.outcome} {self.until_us}".encode()


def outcome_in(names: Names, txid: str, found: Found) -> Outcome | None:
    """Return how a commit ended.

    Raises:
        Misconfigured: What is noted is no outcome.
    """
    entry = found.get(names.outcome(txid))
    if entry is None:
        return None
    try:
        return Settled.read(entry.value).outcome
    except ValueError as problem:
        raise Misconfigured(
            f"Cannot read how the commit {txid:.80} ended.",
            why=["what is stored under its name was written by no store"],
            hint="check() finds it, and repair() removes it.",
            setting="namespace",
        ) from problem


def record_in(names: Names, key: Key, found: Found) -> Record | None:
    """Return a record; of one that another program has spoiled, what can be told of it, and an empty document."""
    entry = found.get(names.record(key.text))
    return None if entry is None else recovered(key, entry.value)


def recovered(key: Key, data: bytes) -> Record:
    """Read a record; of one that cannot be read, return what can be told of it, without uid and document."""
    try:
        return read_record(key, data)
    except Unreadable:
        return Record(key, "", 0, b"", (), (), (), 0, 0)


def rests_on(names: Names, commit: Commit) -> Iterator[bytes]:
    """Yield the keys of the rows that decide about a commit."""
    yield names.outcome(commit.txid)
    yield names.tip
    for key in _all_keys(commit):
        yield names.record(key.text)
        if commit.size:
            yield names.hold(key.text)
    for record in commit.puts:
        yield from (names.claim(*claim) for claim in claims_of(record))
    yield from (names.pulse(seen.uid) for seen in commit.silent.values())


def plan(names: Names, commit: Commit, found: Found, now_us: int) -> Receipt | Refusal | Write:
    """Return the answer to a commit, or the write that carries it out if nothing moves meanwhile.

    Args:
        names: The rows of the namespace.
        commit: The commit.
        found: The rows that :func:`rests_on` names, as of one moment.
        now_us: The time, by the clock of the map.

    Raises:
        Misconfigured: What is noted under its txid is no outcome, or what it refers to is no record.
        NoFeed: It has messages, and the feed must begin first.
    """
    records = {key.text: record for key in _all_keys(commit) if (record := record_in(names, key, found))}
    claims = {claim: names.claim(*claim) for record in commit.puts for claim in claims_of(record)}
    pulses = {seen.uid: names.pulse(seen.uid) for seen in commit.silent.values()}
    answer = judge(
        commit,
        records,
        owners={claim: Key.parse(found[row].value.decode()) for claim, row in claims.items() if row in found},
        held=[key for key in sorted(commit.keys) if _is_held(names, key, found, commit.holder, now_us)],
        pulses={uid: pulse for uid, row in pulses.items() if (pulse := _pulse_in(uid, row, found))},
        outcome=outcome_in(names, commit.txid, found),
    )
    if answer is not None:
        return answer
    if not commit.size and not commit.silent:
        return Receipt(commit.txid)
    if commit.messages and names.tip not in found:
        raise NoFeed
    puts, deletes = _written(names, commit, records)
    puts[names.outcome(commit.txid)] = Settled.at(Outcome.COMMITTED, commit.txid, now_us).written()
    if commit.size and names.tip in found:
        stamps = {record.key: record.stamp for record in records.values()}
        puts[names.event(commit.txid)] = write_event(changes_of(commit, stamps), commit.origin, commit.messages)
        puts[names.tip] = commit.txid.encode()
    deletes.update(map(names.pulse, ended_pulses(commit, records)))
    written = (*commit.deletes, *(record.key for record in commit.puts))
    deletes.update(row for row in map(names.hold, (key.text for key in written)) if row in found)
    guarded = [names.outcome(commit.txid), *claims.values(), *pulses.values()]
    guarded += [names.record(key.text) for key in _all_keys(commit)]
    if names.tip not in found:
        guarded.append(names.tip)  # a reader may begin the feed at this moment
    when = {row: found[row].revision if row in found else ABSENT for row in guarded}
    return Write(when, puts, frozenset(deletes - puts.keys()))


def _all_keys(commit: Commit) -> frozenset[Key]:
    return commit.keys.union(commit.fenced)


def _written(names: Names, commit: Commit, records: Mapping[str, Record]) -> tuple[Rows, set[bytes]]:
    """Return the rows of records that a commit puts and removes."""
    puts: Rows = {}
    deletes: set[bytes] = set()
    for key in commit.deletes:
        if key.text in records:
            deletes.add(names.record(key.text))
            deletes |= names.changes(records[key.text], None)[1]
    replaced = {record.key for record in commit.puts}
    for record in commit.puts:
        old = records.get(record.key.text)
        guard = (0 if old is None else old.guard) + (record.key in commit.require)
        puts[names.record(record.key.text)] = write_record(record.guarded(guard))
        rows, gone = names.changes(old, record)
        puts |= rows
        deletes |= gone
    for key in commit.require - replaced:
        record = records[key.text]
        if not record.uid:
            raise Misconfigured(
                f"Cannot refer to {key}: it cannot be read.",
                why=["what is stored under its key is no record"],
                hint="put() a correct one in its place, or delete it.",
                setting="namespace",
            )
        puts[names.record(key.text)] = write_record(record.guarded(record.guard + 1))
    return puts, deletes


def _is_held(names: Names, key: Key, found: Found, holder: str, now_us: int) -> bool:
    entry = found.get(names.hold(key.text))
    if entry is None:
        return False
    return is_held_by_another(entry.value, holder, now_us)


def is_held_by_another(data: bytes, holder: str, now_us: int) -> bool:
    """Return whether a hold stands in the way of a holder; one that cannot be read hinders nobody."""
    with suppress(ValueError):
        hold = Hold.read(data)
        return hold.holder != holder and hold.until_us > now_us
    return False


def _pulse_in(uid: str, row: bytes, found: Found) -> Pulse | None:
    with suppress(KeyError, Unreadable):
        return read_pulse(uid, found[row].value)
    return None


def guarding(record: Record, targets: Iterable[Key]) -> Record:
    """Return a referrer that cannot be read with references that keep its targets from being deleted."""
    return replace(record, edges=tuple(Edge(target, ("?",), RESTRICT) for target in targets))


def is_over(data: bytes, now_us: int) -> bool:
    """Return whether an outcome need not be remembered any more."""
    with suppress(ValueError):
        return Settled.read(data).until_us <= now_us
    return False
