"""Connections of redis-py that are kept, written to and read from here: a blocking one, and one for asyncio."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections import deque
from typing import Any

import hiredis
from redis import exceptions

MAX_WAITING = 1000
"""How many requests may wait for their replies on one connection."""
_BUFFER_BYTES = 1 << 16
_NOTHING = object()
_PUSHED: Any = getattr(hiredis, "PushNotification", ())
_GONE = "Connection closed by server."
_LATE = "Timeout while talking to the server"


def socket_of(connection: Any) -> Any:
    """Give what a blocking connection of redis-py writes to; None where this version keeps it elsewhere.

    This and :func:`transport_of` are all that is used of redis-py's inside. Without it, its own calls are used.
    """
    found = getattr(connection, "_sock", None)
    return found if isinstance(found, socket.socket) and hasattr(select, "poll") else None


def transport_of(connection: Any) -> Any:
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

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self.note()

    def note(self) -> None:
        """Note that it is used."""
        self._used_s = time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether it has been so long."""
        return time.monotonic() - self._used_s > self._longest_s


def _idle_of(connection: Any) -> _Idle | None:
    longest_s = getattr(connection, "health_check_interval", 0)
    return _Idle(longest_s) if longest_s else None


class Line:
    """A blocking connection that is kept."""

    __slots__ = ("_buffer", "_connection", "_feed", "_gets", "_idle", "_into", "_poll", "_send")

    def __init__(self, connection: Any, sock: socket.socket) -> None:
        reader = _reader()
        self._connection = connection
        self._idle = _idle_of(connection)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._send, self._into = sock.sendall, sock.recv_into
        self._feed, self._gets = reader.feed, reader.gets
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        self._poll = poller.poll

    @property
    def is_over(self) -> bool:
        """Whether it should not be used: something has come unasked, mostly its end."""
        return bool(self._poll(0)) or (self._idle is not None and self._idle.is_over)

    def ask(self, data: bytes) -> Any:
        """Send a request and give the reply, or the problem that the server tells.

        Raises:
            ConnectionError: It broke.
            TimeoutError: The server did not take it, or did not reply, in time.
        """
        try:
            self._send(data)
            reply = self._reply()
        except OSError as problem:
            raise _broken(problem) from problem
        if self._idle is not None:
            self._idle.note()
        return reply

    def exchange(self, data: bytes, count: int) -> list[Any]:
        """Send requests and give as many replies; see :meth:`ask`."""
        try:
            self._send(data)
            return [self._reply() for _ in range(count)]
        except OSError as problem:
            raise _broken(problem) from problem

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


def _broken(problem: OSError) -> exceptions.RedisError:
    if isinstance(problem, TimeoutError):
        return exceptions.TimeoutError(_LATE)
    return exceptions.ConnectionError(f"Error while talking to the server: {problem}")


class Link(asyncio.Protocol):
    """An asyncio connection on which the requests of all tasks follow each other.

    A caller that goes away leaves its place in the order to a reply that nobody reads.
    """

    def __init__(self, connection: Any, transport: Any) -> None:
        self.connection = connection
        self._without_room: list[asyncio.Future[None]] = []
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._idle = _idle_of(connection)
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
        if self._idle is not None:
            self._idle.note()
        self._feed(data)
        try:
            while (reply := self._gets()) is not _NOTHING:
                if not isinstance(reply, _PUSHED):
                    self._answer(reply)
        except (exceptions.RedisError, IndexError):  # a reply that is none, or that nobody waits for
            self._break(exceptions.ConnectionError(_GONE))
        if self._without_room:
            self._make_room()

    def _answer(self, reply: Any) -> None:
        waiting = self._waiting.popleft()
        if not waiting.done():
            waiting.set_result(reply)

    def _make_room(self) -> None:
        for turn in self._without_room:
            if not turn.done():
                turn.set_result(None)
        self._without_room.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell all who wait that nobody knows what became of their requests."""
        self._break(exceptions.ConnectionError(_GONE))
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        """Go on: what waits to be sent is as much as ``MAX_WAITING`` requests."""

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
            self._break(exceptions.TimeoutError(_LATE))

    def _break(self, problem: Exception) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()
        while self._waiting:
            self._answer(problem)
        self._make_room()
