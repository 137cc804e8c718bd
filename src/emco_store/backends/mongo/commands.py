"""What is sent to MongoDB for each request, and what its replies mean; pure, so it is tested without a server.

One collection holds three kinds of documents, each under an ``_id`` that no other can have: records (the text of a
key), ghosts (the same, for a key that is free and that somebody has relied on being free, or whose record was deleted)
and outcomes (``tx:`` and a txid). Ghosts and outcomes expire by themselves, by the clock of the server alone.

Fields: ``u`` uid, ``v`` version, ``g`` guard, ``z`` counts those who only relied on the record, ``d`` document,
``e`` edges, ``r`` texts of targets, ``p`` unique values, ``q`` the same as claims, ``i`` indexed values, ``c`` and
``m`` times. A ghost has ``x``, since when it is one; an outcome has ``o``, and ``t``, since when; a record has neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

import bson
from bson.raw_bson import RawBSONDocument

from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record, Seal, Stamp
from emco_store.core.refs import Rule
from emco_store.errors import InvalidResource
from emco_store.ports import Commit, Failure, Follow, Followed, Missing, Moved, Outcome, Scan, Stale, Taken

OUTCOMES_KEPT = timedelta(hours=24)
"""For how long the outcome of a commit is remembered."""
GHOST_TTL = timedelta(hours=1)
"""How long a ghost stays. Only transactions that meet it need it, so any time would do."""
BATCH_BYTES = 15 * 2**20
"""How large one command may become; the server takes 16 MiB, the frame of the command included."""
_LAST = "\U0010ffff"
_END = "\0\0"
"""Between an indexed text and the key, so that the order is by text and then by key; NUL in a text is escaped."""
_SECOND = timedelta(seconds=1)
_IS_RECORD: Mapping[str, Any] = {"x": {"$exists": False}, "o": {"$exists": False}}
_UNREADABLE_AT = ("unreadable",)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
Document = dict[str, Any]

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


def outcome_id(txid: str) -> str:
    """Give the ``_id`` of the outcome of a commit."""
    return f"tx:{txid}"


def encode(record: Record) -> tuple[Document, Document]:
    """Write a record as the fields to set and the fields to remove; its guard stays as it is."""
    kind = record.key.kind
    fields: Document = {
        "u": record.uid,
        "v": record.version,
        "d": record.document,
        "e": [
            [edge.target.text, list(edge.path), edge.rule.value, edge.at_key, edge.default and edge.default.text]
            for edge in record.edges
        ],
        "c": record.created_us,
        "m": record.updated_us,
        "p": [list(pair) for pair in record.unique],
        "r": sorted({edge.target.text for edge in record.edges}),
        "q": [_claim(kind, name, text) for name, text in record.unique],
        "i": {f"{kind}:{name}": _placed(text, record.key.text) for name, text in record.index},
    }
    empty = [name for name in ("r", "q", "i") if not fields[name]]
    return {name: value for name, value in fields.items() if name not in empty}, dict.fromkeys([*empty, "x"], 1)


def _placed(text: str, key: str) -> str:
    return f"{_escaped(text)}{_END}{key}"


def _escaped(text: str) -> str:
    return text.replace("\0", "\0\1")


def _unplaced(placed: str) -> str:
    return placed.rpartition(_END)[0].replace("\0\1", "\0")


def decode(document: Mapping[str, Any]) -> Record | None:
    """Read a record from its document; None where it has no key, so that nothing can address it.

    What is left of a record that a hand or a faulty program has spoiled is given without a document, so that it
    appears as unreadable in its place and can be replaced and deleted.

    Rules: BAD-8.
    """
    try:
        key = Key.parse(document["_id"])
    except InvalidResource:
        return None
    try:
        return _whole(key, document)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidResource):
        return _remains(key, document)


def decoded(documents: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Read records from their documents."""
    return [record for record in map(decode, documents) if record is not None]


def _whole(key: Key, document: Mapping[str, Any]) -> Record:
    uid, version, times = document["u"], document["v"], (document["c"], document["m"])
    known = isinstance(uid, str) and isinstance(version, int) and isinstance(document["d"], bytes)
    if not known or not all(_FIRST_US <= time_us <= _LAST_US for time_us in times):
        message = "a field is of another type"
        raise TypeError(message)
    return Record(
        key=key,
        uid=uid,
        version=version,
        document=document["d"],
        edges=tuple(
            Edge(Key.parse(target), tuple(path), Rule(rule), at_key, default and Key.parse(default))
            for target, path, rule, at_key, default in document["e"]
        ),
        unique=tuple((name, text) for name, text in document["p"]),
        index=tuple((name.partition(":")[2], _unplaced(text)) for name, text in document.get("i", {}).items()),
        created_us=times[0],
        updated_us=times[1],
        guard=_seal(document).guard,
    )


