"""The rules of what a backend decides, by the adapters: blocking over asyncio, asyncio over threads; over memory."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from emco_store import MemoryBackend
from emco_store.backends.adapters import BackgroundPort, ImmediatePort, ThreadedPort
from emco_store.contracts.suite import Harness, PortRules
from emco_store.ports import AsyncPort, AsyncPortWrapper, Port, Request

T = TypeVar("T")


class Waiting(AsyncPortWrapper):
    """A port for asyncio that waits before and after each request, as one that talks to a server does."""

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        await asyncio.sleep(0)
        reply = await super().ask(request)
        await asyncio.sleep(0)
        return reply


class Adapted:
    """A backend in the memory of the process, each form of which is made from the other one."""

    def __init__(self) -> None:
        self._inner = MemoryBackend()

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return BackgroundPort(Waiting(ImmediatePort(self._inner.port(namespace))))

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        return ThreadedPort(self._inner.port(namespace))


class TestAdapters(PortRules):
    """Every rule of what a backend decides; few random programs and schedules, since the store above is the same."""

    harness = Harness("adapters", Adapted, examples=5, stride=200)
