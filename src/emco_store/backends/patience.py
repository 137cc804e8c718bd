"""How long one request is tried; the same for every backend that talks to a server."""

from __future__ import annotations

import random
from math import inf
from time import monotonic

from emco_store.ports.deadline import time_left_s

REQUEST_S = 10.0
"""How long a request may take if its call has no deadline, with all that is sent again meanwhile."""
OUTRIGHT_S = 2.0
"""How long a server is tried that refuses outright: nothing listens, or there is no such host. It may be starting."""
LEAST_S = 0.2
"""No further attempt begins with less time: a commit that its deadline cuts off is unknown, a refused one is known."""
FIRST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.05


class Patience:
    """The time that one request has: pauses with full jitter, until a deadline.

    Args:
        within_s: How long the request may take, in seconds, if its call has no deadline.
        looking_s: How long a server that cannot be reached is looked for.
        begin_s: When the request began, as ``time.monotonic`` counts; by default now.
    """

    __slots__ = ("_attempt_s", "_begin_s", "_bound_s", "_end_s", "_longest_s", "_looking_s")

    def __init__(self, within_s: float = REQUEST_S, looking_s: float = inf, *, begin_s: float | None = None) -> None:
        now_s, left_s = monotonic(), time_left_s()
        self._begin_s = now_s if begin_s is None else begin_s
        self._end_s = self._begin_s + within_s if left_s is None else now_s + left_s
        self._looking_s = looking_s
        self._bound_s = FIRST_PAUSE_S
        self._attempt_s = self._begin_s  # when the attempt began that goes on
        self._longest_s = 0.0  # of the attempts that were refused

    @property
    def left_s(self) -> float:
        """How long the next attempt may take."""
        return max(self._end_s - monotonic(), FIRST_PAUSE_S)

    @property
    def has_time(self) -> bool:
        """Whether there is time for another attempt."""
        return monotonic() + LEAST_S < self._end_s

    def pause_s(self) -> float | None:
        """Return how long to wait after a refusal; None where an attempt as long as the longest would be cut off."""
        self._longest_s = max(self._longest_s, monotonic() - self._attempt_s)
        return self._pause_s(self._end_s - self._longest_s)

    def pause_without_server_s(self, *, is_outright: bool) -> float | None:
        """Return how long to wait before a server is looked for again that was not there; None where to give up."""
        looking_s = min(self._looking_s, OUTRIGHT_S) if is_outright else self._looking_s
        return self._pause_s(min(self._end_s, self._begin_s + looking_s))

    def _pause_s(self, end_s: float) -> float | None:
        pause_s = random.uniform(0, self._bound_s)  # noqa: S311 - a pause
        self._bound_s = min(2 * self._bound_s, LONGEST_PAUSE_S)
        self._attempt_s = monotonic() + pause_s
        return pause_s if self._attempt_s + LEAST_S < end_s else None
