"""Work queues: keys that wait to be worked on, each once, and one worker at a key at a time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import NamedTuple

from emco_store.core.keys import Key


class Task(NamedTuple):
    """A key that somebody works on.

    Attributes:
        key: The key.
        failures: How often the work on it has failed since it last succeeded.
    """

    key: Key
    failures: int


class WorkQueue:
    """Keys that wait, and keys that are worked on. Times are seconds of the own clock, as the caller gives them.

    - A key that is added again while it waits, waits once: until the earlier of the two times.
    - A key that is added while it is worked on waits for the end of that, and is worked on again.
    - After a failure a key waits, longer each time, although it was added meanwhile: the work itself may have changed
      what it is about. What is added after that counts at once.

    Args:
        wait_s: Returns for how long a key waits, given how often the work on it has failed before.

    Rules: FEED-14.
    """

    def __init__(self, wait_s: Callable[[int], float]) -> None:
        self._wait_s = wait_s
        self._due: dict[Key, float] = {}
        self._order: list[tuple[float, int, Key]] = []
        self._busy: dict[Key, float | None] = {}
        self._failures: dict[Key, int] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._due) + len(self._busy)

    @property
    def is_busy(self) -> bool:
        """Whether anything is worked on."""
        return bool(self._busy)

    def add(self, key: Key, due_s: float) -> None:
        """Let a key be worked on from some time on."""
        if key in self._busy:
            before = self._busy[key]
            self._busy[key] = due_s if before is None else min(before, due_s)
        elif key not in self._due or due_s < self._due[key]:
            self._due[key] = due_s
            heappush(self._order, (due_s, next(self._numbers), key))

    def take(self, now_s: float) -> Task | None:
        """Return the key that has waited for longest; None if none is due."""
        due_s = self.next_s()
        if due_s is None or due_s > now_s:
            return None
        _, _, key = heappop(self._order)
        del self._due[key]
        self._busy[key] = None
        return Task(key, self._failures.get(key, 0))

    def next_s(self) -> float | None:
        """Return when the next key is due; None if none waits."""
        while self._order and self._due.get(self._order[0][2]) != self._order[0][0]:
            heappop(self._order)  # it was moved to an earlier time
        return self._order[0][0] if self._order else None

    def done(self, key: Key, now_s: float, *, has_failed: bool, again_s: float | None = None) -> None:
        """End the work on a key.

        Args:
            key: The key.
            now_s: The time.
            has_failed: Whether it is to be tried again, after a while.
            again_s: When it is to be worked on again at the latest, if it has not failed.
        """
        added_s = self._busy.pop(key)
        if has_failed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            self.add(key, now_s + self._wait_s(failures))
            return
        self._failures.pop(key, None)
        for due_s in (added_s, again_s):
            if due_s is not None:
                self.add(key, due_s)
