"""What one call of a store has cost so far, where somebody counts: see :mod:`emco_store.otel`."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """The counts of one call.

    Attributes:
        owner: The store.
        attempts: How many attempts were begun.
        conflicts: How many of them lost a race.
        round_trips: How many requests were made to the backend.
        written: How many records its commits have written.
        is_over: Whether the call has ended.
    """

    owner: object
    attempts: int = 1
    conflicts: int = 0
    round_trips: int = 0
    written: int = 0
    is_over: bool = False


_current: ContextVar[Tally | None] = ContextVar("emco_store_tally", default=None)


def current() -> Tally | None:
    """Return the tally of the call that goes on; None where nobody counts."""
    return _current.get()


def begin(tally: Tally) -> Token[Tally | None]:
    """Count into a tally from now on, in this context; return what :func:`end` takes."""
    return _current.set(tally)


def end(token: Token[Tally | None]) -> None:
    """End what :func:`begin` began."""
    _current.reset(token)


def lost() -> bool:
    """Count a lost race, and return True."""
    tally = _current.get()
    if tally is not None:
        tally.conflicts += 1
    return True


def again() -> None:
    """Count another attempt."""
    tally = _current.get()
    if tally is not None:
        tally.attempts += 1
