"""How requests reach the server of a client of the port's own: over connections that are kept, by bytes.

redis-py makes each connection, with its TLS, its user and its database, and closes it. Between the two its pool, its
locks and its figures would cost a small request more than the rest of the client, so a connection that was made is kept
out of the pool, written to and read from here. The blocking wire keeps one for each thread that waits. The asyncio one
needs a single one: requests of all tasks follow each other on it, and the replies come back in their order.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections import deque
from typing import Any

import hiredis
from redis import exceptions

MOST_WAITING = 1000
"""How many requests may wait for their replies on one connection."""
_BUFFER_BYTES = 1 << 16
_NOTHING = object()
_PUSHED: Any = getattr(hiredis, "PushNotification", ())
_GONE = "Connection closed by server."


def _socket(connection: Any) -> Any:
    """Give what a blocking connection of redis-py writes to; None where this version keeps it elsewhere.

    This and :func:`_transport` are all that is used of redis-py's inside. Without it, its own calls are used.
    """
    found = getattr(connection, "_sock", None)
    return found if isinstance(found, socket.socket) else None


def _transport(connection: Any) -> Any:
    """Give what an asyncio connection of redis-py writes to; None where this version keeps it elsewhere."""
    writer = getattr(connection, "_writer", None)
    return writer.transport if isinstance(writer, asyncio.StreamWriter) else None


def _reader() -> Any:
    return hiredis.Reader(protocolError=exceptions.InvalidResponse, replyError=_refusal, notEnoughData=_NOTHING)


def _refusal(text: str) -> Exception:
    kind = exceptions.NoScriptError if text.startswith("NOSCRIPT") else exceptions.ResponseError
    return kind(text.removeprefix("ERR "))


class _Idle:
    """Tells when a connection has been idle for so long that its client wants it looked at first."""

    def __init__(self, connection: Any) -> None:
        self._longest_s = getattr(connection, "health_check_interval", 0)
        self._used_s = time.monotonic() if self._longest_s else 0.0

    def note(self) -> None:
        """Note that it is used."""
        if self._longest_s:
            self._used_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether it has been so long."""
        return bool(self._longest_s) and time.monotonic() - self._used_s > self._longest_s


class _Line:
    """A blocking connection that is kept."""

    __slots__ = ("_buffer", "_connection", "_feed", "_gets", "_idle", "_into", "_poll", "_send")

    def __init__(self, connection: Any, sock: socket.socket) -> None:
        reader = _reader()
        self._connection = connection
        self._idle = _Idle(connection)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._send, self._into = sock.sendall, sock.recv_into
        self._feed, self._gets = reader.feed, reader.gets
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        self._poll = poller.poll

    @property
    def is_over(self) -> bool:
        """Whether it should not be used: something has come unasked, mostly its end."""
        return bool(self._poll(0)) or self._idle.is_over

    def exchange(self, data: bytes, count: int) -> list[Any]:
        """Send requests and wait for as many replies.

        Raises:
            ConnectionError: It broke.
            TimeoutError: The server did not take them, or did not reply, in time.
        """
        try:
            self._send(data)
            replies = [self._reply() for _ in range(count)]
        except TimeoutError as problem:
            raise exceptions.TimeoutError("Timeout while talking to the server") from problem
        except OSError as problem:
            raise exceptions.ConnectionError(f"Error while talking to the server: {problem}") from problem
        self._idle.note()
        return replies

    def _reply(self) -> Any:
        while (reply := self._gets()) is _NOTHING or isinstance(reply, _PUSHED):
            if reply is _NOTHING:
                size = self._into(self._buffer)
                if size == 0:
                    raise exceptions.ConnectionError(_GONE)
                self._feed(self._buffer, 0, size)
        return reply

    def close(self, pool: Any) -> None:
        """Close it, and give it back."""
        self._connection.disconnect()
        pool.release(self._connection)


class Wire:
    """The connections of a blocking client; any number of threads may use it.

    Args:
        client: The client.
        is_shared: Whether requests of all callers may share a connection; here each has one to itself.
    """

    is_shared = False

    def __init__(self, client: Any, *, is_shared: bool) -> None:  # noqa: ARG002 - as of the other one
        self._client = client
        self._kept: list[_Line] = []
        self._process = os.getpid()

    def ask(self, data: bytes) -> Any:
        """Send a request and give the reply.

        Raises:
            ConnectionError: There is no connection, or it broke.
            TimeoutError: There was no reply in time.
            ResponseError: The server refused it.
        """
        (reply,) = self.exchange(data, 1)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def exchange(self, data: bytes, count: int) -> list[Any]:
        """Send requests, and give the reply or the problem of each; nobody's request comes between them.

        Raises:
            ConnectionError: There is no connection, or it broke.
            TimeoutError: There was no reply in time.
        """
        if self._process != os.getpid():  # after a fork: the server's end of these belongs to the parent
            self._process, self._kept = os.getpid(), []
        pool = self._client.connection_pool
        line = self._taken(pool)
        if line is None:
            connection = pool.get_connection()
            sock = _socket(connection)
            if sock is None or not hasattr(select, "poll"):
                return _exchange(pool, connection, data, count)
            line = _Line(connection, sock)
        try:
            replies = line.exchange(data, count)
        except BaseException:
            line.close(pool)  # or a later request would read what is still to come
            raise
        self._kept.append(line)
        return replies

    def _taken(self, pool: Any) -> _Line | None:
        while self._kept:
            try:
                line = self._kept.pop()
            except IndexError:  # another thread was faster
                return None
            if not line.is_over:
                return line
            line.close(pool)
        return None

    def close(self) -> None:
        """Forget the connections, which the client closes."""
        self._kept = []


