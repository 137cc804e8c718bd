"""What a change stream has read last, for all readers of a process that stand near its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from itertools import islice
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
    """The newest events of a namespace, as the server sent them, and the places at which readers may stand.

    A reader whose place is gone reads by a stream of its own, until it has caught up.

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
        self._documents: deque[tuple[Document, int]] = deque()
        self._size = 0
        self._first = 0
        self._places = {cursor: 0}
        self._end: Mapping[str, Any] = {"_data": feed.place_of(namespace, cursor)}

    def __contains__(self, cursor: str) -> bool:
        with self._lock:
            return self._places.get(cursor, -1) >= self._first

    def add(self, reply: Document) -> None:
        """Add what the server has sent."""
        with self._lock:
            self.read_s = monotonic()
            for document in reply["cursor"]["nextBatch"]:
                size = _size_of(document)
                self._documents.append((document, size))
                self._size += size
                self._note(document["_id"])
            self._end = reply["cursor"]["postBatchResumeToken"]
            self._note(self._end)
            while len(self._documents) > MOST_EVENTS or (self._size > MOST_CHARACTERS and len(self._documents) > 1):
                self._size -= self._documents.popleft()[1]
                self._first += 1

    def page(self, events: Events) -> EventPage | None:
        """Return the next events, if there are any; None where the cursor is of no place that it keeps.

        Raises:
            Misconfigured: An outcome is none that a store has written.
        """
        with self._lock:
            begin = self._places.get(events.after or "", -1) - self._first
            if begin < 0:
                return None
            found = [document for document, _ in islice(self._documents, begin, begin + events.limit)]
            end = self._end
        return feed.page(self._namespace, events, {"cursor": {"nextBatch": found, "postBatchResumeToken": end}})

    def _note(self, token: Mapping[str, Any]) -> None:
        cursor = feed.cursor_at(self._namespace, token)
        self._places.pop(cursor, None)
        self._places[cursor] = self._first + len(self._documents)
        if len(self._places) > 2 * MOST_EVENTS:
            del self._places[next(iter(self._places))]


def _size_of(document: Document) -> int:
    told: list[Any] = [*document["fullDocument"]["f"]]
    return sum([len(part) for part in told if isinstance(part, str)])
