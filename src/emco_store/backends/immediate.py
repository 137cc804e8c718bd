"""A port for asyncio over a blocking one in which nothing waits, because its data is in this process."""

from __future__ import annotations

from typing import TypeVar

from emco_store.ports import Guarantees, Port, Request

T = TypeVar("T")


class ImmediatePort:
    """The asyncio form of a blocking port.

    Args:
        port: The blocking port; each of its requests ends at once.
    """

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        self._port.open()

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        return self._port.ask(request)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        self._port.close()
