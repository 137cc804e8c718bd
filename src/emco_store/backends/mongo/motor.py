"""The port for services that still use Motor, which is PyMongo's blocking client behind a pool of threads."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from emco_store.backends.mongo.sync import MongoPort
from emco_store.ports import Guarantees, Request

T = TypeVar("T")


class MotorPort:
    """Sends each request through the blocking port in a thread, as Motor itself does.

    Of Motor only the client behind it is used, so none of its await shapes matter, and a commit costs one change of
    threads in place of four. A caller that is cancelled leaves at once, and its commit ends in the thread.

    Args:
        port: The blocking port on the client that Motor wraps.
    """

    def __init__(self, port: MongoPort) -> None:
        self._port = port

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        await asyncio.to_thread(self._port.open)

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        return await asyncio.to_thread(self._port.ask, request)

    async def close(self) -> None:
        """Do nothing: the client belongs to whoever made it."""
