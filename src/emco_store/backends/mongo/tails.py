"""What a change stream has read last, for all readers of a process that stand near its end."""

from __future__ import annotations

import threading
from bisect import bisect_right
from time import monotonic
from typing import Any, Final

from emco_store.backends.mongo import feed
from emco_store.backends.mongo.documents import Document
from emco_store.ports import EventPage, Events

MOST_EVENTS: Final = 1_000
"""How many events a tail keeps at most."""
MOST_CHARACTERS: Final = 8 * 2**20
"""How large they may be together; the newest one stays in any case."""


class Tail:
    """The newest events of a namespace, as the server sent them, for readers at places that the server has given.

    Places are texts that sort as what they stand for does. A reader whose place is before what is kept reads by a
    stream of its own, until it has caught up.

    Source: MongoDB manual, "Change Streams", resume tokens: hex-encoded tokens can be compared and sorted.

    Args:
        namespace: The namespace.
        cursor: Where it begins.

    Attributes:
        read_s: When it was read last, by ``time.monotonic``.
    """

    def __init__(self, namespace: str, cursor: str) -> None:
        self.read_s = monotonic()
        self._namespace = namespace
        self._lock = threading.Lock()
        self._floor = self._end = feed.place_of(namespace, cursor)
        self._places: list[str] = []
        self._documents: list[Document] = []
        self._size = 0
        self._given: dict[str, None] = {self._end: None}

    def add(self, reply: Document) -> None:
        """Add what the server has sent."""
        with self._lock:
            self.read_s = monotonic()
            for document in reply["cursor"]["nextBatch"]:
                self._places.append(document["_id"]["_data"])
                self._documents.append(document)
                self._size += _size_of(document)
                self._give(self._places[-1])
            self._end = reply["cursor"]["postBatchResumeToken"]["_data"]
            self._give(self._end)
            gone = 0
            while len(self._places) - gone > MOST_EVENTS or (
                self._size > MOST_CHARACTERS and len(self._places) - gone > 1
            ):
                self._size -= _size_of(self._documents[gone])
                self._floor = self._places[gone]
                gone += 1
            del self._places[:gone], self._documents[:gone]

    def admit(self, cursor: str) -> bool:
        """Return whether a reader that the server has led to a place can go on from there with this."""
        place = feed.place_of(self._namespace, cursor)
        with self._lock:
            if place < self._floor:
                return False
            self._give(place)
            return True

    def page(self, events: Events) -> EventPage | None:
        """Return the next events, if there are any; None where the cursor is of no place that it knows.

        Raises:
            FeedGap: It is a cursor of another namespace.
            InvalidCall: It is no cursor.
            Misconfigured: An outcome is none that a store has written.
        """
        place = feed.place_of(self._namespace, events.after or "")
        with self._lock:
            if place < self._floor or place not in self._given:
                return None
            begin = bisect_right(self._places, place)
            found = self._documents[begin : begin + events.limit]
            end = {"_data": max(place, self._end)}
        return feed.page(self._namespace, events, {"cursor": {"nextBatch": found, "postBatchResumeToken": end}})

    def _give(self, place: str) -> None:
        self._given.pop(place, None)
        self._given[place] = None
        if len(self._given) > 2 * MOST_EVENTS:
            del self._given[next(iter(self._given))]


def _size_of(document: Document) -> int:
    told: list[Any] = [*document["fullDocument"]["f"]]
    return sum([len(part) for part in told if isinstance(part, str)])
