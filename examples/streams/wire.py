"""A TCP proxy before a server, which can be cut: then it hands on nothing, and keeps what comes for later.

A network that is cut looks like this from both ends: connections stay open, and nothing arrives. What was on its way
arrives when the cut is over, however late.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

HOST = "127.0.0.1"
"""Where clients of a wire connect to."""
_CHUNK = 1 << 16


class Wire:
    """Hands bytes on between clients and one server, in threads of this process.

    Args:
        host: Where the server is.
        port: Its port.

    Attributes:
        port: Where clients connect to.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._whole = Event()
        self._whole.set()
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._run(self._accept)

    def cut(self) -> None:
        """Hand on nothing from now on."""
        self._whole.clear()

    def mend(self) -> None:
        """Hand on what has come meanwhile, and everything from now on."""
        self._whole.set()

    def close(self) -> None:
        """End all connections, and wait for the threads."""
        self.mend()
        _end(self._listener)
        self._threads[0].join()  # from now on nothing is added
        for one in self._sockets:
            _end(one)
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[..., None], *given: object) -> None:
        thread = Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._whole.wait()
                try:
                    server = socket.create_connection(self._target)
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, server]
                for one, other in ((client, server), (server, client)):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._run(self._hand_on, one, other)

    def _hand_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(_CHUNK):
                self._whole.wait()
                other.sendall(data)
        with suppress(OSError):
            self._whole.wait()
            other.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
