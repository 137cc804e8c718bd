"""Strategies: when work whose worker has died begins again, and when people must see to it.

A strategy is a pure function of what has failed. What it needs to remember is in the operators themselves, so that the
next supervisor goes on with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from emco_store.core.keys import Key
from emco_store.core.wording import count
from emco_store.errors import InvalidCall

MOST_FAILURES: Final = 100
"""How many failures an operator remembers at most: the newest ones."""
_LONGEST: Final = timedelta(days=366)
_LARGEST_FACTOR: Final = 100
_SPAN: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
Span = timedelta | str
"""A time span: a ``timedelta``, or text such as ``"1s"``, ``"1.5m"`` or ``"10ms"``; the units are ms, s, m, h and d."""


class Failed(NamedTuple):
    """What a strategy decides about: one operator, or all operators of a region, that have lost their worker.

    Attributes:
        operators: Those that have lost their worker; the others of their region are not among them.
        at: The time of the failure, by the clock of the server.
        since: When they were assigned, by the same clock.
        failures: The times of earlier failures that still count, the oldest first; at most 100.
        attempts: How often they have been assigned, the greatest number among them.
    """

    operators: tuple[Key, ...]
    at: datetime
    since: datetime | None
    failures: tuple[datetime, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Assign the work again.

    Attributes:
        after: How long to wait before; 0 or more.
        failures: Which of the earlier failures still count; None for all of them. This failure always does.
    """

    after: timedelta = timedelta(0)
    failures: tuple[datetime, ...] | None = None

    def __post_init__(self) -> None:
        checked_span("after", self.after)


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave the work alone until somebody has seen to it.

    Attributes:
        reason: Why, for people.
    """

    reason: str

    def __post_init__(self) -> None:
        given: Any = self.reason
        if not isinstance(given, str) or not given:
            raise InvalidCall(
                "Cannot give up without a reason.", why=[f"reason= is {given!r:.40}"], hint="give a text."
            )


Strategy = Callable[[Failed], Restart | GiveUp]
"""Says what happens to work that has lost its worker. It must be pure: it may be asked twice about one failure."""


@dataclass(frozen=True, slots=True)
class Reassign:
    """Assign the work again at once, however often it fails."""

    def __call__(self, failed: Failed) -> Restart:
        """See :data:`Strategy`."""
        return Restart(failures=failed.failures)


@dataclass(frozen=True, slots=True)
class Escalate:
    """Leave all work alone that has lost its worker, until somebody has seen to it."""

    def __call__(self, failed: Failed) -> GiveUp:
        """See :data:`Strategy`."""
        return GiveUp(f"{count(len(failed.operators), 'operator')} lost the worker, and none is restarted by itself")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Wait before the work is assigned again, longer after each failure.

    Attributes:
        first: How long to wait after the first failure.
        factor: By how much the wait grows with each further failure, 1 to 100.
        most: How long to wait at most.
        reset: After which time without a failure the next one counts as the first.

    Raises:
        InvalidCall: A time span or the factor cannot be used.
    """

    first: Span = "1s"
    factor: float = 2
    most: Span = "1m"
    reset: Span = "10m"

    def __post_init__(self) -> None:
        first, most = checked_span("first", self.first), checked_span("most", self.most)
        checked_span("reset", self.reset)
        given: Any = self.factor
        if isinstance(given, bool) or not isinstance(given, int | float) or not 1 <= given <= _LARGEST_FACTOR:
            raise InvalidCall(
                f"Cannot wait with factor={given!r:.40}.",
                why=["the wait grows by it with each failure"],
                hint=f"give a number from 1 to {_LARGEST_FACTOR}.",
            )
        if first > most:
            raise InvalidCall(
                "Cannot wait longer at first than at most.",
                why=[f"first= is {first}, and most= is {most}"],
                hint="give a first= of at most most=.",
            )

    def wait(self, failures: int) -> timedelta:
        """Return how long to wait after a failure that has come after so many others."""
        first, most = checked_span("first", self.first), checked_span("most", self.most)
        wait_s = first.total_seconds() * self.factor ** min(failures, MOST_FAILURES)
        return timedelta(seconds=min(most.total_seconds(), wait_s))

    def __call__(self, failed: Failed) -> Restart:
        """See :data:`Strategy`."""
        ran_well = failed.since is not None and failed.at - failed.since >= checked_span("reset", self.reset)
        failures = () if ran_well else failed.failures
        return Restart(self.wait(len(failures)), failures)


@dataclass(frozen=True, slots=True)
class FailureRate:
    """Assign the work again, until it fails too often.

    Attributes:
        limit: How many failures within ``per`` are followed by a restart, 1 to 99; the next one is not.
        per: The time span in which failures count.
        pause: How long to wait before each restart.

    Raises:
        InvalidCall: A time span or the limit cannot be used.
    """

    limit: int
    per: Span
    pause: Span = timedelta(0)

    def __post_init__(self) -> None:
        checked_span("pause", self.pause)
        if not checked_span("per", self.per):
            raise InvalidCall("Cannot count failures per no time.", why=["per= is 0"], hint="give a time span above 0.")
        given: Any = self.limit
        if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given < MOST_FAILURES:
            raise InvalidCall(
                f"Cannot restart at most {given!r:.40} times.",
                why=["limit= is not a whole number that can be counted"],
                hint=f"give a number from 1 to {MOST_FAILURES - 1}.",
            )

    def __call__(self, failed: Failed) -> Restart | GiveUp:
        """See :data:`Strategy`."""
        per = checked_span("per", self.per)
        recent = tuple(time for time in failed.failures if abs(failed.at - time) < per)
        if len(recent) >= self.limit:
            return GiveUp(f"{len(recent) + 1} failures within {per}, of which {self.limit} are allowed")
        return Restart(checked_span("pause", self.pause), recent)


def checked_span(name: str, given: Any) -> timedelta:
    """Return a time span of 0 or more, at most a year.

    Args:
        name: The name of the argument.
        given: A ``timedelta``, or text such as ``"1s"``.

    Raises:
        InvalidCall: It is neither, below zero, or too long.
    """
    found = given
    if isinstance(given, str) and (match := _SPAN.fullmatch(given)):
        try:
            found = float(match[1]) * _UNITS[match[2]]
        except OverflowError:
            found = _LONGEST * 2
    if not isinstance(found, timedelta):
        raise InvalidCall(
            f"Cannot use {name}={given!r:.40}.",
            why=["a number alone does not say its unit" if isinstance(given, int | float) else "it is no time span"],
            hint='give a timedelta, or text such as "500ms", "1s", "10m", "2h" or "1d".',
        )
    if not timedelta(0) <= found <= _LONGEST:
        raise InvalidCall(
            f"Cannot use {name}={given!r:.40}.",
            why=["it is below zero" if found < timedelta(0) else "it is longer than a year"],
            hint="give a time span from 0 to 366 days.",
        )
    return found
