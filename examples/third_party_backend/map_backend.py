"""A backend for emco_store over a sorted dictionary: an ordered map with snapshots and a guarded write, and no more."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from sortedcontainers import SortedDict

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, OrderedMap, Part, Snapshot, Span, Write, beyond
from emco_store.ports import Durability


class DictMap(OrderedMap):
    """The map: all entries by key, with the number of the write that put them."""

    name = "dictionary"
    durability = Durability.VOLATILE

    def __init__(self) -> None:
        self._entries: SortedDict[bytes, Entry] = SortedDict()
        self._revision = 0
        self._written = threading.Condition()

    def open(self) -> None:
        """Do nothing: there is no server."""

    def close(self) -> None:
        """Do nothing: the data belongs to the map."""

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        with self._written:  # nothing is written meanwhile
            yield _Snapshot(self._entries)

    def write(self, write: Write) -> bool:
        with self._written:
            for key, revision in write.when.items():
                found = self._entries.get(key)
                if revision != (ABSENT if found is None else found.revision):
                    return False
            self._revision += 1
            for key in write.deletes:
                self._entries.pop(key, None)
            self._entries.update({key: Entry(key, value, self._revision) for key, value in write.puts.items()})
            self._written.notify_all()
            return True

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        with self._written:
            found = [self._entries[key] for key in self._entries.irange(prefix, beyond(prefix), (True, False))]
        behind = [entry for entry in found if entry.revision > revision]
        return tuple(sorted(behind, key=lambda entry: entry.revision)[:limit])

    def wait(self, prefix: bytes, revision: int, within_s: float) -> None:
        with self._written:
            if not self.later(prefix, revision, 1):
                self._written.wait(within_s)

    def now_us(self) -> int:
        return time.time_ns() // 1_000


class _Snapshot:
    """The map as of one moment; see :class:`Snapshot`."""

    def __init__(self, entries: SortedDict[bytes, Entry]) -> None:
        self._entries = entries

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        return {key: self._entries[key] for key in keys if key in self._entries}

    def scan(self, span: Span) -> Part:
        keys = self._entries.irange(span.low, span.below, (True, False), reverse=span.descending)
        found = [self._entries[key] for _, key in zip(range(span.limit + 1), keys, strict=False)]
        return Part(tuple(found[: span.limit]), len(found) > span.limit)

    def count(self, span: Span) -> int:
        return sum(1 for _ in self._entries.irange(span.low, span.below, (True, False)))


class DictBackend(KeyValueBackend):
    """Data in memory that several stores of one process can share."""

    def __init__(self) -> None:
        super().__init__(DictMap())
