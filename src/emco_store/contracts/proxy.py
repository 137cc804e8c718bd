"""A TCP proxy before the server of a backend, which makes each message to the server a point inside a request."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from functools import partial
from typing import Final

from emco_store.contracts.pauses import Cut, Pauses

_CHUNK: Final = 1 << 20
_HOST: Final = "127.0.0.1"
_PATIENCE_S: Final = 10.0


class Proxy:
    """Hands bytes on between clients and one server, and passes a point before each message of a client.

    Args:
        host: The server's address.
        port: The server's port.
        pauses: The points.
        about: Only messages that hold one of these texts are points, as far as a driver sends others too; all if there
            is none.

    Attributes:
        port: The port on 127.0.0.1 where clients connect to.
    """

    def __init__(self, host: str, port: int, pauses: Pauses, *, about: tuple[bytes, ...] = ()) -> None:
        self._server = host, port
        self._pauses = pauses
        self._about = about
        self._listener = socket.create_server((_HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._start(self._accept)

    def close(self) -> None:
        """End everything; clients see that their connections have ended."""
        _end(self._listener)
        with self._lock:
            sockets = list(self._open)
        for one in sockets:
            _end(one)

    def _send_alone(self, message: bytes) -> None:
        """Send a message over a connection of its own, and throw the reply away."""
        with socket.create_connection(self._server, _PATIENCE_S) as connection:
            connection.sendall(message)
            connection.recv(_CHUNK)

    def _is_point(self, message: bytes) -> bool:
        return not self._about or any(text in message for text in self._about)

    def _start(self, work: object, *args: object) -> None:
        threading.Thread(target=work, args=args, daemon=True).start()  # type: ignore[arg-type]  # a method of its own

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._server)
                except OSError:
                    _end(client)
                    continue
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open |= {client, server}
                self._start(self._exchange, client, server)

    def _exchange(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, ValueError):  # select() raises ValueError for a socket that was closed meanwhile
            while True:
                readable, _, _ = select.select([client, server], [], [])
                if server in readable:
                    reply = server.recv(_CHUNK)
                    if not reply:
                        break
                    client.sendall(reply)
                    continue
                message = client.recv(_CHUNK)
                cut = self._pauses.point() if message and self._is_point(message) else None
                if not message or cut is Cut.BEFORE:
                    break
                if cut is Cut.KEEP:
                    self._pauses.kept = partial(self._send_alone, message)
                server.sendall(message)
                if cut is Cut.AFTER:
                    server.recv(_CHUNK)
                    break
        _end(client)
        _end(server)
        with self._lock:
            self._open -= {client, server}


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
