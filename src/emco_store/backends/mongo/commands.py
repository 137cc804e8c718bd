"""What is sent to MongoDB for each request, and what its replies mean; pure, so it is tested without a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import bson
from bson.raw_bson import RawBSONDocument

from emco_store.backends.mongo.documents import (
    IS_OVER,
    IS_RECORD,
    Document,
    decoded,
    encode,
    escaped,
    outcome_id,
    placed,
    unplaced,
)
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import InvalidResource
from emco_store.ports import (
    Commit,
    Follow,
    Followed,
    Hold,
    Outcome,
    Scan,
)

OUTCOMES_KEPT = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""
GHOST_TTL = timedelta(hours=1)
"""How long a ghost stays. Only transactions that meet it need it, so any time would do."""
_MERGED = 1000
"""How many statements at most become one."""
BATCH_BYTES = 15 * 2**20
"""How large one command may become; the server takes 16 MiB, the frame of the command included."""
_LAST = "\U0010ffff"
_SECOND = timedelta(seconds=1)

INDEXES: Sequence[Document] = (
    {"name": "referrers", "key": {"r": 1}, "sparse": True},
    {"name": "unique", "key": {"q": 1}, "unique": True, "sparse": True},
    {"name": "values", "key": {"i.$**": 1}},
    {"name": "ghosts", "key": {"x": 1}, "expireAfterSeconds": GHOST_TTL // _SECOND, "sparse": True},
    {"name": "outcomes", "key": {"t": 1}, "expireAfterSeconds": OUTCOMES_KEPT // _SECOND, "sparse": True},
)
"""The indexes of a namespace's collection."""


def collection(namespace: str) -> str:
    """Give the name of the collection of a namespace."""
    return f"emco.{namespace}"


def _state(uid: str, **numbers: int) -> Document:
    """Write the filter for a record in a state that :func:`stamp` or :func:`seal` has given."""
    there: Document = {"u": uid or {"$not": {"$type": "string", "$ne": ""}}}
    return there | {name: number or {"$not": {"$type": ["int", "long"], "$ne": 0}} for name, number in numbers.items()}


def updates(commit: Commit) -> list[Document]:
    """Write a commit as the statements of one ``update`` command; each must find as many documents as it names.

    Each is a real change, so that it collides with every other transaction that does the same; one that changed nothing
    would not. Within each group they are in the order of their ``_id``, so that two commits meet in the same order.
    """
    puts = {record.key: record for record in commit.puts}
    deletes = set(commit.deletes)
    keys = sorted({*puts, *deletes, *commit.expect, *commit.require, *commit.sealed})
    statements = [
        *_merged(_statement(key, commit, None, is_delete=True) for key in keys if key in deletes),
        *_releases(commit),
        *_merged(_statement(key, commit, puts.get(key), is_delete=False) for key in keys if key not in deletes),
    ]
    # No outcome has this value of ``o``: one that is there already makes the insert fail on its _id.
    outcome = {"$set": {"o": Outcome.COMMITTED.value}, "$currentDate": {"t": True}}
    return [*statements, {"q": {"_id": outcome_id(commit.txid), "o": ""}, "u": outcome, "upsert": True}]


def settlement(txid: str) -> tuple[Document, Document]:
    """Write the filter and the update that give a commit the outcome "aborted", unless it has one."""
    return {"_id": outcome_id(txid)}, {"$setOnInsert": {"o": Outcome.ABORTED.value}, "$currentDate": {"t": True}}


def _merged(statements: Iterable[Document]) -> Iterator[Document]:
    """Make one statement of those that differ only in whom they are for, because the server takes less time for it.

    A uid belongs to one record for ever, so whoever has one of the keys and one of the uids has its own.
    """
    alike: dict[str, list[Document]] = {}
    for statement in statements:
        query = statement["q"]
        can = not statement.get("upsert") and "$set" not in statement["u"] and isinstance(query.get("u"), str)
        rest = {name: value for name, value in query.items() if name not in {"_id", "u"}}
        alike.setdefault(repr((rest, statement["u"])) if can else query["_id"], []).append(statement)
    for several in alike.values():
        for first in range(0, len(several), _MERGED):
            some = several[first : first + _MERGED]
            if len(some) == 1:
                yield some[0]
                continue
            whom = {name: {"$in": [one["q"][name] for one in some]} for name in ("_id", "u")}
            yield {"q": {**some[0]["q"], **whom}, "u": some[0]["u"], "multi": True}


