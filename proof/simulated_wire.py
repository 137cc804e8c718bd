"""The multiplexed connection of an asyncio port to Redis, over the simulated network: its own code, other bytes.

Only the asyncio transport below it is replaced. It keeps the order of what was written, as TCP does, and may end at any
moment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from redis import exceptions

from emco_store.backends.redis.aio_transport import AsyncPlainTransport
from emco_store.backends.redis.errors import meaning_in_commit, translated
from emco_store.backends.redis.fast.multiplexed import MultiplexedTransport
from emco_store.backends.redis.task import TaskRedisPort
from emco_store.ports import Commit, Receipt, Refusal
from proof.simulated_network import LATEST_S, NAMESPACE, PATIENCE_S
from proof.simulated_ports import SimulatedReads, Site


class SharingPort(SimulatedReads, TaskRedisPort):
    """Sends the commits of all tasks over one connection, as the port to Redis does."""

    def __init__(self, site: Site) -> None:
        self.book = Book()
        client = _Client(site, self.book)
        TaskRedisPort.__init__(self, client, NAMESPACE, owned=True, transport=Sharing(client))
        SimulatedReads.__init__(self, site)

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        self.site.client.check_alive()
        self.book.commits[commit.txid] = commit
        try:
            with translated(meaning_in_commit):
                number: bytes = await self._together(f"{commit.txid}\n".encode(), None)
        finally:
            self.site.client.check_alive()
        return self.book.replies[int(number)]


class Sharing(MultiplexedTransport):
    """The transport of asyncio, over the connection of this module.

    Args:
        client: Stands for a client of redis-py.
    """

    def __init__(self, client: Any) -> None:
        super().__init__(client, AsyncPlainTransport(client, "never used"))

    def _objection_now(self) -> str:
        return ""

    def _written(self, request: Any) -> bytes:
        """Write the request, which is a name."""
        return bytes(request)


class Book:
    """What the bytes under way stand for."""

    def __init__(self) -> None:
        self.commits: dict[str, Commit] = {}
        self.replies: list[Receipt | Refusal] = []


class _Client:
    """Stands for a client of redis-py, and for its pool."""

    def __init__(self, site: Site, book: Book) -> None:
        self._site = site
        self._book = book

    @property
    def connection_pool(self) -> _Client:
        """Return itself."""
        return self

    async def get_connection(self) -> _Connection:
        """Connect; that usually succeeds."""
        network = self._site.network
        await asyncio.sleep(network.random.uniform(1e-4, 1e-3))
        if network.strikes(network.weather.not_sent, "not connected"):
            raise exceptions.ConnectionError("Error 111 connecting to a server in memory")
        return _Connection(_Transport(self._site, self._book))

    async def release(self, connection: _Connection) -> None:
        """Take a connection back."""


class _Writer(asyncio.StreamWriter):
    """A connection that may be left with its loop, as in a process that dies."""

    def __del__(self, *_: object) -> None:
        """Do not warn."""


class _Connection:
    """Stands for a connection of redis-py."""

    socket_timeout = PATIENCE_S

    def __init__(self, transport: _Transport) -> None:
        loop = asyncio.get_running_loop()
        self._writer = _Writer(transport, transport.get_protocol(), None, loop)

    async def disconnect(self) -> None:
        """Close it."""
        self._writer.transport.abort()


class _Transport(asyncio.Transport):
    """Carries lines to the server and numbers of replies back, both in order, until it ends."""

    def __init__(self, site: Site, book: Book) -> None:
        super().__init__()
        self._site = site
        self._book = book
        self._loop = asyncio.get_running_loop()
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self._under_way: deque[tuple[str, str, float]] = deque()
        self._answers: deque[int] = deque()
        self._arrived_s = self._answered_s = 0.0
        self._is_cut = self._is_closed = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol that receives data."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Set another protocol."""
        self._protocol = protocol

    def is_closing(self) -> bool:
        """Return whether it has ended."""
        return self._is_closed

    def abort(self) -> None:
        """End it. What is under way still arrives."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)

    close = abort

    def write(self, data: Any) -> None:
        """Send requests, each with its own fault; after one that is lost nothing arrives."""
        for line in bytes(data).decode().splitlines():
            fault, to_s, back_s = self._site.network.draw(self._site.client, "command", line)
            if fault in {"not sent", "lost request"}:
                self._cut(to_s)
            if self._is_cut:
                continue
            self._under_way.append((line, fault, back_s))
            self._arrived_s = max(self._arrived_s, self._loop.time() + to_s)
            self._loop.call_at(self._arrived_s, self._arrive)
            if fault == "again":
                self._loop.call_later(self._site.network.random.uniform(0.0, LATEST_S), self._execute, line)

    def _cut(self, after_s: float) -> None:
        """Let nothing through any more; half of the time, the client notices."""
        self._is_cut = True
        if self._site.network.random.random() < 0.5:
            self._loop.call_at(max(self._loop.time() + after_s, self._answered_s), self.abort)

    def _arrive(self) -> None:
        line, fault, back_s = self._under_way.popleft()
        number = self._execute(line)
        if fault in {"lost reply", "again"} and not self._is_cut:
            self._cut(back_s)
        elif not self._is_cut:
            self._answers.append(number)
            self._answered_s = max(self._answered_s, self._loop.time() + back_s)
            self._loop.call_at(self._answered_s, self._deliver)

    def _execute(self, line: str) -> int:
        reply = self._site.server.port.ask(self._book.commits[line])
        self._site.network.trace.note("server", type(reply).__name__)
        self._book.replies.append(reply)
        return len(self._book.replies) - 1

    def _deliver(self) -> None:
        number = self._answers.popleft()
        if not self._is_closed and isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(b"+%d\r\n" % number)
