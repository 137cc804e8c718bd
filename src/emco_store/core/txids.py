"""What the id of a commit says about its age; pure.

Outcomes are remembered for a while. An outcome that was forgotten must never be taken for a commit that did not happen,
so a backend judges the age of a commit by its own clock, and remembers the outcome of one that seems to come from the
future, because its client's clock is ahead, for longer.
"""

from __future__ import annotations

from datetime import timedelta

_LENGTH = 36


def begun_ms(txid: str) -> int | None:
    """Return when a commit began by the clock of its client, in milliseconds since 1970; None for ids without a time.

    Source: RFC 9562, section 5.7.
    """
    if len(txid) != _LENGTH or txid[14] != "7":
        return None
    try:
        return int(txid[:8] + txid[9:13], 16)
    except ValueError:
        return None


def may_be_forgotten(txid: str, now_ms: int, kept: timedelta) -> bool:
    """Return whether the outcome of a commit may have been forgotten by now.

    Args:
        txid: The id of the commit.
        now_ms: The time of the server, in milliseconds since 1970.
        kept: Outcome retention: how long outcomes are remembered.
    """
    begun = begun_ms(txid)
    return begun is not None and now_ms - begun > kept // timedelta(milliseconds=2)


def ahead_ms(txid: str, now_ms: int) -> int:
    """Return for how much longer an outcome must be remembered, because the client's clock is ahead of the server's."""
    begun = begun_ms(txid)
    return begun - now_ms if begun is not None and begun > now_ms else 0