class Statement(NamedTuple):
    """What is sent, and how many documents it must find."""

    raw: bytes
    documents: int


def encoded(statements: Iterable[Document]) -> list[Statement]:
    """Write statements as the bytes that are sent.

    Raises:
        InvalidResource: One is larger than what can be sent.
    """
    written: list[Statement] = []
    for statement in statements:
        raw = bson.encode(statement)
        if len(raw) > BATCH_BYTES:
            raise _too_large(statement["q"]["_id"], len(raw))
        written.append(Statement(raw, len(statement["q"]["_id"]["$in"]) if statement.get("multi") else 1))
    return written


def batches(statements: Iterable[Statement]) -> Iterator[tuple[list[RawBSONDocument], int]]:
    """Divide statements among as few commands as the server accepts, one up to 15 MiB; give what each must count."""
    batch: list[RawBSONDocument] = []
    size = count = 0
    for raw, wanted in statements:
        size += len(raw)
        if size > BATCH_BYTES:
            yield batch, count
            batch, size, count = [], len(raw), 0
        batch.append(RawBSONDocument(raw))
        count += wanted
    yield batch, count


def _too_large(key: str, size: int) -> InvalidResource:
    return InvalidResource(
        f"Cannot store {key} on MongoDB.",
        why=[f"with all that it refers to it has {size:,} bytes, and at most {BATCH_BYTES:,} can be sent"],
        do="divide it into several resources; its references are stored beside the document and count too.",
        key=Key.parse(key),
        problems=("too large",),
    )


def _releases(commit: Commit) -> Iterator[Document]:
    """Free the unique values of all records that are replaced, so that they may change hands within the commit.

    The server looks at a unique index statement by statement, not at the end.
    """
    if commit.size > 1 and any(record.unique for record in commit.puts):
        for record in commit.puts:
            if commit.expect.get(record.key) is not None:
                yield {"q": {"_id": record.key.text, **IS_RECORD, **_not_held(commit)}, "u": {"$unset": {"q": 1}}}


def _statement(key: Key, commit: Commit, put: Record | None, *, is_delete: bool) -> Document:
    """Write what a commit does to one record, with all that it expects of it, as one statement."""
    must_be_free = key in commit.expect and commit.expect[key] is None
    if must_be_free and put is None and key in commit.require:
        # Seen to be free, and yet referred to: both cannot hold, so nothing may match.
        return {"q": {"_id": key.text, "x": {"$in": []}}, "u": {"$inc": {"z": 1}}}
    # A put that rests on nothing is written over whatever is there.
    may_insert = must_be_free or not (key in commit.expect or key in commit.require or key in commit.sealed)
    query: Document = {"_id": key.text}
    if must_be_free:
        query["x"] = {"$exists": True}
    else:
        query |= _not_held(commit) if may_insert else {**IS_RECORD, **_not_held(commit)}
    stamp, seal = commit.expect.get(key), commit.sealed.get(key)
    if stamp is not None:
        query |= _state(stamp.uid, v=stamp.version)
    if seal is not None:
        query |= _state(seal.uid, g=seal.guard)
    if put is not None:
        fields, gone = encode(put)
        change: Document = {"$set": fields, "$unset": gone | {"k": 1} if commit.holder else gone}
    elif is_delete or must_be_free:
        change = {"$currentDate": {"x": True}, "$unset": dict.fromkeys("uvdecmprqigk", 1)}
    else:
        change = {}
    change["$inc"] = {"g" if key in commit.require and not is_delete else "z": 1}
    return {"q": query, "u": change, "upsert": may_insert}


