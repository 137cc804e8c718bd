"""Audits on Redis: what is sent, and what the replies mean; pure. The comparison itself is in ``lua/audit.lua``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from emco_store.backends.pulses import LEFT_US, MENDED_TTL
from emco_store.backends.redis.commands import OUTCOME_TTL_S, PULSE_PARTS, Head, Names, decode, encode
from emco_store.core.flaws import (
    HOLD_LONGEST_S,
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
)
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import StoreError
from emco_store.ports import Audit, Audited

STAGES = ("keys", "records", "referrers", "index", "unique", "guards", "holds", *PULSE_PARTS, "outcomes")
"""What is looked at, one after the other: the keys of a namespace, and its outcomes."""
MAX_BYTES = 4 << 20
"""How many bytes of records one step reads before it ends early."""
_PARTS = ("records", "guards", "keys", "unique", "index", "referrers", "holds", *PULSE_PARTS, "nothing")


def audit_head(names: Names) -> Head:
    """Return what ``audit.lua`` declares."""
    return names.head(*_PARTS)


def mend_head(names: Names) -> Head:
    """Return what ``mend.lua`` declares."""
    return names.head(*_PARTS[:-1])


def audit_args(names: Names, audit: Audit) -> list[str | bytes | int]:
    """Write a step as the arguments of ``audit.lua``."""
    stage, position = read_place(audit.after, STAGES)
    return [stage, _bytes(position), audit.limit, MAX_BYTES, names.outcome(""), LEFT_US]


def mend_args(names: Names, flaws: Sequence[Flaw]) -> list[str | bytes | int]:
    """Write what is to be mended as the arguments of ``mend.lua``."""
    args: list[str | bytes | int] = [OUTCOME_TTL_S, HOLD_LONGEST_S * 1000, names.outcome("")]
    args += (LEFT_US, MENDED_TTL // timedelta(microseconds=1))
    for flaw in flaws:
        args += map(_bytes, flaw.entry)
    return args


def audit_reply(audit: Audit, reply: Sequence[Any]) -> Audited:
    """Read what a step has found."""
    stage, _ = read_place(audit.after, STAGES)
    position, entries, given, absent, rows = reply
    records: list[Record] = []
    flaws: list[Flaw] = []
    unreadable: set[str] = set()
    for at in range(0, len(given), 3):
        try:
            record = decode(Key.parse(given[at].decode()), given[at + 1], given[at + 2])
        except (StoreError, ValueError):
            unreadable.add(_text(given[at]))
            flaws.append(_unreadable(given[at], hashlib.sha1(given[at + 1], usedforsecurity=False).hexdigest()))
        else:
            records.append(record)
            flaws += _inconsistent(record, given[at + 1])
    found = [flaw for at in range(0, len(rows), 4) for flaw in _flaws(*rows[at : at + 4])]
    flaws += [flaw for flaw in found if flaw.key not in unreadable]
    gone = {key for record in records for key in record.targets} & set(_keys(absent))
    place = next_place(STAGES, stage, _exact(position) if position else None)
    return Audited(tuple(records), frozenset(gone), tuple(flaws), int(entries), place)


def _flaws(what: bytes, key: bytes, detail: bytes, member: bytes) -> Iterator[Flaw]:
    text, entry = _text(key), (_exact(detail), _exact(member), _exact(key))
    place = " ".join(_text(part) for part in (detail, member.replace(b"\0", b" ")))
    if what == b"missing":
        yield missing_entry(text, place, entry)
    elif what == b"stray":
        yield stray_entry(text, place, entry)
    elif what == b"duplicate":
        yield duplicate(text, _text(detail).partition("=")[0], _text(member))
    elif what == b"unreadable":
        yield _unreadable(key, detail.decode())
    elif what == b"outcome":
        yield forgotten_outcome(text.partition(":tx:")[2], entry)
    elif what == b"pulse":
        yield Flaw(
            FlawKind.UNREADABLE, text, "pulse", "it is no pulse that a store has written",
            "makes one that can be read, or removes it", Repair.MEND, entry=("pulses", _exact(member), ""),
        )  # fmt: skip
    elif what == b"guard":
        yield Flaw(
            FlawKind.UNREADABLE, text, "guard", f"its count of references is no number: {_text(detail)[:40]!r}",
            "begins a new count", Repair.MEND, entry=("guards", _exact(member), _exact(key)),
        )  # fmt: skip
    else:
        problem = hold_problem(int(detail) / 1000) if detail else "it is no mark that a store has written"
        if problem is not None:
            yield stale_hold(text, problem, ("holds", _exact(member), _exact(key)))


def _unreadable(key: bytes, digest: str) -> Flaw:
    detail = "what is stored under this key is no record: no store can read, replace or delete it"
    hint = "removes it, and what it held is lost; restore a backup instead, if there is one"
    return Flaw(
        FlawKind.UNREADABLE, _text(key), "record", detail, hint, Repair.DISCARD, entry=("records", _exact(key), digest)
    )  # fmt: skip


def _inconsistent(record: Record, value: bytes) -> Iterator[Flaw]:
    """Find a value whose parts, of which the scripts read the first ones, do not say the same."""
    if _head(value) != _head(encode(record)):
        detail = "its value holds its references, unique or indexed values twice, and differently"
        hint = "writes it again, with what its document and its rules say"
        yield Flaw(FlawKind.VALUES, record.key.text, "record", detail, hint, Repair.REWRITE, record.stamp)


def _head(value: bytes) -> bytes:
    """Return the targets, the unique and the indexed values of a value."""
    line, _, rest = value.partition(b"\n")
    _, _, f, u, i, *_ = line.split(b" ")
    return b" ".join((f, u, i, rest[: int(f) + int(u) + int(i)]))


def _keys(texts: Sequence[bytes]) -> Iterator[Key]:
    for text in texts:
        try:
            yield Key.parse(text.decode())
        except (StoreError, ValueError):
            continue


def _text(data: bytes) -> str:
    """Write bytes for people."""
    return data.decode(errors="backslashreplace")


def _exact(data: bytes) -> str:
    """Write bytes as text from which :func:`_bytes` makes the same again."""
    return data.decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
