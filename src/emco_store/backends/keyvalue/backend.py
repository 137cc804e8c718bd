"""A backend over an ordered map."""

from __future__ import annotations

from emco_store.backends.adapters import ThreadedPort
from emco_store.backends.keyvalue.ordered_map import OrderedMap
from emco_store.backends.keyvalue.port import KeyValuePort


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
