"""How records, tombstones and outcomes stand in a collection; pure.

One collection holds four kinds of documents, each under an ``_id`` that no other can have: records (the text of a
key), tombstones (the same, for a key that is free and that somebody relied on being free, or whose record was deleted),
outcomes (``tx:`` and a txid) and pulses of leases (``beat:`` and a uid, see ``pulses.py``). Tombstones and outcomes
expire by themselves, by the clock of the server alone.

Fields: ``u`` uid, ``v`` version, ``g`` guard, ``z`` counts those who only relied on the record, ``d`` document,
``e`` edges as JSON text, ``r`` texts of targets, ``p`` unique values, ``q`` the same as claims, ``i`` indexed values,
``c`` and ``m`` times, ``w`` who made the newest change and why as JSON text, ``k`` who holds it (``h``) until when
(``t``). A tombstone has ``x``, since when it is one; an outcome has ``o``, ``t``, since when, and
``f``, what the feed tells of the commit (see ``feed.py``); a pulse has an ``o``
that no outcome has; a record has neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

from bson.codec_options import CodecOptions

from emco_store.core.keys import Key
from emco_store.core.origins import NOBODY, read_origin, write_origin
from emco_store.core.records import Edge, Record, Seal, Stamp, read_edges, write_edges
from emco_store.core.rules import Rule
from emco_store.errors import InvalidResource

END = "\0\0"
"""Between an indexed text and the key, so that the order is by text and then by key; NUL in a text is escaped."""
IS_RECORD: Mapping[str, Any] = {"x": {"$exists": False}, "o": {"$exists": False}}
"""The filter for records."""
IS_OVER: Mapping[str, Any] = {"$not": [{"$gt": ["$k.t", "$$NOW"]}]}
"""Whether a hold has ended; one whose end cannot be read has."""
PULSE = "beat"
"""The ``o`` of a pulse."""
BESIDE_OTHERS: tuple[Mapping[str, Any], ...] = ({"$lt": "beat:"}, {"$gte": "beat;", "$lt": "tx:"}, {"$gte": "tx;"})
"""Where the ``_id`` of records lie, before, between and behind those of pulses and outcomes.

No key lies among these, since a kind is an identifier that a slash follows.
"""
_UNREADABLE_AT = ("unreadable",)
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 to 9999
Document = dict[str, Any]
OURS = CodecOptions[Document](unicode_decode_error_handler="replace")
"""How documents are read, whatever the client says; the rules find broken text."""


def pulse_id(uid: str) -> str:
    """Return the ``_id`` of the pulse of a lease."""
    return f"beat:{uid}"


def outcome_id(txid: str) -> str:
    """Return the ``_id`` of the outcome of a commit."""
    return f"tx:{txid}"


def encode(record: Record) -> tuple[Document, Document]:
    """Write a record as the fields to set and the fields to remove; its guard stays as it is."""
    fields = whole(record)
    del fields["_id"]
    return fields, {"x": 1, **{name: 1 for name in "rqiw" if name not in fields}}


def whole(record: Record) -> Document:
    """Write a record as a document without a guard."""
    key = record.key
    edges, targets = _stored(record.edges)
    document: Document = {
        "_id": key.text,
        "u": record.uid,
        "v": record.version,
        "d": record.document,
        "e": edges,
        "c": record.created_us,
        "m": record.updated_us,
        "p": [*map(list, record.unique)],
    }
    if targets:
        document["r"] = [*targets]
    if record.unique:
        document["q"] = [claim_of(key.kind, name, text) for name, text in record.unique]
    if record.index:
        document["i"] = {f"{key.kind}:{name}": placed(text, key.text) for name, text in record.index}
    if record.origin is not NOBODY and (who := write_origin(record.origin)):
        document["w"] = who
    return document


@lru_cache(maxsize=10_000)
def _stored(edges: tuple[Edge, ...]) -> tuple[bytes, tuple[str, ...]]:
    """Write edges, and the texts of their targets; the same few are written again and again."""
    return write_edges(edges), tuple(sorted({edge.target.text for edge in edges}))


def placed(text: str, key: str) -> str:
    """Write an indexed value, so that the order of all is by it and then by key."""
    return f"{escaped(text)}{END}{key}"


def escaped(text: str) -> str:
    """Write a text without two NULs in a row."""
    return text.replace("\0", "\0\1")


def unplaced(entry: str) -> str:
    """Read an indexed value from what :func:`placed` wrote."""
    return entry.rpartition(END)[0].replace("\0\1", "\0")


def decode(document: Mapping[str, Any]) -> Record | None:
    """Read a record from its document; None for what is no record, or has no key, so that nothing can address it.

    What is left of a record that a hand or a faulty program has spoiled is given without a document, so that it
    appears as unreadable in its place and can be replaced and deleted.

    Rules: BAD-8.
    """
    if "x" in document or "o" in document:
        return None
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
    uid, version, created_us, updated_us = document["u"], document["v"], document["c"], document["m"]
    known = isinstance(uid, str) and isinstance(version, int) and isinstance(document["d"], bytes)
    if not known or not _FIRST_US <= created_us <= _LAST_US or not _FIRST_US <= updated_us <= _LAST_US:
        message = "a field is of another type"
        raise TypeError(message)
    unique, edges = document["p"], read_edges(document["e"])
    return Record(
        key,
        uid,
        version,
        document["d"],
        edges,
        () if unique == [] else tuple([(name, text) for name, text in unique]),
        _index(document["i"]) if "i" in document else (),
        created_us,
        updated_us,
        _guard(document),
        read_origin(document["w"]) if "w" in document else NOBODY,
    )


def _index(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple([(name.partition(":")[2], unplaced(text)) for name, text in values.items()])


def _remains(key: Key, document: Mapping[str, Any]) -> Record:
    """Return what is known of a spoiled record; it protects whatever it refers to, since its rules are not known."""
    edges: list[Edge] = []
    for text in listed(document.get("r")):
        with suppress(InvalidResource):
            edges.append(Edge(Key.parse(text), _UNREADABLE_AT, Rule.RESTRICT))
    indexed = document.get("i")
    pairs: Iterable[tuple[str, Any]] = cast("Document", indexed).items() if isinstance(indexed, dict) else ()
    index = ((name.partition(":")[2], unplaced(text)) for name, text in pairs if isinstance(text, str))
    found = stamp(document)
    return Record(key, found.uid, found.version, b"", tuple(edges), (), tuple(index), 0, 0, seal(document).guard)


def listed(value: object) -> list[Any]:
    """Return a list that stands in a document, and an empty one for anything else."""
    return list(cast("Iterable[Any]", value)) if isinstance(value, list) else []


def stamp(document: Mapping[str, Any]) -> Stamp:
    """Return the state of a record; a part that cannot be read counts as empty, see :func:`_state`."""
    uid, version = document.get("u"), document.get("v")
    return Stamp(uid if isinstance(uid, str) else "", version if isinstance(version, int) else 0)


def seal(document: Mapping[str, Any]) -> Seal:
    """Return the guard of a record."""
    return Seal(stamp(document).uid, _guard(document))


def _guard(document: Mapping[str, Any]) -> int:
    guard = document.get("g")
    return guard if isinstance(guard, int) else 0


def claim_of(kind: str, name: str, text: str) -> str:
    """Write a unique value so that the claims of all kinds can stand in one index."""
    return f"{kind}:{name}={text}"
