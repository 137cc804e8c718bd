"""How counts are written in messages and plans."""

from __future__ import annotations


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 resource``, ``2 resources``; with an irregular plural, ``2 entries``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
