"""What the harness of a key-value backend needs: points before each step on its ordered map, and damage to its rows."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import Entry, OrderedMap, Snapshot, Write
from emco_store.backends.keyvalue.rows import Names, part
from emco_store.contracts.damaging import OTHER, TARGET, Damage
from emco_store.contracts.pauses import Cut, Pauses
from emco_store.core.records import Record
from emco_store.ports import OutcomeLost, Unreachable


@contextmanager
def inside_map(backend: KeyValueBackend, pauses: Pauses) -> Generator[KeyValueBackend]:
    """Give a backend over the same map whose requests pass points; for ``inside`` of a harness."""
    yield KeyValueBackend(PausedMap(backend.rows, pauses))


def damage_map(backend: KeyValueBackend, namespace: str, record: Record, what: Damage) -> bool:
    """Remove or add one row beside a record; for ``damage`` of a harness."""
    names = Names(namespace)
    own = record.key.text.encode()
    row, value = {
        Damage.LOST_REFERRER: (names.referring(TARGET.text) + own, b""),
        Damage.STRAY_REFERRER: (names.referring(OTHER.text) + own, b""),
        Damage.LOST_INDEX: (names.indexed(record.key.kind, "rank") + part("1") + own, b""),
        Damage.STRAY_INDEX: (names.indexed(record.key.kind, "rank") + part("2") + own, b""),
        Damage.LOST_UNIQUE: (names.claim(record.key.kind, "serial", "s"), own),
        Damage.STRAY_UNIQUE: (names.claim(record.key.kind, "serial", "o"), own),
    }[what]
    is_lost = what in {Damage.LOST_REFERRER, Damage.LOST_INDEX, Damage.LOST_UNIQUE}
    backend.rows.open()
    try:
        return backend.rows.write(Write(deletes=frozenset({row})) if is_lost else Write(puts={row: value}))
    finally:
        backend.rows.close()


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
        if self._pauses.point() not in {None, Cut.KEEP}:
            raise Unreachable("planned")
        return self._rows.snapshot()

    def write(self, write: Write) -> bool:
        """See :meth:`OrderedMap.write`."""
        cut = self._pauses.point()
        if cut is Cut.BEFORE:
            raise Unreachable("planned")
        reply = self._rows.write(write)
        if cut is Cut.KEEP:
            self._pauses.kept = partial(self._rows.write, write)
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
