"""What a change stream has read last, for all readers of a process that stand near its end."""

from __future__ import annotations

import threading
from time import monotonic
from typing import Any

from emco_store.backends.mongo import feed
from emco_store.backends.mongo.documents import Document
from emco_store.backends.newest import MOST_EVENTS, Newest
from emco_store.ports import EventPage, Events


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
        end: Where the stream stands.
    """

    def __init__(self, namespace: str, cursor: str) -> None:
        self.read_s = monotonic()
        self._namespace = namespace
        self._lock = threading.Lock()
        place = feed.place_of(namespace, cursor)
        self._newest: Newest[str, Document] = Newest(place)
        self.end = place
        self._given: dict[str, None] = {place: None}

    def add(self, reply: Document) -> None:
        """Add what the server has sent."""
        with self._lock:
            self.read_s = monotonic()
            for document in reply["cursor"]["nextBatch"]:
                self._newest.add(document["_id"]["_data"], document, _size_of(document))
                self._give(self._newest.end)
            self.end = reply["cursor"]["postBatchResumeToken"]["_data"]
            self._give(self.end)
            self._newest.trim()

    def admit(self, cursor: str) -> bool:
        """Return whether a reader that the server has led to a place can go on from there with this."""
        place = feed.place_of(self._namespace, cursor)
        with self._lock:
            if place < self._newest.floor:
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
            if place < self._newest.floor or place not in self._given:
                return None
            found = self._newest.after(place, events.limit)
            end = {"_data": max(place, self.end)}
        return feed.page(self._namespace, events, {"cursor": {"nextBatch": found, "postBatchResumeToken": end}})

    def _give(self, place: str) -> None:
        self._given.pop(place, None)
        self._given[place] = None
        if len(self._given) > 2 * MOST_EVENTS:
            del self._given[next(iter(self._given))]


def _size_of(document: Document) -> int:
    told: list[Any] = [*document["fullDocument"]["f"]]
    return sum([len(part) for part in told if isinstance(part, str)])