def _exchange(pool: Any, connection: Any, data: bytes, count: int) -> list[Any]:
    """Do the same with redis-py's own calls."""
    try:
        connection.send_packed_command([data])
        return [_response(connection) for _ in range(count)]
    except BaseException:
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def _response(connection: Any) -> Any:
    try:
        return connection.read_response()
    except exceptions.ResponseError as problem:
        return problem


class _Link(asyncio.Protocol):
    """An asyncio connection on which the requests of all tasks follow each other.

    A caller that goes away leaves its place in the order to a reply that nobody reads.
    """

    def __init__(self, connection: Any, transport: Any) -> None:
        self.connection = connection
        self.room = asyncio.Semaphore(MOST_WAITING)
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._idle = _Idle(connection)
        self._waiting: deque[asyncio.Future[Any]] = deque()
        self._unsent: list[bytes] = []
        self._patience_s: float | None = connection.socket_timeout
        self._heard_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        reader = _reader()
        self._feed, self._gets = reader.feed, reader.gets
        self._former = transport.get_protocol()
        transport.set_protocol(self)

    @property
    def is_over(self) -> bool:
        """Whether it should not be used any more."""
        return self._transport.is_closing() or (not self._waiting and self._idle.is_over)

    def send(self, data: bytes) -> asyncio.Future[Any]:
        """Send a request, or do so with those of other tasks that run now, and promise the reply."""
        reply: asyncio.Future[Any] = self._loop.create_future()
        if not self._waiting:
            self._heard_s = self._loop.time()
            self._transport.write(data)
            if self._timer is None and self._patience_s is not None:
                self._timer = self._loop.call_at(self._heard_s + self._patience_s, self._look)
        else:
            if not self._unsent:
                self._loop.call_soon(self._write)
            self._unsent.append(data)
        self._waiting.append(reply)
        return reply

    def _write(self) -> None:
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Give each reply to whoever waits for it."""
        self._heard_s = self._loop.time()
        self._idle.note()
        self._feed(data)
        try:
            while (reply := self._gets()) is not _NOTHING:
                if not isinstance(reply, _PUSHED):
                    self._answer(reply)
        except (exceptions.RedisError, IndexError):  # a reply that is none, or that nobody waits for
            self._break(exceptions.ConnectionError(_GONE))

    def _answer(self, reply: Any) -> None:
        waiting = self._waiting.popleft()
        self.room.release()
        if not waiting.done():
            waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait that nobody knows what became of their requests."""
        self._break(exceptions.ConnectionError(_GONE))
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        """Go on: what waits to be sent is as much as ``MOST_WAITING`` requests."""

    def resume_writing(self) -> None:
        """Go on."""

    def _look(self) -> None:
        """End it where the server has been silent for too long."""
        self._timer = None
        if not self._waiting or self._patience_s is None:
            return
        ends_s = self._heard_s + self._patience_s
        if ends_s > self._loop.time():
            self._timer = self._loop.call_at(ends_s, self._look)
        else:
            self._break(exceptions.TimeoutError("Timeout while talking to the server"))

    def _break(self, problem: Exception) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()
        while self._waiting:
            self._answer(problem)


class AsyncWire:
    """The connections of an asyncio client; for the tasks of one event loop.

    Args:
        client: The client.
        is_shared: Whether requests of all callers may share a connection: not where some of them keep it busy.
    """

    def __init__(self, client: Any, *, is_shared: bool) -> None:
        self.is_shared = is_shared
        self._client = client
        self._link: _Link | None = None
        self._linking: asyncio.Task[_Link | None] | None = None

    async def ask(self, data: bytes) -> Any:
        """See :meth:`Wire.ask`."""
        link = self._link
        if link is None or link.is_over:
            link = await self._connect() if self.is_shared else None
        if link is None:
            (reply,) = await self.exchange(data, 1)
        else:
            await link.room.acquire()
            if link.is_over:
                link.room.release()
                raise exceptions.ConnectionError("Connection not ready")  # so nothing was sent
            reply = await link.send(data)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def exchange(self, data: bytes, count: int) -> list[Any]:
        """See :meth:`Wire.exchange`; with redis-py's own calls."""
        pool = self._client.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command([data])
            return [await _response_async(connection) for _ in range(count)]
        except BaseException:
            await connection.disconnect()
            raise
        finally:
            await pool.release(connection)

    async def _connect(self) -> _Link | None:
        """Wait for the connection that is being made; whoever began it may go away."""
        if self._linking is None:
            self._linking = asyncio.create_task(self._linked())
            self._linking.add_done_callback(self._has_linked)
        return await asyncio.shield(self._linking)

    def _has_linked(self, _: object) -> None:
        self._linking = None

    async def _linked(self) -> _Link | None:
        pool = self._client.connection_pool
        former, self._link = self._link, None
        if former is not None:
            await former.connection.disconnect()
            await pool.release(former.connection)
        connection = await pool.get_connection()
        transport = _transport(connection)
        if transport is None:
            self.is_shared = False
            await pool.release(connection)
            return None
        self._link = _Link(connection, transport)
        return self._link

    async def close(self) -> None:
        """Forget the connection, which the client closes; who waits for a reply is told that it is gone."""
        self._link = None
        if self._linking is not None:
            self._linking.cancel()


async def _response_async(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except exceptions.ResponseError as problem:
        return problem
