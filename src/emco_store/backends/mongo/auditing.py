"""Audits on MongoDB: what is asked, and what the documents of a page say; pure.

What a record is found by (targets, claims, indexed values) stands in its own document, so the server keeps the entries
of its indexes with it. What can be wrong is the document, and the definition of an index.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from bson import json_util
from bson.max_key import MaxKey
from bson.min_key import MinKey

from emco_store.backends.mongo import pulses
from emco_store.backends.mongo.documents import IS_RECORD, PULSE, Document, decode, encode, listed, pulse_id
from emco_store.backends.mongo.indexes import FIRST, INDEXES, used
from emco_store.backends.pulses import LEFT_US, MENDED_TTL, STAGE, lease_without_pulse, pulse_without_lease
from emco_store.core.flaws import (
    HOLD_LONGEST_S,
    Flaw,
    FlawKind,
    Repair,
    duplicate,
    forgotten_outcome,
    hold_problem,
    stale_hold,
)
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE
from emco_store.core.records import Record
from emco_store.errors import Misconfigured

STAGES = ("setup", "documents")
"""What is looked at, one after the other."""
MAX_BYTES = 4 << 20
"""How many bytes of documents one step reads before it ends early."""
_PLACES = {"r": "referrers", "q": "unique", "i": "index"}
_PORTION = 5000
_POSITION = re.compile(r"(?:([a-z,]*)\|)?(.*)", re.DOTALL)
_OPTIONS = ("unique", "sparse", "partialFilterExpression", "expireAfterSeconds")


@dataclass(frozen=True, slots=True)
class Look:
    """What the documents of one step say.

    Attributes:
        records: Those that can be read.
        flaws: What is wrong with a document by itself.
        holds: For each record that is held, until when; None where that cannot be read.
        claims: For each unique value, the record of this step that has it.
        suspects: The leases of this step, and those of its pulses: uid and key.
        indexes: The indexes of those made later that its documents are in.
    """

    records: tuple[Record, ...]
    flaws: tuple[Flaw, ...]
    holds: Mapping[str, datetime | None]
    claims: Mapping[str, str]
    suspects: Mapping[str, str]
    indexes: frozenset[str]


def read_position(text: str) -> tuple[frozenset[str], str]:
    """Read where a step begins: which indexes the steps before it have looked for, and the place of a document."""
    found = _POSITION.fullmatch(text)
    seen, place = found.groups() if found else (None, text)
    return frozenset(seen.split(",") if seen else ()), place


def position(seen: Iterable[str], place: str) -> str:
    """Write where the next step begins; see :func:`read_position`."""
    return f"{','.join(sorted(seen))}|{place}"


def bounds(position: str) -> tuple[Document, Document]:
    """Return the least and the greatest ``_id`` of a step: of every type, since a document may have been put there."""
    least = json_util.loads(position) if position else MinKey()
    return {"_id": least}, {"_id": MaxKey()}


def position_of(document: Mapping[str, Any]) -> str:
    """Write the place of a document."""
    return json_util.dumps(document["_id"])


def size_of(document: Mapping[str, Any]) -> int:
    """Return the bytes of a document's larger part."""
    body = document.get("d")
    return len(body) if isinstance(body, bytes) else 0


def looked(documents: Iterable[Document]) -> Look:
    """Say what documents are, and what is wrong with them."""
    records: list[Record] = []
    flaws: list[Flaw] = []
    holds: dict[str, datetime | None] = {}
    claims: dict[str, str] = {}
    beating: dict[str, str] = {}
    indexes: set[str] = set()
    for document in documents:
        indexes |= used(document)
        if document.get("o") == PULSE:
            try:
                beating[pulses.uid_of(document)] = pulses.read(document).key.text
            except Misconfigured:
                flaws.append(_broken_pulse(pulses.uid_of(document)))
            continue
        if document.keys() & IS_RECORD.keys():
            flaws += _unending(document)
            continue
        record = decode(document)
        if record is None or (record.document == b"" and document.get("d") != b""):
            flaws.append(_unreadable(document, record))
            continue
        records.append(record)
        if record.key.kind == LEASE:
            beating[record.uid] = record.key.text
        flaws += [*_entries(record, document), *_counters(document)]
        claims |= dict.fromkeys(listed(document.get("q")), record.key.text)
        if "k" in document:
            holds[record.key.text] = _end_of(document["k"])
    return Look(tuple(records), tuple(flaws), holds, claims, beating, frozenset(indexes))


