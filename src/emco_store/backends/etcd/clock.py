"""The clocks of etcd's servers, read from the header ``Date`` of their answers.

The API of etcd tells no time. Each answer over HTTP has a date, in whole seconds, by the clock of the member that gives
it. An answer shows how far that clock is ahead of the own monotonic one, to a second and the time that the answer took.
Every further answer narrows this, and two of them on both sides of a full second narrow it to the time between them.
"""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import NamedTuple

SECOND_US = 1_000_000
NARROW_US = 100_000
"""How exactly a clock must be known to be told, in microseconds."""
FRESH_US = SECOND_US
"""For how long an answer tells the time: if the clock is set meanwhile, the next answer shows it."""
STEP_S = 0.02
"""How often a clock is looked at that is not known so exactly, in seconds; for at most about a second."""
_DRIFT = 10_000
"""The part of the time by which two clocks of good machines drift apart: one of so many, so 0.1 ms a second."""


class Bounds(NamedTuple):
    """How far the clock of a server is ahead of the own monotonic one.

    Attributes:
        low_us: At least so much.
        high_us: At most so much.
        at_us: As of when, by the own monotonic clock.
    """

    low_us: int
    high_us: int
    at_us: int

    @property
    def is_narrow(self) -> bool:
        """Whether the clock is known as exactly as it can be told."""
        return self.high_us - self.low_us <= NARROW_US

    def now_us(self, own_us: int) -> int:
        """Return the time of the server."""
        return own_us + (self.low_us + self.high_us) // 2


def narrowed(known: Bounds | None, date_us: int, *, sent_us: int, received_us: int) -> Bounds:
    """Return what an answer shows, together with what was known; alone, where the clock has been set meanwhile.

    Args:
        known: What was known.
        date_us: The date of the answer, in microseconds since 1970; a full second.
        sent_us: When the request was sent, by the own monotonic clock.
        received_us: When the answer was there.
    """
    seen = Bounds(date_us - received_us, date_us + SECOND_US - sent_us, received_us)
    if known is None:
        return seen
    drift_us = max(received_us - known.at_us, 0) // _DRIFT
    low_us = max(known.low_us - drift_us, seen.low_us)
    high_us = min(known.high_us + drift_us, seen.high_us)
    return Bounds(low_us, high_us, received_us) if low_us <= high_us else seen


@lru_cache(maxsize=16)  # the same for all answers of a second
def date_us(text: str) -> int:
    """Read a header ``Date``, in microseconds since 1970.

    Raises:
        ValueError: It is none.
    """
    return int(parsedate_to_datetime(text).replace(tzinfo=UTC).timestamp()) * SECOND_US


def own_us() -> int:
    """Return the own monotonic clock, in microseconds."""
    return time.monotonic_ns() // 1000
