"""Pulses of leases as documents: how they are written, read and ended; pure.

A pulse is ``beat:`` and the uid of its lease. Its fields: ``o`` says that it is one, ``n`` number, ``l`` TTL in
microseconds, ``a`` when it arrived, ``b`` when it is due, both by the clock of the server, ``y`` key of the lease,
``s`` progress. What has ended is left as a tombstone for a while, so that no beat that is late makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from emco_store.backends.mongo.documents import PULSE, Document, pulse_id
from emco_store.backends.pulses import LEFT_US
from emco_store.core.keys import Key
from emco_store.core.pulses import Heartbeat, Pulse
from emco_store.core.times import EPOCH
from emco_store.errors import InvalidResource, Misconfigured
from emco_store.ports import Beat, Pulses

PORTION = 1000
"""How many pulses are written by one command, or read by one."""
SHOWN: Document = {**dict.fromkeys("nlabys", 1), "now": "$$NOW"}
"""What must be shown of pulses to read them."""
_US, _MS = timedelta(microseconds=1), timedelta(milliseconds=1)
_BEHIND = "beat;"
"""What sorts after all pulses."""


def beats(beat: Beat) -> Iterator[Mapping[str, Heartbeat]]:
    """Divide beats among commands."""
    found = [*beat.beats.items()]
    for first in range(0, len(found), PORTION):
        yield dict(found[first : first + PORTION])


def updates(some: Mapping[str, Heartbeat]) -> list[Document]:
    """Write beats as the statements of one ``update`` command; each stands for itself."""
    return [_made(uid, one) if one.number == 1 else _replaced(uid, one) for uid, one in some.items()]


def concern(some: Mapping[str, Heartbeat]) -> Document:
    """Return the write concern of beats: a first one is as durable as the commit that rests on it."""
    return {"w": "majority"} if any(one.number == 1 for one in some.values()) else {"w": 1}


def _made(uid: str, beat: Heartbeat) -> Document:
    """Write a first beat, which changes nothing where a pulse is, or was."""
    is_there = {"$or": [{"$gt": ["$n", None]}, {"$gt": ["$x", None]}]}
    new = {"_id": {"$literal": pulse_id(uid)}, "o": PULSE, **_fields(beat)}
    return {"q": {"_id": pulse_id(uid)}, "u": [{"$replaceWith": {"$cond": [is_there, "$$ROOT", new]}}], "upsert": True}


def _replaced(uid: str, beat: Heartbeat) -> Document:
    return {"q": {"_id": pulse_id(uid), "n": {"$lt": beat.number}}, "u": [{"$set": _fields(beat)}], "hint": "_id_"}


def _fields(beat: Heartbeat) -> Document:
    return {
        "n": beat.number,
        "l": beat.ttl // _US,
        "a": "$$NOW",
        "b": {"$add": ["$$NOW", -(-beat.ttl // _MS)]},
        "y": {"$literal": beat.key.text},
        "s": {"$literal": beat.progress},
    }


def ended(uid: str, number: int | None = None) -> Document:
    """Write the end of a pulse as a statement of a transaction.

    Where a beat beyond the number has arrived, the statement would have to insert an ``_id`` that is there, and fails.
    """
    query: Document = {"_id": pulse_id(uid)}
    if number is not None:
        query["n"] = {"$not": {"$gt": number}}
    return {"q": query, "u": _GONE, "upsert": True, "hint": "_id_"}


_GONE: Document = {"$currentDate": {"x": True}, "$unset": dict.fromkeys("onlabys", 1)}


def query(pulses: Pulses, now: datetime) -> Iterator[tuple[Document, str]]:
    """Write a query for pulses as filters, one after the other, each with its index."""
    whom: Document = {"$gt": pulse_id(pulses.after), "$lt": _BEHIND}
    due: Document = {"b": {"$lte": now}} if pulses.due else {}
    if pulses.uids is None:
        yield {"_id": whom, "o": PULSE, **due}, "pulses" if due else "_id_"
        return
    uids = sorted(uid for uid in set(pulses.uids) if uid > pulses.after)
    for first in range(0, len(uids), PORTION):
        yield {"_id": {"$in": [*map(pulse_id, uids[first : first + PORTION])]}, "o": PULSE, **due}, "_id_"


def behind(query: Document, found: Sequence[Document]) -> Document:
    """Return the filter for what comes after some documents."""
    return {**query, "_id": {**query["_id"], "$gt": found[-1]["_id"]}}


def read(document: Mapping[str, Any]) -> Pulse:
    """Read a pulse.

    Raises:
        Misconfigured: It is none that a store has written.
    """
    uid = uid_of(document)
    try:
        micros(document["b"])
        return Pulse(
            uid,
            Key.parse(document["y"]),
            int(document["n"]),
            document["l"] * _US,
            micros(document["a"]),
            str(document["s"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, InvalidResource) as problem:
        raise Misconfigured(
            f"Cannot read the pulse of the lease {uid}.",
            why=["its document is none that a store has written"],
            hint="check the store and repair what it finds; see that nobody else writes to this collection.",
            setting="namespace",
        ) from problem


def uid_of(document: Mapping[str, Any]) -> str:
    """Return the uid of the lease of a pulse."""
    return str(document["_id"]).removeprefix(pulse_id(""))


def micros(moment: datetime) -> int:
    """Write a time of the server in microseconds since 1970."""
    return (moment.replace(tzinfo=UTC) - EPOCH) // _US


def remade(uid: str, key: str, ttl: timedelta) -> Document:
    """Write the repair of a lease without a pulse as a statement."""
    new = {"_id": {"$literal": pulse_id(uid)}, "o": PULSE, **_fields(Heartbeat(Key.parse(key), 1, ttl))}
    whole = [{"$replaceWith": {"$cond": [{"$gt": ["$n", None]}, "$$ROOT", new]}}]
    return {"q": {"_id": pulse_id(uid)}, "u": whole, "upsert": True}


def removed(uid: str) -> Document:
    """Write the removal of a pulse that was left behind, or cannot be read, as a statement."""
    long_ago = {"$lt": ["$b", {"$subtract": ["$$NOW", LEFT_US // 1000]}]}
    is_broken = {"$or": [{"$ne": [{"$type": "$b"}, "date"]}, {"$ne": [{"$type": "$a"}, "date"]}, _NO_NUMBER, _NO_TEXT]}
    return {"q": {"_id": pulse_id(uid), "o": PULSE, "$expr": {"$or": [long_ago, is_broken]}}, "u": _GONE}


_NO_NUMBER: Document = {"$not": [{"$and": [{"$isNumber": "$n"}, {"$isNumber": "$l"}]}]}
_NO_TEXT: Document = {"$ne": [{"$type": "$y"}, "string"]}