def _remains(key: Key, document: Mapping[str, Any]) -> Record:
    """Give what can be told of a spoiled record; whom it refers to holds on, since its rules are not known."""
    edges: list[Edge] = []
    for text in _listed(document.get("r")):
        with suppress(InvalidResource):
            edges.append(Edge(Key.parse(text), _UNREADABLE_AT, Rule.RESTRICT))
    indexed = document.get("i")
    pairs: Iterable[tuple[str, Any]] = cast("Document", indexed).items() if isinstance(indexed, dict) else ()
    index = ((name.partition(":")[2], _unplaced(text)) for name, text in pairs if isinstance(text, str))
    stamp = _stamp(document)
    return Record(key, stamp.uid, stamp.version, b"", tuple(edges), (), tuple(index), 0, 0, _seal(document).guard)


def _listed(value: object) -> list[Any]:
    return list(cast("Iterable[Any]", value)) if isinstance(value, list) else []


def _stamp(document: Mapping[str, Any]) -> Stamp:
    """Give the state of a record; a part that cannot be read counts as empty, see :func:`_state`."""
    uid, version = document.get("u"), document.get("v")
    return Stamp(uid if isinstance(uid, str) else "", version if isinstance(version, int) else 0)


def _seal(document: Mapping[str, Any]) -> Seal:
    guard = document.get("g")
    return Seal(_stamp(document).uid, guard if isinstance(guard, int) else 0)


def _state(uid: str, **numbers: int) -> Document:
    """Write the filter for a record in a state that :func:`_stamp` or :func:`_seal` has given."""
    there: Document = {"u": uid or {"$not": {"$type": "string", "$ne": ""}}}
    return there | {name: number or {"$not": {"$type": ["int", "long"], "$ne": 0}} for name, number in numbers.items()}


def updates(commit: Commit) -> list[Document]:
    """Write a commit as the statements of one ``update`` command, each of which must count one document.

    Each is a real change, so that it collides with every other transaction that does the same; one that changed nothing
    would not. Within each group they are in the order of their ``_id``, so that two commits meet in the same order.
    """
    puts = {record.key: record for record in commit.puts}
    deletes = set(commit.deletes)
    keys = sorted({*puts, *deletes, *commit.expect, *commit.require, *commit.sealed})
    statements = [
        *(_statement(key, commit, None, is_delete=True) for key in keys if key in deletes),
        *_releases(commit),
        *(_statement(key, commit, puts.get(key), is_delete=False) for key in keys if key not in deletes),
    ]
    # No outcome has this value of ``o``: one that is there already makes the insert fail on its _id.
    outcome = {"$set": {"o": Outcome.COMMITTED.value}, "$currentDate": {"t": True}}
    return [*statements, {"q": {"_id": outcome_id(commit.txid), "o": ""}, "u": outcome, "upsert": True}]


def settlement(txid: str) -> tuple[Document, Document]:
    """Write the filter and the update that give a commit the outcome "aborted", unless it has one."""
    return {"_id": outcome_id(txid)}, {"$setOnInsert": {"o": Outcome.ABORTED.value}, "$currentDate": {"t": True}}


def batches(statements: Iterable[Document]) -> Iterator[list[RawBSONDocument]]:
    """Divide statements among as few commands as the server accepts, which is one up to 15 MiB.

    Raises:
        InvalidResource: One statement alone is larger than that.
    """
    batch: list[RawBSONDocument] = []
    size = 0
    for statement in statements:
        raw = RawBSONDocument(bson.encode(statement))
        size += len(raw.raw)
        if len(raw.raw) > BATCH_BYTES:
            raise _too_large(statement["q"]["_id"], len(raw.raw))
        if size > BATCH_BYTES:
            yield batch
            batch, size = [], len(raw.raw)
        batch.append(raw)
    yield batch


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
                yield {"q": {"_id": record.key.text, **_IS_RECORD}, "u": {"$unset": {"q": 1}}}


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
    elif not may_insert:
        query |= _IS_RECORD
    stamp, seal = commit.expect.get(key), commit.sealed.get(key)
    if stamp is not None:
        query |= _state(stamp.uid, v=stamp.version)
    if seal is not None:
        query |= _state(seal.uid, g=seal.guard)
    if put is not None:
        fields, gone = encode(put)
        change: Document = {"$set": fields, "$unset": gone}
    elif is_delete or must_be_free:
        change = {"$currentDate": {"x": True}, "$unset": dict.fromkeys("uvdecmprqig", 1)}
    else:
        change = {}
    change["$inc"] = {"g" if key in commit.require and not is_delete else "z": 1}
    return {"q": query, "u": change, "upsert": may_insert}


