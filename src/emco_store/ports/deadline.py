"""The deadline of a call, which reaches whatever the call waits for without an argument of its own."""

from __future__ import annotations

from contextvars import ContextVar, Token
from time import monotonic

from emco_store.ports.replies import Unreachable

LATE = "the deadline of the call had passed before it could be asked"
NEAR_S = 0.25
"""Seconds before a deadline at which a backend no longer begins anew; see ``backends.patience.LEAST_S``."""
_end_s: ContextVar[float | None] = ContextVar("emco_store_deadline", default=None)


def time_left_s() -> float | None:
    """Return how long a request may still take, in seconds, 0 or less when it is late; None where nobody has said."""
    end_s = _end_s.get()
    return None if end_s is None else end_s - monotonic()


def is_near(end_s: float) -> bool:
    """Return whether a deadline has passed, or so little time is left that no request begins any more."""
    return monotonic() + NEAR_S >= end_s


def refuse_late(end_s: float) -> None:
    """Refuse to begin a request after the deadline of its call.

    Raises:
        Unreachable: It has passed.

    Rules: END-1.
    """
    if monotonic() >= end_s:
        raise Unreachable(LATE)


def begin(end_s: float) -> Token[float | None]:
    """Let every request from now on, in this context, end at a moment; return what :func:`end` takes.

    Args:
        end_s: The moment, as ``time.monotonic`` counts.

    Rules: END-2.
    """
    return _end_s.set(end_s)


def end(token: Token[float | None]) -> None:
    """End what :func:`begin` began."""
    _end_s.reset(token)
