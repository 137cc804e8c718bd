"""The fast transport for asyncio: one connection of redis-py, on which the requests of all tasks follow each other.

redis-py makes the connection, with its TLS, its user and its database, and closes it. The replies come back in the
order of the requests; those of tasks that run in one turn of the event loop are written at once.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from time import monotonic
from typing import Any

from redis import exceptions

from emco_store.backends.patience import REQUEST_S
from emco_store.backends.redis.aio_transport import AsyncPlainTransport, AsyncTransport
from emco_store.backends.redis.commands import Request, packed
from emco_store.backends.redis.fast.allowed import is_watched, objection
from emco_store.backends.redis.fast.replies import GONE, LATE, NOTHING, PUSHED, idle_of, reader
from emco_store.notices import fell_back

NO_TIME = "Timeout connecting to the server"
NOT_READY = "Connection not ready"
MAX_WAITING = 1000
"""How many requests may wait for their replies on one connection."""


def transport_to(client: Any, *, owned: bool, wish: str = "auto") -> AsyncTransport:
    """Choose the transport to a server; see :func:`emco_store.backends.redis.fast.pinned.transport_to`."""
    if wish == "plain":
        return AsyncPlainTransport(client, "asked for with transport='plain'")
    if not owned:
        return AsyncPlainTransport(client, "the client was given, so its connections belong to others too")
    reason = objection(client)
    plain = AsyncPlainTransport(client, reason)
    return plain if reason else MultiplexedTransport(client, plain)


class MultiplexedTransport:
    """Writes requests on one connection; for the tasks of one event loop.

    Args:
        client: The client.
        plain: What to use where redis-py has something to do with a request.

    Attributes:
        kind: The class of its connection.

    See :class:`emco_store.backends.redis.aio_transport.AsyncTransport`.
    """

    def __init__(self, client: Any, plain: AsyncPlainTransport) -> None:
        self.kind = Multiplexed
        self._client = client
        self._plain = plain
        self._shared: Multiplexed | None = None
        self._connecting: asyncio.Task[Multiplexed | None] | None = None
        self._objection = ""

    @property
    def name(self) -> str:
        """See the interface."""
        return "plain" if self._objection_now() else "fast"

    @property
    def reason(self) -> str:
        """See the interface."""
        return self._objection_now() or "the driver and its options are among those tested"

    @property
    def is_direct(self) -> bool:
        """See the interface."""
        return True

    async def ask(self, request: Request, within_s: float | None) -> Any:
        """See the interface."""
        if self._objection_now():
            return await self._plain.ask(request, within_s)
        shared = self._shared
        if shared is None or shared.is_over or shared.is_full:
            begin_s = monotonic()
            try:
                async with asyncio.timeout(within_s):
                    shared = await self._ready(shared)
            except TimeoutError:
                raise exceptions.ConnectionError(NO_TIME) from None  # so nothing was sent
            if within_s is not None:
                within_s = max(within_s - (monotonic() - begin_s), 0)
            if shared is None:
                return await self._plain.ask(request, within_s)
        waiting = shared.send(self._written(request))
        if within_s is None:
            reply = await waiting
        else:
            try:
                async with asyncio.timeout(within_s):
                    reply = await waiting
            except TimeoutError:
                raise exceptions.TimeoutError(LATE) from None
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _ready(self, shared: Multiplexed | None) -> Multiplexed | None:
        """Return the connection when it has room for one more request."""
        if shared is None or shared.is_over:
            shared = await self._connect()
        if shared is not None and shared.is_full:
            await shared.room()
            if shared.is_over:
                raise exceptions.ConnectionError(NOT_READY)  # so nothing was sent
        return shared

    def _objection_now(self) -> str:
        """Say why public calls are to be used by now."""
        return self._objection or is_watched(self._client)

    def _fall_back(self, objection: str) -> None:
        """Use public calls from now on."""
        fell_back("Redis", objection)
        self._objection = objection

    def _written(self, request: Request) -> bytes:
        return packed(request)

    async def _connect(self) -> Multiplexed | None:
        """Wait for the connection that is being made; whoever began it may go away."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connected())
            self._connecting.add_done_callback(self._has_connected)
        return await asyncio.shield(self._connecting)

    def _has_connected(self, _: object) -> None:
        self._connecting = None

    async def _connected(self) -> Multiplexed | None:
        pool = self._client.connection_pool
        former, self._shared = self._shared, None
        if former is not None:
            if former.has_news:
                self._fall_back("the server announces a change, which redis-py handles")
            await former.connection.disconnect()
            await pool.release(former.connection)
            if self._objection:
                return None
        connection = await pool.get_connection()
        while isinstance(writer := getattr(connection, "_writer", None), asyncio.StreamWriter) and _has_ended(writer):
            # It has died in the pool, and its end may have been told to redis-py, which says nothing until it reads.
            await connection.disconnect()
            await pool.release(connection)
            connection = await pool.get_connection()
        if not isinstance(writer, asyncio.StreamWriter):
            self._fall_back("redis-py keeps the writer of a connection elsewhere")
            await pool.release(connection)
            return None
        self._shared = self.kind(connection, writer.transport)
        return self._shared

    async def close(self) -> None:
        """Forget the connection, which the client closes; whoever waits for a reply learns that it is gone."""
        if self._connecting is not None:
            await asyncio.wait({self._connecting})
        self._shared = None
        await self._plain.close()


