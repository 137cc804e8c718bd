"""How a reader of the feed asks for what comes next, judged by how the events before it came; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from time import monotonic

from emco_store.backends.redis.feed import Entry

GATHER_S = 0.002
"""How long commits gather before a request that follows another one, in seconds."""
FRESH_S = 0.05
"""How old a reply may be that was there before its reader, in seconds: a failover may have forgotten its events."""
AHEAD = 8
"""How many waits are sent ahead, after as many events that came singly."""
AHEAD_S = 0.1
"""How long each of them waits, in seconds."""


class Pace:
    """What one connection has sent, and what its next request is.

    Where commits come fast, they gather before a request, which reads without a wait. Where they come singly, a request
    has several waits. The server begins each when the one before has ended, and is not woken by a request for each.

    Replies to waits that were sent ahead may come before their reader. Such a reply came after the last one that had to
    be waited for, so it is no older than the time that readers have been away since then.

    Attributes:
        open: How many waits were sent whose replies nobody has read.
        is_fast: Whether the last reply had several events.
    """

    def __init__(self) -> None:
        self.open = 0
        self.is_fast = False
        self._singles = 0
        self._away_s = 0.0
        self._began_s = self._ended_s = -inf

    def begin(self, within_s: float) -> bool:
        """Note that a reader comes, which may wait so long; return whether it may read the reply to an open wait."""
        self._began_s = monotonic()
        self._away_s += self._began_s - self._ended_s
        is_in_time = self._away_s <= FRESH_S and within_s >= AHEAD_S
        if not is_in_time:
            self._singles = 0
        return is_in_time and self.open > 0

    def gathering_s(self) -> float:
        """Return for how long commits must still gather before a request, in seconds; it may be negative."""
        return self._ended_s + GATHER_S - monotonic()

    def send(self) -> int:
        """Note that a request is sent; return how many waits it has beside the first one."""
        ahead = AHEAD if self._singles >= AHEAD else 0
        self.open, self._away_s = 1 + ahead, 0.0
        return ahead

    def end(self, found: Sequence[Entry] | None) -> None:
        """Note what the reply said: the events that follow, or None where it does not tell."""
        count = 0 if found is None else len(found)
        self.open -= 1
        self.is_fast = count > 1
        self._singles = self._singles + 1 if count == 1 else -self.open  # these have one each, however fast they come
        self._ended_s = monotonic()
        if self._ended_s - self._began_s > GATHER_S:  # it had to be waited for
            self._away_s = 0.0
