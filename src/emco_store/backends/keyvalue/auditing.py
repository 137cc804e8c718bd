"""Audits of one namespace in an ordered map: from record to row and from row to record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from emco_store.backends.codec import Unreadable, read_pulse, read_record, write_pulse
from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, Snapshot, Write
from emco_store.backends.keyvalue.planning import Hold, Settled
from emco_store.backends.keyvalue.ranges import under
from emco_store.backends.keyvalue.rows import Names
from emco_store.backends.pulses import STAGE, PulseTable, lease_without_pulse, pulse_without_lease
from emco_store.core.flaws import (
    Flaw,
    FlawKind,
    Repair,
    duplicate,
    forgotten_outcome,
    hold_problem,
    missing_entry,
    next_place,
    read_place,
    stale_hold,
    stray_entry,
)  # fmt: skip
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Audit, Audited

_STAGES: Final = ("records", "referrers", "index", "unique", "holds", STAGE, "outcomes")
"""What an audit looks at, one after the other."""
_ENTRIES: Final = _STAGES[1:4]
"""Those whose rows lead to records."""
_ROW, _RECORD = "row", "record"
_SECOND_US: Final = 1_000_000
_SLACK_US: Final = 3600 * _SECOND_US
Found = Mapping[bytes, Entry]


def audited(names: Names, snapshot: Snapshot, audit: Audit, now_us: int) -> Audited:
    """Examine the next part; see :meth:`emco_store.ports.PortBase.audit`."""
    stage, position = read_place(audit.after, _STAGES)
    table = _tables(names)[stage]
    part = snapshot.scan(under(table, after=_bytes(position), limit=audit.limit))
    records: tuple[Record, ...] = ()
    absent: frozenset[Key] = frozenset()
    if stage == "records":
        readable, unreadable = _read(names, part.entries)
        records = tuple(readable)
        found = snapshot.get(list({row for record in records for row in _looked_at(names, record)}))
        targets = {target for record in records for target in record.targets}
        absent = frozenset(target for target in targets if names.record(target.text) not in found)
        flaws = [*unreadable, *(flaw for record in records for flaw in _missing(names, record, found, snapshot))]
    elif stage in _ENTRIES:
        flaws = list(_stray(names, stage, part.entries, snapshot))
    elif stage == "holds":
        flaws = [flaw for entry in part.entries for flaw in _stale(names, entry, now_us)]
    elif stage == STAGE:
        flaws = list(_left(names, part.entries, snapshot, now_us))
    else:
        flaws = [flaw for entry in part.entries for flaw in _kept(names, entry, now_us)]
    position = _text(part.entries[-1].key.removeprefix(table)) if part.more else ""
    place = next_place(_STAGES, stage, position or None)
    return Audited(records, absent, tuple(flaws), len(part.entries), place)


def mended(names: Names, snapshot: Snapshot, entry: tuple[str, ...], now_us: int) -> Write | None:
    """Return the write that mends a flaw; None where there is nothing to mend any more."""
    what, name, text = entry
    row = _bytes(name)
    if what == STAGE:
        return _mended_pulse(names, snapshot, name, text, now_us)
    found = snapshot.get((row, names.record(text)))
    there = found.get(row)
    if what == _ROW:
        return _mended_entry(names, snapshot, row, text, found)
    if there is None or not _is_wrong(names, what, there, now_us):
        return None
    when = {row: there.revision}
    if what == "outcomes":
        with suppress(ValueError):
            return Write(when, {row: Settled.at(Settled.read(there.value).outcome, text, now_us).written()})
    return Write(when, deletes=frozenset({row}))


def _is_wrong(names: Names, what: str, entry: Entry, now_us: int) -> bool:
    if what == _RECORD:
        return _readable(names, entry) is None
    return any(_stale(names, entry, now_us) if what == "holds" else _kept(names, entry, now_us))


def _tables(names: Names) -> Mapping[str, bytes]:
    tables = (names.records, names.referrers, names.index, names.unique, names.holds, names.pulses, names.outcomes)
    return dict(zip(_STAGES, tables, strict=True))


def _looked_at(names: Names, record: Record) -> Iterator[bytes]:
    """Yield the rows that tell whether a record is sound: those that lead to it, and those of its targets."""
    yield from names.entries(record)
    yield from (names.record(target.text) for target in record.targets)
    yield names.pulse(record.uid)


def _read(names: Names, entries: Iterable[Entry]) -> tuple[list[Record], list[Flaw]]:
    records: list[Record] = []
    flaws: list[Flaw] = []
    for entry in entries:
        record = _readable(names, entry)
        if record is not None:
            records.append(record)
        else:
            flaws.append(_unreadable(names, entry))
    return records, flaws


def _unreadable(names: Names, entry: Entry) -> Flaw:
    detail = "what is stored under this key is no record"
    hint = "removes it, and what it held is lost; restore a backup instead, if there is one"
    key = _text(entry.key.removeprefix(names.records))
    return Flaw(
        FlawKind.UNREADABLE, key, "record", detail, hint, Repair.DISCARD, entry=(_RECORD, _text(entry.key), "")
    )  # fmt: skip


def _readable(names: Names, entry: Entry) -> Record | None:
    key = names.key_to(entry)
    with suppress(Unreadable):
        return None if key is None else read_record(key, entry.value)
    return None


def _missing(names: Names, record: Record, found: Found, snapshot: Snapshot) -> Iterator[Flaw]:
    for row, value in names.entries(record).items():
        there = found.get(row)
        if there is not None and there.value == value:
            continue
        owner = None if there is None else _owner(names, there, snapshot)
        if owner is not None:
            yield duplicate(record.key.text, _field(names, row), owner.key.text)
        else:
            yield missing_entry(record.key.text, _shown(names, row), (_ROW, _text(row), record.key.text))
    if PulseTable().is_lost(record) and names.pulse(record.uid) not in found:
        yield lease_without_pulse(record.key.text, record.uid)


def _owner(names: Names, claim: Entry, snapshot: Snapshot) -> Record | None:
    """Return the record to which a row leads, if it has what the row says."""
    key = names.key_to(claim)
    there = None if key is None else snapshot.get((names.record(key.text),)).get(names.record(key.text))
    record = None if there is None else _readable(names, there)
    return record if record is not None and names.entries(record).get(claim.key) == claim.value else None


def _stray(names: Names, stage: str, entries: Iterable[Entry], snapshot: Snapshot) -> Iterator[Flaw]:
    keys = {entry.key: names.key_to(entry) for entry in entries}
    found = snapshot.get(list({names.record(key.text) for key in keys.values() if key is not None}))
    records = {row: _readable(names, entry) for row, entry in found.items()}
    for entry in entries:
        key = keys[entry.key]
        row = b"" if key is None else names.record(key.text)
        record = records.get(row)
        if row in found and record is None:
            continue  # nobody knows what belongs to a record that cannot be read
        if record is None or names.entries(record).get(entry.key) != entry.value:
            text = _text(entry.key.rpartition(b"\0")[2]) if key is None else key.text
            yield stray_entry(text, f"{stage} {_shown(names, entry.key)}", (_ROW, _text(entry.key), text))


def _stale(names: Names, entry: Entry, now_us: int) -> Iterator[Flaw]:
    try:
        problem = hold_problem((Hold.read(entry.value).until_us - now_us) / _SECOND_US)
    except ValueError:
        problem = "it is no mark that a store has written"
    if problem is not None:
        yield stale_hold(_text(entry.key.removeprefix(names.holds)), problem, ("holds", _text(entry.key), ""))


def _left(names: Names, entries: Iterable[Entry], snapshot: Snapshot, now_us: int) -> Iterator[Flaw]:
    for entry in entries:
        uid = _text(entry.key.removeprefix(names.pulses))
        try:
            pulse = read_pulse(uid, entry.value)
        except Unreadable:
            yield Flaw(
                FlawKind.UNREADABLE, uid, "pulse", "it is no pulse that a store has written",
                "removes it", Repair.MEND, entry=(STAGE, uid, ""),
            )  # fmt: skip
        else:
            if PulseTable({uid: pulse}).is_left(uid, _lease(names, pulse.key, snapshot), now_us):
                yield pulse_without_lease(pulse.key.text, uid)


def _kept(names: Names, entry: Entry, now_us: int) -> Iterator[Flaw]:
    txid = _text(entry.key.removeprefix(names.outcomes))
    try:
        settled = Settled.read(entry.value)
    except ValueError:
        yield Flaw(
            FlawKind.UNREADABLE, txid, "outcome", "it is no outcome that a store has written", "removes it",
            Repair.MEND, entry=("outcomes", _text(entry.key), txid),
        )  # fmt: skip
    else:
        if settled.until_us > Settled.at(settled.outcome, txid, now_us).until_us + _SLACK_US:
            yield forgotten_outcome(txid, ("outcomes", _text(entry.key), txid))


def _lease(names: Names, key: Key, snapshot: Snapshot) -> Mapping[str, Record]:
    there = snapshot.get((names.record(key.text),)).get(names.record(key.text))
    record = None if there is None else _readable(names, there)
    return {} if record is None else {key.text: record}


def _mended_entry(names: Names, snapshot: Snapshot, row: bytes, text: str, found: Found) -> Write | None:
    """Return the write that adds a row which a record should have, or removes one that belongs to none."""
    there, at = found.get(row), found.get(names.record(text))
    record = None if at is None else _readable(names, at)
    wanted = {} if record is None else names.entries(record)
    when = {row: there.revision if there else ABSENT, names.record(text): at.revision if at else ABSENT}
    if row in wanted:
        if there is not None and (there.value == wanted[row] or _owner(names, there, snapshot)):
            return None
        return Write(when, {row: wanted[row]})
    if there is None or (at is not None and record is None) or _owner(names, there, snapshot):
        return None
    return Write(when, deletes=frozenset({row}))


def _mended_pulse(names: Names, snapshot: Snapshot, uid: str, text: str, now_us: int) -> Write | None:
    """Return the write that gives a lease its pulse, or removes one that is left behind or cannot be read."""
    row, lease = names.pulse(uid), names.record(text)
    found = snapshot.get((row, lease))
    there, at = found.get(row), found.get(lease)
    table = PulseTable()
    if there is not None:
        try:
            table[uid] = read_pulse(uid, there.value)
        except Unreadable:
            return Write({row: there.revision}, deletes=frozenset({row}))
    record = None if at is None else _readable(names, at)
    before = table.get(uid)
    table.mend(uid, text, {} if record is None else {text: record}, now_us)
    if table.get(uid) is before:
        return None
    when = {row: there.revision if there else ABSENT, lease: at.revision if at else ABSENT}
    return Write(when, {row: write_pulse(table[uid])}) if uid in table else Write(when, deletes=frozenset({row}))


def _field(names: Names, row: bytes) -> str:
    return _text(row.removeprefix(names.unique).split(b"\0")[1])


def _shown(names: Names, row: bytes) -> str:
    """Write a row for people."""
    return " ".join(_text(one) for one in row.removeprefix(names.prefix).rstrip(b"\0").split(b"\0"))


def _text(data: bytes) -> str:
    """Write bytes as text from which :func:`_bytes` makes the same again."""
    return data.decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
