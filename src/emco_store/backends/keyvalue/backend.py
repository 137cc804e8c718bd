"""A backend over an ordered map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from emco_store.backends.adapters import ThreadedPort
from emco_store.backends.health import Report, refusal, unreachable
from emco_store.backends.keyvalue.ordered_map import OrderedMap, Span, Write, beyond
from emco_store.backends.keyvalue.port import KeyValuePort
from emco_store.backends.keyvalue.ranges import all_under
from emco_store.backends.keyvalue.rows import PREFIX, Names
from emco_store.errors import StoreError
from emco_store.ports import Unreachable

_SOME = 1_000
"""How many rows one write removes that need not go in one step."""


class KeyValueBackend:
    """Any number of namespaces in one ordered map.

    Args:
        rows: The map.
    """

    def __init__(self, rows: OrderedMap) -> None:
        self.rows = rows

    def port(self, namespace: str) -> KeyValuePort:
        """Make the port of one namespace for blocking use."""
        return KeyValuePort(self.rows, namespace)

    def async_port(self, namespace: str) -> ThreadedPort:
        """Make the port of one namespace for asyncio."""
        return ThreadedPort(self.port(namespace))

    def opened(self, namespace: str, part: str, look: Callable[[KeyValuePort], Report]) -> Report:
        """Report on a namespace through a port of its own, or say why the map cannot be opened.

        Args:
            namespace: The namespace.
            part: What is to blame where the map refuses, as a report calls it.
            look: Makes the report, with a port that is open.
        """
        port = self.port(namespace)
        try:
            port.open()
        except StoreError as problem:
            return Report(self.rows.name, (refusal(part, problem),), records=None)
        except Unreachable as problem:
            return unreachable(self.rows.name, "; ".join(problem.reasons))
        try:
            return look(port)
        finally:
            port.close()

    def namespaces(self) -> list[str]:
        """See :meth:`emco_store.backends.namespaces.Divided.namespaces`."""
        self.rows.open()
        try:
            return list(self._namespaces())
        finally:
            self.rows.close()

    def drop(self, namespace: str) -> None:
        """See :meth:`emco_store.backends.namespaces.Divided.drop`."""
        names = Names(namespace)
        self.rows.open()
        try:
            with self.rows.snapshot() as snapshot:
                found = [entry.key for entry in all_under(snapshot, names.prefix)]
            past = [key for key in found if key.startswith(names.outcomes)]
            lasting = [key for key in found if not key.startswith(names.outcomes)]
            most = self.rows.limits.write_entries or len(found)
            for keys, size in ((lasting, most), (past, min(most, _SOME))):
                for at in range(0, len(keys), size):
                    self.rows.write(Write(deletes=frozenset(keys[at : at + size])))
        finally:
            self.rows.close()

    def kinds(self, namespace: str) -> Mapping[str, int]:
        """Return the number of records of each kind in a namespace; the map is open."""
        names = Names(namespace)
        with self.rows.snapshot() as snapshot:
            keys = (names.key_to(entry) for entry in all_under(snapshot, names.records))
            return dict(Counter(key.kind for key in keys if key is not None))

    def _namespaces(self) -> Iterator[str]:
        low = PREFIX
        with self.rows.snapshot() as snapshot:
            while found := snapshot.scan(Span(low, beyond(PREFIX), 1)).entries:
                name = found[0].key.removeprefix(PREFIX).partition(b"/")[0]
                low = beyond(PREFIX + name + b"/")
                yield name.decode(errors="replace")