BOTH: Document = {**dict.fromkeys("uobn", 1), "now": "$$NOW"}
"""What must be shown of leases and pulses to compare them."""


def both(beating: Mapping[str, str]) -> Document:
    """Write the filter for leases and their pulses, to be read as of one moment."""
    return {"_id": {"$in": [*{*beating.values()}, *map(pulse_id, beating)]}}


def apart(beating: Mapping[str, str], documents: Iterable[Document]) -> Iterator[Flaw]:
    """Find leases without a pulse, and pulses that are left without a lease."""
    there = {document["_id"]: document for document in documents}
    for uid, text in beating.items():
        pulse = there.get(pulse_id(uid), {})
        is_held = there.get(text, {}).get("u") == uid
        if is_held and pulse.get("o") != PULSE:
            yield lease_without_pulse(text, uid)
        elif not is_held and pulse.get("o") == PULSE and pulse["now"] - pulse["b"] > _LEFT:
            yield pulse_without_lease(text, uid)


def _broken_pulse(uid: str) -> Flaw:
    detail = "it is no pulse that a store has written"
    return Flaw(FlawKind.UNREADABLE, uid, "pulse", detail, "removes it", Repair.MEND, entry=(STAGE, uid, ""))


def suspects(flaws: Iterable[Flaw]) -> dict[str, str]:
    """Return the leases and pulses that are to be mended: uid and key, which is empty for a broken pulse."""
    return {flaw.entry[1]: flaw.entry[2] for flaw in flaws if flaw.entry[0] == STAGE}


def mends_of_pulses(beating: Mapping[str, str], documents: Iterable[Document]) -> Iterator[Document]:
    """Write repairs of pulses as statements, by what is there now."""
    there = {document["_id"]: document for document in documents}
    for uid, text in beating.items():
        if text and there.get(text, {}).get("u") == uid:
            yield pulses.remade(uid, text, MENDED_TTL)
        else:
            yield pulses.removed(uid)


_LEFT = timedelta(microseconds=LEFT_US)


def _end_of(hold: object) -> datetime | None:
    until = cast("Document", hold).get("t") if isinstance(hold, dict) else None
    return until if isinstance(until, datetime) else None


def _unending(document: Document) -> Iterator[Flaw]:
    """Find an outcome or a tombstone that the server would never take away."""
    name = str(document["_id"])
    entry = (position_of(document),)
    if "o" in document and not isinstance(document.get("t"), datetime):
        yield forgotten_outcome(name.removeprefix("tx:"), ("t", *entry))
    elif "o" not in document and not isinstance(document["x"], datetime):
        detail = "the note that this key is free is kept without an end"
        hint = "lets it be forgotten after the usual time"
        yield Flaw(FlawKind.STRAY_ENTRY, name, "tombstone", detail, hint, Repair.MEND, entry=("x", *entry))


def _unreadable(document: Document, record: Record | None) -> Flaw:
    if record is None:
        return Flaw(
            FlawKind.UNREADABLE, str(document["_id"]), "document", "its _id is no key: no store has written it",
            "see who writes to this collection, and remove it by hand",
        )  # fmt: skip
    detail = "fields of its document are missing or of another type"
    return Flaw(
        FlawKind.UNREADABLE, record.key.text, "document", detail, "put() a correct one in its place, or delete it"
    )  # fmt: skip


def _entries(record: Record, document: Document) -> Iterator[Flaw]:
    """Compare what a record is found by with what it says."""
    wanted, _ = encode(record)
    for name, place in _PLACES.items():
        should, has = _texts(wanted.get(name)), _texts(document.get(name))
        for kind, what, texts in (
            (FlawKind.MISSING_ENTRY, "it is not found by", should - has),
            (FlawKind.STRAY_ENTRY, "it is found by, and should not be,", has - should),
        ):
            if texts:
                detail = f"{what} {', '.join(sorted(texts))}".replace("\0", " ")
                hint = "writes it again, with what its document says"
                yield Flaw(kind, record.key.text, place, detail, hint, Repair.REWRITE, record.stamp)


