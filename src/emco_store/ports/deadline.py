"""The deadline of a call, which reaches whatever the call waits for without an argument of its own."""

from __future__ import annotations

from contextvars import ContextVar, Token
from time import monotonic

from emco_store.ports.replies import Unreachable

LATE = "the deadline of the call had passed before it could be asked"
_end_s: ContextVar[float | None] = ContextVar("emco_store_deadline", default=None)


def time_left_s() -> float | None:
    """Return how long a request may still take, in seconds, 0 or less when it is late; None where nobody has said."""
    end_s = _end_s.get()
    return None if end_s is None else end_s - monotonic()


def refuse_late(end_s: float) -> None:
    """Refuse to begin a request after the deadline of its call.

    Raises:
        Unreachable: It has passed.

    Rules: END-1.
    """
    if monotonic() >= end_s:
        raise Unreachable(LATE)


class ends_at:  # noqa: N801 - used like a function; a generator would cost each call a microsecond more
    """Let every request of a block end at a moment; None changes nothing.

    Args:
        end_s: The moment, as ``time.monotonic`` counts.

    Rules: END-2.
    """

    __slots__ = ("_end_s", "_token")

    def __init__(self, end_s: float | None) -> None:
        self._end_s = end_s

    def __enter__(self) -> None:
        """Begin."""
        self._token: Token[float | None] | None = None if self._end_s is None else _end_s.set(self._end_s)

    def __exit__(self, *_: object) -> None:
        """End."""
        if self._token is not None:
            _end_s.reset(self._token)
