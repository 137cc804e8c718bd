"""Judging: which preconditions of a commit fail, by the state before it; pure, and the same for every backend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE, Pulse
from emco_store.core.records import Record
from emco_store.ports import (
    Alive,
    Commit,
    Failure,
    Fenced,
    Held,
    Lapsed,
    Missing,
    Moved,
    Outcome,
    Receipt,
    Refusal,
    Stale,
    Taken,
)  # fmt: skip

Claim = tuple[str, str, str]
"""A unique value: the kind, the field and the text."""


def judge(
    commit: Commit,
    records: Mapping[str, Record],
    *,
    owners: Mapping[Claim, Key],
    held: Iterable[Key],
    pulses: Mapping[str, Pulse],
    outcome: Outcome | None,
) -> Receipt | Refusal | None:
    """Return the answer to a commit that is not to be carried out; None for one that is.

    See :meth:`emco_store.ports.PortBase.commit` for what it checks.

    Args:
        commit: The commit.
        records: At least those of its records that exist, by the texts of their keys.
        owners: At least the owners of the unique values of its puts.
        held: Those of ``commit.keys`` that others hold, if it writes.
        pulses: At least those that are there of the leases in ``commit.silent``, by uid.
        outcome: The outcome that is noted under its txid.
    """
    if outcome is not None:
        return Receipt(commit.txid) if outcome is Outcome.COMMITTED else Refusal((Fenced(commit.txid),))
    failures: list[Failure] = [*map(Held, held)]
    failures += _failures(commit, records)
    for record in commit.puts:
        if record.unique:
            failures += _taken(commit, owners)
            break
    if commit.fenced:
        failures += _lapsed(commit, records)
    if commit.silent:
        failures += alive(commit, pulses)
    return Refusal(tuple(failures)) if failures else None


def claims_of(record: Record) -> Iterator[Claim]:
    """Yield the unique values of a record."""
    return ((record.key.kind, name, value) for name, value in record.unique)


def ended_pulses(commit: Commit, records: Mapping[str, Record]) -> list[str]:
    """Return the uids of the leases whose pulses end with a commit: silent, deleted or replaced.

    Args:
        commit: The commit, which has passed.
        records: The records before it, by the texts of their keys.
    """
    ended = [seen.uid for seen in commit.silent.values()]
    replaced = {record.key: record.uid for record in commit.puts if record.key.kind == LEASE}
    for key in (*commit.deletes, *replaced):
        record = records.get(key.text)
        if key.kind == LEASE and record is not None and record.uid != replaced.get(key):
            ended.append(record.uid)
    return ended


def alive(commit: Commit, pulses: Mapping[str, Pulse]) -> Iterator[Alive]:
    """Yield the leases of a commit that are not silent: somebody has beaten beyond what was seen."""
    for key, seen in commit.silent.items():
        pulse = pulses.get(seen.uid)
        if pulse is not None and pulse.number > seen.number:
            yield Alive(key)


def _failures(commit: Commit, records: Mapping[str, Record]) -> Iterator[Failure]:
    for key, expected in commit.expect.items():
        record = records.get(key.text)
        if record is None:
            if expected is not None:
                yield Stale(key, expected, None)
        elif expected is None or record.version != expected.version or record.uid != expected.uid:
            yield Stale(key, expected, record.stamp)
    for key in commit.require:
        if key.text not in records:
            yield Missing(key)
    for key, seal in commit.sealed.items():
        record = records.get(key.text)
        if record is None or record.seal != seal:
            yield Moved(key)


def _taken(commit: Commit, owners: Mapping[Claim, Key]) -> Iterator[Taken]:
    going = {key.text for key in commit.deletes} | {record.key.text for record in commit.puts}
    claimed: dict[Claim, Key] = {}
    for record in commit.puts:
        for claim in claims_of(record):
            owner = owners.get(claim)
            if owner is None or owner.text in going:
                owner = claimed.setdefault(claim, record.key)
            if owner != record.key:
                yield Taken(record.key, claim[1], owner)


def _lapsed(commit: Commit, records: Mapping[str, Record]) -> Iterator[Lapsed]:
    for key, uid in commit.fenced.items():
        record = records.get(key.text)
        if record is None or record.uid != uid:
            yield Lapsed(key)
