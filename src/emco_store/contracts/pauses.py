"""Points inside a request, at which the suite lets something else happen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum, auto


class Cut(Enum):
    """What a proxy does with the connection at a point."""

    BEFORE = auto()
    """End it; the message does not reach the server."""
    AFTER = auto()
    """Hand on the message, wait for the reply, and end it without the reply."""
    KEEP = auto()
    """Hand on the message, and keep a copy that can be sent again: see :meth:`Pauses.again`."""


class Pauses:
    """Counts the points that a request passes, and lets something happen at one of them.

    Attributes:
        passed: The number of points that were passed since something was planned.
        kept: Sends the message again that was kept last; whoever handles ``Cut.KEEP`` sets it.
    """

    def __init__(self) -> None:
        self.passed = 0
        self.kept: Callable[[], object] | None = None
        self._at = -1
        self._action: Callable[[], Cut | None] = lambda: None
        self._lock = threading.Lock()

    def arm(self, at: int, action: Callable[[], None]) -> None:
        """Call an action at the point with this number; the first one is 0."""

        def act() -> None:
            action()

        self._plan(at, act)

    def cut(self, at: int, moment: str) -> None:
        """End the connection ``before`` or ``after`` the message of a point; it does nothing without a proxy."""
        self._plan(at, lambda: Cut.BEFORE if moment == "before" else Cut.AFTER)

    def keep(self, at: int) -> None:
        """Keep the message of a point; it does nothing where messages do not stand alone."""
        self.kept = None
        self._plan(at, lambda: Cut.KEEP)

    def again(self) -> None:
        """Send the message that was kept once more, as a network does that repeats it late; its reply is lost."""
        if self.kept is not None:
            self.kept()

    def disarm(self) -> int:
        """Plan nothing any more, and return how many points were passed; later ones do not count."""
        with self._lock:
            self._at = -1
            return self.passed

    def point(self) -> Cut | None:
        """Pass a point: call this between two steps of a request, outside every lock that other requests need."""
        with self._lock:
            is_here = self.passed == self._at
            self.passed += 1
        return self._action() if is_here else None

    def _plan(self, at: int, action: Callable[[], Cut | None]) -> None:
        with self._lock:
            self.passed, self._at, self._action = 0, at, action