def _texts(value: object) -> set[str]:
    if isinstance(value, dict):
        return {f"{name}={text}" for name, text in cast("Document", value).items()}
    return {str(text) for text in listed(value)}


def _counters(document: Document) -> Iterator[Flaw]:
    """Find counters that could not be counted up."""
    for name in ("g", "z"):
        value = document.get(name, 0)
        if type(value) is bool or not isinstance(value, int):
            yield Flaw(
                FlawKind.UNREADABLE, document["_id"], "guard", f"its field {name} is no whole number",
                "begins a new count", Repair.MEND, entry=(name, position_of(document)),
            )  # fmt: skip


def held(holds: Mapping[str, datetime | None], now: datetime) -> Iterator[Flaw]:
    """Find holds that end too late, by the clock of the server, or whose end cannot be read."""
    for text, until in holds.items():
        ends_in_s = None if until is None else (until - now).total_seconds()
        problem = "it is no mark that a store has written" if ends_in_s is None else hold_problem(ends_in_s)
        if problem is not None:
            yield stale_hold(text, problem, ("k", json_util.dumps(text)))


def shared(claims: Mapping[str, str], documents: Iterable[Mapping[str, Any]]) -> Iterator[Flaw]:
    """Find unique values that two records have; told once, for each but the first."""
    owners: dict[str, list[str]] = defaultdict(list)
    for document in documents:
        for claim in claims.keys() & set(listed(document.get("q"))):
            owners[claim].append(str(document["_id"]))
    for claim, text in claims.items():
        first = min(owners[claim], default=text)
        if text in owners[claim] and text != first:
            yield duplicate(text, claim.partition(":")[2].partition("=")[0], first)


def set_up(found: Sequence[Mapping[str, Any]] | None) -> Iterator[Flaw]:
    """Find indexes of the collection that are missing, or are other ones; none where they may not be listed."""
    if found is None:
        return
    yield from lost(FIRST, found)
    there = {index["name"]: index for index in found}
    for wanted in INDEXES:
        name = wanted["name"]
        if name in there and _shape(there[name]) != _shape(wanted):
            hint = "drop the index; it is made again when a store opens"
            yield Flaw(FlawKind.SETUP, name, "index", "it has other fields or options than it should have", hint)


def lost(names: Iterable[str], found: Sequence[Mapping[str, Any]] | None) -> Iterator[Flaw]:
    """Find those of the indexes that are missing; none where they may not be listed."""
    there = None if found is None else {index["name"] for index in found}
    for name in sorted(names):
        if there is not None and name not in there:
            detail = "the server has no such index"
            yield Flaw(FlawKind.SETUP, name, "index", detail, "makes the index", Repair.MEND, entry=("index", name))


def _shape(index: Mapping[str, Any]) -> tuple[Any, ...]:
    return (list(index["key"].items()), *(index.get(option) or False for option in _OPTIONS))


def existing(targets: Iterable[Key]) -> Iterator[Document]:
    """Write the filters for those of the targets that are there."""
    texts = sorted(target.text for target in targets)
    for first in range(0, len(texts), _PORTION):
        yield {"_id": {"$in": texts[first : first + _PORTION]}, **IS_RECORD}


def mends(flaws: Iterable[Flaw]) -> Iterator[Document]:
    """Write repairs as statements, each of which changes nothing where nothing is wrong any more.

    A counter that cannot be read becomes one that nobody can have seen: the time.
    """
    for flaw in flaws:
        name, *rest = flaw.entry
        if name in {"index", STAGE}:
            continue
        (text,) = rest
        own: Document = {"_id": json_util.loads(text)}
        if name in {"t", "x"}:
            yield {"q": {**own, name: {"$not": {"$type": "date"}}}, "u": {"$currentDate": {name: True}}}
        elif name == "k":
            yield {"q": {**own, "k": {"$exists": True}, "$expr": _IS_WRONG}, "u": {"$unset": {"k": 1}}}
        else:
            broken = {"$exists": True, "$not": {"$type": ["int", "long"]}}
            yield {"q": {**own, name: broken}, "u": [{"$set": {name: {"$toLong": "$$NOW"}}}]}


_IS_WRONG: Document = {
    "$or": [
        {"$ne": [{"$type": "$k.t"}, "date"]},
        {"$gt": ["$k.t", {"$add": ["$$NOW", HOLD_LONGEST_S * 1000]}]},
    ]
}
