"""A way into the requests of a key-value backend: points before each step that it takes on its ordered map."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import Entry, OrderedMap, Snapshot, Write
from emco_store.contracts.pauses import Cut, Pauses
from emco_store.ports import OutcomeLost, Unreachable


@contextmanager
def inside_map(backend: KeyValueBackend, pauses: Pauses) -> Generator[KeyValueBackend]:
    """Give a backend over the same map whose requests pass points; for ``inside`` of a harness."""
    yield KeyValueBackend(PausedMap(backend.rows, pauses))


class PausedMap(OrderedMap):
    """The same map; each step on it passes a point first.

    Args:
        rows: The map.
        pauses: The points.
    """

    def __init__(self, rows: OrderedMap, pauses: Pauses) -> None:
        self._rows = rows
        self._pauses = pauses
        self.name = rows.name
        self.limits = rows.limits

    def open(self) -> None:
        """See :meth:`OrderedMap.open`."""
        self._rows.open()
        self.durability = self._rows.durability

    def close(self) -> None:
        """See :meth:`OrderedMap.close`."""
        self._rows.close()

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """See :meth:`OrderedMap.snapshot`."""
        if self._pauses.point() is not None:
            raise Unreachable("planned")
        return self._rows.snapshot()

    def write(self, write: Write) -> bool:
        """See :meth:`OrderedMap.write`."""
        cut = self._pauses.point()
        if cut is Cut.BEFORE:
            raise Unreachable("planned")
        reply = self._rows.write(write)
        if cut is Cut.AFTER:
            raise OutcomeLost
        return reply

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        """See :meth:`OrderedMap.later`."""
        return self._rows.later(prefix, revision, limit)

    def wait(self, prefix: bytes, revision: int, within_s: float) -> None:
        """See :meth:`OrderedMap.wait`."""
        self._rows.wait(prefix, revision, within_s)

    def now_us(self) -> int:
        """See :meth:`OrderedMap.now_us`."""
        return self._rows.now_us()
