"""What the operators compute: pure functions from a state and input to a state and output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

WINDOW = 100
"""Events in a window."""
IN_ENTRY = 10
"""Events in an entry of the source."""

State = Mapping[str, int]
Output = tuple[State, list[list[Any]]]
"""The new state, and the values of each entry to write."""


def parse(state: State, entries: Iterable[Sequence[str]]) -> Output:
    """Read the text of events."""
    return state, [[int(text.removeprefix("event ")) for text in texts] for texts in entries]


def window(state: State, entries: Iterable[Sequence[int]]) -> Output:
    """Add up each window; the state holds the sum of the one that is not full."""
    count, total = state.get("count", 0), state.get("sum", 0)
    sums: list[list[int]] = []
    for values in entries:
        count, total = count + len(values), total + sum(values)
        if count >= WINDOW:
            sums.append([total])
            count, total = 0, 0
    return {"count": count, "sum": total}, sums


def sink(state: State, _: Iterable[Sequence[int]]) -> Output:
    """Write nothing: what the sink adds up is stored beside its checkpoint."""
    return state, []


STEPS: Mapping[str, Callable[[State, list[list[Any]]], Output]] = {"parse": parse, "window": window, "sink": sink}
"""What each operator does with entries of the one before it."""


def source(begin: int, events: int | None, most: int) -> Output:
    """Return the next entries of the stream, which needs no state.

    Args:
        begin: How many entries there are.
        events: Where the stream ends, as a multiple of :data:`IN_ENTRY`.
        most: Maximum number of entries to return.
    """
    end = begin + most if events is None else min(begin + most, events // IN_ENTRY)
    return {}, [[f"event {number * IN_ENTRY + one}" for one in range(IN_ENTRY)] for number in range(begin, end)]


def sum_of(events: int) -> int:
    """Return the sum of the numbers of all events of a stream, by formula."""
    return events * (events - 1) // 2
