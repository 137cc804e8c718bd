"""Where a store takes moments and identifiers from."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where a store takes the time from."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        ...


class IdSource(Protocol):
    """Where a store takes identifiers from."""

    def new(self) -> str:
        """Return a text that was never returned before, in any process."""
        ...
