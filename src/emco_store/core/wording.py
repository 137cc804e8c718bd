"""How counts are written in messages and plans."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 resource``, ``2 resources``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
