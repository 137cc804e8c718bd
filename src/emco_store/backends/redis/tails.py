"""What readers in one process have read of the feed last, for those among them that are near its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from time import monotonic

from emco_store.backends.newest import Newest
from emco_store.backends.redis import feed
from emco_store.backends.redis.feed import Entry, Place
from emco_store.ports import EventPage, Events

ENDS = 64
"""How many places are remembered at which a reader has found nothing more."""


class Tail:
    """The newest events of a feed, as the server sent them.

    A reader continues with it if its cursor names an event that the tail has, with its txid, or the one before them.

    Attributes:
        read_s: When the server last sent something for it, by ``time.monotonic``.
    """

    def __init__(self) -> None:
        self.read_s = -1.0
        self._lock = threading.Lock()
        self._newest: Newest[Place, Entry] | None = None
        self._ends: deque[Place] = deque(maxlen=ENDS)

    def page(self, events: Events, fresh_s: float) -> EventPage | None:
        """Return the next events, if there are any.

        Args:
            events: What is asked for.
            fresh_s: How old what the server has sent may be, in seconds.

        Returns:
            None where the tail does not have the event of the cursor, or what follows it is too old.

        Raises:
            InvalidCall: What it names as a cursor is none.
            Misconfigured: An event is none that a store has written.
        """
        place = feed.place_of(events.after or "")
        with self._lock:
            if self._newest is None or not self._newest.has(place):
                return None
            found = self._newest.after(place, events.limit)
            if found and monotonic() - self.read_s > fresh_s:
                return None
        return feed.page(place, found)

    def begin(self, place: Place) -> None:
        """Begin anew at a place, unless it ends there anyway."""
        with self._lock:
            if self._newest is None or self._newest.end != place:
                self._newest = Newest(place)

    def add(self, place: Place, entries: Sequence[Entry]) -> None:
        """Add the entries that follow a place, unless others have been added there meanwhile."""
        with self._lock:
            self.read_s = monotonic()
            if self._newest is None or self._newest.end != place:
                return
            for entry in entries:
                self._newest.add(feed.place_in(entry), entry, sum(map(len, entry)))
            self._newest.trim()

    def note_end(self, place: Place) -> None:
        """Remember that nothing more was there after a place."""
        with self._lock:
            self._ends.append(place)

    def is_end(self, place: Place) -> bool:
        """Return whether a reader has found nothing more after a place."""
        with self._lock:
            return place in self._ends
