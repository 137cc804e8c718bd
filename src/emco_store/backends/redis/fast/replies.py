"""What both fast transports share: how replies are read, and when a connection was idle for too long."""

from __future__ import annotations

import time
from typing import Any

import hiredis
from redis import exceptions

NOTHING = object()
"""What a reader returns while a reply is not whole."""
PUSHED: Any = getattr(hiredis, "PushNotification", ())
"""The class of what a server says unasked."""
GONE = "Connection closed by server."
LATE = "Timeout while talking to the server"


def reader() -> Any:
    """Make a reader of replies."""
    return hiredis.Reader(protocolError=exceptions.InvalidResponse, replyError=_refusal, notEnoughData=NOTHING)


def _refusal(text: str) -> Exception:
    kind = exceptions.NoScriptError if text.startswith("NOSCRIPT") else exceptions.ResponseError
    return kind(text.removeprefix("ERR "))


class Idle:
    """Says when a connection was idle for so long that its client wants it looked at first."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self.note()

    def note(self) -> None:
        """Note that it is used."""
        self._used_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether it has been so long."""
        return time.monotonic() - self._used_s > self._longest_s


def idle_of(connection: Any) -> Idle | None:
    """Return what watches a connection of redis-py; None where its client does not want that."""
    longest_s = getattr(connection, "health_check_interval", 0)
    return Idle(longest_s) if longest_s else None