def involved(commit: Commit) -> list[str]:
    """Give the ``_id`` of every record that a commit rests on."""
    return sorted({key.text for key in (*commit.expect, *commit.require, *commit.sealed)})


def claims(commit: Commit) -> list[str]:
    """Give the unique values that a commit claims."""
    return [_claim(record.key.kind, name, text) for record in commit.puts for name, text in record.unique]


def _claim(kind: str, name: str, text: str) -> str:
    return f"{kind}:{name}={text}"


def failures(commit: Commit, documents: Iterable[Mapping[str, Any]]) -> Iterator[Failure]:
    """Say which preconditions a commit fails, given the documents of all that it rests on and claims."""
    there = {document["_id"]: document for document in documents if not document.keys() & _IS_RECORD.keys()}
    for key, expected in commit.expect.items():
        document = there.get(key.text)
        found = None if document is None else _stamp(document)
        if found != expected:
            yield Stale(key, expected, found)
    for key in sorted(commit.require):
        if key.text not in there:
            yield Missing(key)
    for key, seal in commit.sealed.items():
        document = there.get(key.text)
        if document is None or _seal(document) != seal:
            yield Moved(key)
    yield from _claims_of_others(commit, there)


def _claims_of_others(commit: Commit, there: Mapping[str, Mapping[str, Any]]) -> Iterator[Taken]:
    owners = {claim: text for text, document in there.items() for claim in _listed(document.get("q"))}
    going = {key.text for key in commit.deletes} | {record.key.text for record in commit.puts}
    claimed: dict[str, Key] = {}
    for record in commit.puts:
        for name, value in record.unique:
            claim = _claim(record.key.kind, name, value)
            owner = owners.get(claim)
            first = claimed.setdefault(claim, record.key)
            if owner is not None and owner not in going:
                yield Taken(record.key, name, Key.parse(owner))
            elif first != record.key:
                yield Taken(record.key, name, first)


def by_id(keys: Iterable[Key]) -> Document:
    """Write the filter of a read by key."""
    return {"_id": {"$in": [key.text for key in keys]}, **_IS_RECORD}


def scan(scan: Scan) -> tuple[Document, Document, Document]:
    """Write a scan as filter, order and index."""
    direction = -1 if scan.descending else 1
    prefix = scan.prefix or (f"{scan.kind}/" if scan.kind else "")
    # Without a prefix the bound still keeps out what is no text: MongoDB compares values of one type only.
    names: Document = {"$gte": prefix, "$lt": prefix + _LAST} if prefix else {"$gte": ""}
    if scan.field is None:
        if scan.after is not None:
            names = _behind(names, scan.after[1], descending=scan.descending)
        return {"_id": names, **_IS_RECORD}, {"_id": direction}, {"_id": 1}
    field = f"i.{scan.kind}:{scan.field}"
    values: Document = {"$gte": _escaped(scan.low or "")}
    if scan.high is not None:
        values["$lt"] = _placed(scan.high, _LAST)
    if scan.after is not None:
        values = _behind(values, _placed(*scan.after), descending=scan.descending)
    return {field: values, "_id": names}, {field: direction}, {"i.$**": 1}


def _behind(bounds: Document, value: str, *, descending: bool) -> Document:
    if descending:
        return {**bounds, "$lt": min(value, bounds.get("$lt", value))}
    return {**bounds, "$gt": value}


def position(scan: Scan, document: Mapping[str, Any]) -> tuple[str, str]:
    """Give the place of a document in the order of the scan that found it."""
    if scan.field is None:
        return "", document["_id"]
    return _unplaced(document["i"][f"{scan.kind}:{scan.field}"]), document["_id"]


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