def _not_held(commit: Commit) -> Document:
    """Write the filter for a record that nobody else holds; one whose hold is over is told apart when it fails."""
    free: Document = {"k": {"$exists": False}}
    return {"$or": [free, {"k.h": commit.holder}]} if commit.holder else free


def holds(hold: Hold) -> list[Document]:
    """Write the beginning of a hold as statements; what others hold, and what is not there, does not match."""
    until = {"$add": ["$$NOW", hold.lasts // timedelta(milliseconds=1)]}
    change = [{"$set": {"k": {"h": {"$literal": hold.holder}, "t": until}}}]
    free = [{"k": {"$exists": False}}, {"k.h": hold.holder}, {"$expr": IS_OVER}]
    return [{"q": {**ids, **IS_RECORD, "$or": free}, "u": change, "multi": True} for ids in _portions(hold.keys)]


def releases(hold: Hold) -> list[Document]:
    """Write the end of a hold as statements."""
    mine = {"k.h": hold.holder}
    return [{"q": {**ids, **mine}, "u": {"$unset": {"k": 1}}, "multi": True} for ids in _portions(hold.keys)]


def _portions(keys: Sequence[Key]) -> Iterator[Document]:
    for first in range(0, len(keys), 1000):
        yield {"_id": {"$in": [key.text for key in keys[first : first + 1000]]}}


def by_id(keys: Iterable[Key]) -> Document:
    """Write the filter of a read by key."""
    return {"_id": {"$in": [key.text for key in keys]}, **IS_RECORD}


def scan(scan: Scan) -> tuple[Document, Document, Document]:
    """Write a scan as filter, order and index."""
    direction = -1 if scan.descending else 1
    prefix = scan.prefix or (f"{scan.kind}/" if scan.kind else "")
    # Without a prefix the bound still keeps out what is no text: MongoDB compares values of one type only.
    names: Document = {"$gte": prefix, "$lt": prefix + _LAST} if prefix else {"$gte": ""}
    if scan.field is None:
        if scan.after is not None:
            names = _behind(names, scan.after[1], descending=scan.descending)
        return {"_id": names, **IS_RECORD}, {"_id": direction}, {"_id": 1}
    field = f"i.{scan.kind}:{scan.field}"
    values: Document = {"$gte": escaped(scan.low or "")}
    if scan.high is not None:
        values["$lt"] = placed(scan.high, _LAST)
    if scan.after is not None:
        values = _behind(values, placed(*scan.after), descending=scan.descending)
    return {field: values, "_id": names}, {field: direction}, {"i.$**": 1}


def _behind(bounds: Document, value: str, *, descending: bool) -> Document:
    if descending:
        return {**bounds, "$lt": min(value, bounds.get("$lt", value))}
    return {**bounds, "$gt": value}


def position(scan: Scan, document: Mapping[str, Any]) -> tuple[str, str]:
    """Give the place of a document in the order of the scan that found it."""
    if scan.field is None:
        return "", document["_id"]
    return unplaced(document["i"][f"{scan.kind}:{scan.field}"]), document["_id"]


def follow(follow: Follow) -> tuple[Document, int]:
    """Write a step against the references as filter and limit."""
    to: Document = {"r": {"$in": [key.text for key in follow.targets]}}
    if follow.after:
        to["_id"] = {"$gt": follow.after}
    query = {"$or": [by_id(follow.load), to]} if follow.load else to
    return query, follow.limit + len(follow.load)


def followed(follow: Follow, documents: Iterable[Mapping[str, Any]]) -> Followed:
    """Tell the records that were loaded from the referrers; one may be both."""
    load, targets = set(follow.load), set(follow.targets)
    records = list({record.key: record for record in decoded(documents)}.values())
    referrers = [
        record for record in records if record.key.text > follow.after and not targets.isdisjoint(record.targets)
    ]
    return Followed({record.key: record for record in records if record.key in load}, tuple(referrers[: follow.limit]))
