"""Times as they are stored, in microseconds since 1970, and as people and programs read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """Return the moment, in UTC, that many microseconds after the beginning of 1970."""
    return EPOCH + timedelta(microseconds=microseconds)
