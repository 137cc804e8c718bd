"""The newest entries of a feed, for several readers in one process."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

MOST_EVENTS: Final = 1_000
"""How many entries are kept at most."""
MOST_CHARACTERS: Final = 8 * 2**20
"""How large they may be together; the newest one stays in any case."""


class Place(Protocol):
    """Where an entry stands. Places sort as the entries do."""

    def __lt__(self, other: Any, /) -> bool:
        """Return whether this place is before another."""
        ...


P = TypeVar("P", bound=Place)
E = TypeVar("E")


class Newest(Generic[P, E]):
    """The newest entries of a feed, in order. It has no lock of its own.

    Args:
        floor: The place after which it begins.

    Attributes:
        floor: The place after which it has all entries.
        end: The place up to which it has them.
    """

    def __init__(self, floor: P) -> None:
        self.floor = self.end = floor
        self._places: list[P] = []
        self._entries: list[tuple[E, int]] = []
        self._size = 0

    def add(self, place: P, entry: E, size: int) -> None:
        """Add the entry that follows the last one, of this size in characters."""
        self.end = place
        self._places.append(place)
        self._entries.append((entry, size))
        self._size += size

    def trim(self) -> None:
        """Forget what is too much."""
        gone = 0
        while len(self._places) - gone > MOST_EVENTS or (self._size > MOST_CHARACTERS and len(self._places) - gone > 1):
            self._size -= self._entries[gone][1]
            self.floor = self._places[gone]
            gone += 1
        del self._places[:gone], self._entries[:gone]

    def has(self, place: P) -> bool:
        """Return whether a place is its floor, or that of an entry which it has."""
        at = bisect_right(self._places, place)
        return place == (self._places[at - 1] if at else self.floor)

    def after(self, place: P, limit: int) -> Sequence[E]:
        """Return the entries after a place, at most so many."""
        begin = bisect_right(self._places, place)
        return [entry for entry, _ in self._entries[begin : begin + limit]]
