"""The feed on MongoDB: what is written into outcomes, what is sent to read them, and what the replies mean; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from bson import Timestamp

from emco_store.backends.feeds import TRIMMED, each_change, read_changes, write_changes
from emco_store.backends.mongo.documents import Document
from emco_store.core.events import Event
from emco_store.core.messages import read_messages, write_messages
from emco_store.core.origins import read_origin, write_origin
from emco_store.core.records import Stamp
from emco_store.errors import FeedGap, Misconfigured, StoreError
from emco_store.ports import Commit, EventPage, Events, feed_gap, no_cursor

LOST: Final = frozenset({136, 280, 286})
"""CappedPositionLost, ChangeStreamFatalError, ChangeStreamHistoryLost: the oplog does not hold the event any more."""
NONE: Final = frozenset({9, 14, 15, 22, 260, 50811})
"""FailedToParse, TypeMismatch, Overflow, InvalidBSON, InvalidResumeToken, and a text that is no key of the server."""
MARGIN_S: Final = 10
"""How far the clocks of servers may be apart where the beginning of a feed is sought."""
_UNKNOWN: Final = Stamp("", 0)
_OVER: Final = ("drop", "rename", "dropDatabase", "invalidate")
"""What ends the history of a collection."""
_CURSOR: Final = re.compile(r"(.*)\.([0-9A-F]{2,})", re.DOTALL)
_PIPELINE: Final[Sequence[Document]] = (
    {
        "$match": {
            "$or": [
                {"operationType": "insert", "fullDocument.f": {"$exists": True}},
                {"operationType": {"$in": list(_OVER)}},
            ]
        }
    },
    {"$project": {"operationType": 1, "fullDocument._id": 1, "fullDocument.f": 1}},
)


def told(commit: Commit) -> list[str]:
    """Return what stands in the outcome of a commit for the feed: its changes, who made it and why, and its messages.

    Empty parts at the end are left out. By what the commit says: a record that it deletes without a word of its state
    has neither uid nor version here. Nothing where it writes nothing.
    """
    if not commit.size:
        return []
    stamps = dict(commit.expect)
    for key in commit.deletes:
        if stamps.get(key) is None:
            stamps[key] = _UNKNOWN
    for record in commit.puts:
        if record.version > 1:
            stamps.setdefault(record.key, record.stamp)
    text = write_changes(each_change(commit, stamps))
    parts = [text, write_origin(commit.origin).decode(), write_messages(commit.messages).decode()]
    while not parts[-1]:
        parts.pop()
    return parts


def begin(collection: str, place: str | Timestamp) -> Document:
    """Return the command that opens a change stream.

    Args:
        collection: The collection of the namespace.
        place: The place after which it begins, or the time at which it does.
    """
    stream: Document = {"resumeAfter": {"_data": place}} if isinstance(place, str) else {"startAtOperationTime": place}
    return {
        "aggregate": collection, "pipeline": [{"$changeStream": stream}, *_PIPELINE], "cursor": {"batchSize": 0},
        "readConcern": {"level": "majority"},
    }  # fmt: skip


def oldest(collection: str) -> Document:
    """Return the command that reads the time of the oldest outcome."""
    return {
        "find": collection,
        "filter": {"t": {"$exists": True}},
        "sort": {"t": 1},
        "limit": 1,
        "projection": {"t": 1},
    }


def times(found: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[Timestamp]:
    """Yield times at which a feed may begin, the earliest first: the oplog may hold less than the outcomes.

    Args:
        found: The reply to :func:`oldest`.
        now: When it is on the server.
    """
    if found:
        until_s = int(now.replace(tzinfo=UTC).timestamp())
        age_s = until_s - int(found[0]["t"].replace(tzinfo=UTC).timestamp()) + MARGIN_S
        while age_s > 0:
            yield Timestamp(until_s - age_s, 1)
            age_s //= 2


def after(time: Timestamp) -> Timestamp:
    """Return the first time after another one."""
    return Timestamp(time.time, time.inc + 1)


def more(collection: str, number: int, limit: int, wait_s: float) -> Document:
    """Return the command that reads on in a change stream, and waits if there is nothing.

    Args:
        collection: The collection of the namespace.
        number: The number of the stream on the server.
        limit: Maximum number of events.
        wait_s: How long to wait, in seconds.
    """
    return {
        "getMore": number, "collection": collection, "batchSize": limit, "maxTimeMS": max(int(wait_s * 1000), 1),
    }  # fmt: skip


def place_of(namespace: str, cursor: str) -> str:
    """Return the place in the oplog that a cursor names.

    Raises:
        FeedGap: It is a cursor of another namespace.
        InvalidCall: It is no cursor.
    """
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise no_cursor(cursor)
    if found[1] != namespace:
        raise feed_gap("it is of another namespace", cursor)
    return found[2]


def cursor_at(namespace: str, token: Mapping[str, Any]) -> str:
    """Return the cursor of a place in the oplog. The server does not say of which collection a place is, so it does."""
    return f"{namespace}.{token['_data']}"


def page(namespace: str, events: Events, reply: Document) -> EventPage:
    """Read the reply of a change stream.

    Raises:
        FeedGap: The collection was dropped or renamed.
        Misconfigured: An outcome is none that a store has written.
    """
    found: list[Event] = []
    for document in reply["cursor"]["nextBatch"]:
        if document["operationType"] in _OVER:
            if not found:
                raise _over(events.after)
            return EventPage(found[-1].cursor, tuple(found))
        found.append(_event(cursor_at(namespace, document["_id"]), document["fullDocument"]))
    end = found[-1].cursor if found else cursor_at(namespace, reply["cursor"]["postBatchResumeToken"])
    return EventPage(end, tuple(found))


def is_over(reply: Document) -> bool:
    """Return whether the reply of a change stream tells of the end of the history of the collection."""
    return any(document["operationType"] in _OVER for document in reply["cursor"]["nextBatch"])


def refused(code: int | None, events: Events) -> StoreError | None:
    """Return what it means that the server does not open, or go on with, a change stream; None for anything else."""
    if events.after is None:
        return None
    if code in LOST:
        return feed_gap(TRIMMED, events.after)
    return no_cursor(events.after) if code in NONE else None


def _event(cursor: str, outcome: Document) -> Event:
    try:
        text, who, messages = (*outcome["f"], "", "")[:3]
        txid = outcome["_id"].removeprefix("tx:")
        return Event(
            cursor, txid, read_changes(text), read_origin(who.encode()), messages=read_messages(messages)
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, StoreError) as problem:
        raise Misconfigured(
            f"Cannot read the event {cursor:.80} of the feed.",
            why=["its outcome is none that a store has written"],
            hint="see that nobody else writes to the collection of this namespace, and watch from now.",
            setting="namespace",
        ) from problem


def _over(cursor: str | None) -> FeedGap:
    return feed_gap("the collection of the namespace was dropped or renamed", cursor or "")
