"""The ordered map that a key-value backend stands on: what a database must be able to do, and nothing about resources.

Whoever has one (etcd, FoundationDB, TiKV, a table of SQL) subclasses :class:`OrderedMap`; :mod:`.port` does the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

from emco_store.core.values import Nothing, value
from emco_store.ports import Durability, Unreachable, WriteLimits

Limits = WriteLimits
"""What one write of a map can hold."""
ABSENT: Final = 0
"""Stands for the revision of an entry that is not there."""
_NOTHING: Final[Mapping[bytes, int]] = Nothing()
_NO_PUTS: Final[Mapping[bytes, bytes]] = Nothing()


class Outright(Unreachable):
    """Raised by a map that cannot be reached, and will not be until somebody mends it: nothing listens there."""


@value(frozen=True, slots=True)
class Entry:
    """One entry of the map.

    Attributes:
        key: Its key.
        value: Its value.
        revision: Names the write that put it (>= 1). Another write of the same key has a greater one.
    """

    key: bytes
    value: bytes
    revision: int


@value(frozen=True, slots=True)
class Span:
    """A part of the map.

    Attributes:
        low: The least key, inclusive.
        below: The first key beyond.
        limit: Maximum number of entries (>= 1).
        descending: Read from the end to the beginning.
    """

    low: bytes
    below: bytes
    limit: int = 1000
    descending: bool = False


@value(frozen=True, slots=True)
class Part:
    """The entries of a span, in the order of their keys as bytes.

    Attributes:
        entries: The entries: ``span.limit`` of them, or fewer.
        more: Whether the span holds others behind them.
    """

    entries: tuple[Entry, ...]
    more: bool


@value(frozen=True, slots=True)
class Write:
    """One atomic write.

    Attributes:
        when: The revision that each of these entries must have, or ``ABSENT``.
        puts: The new entries, by key.
        deletes: The keys of entries to remove, if they are there; none of them stands in ``puts``.
    """

    when: Mapping[bytes, int] = _NOTHING
    puts: Mapping[bytes, bytes] = _NO_PUTS
    deletes: frozenset[bytes] = frozenset()


class Snapshot(Protocol):
    """The map as of one moment: all that is read through it fits together, whatever is written meanwhile."""

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """Return those of the entries that are there, however many are asked for."""
        ...

    def scan(self, span: Span) -> Part:
        """Return the entries of a span."""
        ...

    def count(self, span: Span) -> int:
        """Return how many entries a span holds; its limit does not count."""
        ...


def beyond(prefix: bytes) -> bytes:
    """Return the first key beyond all that begin with a prefix, which holds a byte other than 255."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,))


class OrderedMap(ABC):
    """A map from bytes to bytes, in the order of its keys. Any number of threads may use it at once.

    Every method raises ``Unreachable`` if no answer came and nothing was changed, ``OutcomeLost`` if a write was sent
    and no answer came, and a ``StoreError`` if the database refuses with a reason that its caller can act on.
    """

    name: str
    """What the backend is called."""
    durability: Durability
    """What an acknowledged write survives; known once the map is open."""
    limits: Limits = Limits()

    @abstractmethod
    def open(self) -> None:
        """Reach the database, and see that it can keep the promises of this class.

        Several ports may share a map: each opens it and closes it, and what was opened first is released last.
        """

    @abstractmethod
    def close(self) -> None:
        """Take back one call of :meth:`open`; after the last one, release what was opened."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Return a view of one moment, which has every write that was acknowledged before; it ends with the block."""

    @abstractmethod
    def write(self, write: Write) -> bool:
        """Write everything, and return True; or nothing, and return False, if an entry is not at its revision.

        All of it is one step for every snapshot and every other write. The database repeats no write by itself.
        """

    @abstractmethod
    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        """Return entries under a prefix that were put later than a revision, in the order of their revisions.

        Those that are there now count: up to ``limit`` of the oldest of them. Two writes never have one revision, and
        a write that was acknowledged before another one was sent has the lesser one.
        """

    @abstractmethod
    def wait(self, prefix: bytes, revision: int, within_s: float) -> None:
        """Return as soon as something under a prefix is put later than a revision, by any process; or after a time.

        It may return earlier, and hinders no other call.
        """

    @abstractmethod
    def now_us(self) -> int:
        """Return the time, by one clock for all processes that use the map, in microseconds since 1970."""

    def about_now_us(self) -> int:
        """Return the same to a second; for a map to which the exact time takes long."""
        return self.now_us()
