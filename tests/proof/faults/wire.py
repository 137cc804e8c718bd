"""A proxy that swallows all requests for a while, and that can lead to another server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.proof.faults.striking import Strike, Watch
from tests.servers.proxy import Fault, Proxy, _Plan

_LOST_AT_ONCE = 3
_HOLE_S = (0.05, 5.0)


class Wire(Proxy):
    """See the module; the port is that of the first server."""

    def __init__(self, port: int) -> None:
        self._open = threading.Event()
        self._open.set()
        super().__init__(port)

    def point_at(self, port: int) -> None:
        """Lead new connections to another server, and end the others."""
        self._target = port
        self.cut()

    def swallow(self) -> None:
        """Keep every request from the server, and every client without an answer, until :meth:`let_go`."""
        self._open.clear()

    def let_go(self) -> None:
        """Let what was swallowed reach the server late, and end its connections, so that nobody hears the answer."""
        self._open.set()

    def close(self) -> None:
        """See the base class."""
        self.let_go()
        super().close()

    def _planned(self, request: bytes) -> _Plan | None:
        if request and not self._open.is_set():
            return _Plan(b"", Fault.HOLD, lambda: None)
        return super()._planned(request)

    def _hold(self, request: bytes, server: socket.socket) -> None:
        self._open.wait()
        server.sendall(request)


@contextmanager
def wired(port: int) -> Iterator[Wire]:
    """Run one before the server on this port until the block is left."""
    wire = Wire(port)
    try:
        yield wire
    finally:
        wire.close()


def dropping(wire: Wire, needle: bytes) -> Strike:
    """Lose some commits on their way, and some replies to commits, which end their connections."""

    def strike(random: Random, watch: Watch) -> None:
        wanted = wire.seen
        for fault in random.sample([Fault.LOSE_REPLY, Fault.LOSE_REQUEST] * _LOST_AT_ONCE, _LOST_AT_ONCE):
            wire.plan(needle, fault)
            wanted += 1
        watch.until(lambda: wire.seen >= wanted, "requests that can be lost")

    return strike


def swallowing(wire: Wire) -> Strike:
    """Be a black hole for a moment: nothing comes through, and nobody is told."""

    def strike(random: Random, _: Watch) -> None:
        wire.swallow()
        threading.Event().wait(random.uniform(*_HOLE_S))
        wire.let_go()

    return strike