def _has_ended(writer: asyncio.StreamWriter) -> bool:
    """Check whether something has come over a connection that nobody uses: mostly its end."""
    sock = writer.get_extra_info("socket")
    if sock is None:
        return False
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return bool(poller.poll(0))


class Multiplexed(asyncio.Protocol):
    """A connection on which the requests of all tasks follow each other.

    A caller that goes away leaves its place in the order to a reply that nobody reads.

    Attributes:
        has_news: Whether the server has said something unasked; then no further request is sent on it.
    """

    def __init__(self, connection: Any, transport: Any) -> None:
        self.connection = connection
        self.has_news = False
        self._without_room: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._idle = idle_of(connection)
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._patience_s: float = min(connection.socket_timeout or REQUEST_S, REQUEST_S)
        self._heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        replies = reader()
        self._feed, self._gets = replies.feed, replies.gets
        self._former = transport.get_protocol()
        transport.set_protocol(self)

    @property
    def is_over(self) -> bool:
        """Whether it should not be used any more."""
        if self.has_news:
            return True
        if self._idle is not None and self._idle.is_over and not self._waiting:
            return True
        return bool(self._transport.is_closing())

    @property
    def is_full(self) -> bool:
        """Whether as many requests wait as may."""
        return len(self._waiting) >= MAX_WAITING

    async def room(self) -> None:
        """Wait until one more request may be sent, or the end."""
        while self.is_full:
            turn: asyncio.Future[None] = self._loop.create_future()
            self._without_room.append(turn)
            await turn

    def send(self, data: bytes) -> asyncio.Future[Any]:
        """Send a request, or do so with those of other tasks that run now, and promise the reply."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        now_s = self._loop.time()
        if not self._waiting:
            self._heard_s = now_s
            self._transport.write(data)
            if self._timer is None:
                self._timer = self._loop.call_at(now_s + self._patience_s, self._look)
        else:
            if not self._unsent:
                self._loop.call_soon(self._write)
            self._unsent.append(data)
        self._waiting.append((reply, now_s))
        return reply

    def _write(self) -> None:
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Hand each reply to the call that waits for it."""
        self._heard_s = self._loop.time()
        if self._idle is not None:
            self._idle.note()
        self._feed(data)
        try:
            while (reply := self._gets()) is not NOTHING:
                if isinstance(reply, PUSHED):
                    self.has_news = True
                else:
                    self._answer(reply)
        except (exceptions.RedisError, IndexError):  # a reply that is none, or that nobody waits for
            self._break(exceptions.ConnectionError(GONE))
        if self._without_room:
            self._make_room()

    def _answer(self, reply: Any) -> None:
        waiting, _ = self._waiting.popleft()
        if not waiting.done():
            waiting.set_result(reply)

    def _make_room(self) -> None:
        for turn in self._without_room:
            if not turn.done():
                turn.set_result(None)
        self._without_room.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait that nobody knows what became of their requests."""
        self._break(exceptions.ConnectionError(GONE))
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        """Go on: what waits to be sent is as much as ``MAX_WAITING`` requests."""

    def resume_writing(self) -> None:
        """Go on."""

    def _look(self) -> None:
        """End the connection where the server has been silent for too long, and each wait that has been too long."""
        self._timer = None
        if not self._waiting:
            return
        now_s = self._loop.time()
        if now_s >= self._heard_s + self._patience_s:
            self._break(exceptions.TimeoutError(LATE))
            return
        for waiting, since_s in self._waiting:
            if now_s < since_s + REQUEST_S:
                break
            if not waiting.done():  # its place stays, for the reply that is still to come
                waiting.set_result(exceptions.TimeoutError(LATE))
        ends_s = min(self._heard_s + self._patience_s, now_s + REQUEST_S / 2)
        self._timer = self._loop.call_at(ends_s, self._look)

    def _break(self, problem: Exception) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()
        while self._waiting:
            self._answer(problem)
        self._make_room()
