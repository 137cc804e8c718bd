"""A TCP proxy before one server, which loses requests and replies, cuts connections, and falls silent on demand."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto

from tests.servers.process import HOST

_CHUNK = 1 << 20


class Fault(Enum):
    """What happens to a request."""

    LOSE_REQUEST = auto()
    """It does not reach the server, and the connection ends."""
    LOSE_REPLY = auto()
    """The server answers it, the answer is thrown away, and the connection ends."""
    HOLD = auto()
    """It does not reach the server before ``release()``, and the connection stays silent."""


@dataclass(frozen=True, slots=True)
class _Plan:
    needle: bytes
    fault: Fault
    then: Callable[[], object]


class Proxy:
    """Hands bytes on between clients and one server.

    Args:
        port: The server's port.

    Attributes:
        port: Where clients connect to.
        seen: How many requests have met a plan.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.seen = 0
        self._plans: list[_Plan] = []
        self._sockets: list[socket.socket] = []
        self._silent: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._released = threading.Event()
        self._held: list[threading.Event] = []
        self._lock = threading.Lock()
        self._run(self._accept)

    @property
    def url(self) -> str:
        """The address for redis-py."""
        return f"redis://{HOST}:{self.port}/0"

    def plan(self, needle: bytes, fault: Fault, *, times: int = 1, then: Callable[[], object] = lambda: None) -> None:
        """Let the fault happen to the next requests whose bytes hold ``needle``, and call ``then`` after each."""
        with self._lock:
            self._plans += [_Plan(needle, fault, then)] * times

    def cut(self) -> None:
        """End every connection that is open now."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            _end(one)

    def fall_silent(self) -> None:
        """Hand on nothing more over the connections that are open now, and leave them open; new ones work."""
        with self._lock:
            self._silent.update(self._sockets)

    def release(self) -> None:
        """Let what is held go on to the server, hold nothing any more, and return when the server has answered."""
        self._released.set()
        for done in self._held:
            done.wait()

    def close(self) -> None:
        """End everything, and wait for the threads."""
        _end(self._listener)
        self.cut()
        self._released.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection((HOST, self._target))
                except OSError:
                    _end(client)
                    continue
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._sockets += [client, server]
                self._run(self._exchange, client, server)

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        """Hand on requests and replies in turn, as redis-py sends the next request only after the reply."""
        with suppress(OSError, ValueError):  # select() raises ValueError for what close() has closed
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if client in self._silent:
                    self._released.wait()
                    break
                if server in readable:
                    reply = server.recv(_CHUNK)
                    if not reply:
                        break
                    client.sendall(reply)
                    continue
                request = client.recv(_CHUNK)
                plan = self._planned(request)
                if plan:
                    self._strike(plan, request, server)
                if plan or not request:
                    break
                server.sendall(request)
        _end(client)
        _end(server)

    def _strike(self, plan: _Plan, request: bytes, server: socket.socket) -> None:
        """Let the fault happen; the connection ends with it."""
        if plan.fault is Fault.HOLD:
            self._hold(request, server)
        if plan.fault is Fault.LOSE_REPLY:
            server.sendall(request)
            server.recv(_CHUNK)
        plan.then()

    def _hold(self, request: bytes, server: socket.socket) -> None:
        done = threading.Event()
        self._held.append(done)
        self._released.wait()
        try:
            server.sendall(request)
            server.recv(_CHUNK)
        finally:
            done.set()

    def _planned(self, request: bytes) -> _Plan | None:
        with self._lock:
            for at, plan in enumerate(self._plans):
                if plan.needle in request:
                    self.seen += 1
                    return self._plans.pop(at)
        return None


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """Run a proxy before the server on this port until the block is left."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
