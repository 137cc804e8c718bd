"""Histories written by hand, as short as can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emco_store.contracts.histories.history import Operation, Result


def transaction(
    process: str, span: tuple[int, int | None], *steps: Sequence[Any], result: Result = Result.OK
) -> Operation:
    """Make one operation.

    Args:
        process: Who.
        span: When it was called and when it returned.
        steps: What it did.
        result: How it ended.
    """
    return Operation(process, span[0], span[1], result, tuple(steps))


def read(name: str, *values: int) -> tuple[str, str, tuple[int, ...]]:
    """Read a list."""
    return "read", name, values


def append(name: str, value: int) -> tuple[str, str, int]:
    """Append to a list."""
    return "append", name, value
