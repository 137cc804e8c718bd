"""Servers that one run shares: started when a test first asks for one, in the process that outlives all others.

Without workers, that is pytest's own process. With workers, it is the controller: a worker asks it for a server by
name, over a connection on the loopback interface, and every worker gets the same one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from threading import Thread
from typing import Protocol, TypeAlias

from tests.servers.process import HOST, Server, ServerFailed, ServerMissing

Result: TypeAlias = Server | ServerMissing | ServerFailed
Starters: TypeAlias = Mapping[str, Callable[[], AbstractContextManager[Server]]]


class Source(Protocol):
    """Where the servers come from."""

    def get(self, name: str) -> Result:
        """Return the server called ``name``, or why there is none."""
        ...


class Started:
    """Servers of this process, each of which starts once.

    Args:
        starters: How to start each, by name.
    """

    def __init__(self, starters: Starters) -> None:
        self._starters = starters
        self._results: dict[str, Result] = {}
        self._stack = ExitStack()

    def get(self, name: str) -> Result:
        """Return the server called ``name``, started if need be, or why it could not be started."""
        if name not in self._results:
            try:
                self._results[name] = self._stack.enter_context(self._starters[name]())
            except (ServerMissing, ServerFailed) as problem:
                self._results[name] = problem
        return self._results[name]

    def close(self) -> None:
        """Stop all of them."""
        self._stack.close()


class Lender:
    """Starts servers for other processes, in a thread that ends with :meth:`close`.

    The thread starts and stops the servers itself: the kernel ends a server with the thread that started it.

    Attributes:
        address: What :class:`Borrowed` needs: host, port and a secret, as values that can be sent to a worker.
    """

    def __init__(self, starters: Starters) -> None:
        key = secrets.token_hex(16)
        self._listener = Listener((HOST, 0), backlog=64, authkey=key.encode())
        host, port = self._listener.address
        self.address: tuple[str, int, str] = (str(host), int(port), key)
        self._starters = starters
        self._thread = Thread(target=self._serve, name="servers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop all servers, and end the thread."""
        _ask(self.address, None)
        self._thread.join()

    def _serve(self) -> None:
        started = Started(self._starters)
        is_open = True
        with self._listener:
            while is_open:
                # A worker that was killed must not take the servers of the others with it.
                with suppress(AuthenticationError, EOFError, OSError), self._listener.accept() as connection:
                    name = connection.recv()
                    is_open = name is not None
                    connection.send(started.get(name) if is_open else None)
        started.close()


class Borrowed:
    """Servers of another process.

    Args:
        address: The address of its :class:`Lender`.
    """

    def __init__(self, address: tuple[str, int, str]) -> None:
        self._address = address

    def get(self, name: str) -> Result:
        """Return the server called ``name``, which the other process starts if need be, or why there is none."""
        found: Result = _ask(self._address, name)  # type: ignore[assignment]  # None answers None only
        return found


def _ask(address: tuple[str, int, str], name: str | None) -> Result | None:
    host, port, key = address
    with Client((host, port), authkey=key.encode()) as connection:
        connection.send(name)
        answer: Result | None = connection.recv()
        return answer
