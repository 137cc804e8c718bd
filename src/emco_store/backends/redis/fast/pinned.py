"""The fast transport for threads: connections of redis-py that stay pinned, written to and read from here.

redis-py makes each connection, with its TLS, its user and its database, and closes it. Between the two its pool, its
locks and its figures would cost a small request more than the rest of the client, so a connection that was made stays
out of the pool; there is one for each thread that waits.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from redis import exceptions

from emco_store.backends.apart import Overdue, in_thread
from emco_store.backends.patience import REQUEST_S
from emco_store.backends.redis.calls import FULL
from emco_store.backends.redis.commands import Request, packed
from emco_store.backends.redis.fast.allowed import is_watched, objection
from emco_store.backends.redis.fast.replies import GONE, LATE, NOTHING, PUSHED, idle_of, reader
from emco_store.backends.redis.sync_transport import PlainTransport, Transport
from emco_store.notices import fell_back

NO_TIME = "Timeout connecting to the server"
_BUFFER_BYTES = 1 << 16


def transport_to(client: Any, *, owned: bool, wish: str = "auto") -> Transport:
    """Choose the transport to a server.

    Args:
        client: A client of redis-py.
        owned: Whether nobody else uses the client. Others may have extended one that was given, and its pool is theirs.
        wish: ``plain`` for public calls only, ``auto`` for the fast transport where it is allowed.
    """
    if wish == "plain":
        return PlainTransport(client, "asked for with transport='plain'")
    if not owned:
        return PlainTransport(client, "the client was given, so its connections belong to others too")
    reason = objection(client)
    plain = PlainTransport(client, reason)
    return plain if reason else PinnedTransport(client, plain)


class PinnedTransport:
    """Writes requests on pinned connections; any number of threads may use it.

    Args:
        client: The client.
        plain: What to use where redis-py has something to do with a request.

    See :class:`emco_store.backends.redis.sync_transport.Transport`.
    """

    def __init__(self, client: Any, plain: PlainTransport) -> None:
        self._client = client
        self._plain = plain
        self._idle: list[Pinned] = []
        self._process = os.getpid()
        self._freed = threading.Condition()
        self._waiting = 0
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

    def ask(self, request: Request, within_s: float | None) -> Any:
        """See the interface."""
        if self._objection or is_watched(self._client):
            return self._plain.ask(request, within_s)
        pool = self._client.connection_pool
        pinned = self._take(pool, within_s)
        if pinned is None:
            return self._plain.ask(request, within_s)
        try:
            reply = pinned.ask(packed(request), within_s)
        except BaseException:
            pinned.close(pool)  # or a later request would read what is still to come
            self._wake()
            raise
        if pinned.has_news:
            self._fall_back("the server announces a change, which redis-py handles")
            pinned.close(pool)
        else:
            self._idle.append(pinned)
        if self._waiting:
            self._wake()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _objection_now(self) -> str:
        """Say why public calls are to be used by now."""
        return self._objection or is_watched(self._client)

    def _take(self, pool: Any, within_s: float | None) -> Pinned | None:
        """Take a pinned connection, or make one; None where its socket cannot be had."""
        if self._process != os.getpid():  # after a fork: the server's end of these belongs to the parent
            self._process, self._idle, self._freed, self._waiting = os.getpid(), [], threading.Condition(), 0
        end_s: float | None = None
        while True:
            while self._idle:
                try:
                    pinned = self._idle.pop()
                except IndexError:  # another thread was faster
                    break
                if not pinned.is_over:
                    return pinned
                pinned.close(pool)
            end_s = end_s or monotonic() + (REQUEST_S if within_s is None else within_s)
            try:
                return self._made(pool, within_s)
            except exceptions.ConnectionError as problem:
                if not str(problem).startswith(FULL) or not self._wait(end_s - monotonic()):
                    raise

    def _made(self, pool: Any, within_s: float | None) -> Pinned | None:
        if within_s is None:
            connection = pool.get_connection()
        else:
            try:
                connection = in_thread(pool.get_connection, within_s, pool.release)
            except Overdue:
                raise exceptions.ConnectionError(NO_TIME) from None  # so nothing was sent
        sock = getattr(connection, "_sock", None)
        if isinstance(sock, socket.socket):
            return Pinned(connection, sock)
        pool.release(connection)
        self._fall_back("redis-py keeps the socket of a connection elsewhere")
        return None

    def _wait(self, within_s: float) -> bool:
        """Wait until another thread is done with its connection; False where none is in time."""
        with self._freed:
            self._waiting += 1
            try:
                return bool(self._idle) or self._freed.wait(max(within_s, 0))
            finally:
                self._waiting -= 1

    def _wake(self) -> None:
        with self._freed:
            self._freed.notify()

    def _fall_back(self, objection: str) -> None:
        """Use public calls from now on."""
        fell_back("Redis", objection)
        self._objection = objection
        self.close()

    def close(self) -> None:
        """Return the connections to the pool of the client."""
        self._plain.close()
        idle, self._idle = self._idle, []
        for pinned in idle:
            pinned.close(self._client.connection_pool)


class Pinned:
    """A blocking connection that stays pinned.

    Attributes:
        has_news: Whether the server has said something unasked.
    """

    __slots__ = (
        "_buffer",
        "_connection",
        "_feed",
        "_gets",
        "_idle",
        "_into",
        "_is_bounded",
        "_poll",
        "_send",
        "_socket",
        "has_news",
    )

    def __init__(self, connection: Any, sock: socket.socket) -> None:
        replies = reader()
        self.has_news = False
        self._connection = connection
        self._idle = idle_of(connection)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._socket = sock
        timeout_s = sock.gettimeout()
        self._is_bounded = timeout_s is not None and timeout_s <= REQUEST_S
        self._send, self._into = sock.sendall, sock.recv_into
        self._feed, self._gets = replies.feed, replies.gets
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        self._poll = poller.poll

    @property
    def is_over(self) -> bool:
        """Whether it should not be used: something has come unasked, mostly its end."""
        return bool(self._poll(0)) or (self._idle is not None and self._idle.is_over)

    def ask(self, data: bytes, within_s: float | None) -> Any:
        """Send a request and return the reply, or the problem that the server reports.

        Raises:
            ConnectionError: It broke.
            TimeoutError: The server did not take it, or did not reply, in time.
        """
        try:
            if within_s is None and self._is_bounded:
                self._send(data)
                reply = self._reply(self._into)
            else:
                reply = self._reply_within(data, REQUEST_S if within_s is None else within_s)
        except OSError as problem:
            raise _broken(problem) from problem
        if self._idle is not None:
            self._idle.note()
        return reply

    def _reply_within(self, data: bytes, within_s: float) -> Any:
        end_s = monotonic() + within_s
        own_s = self._socket.gettimeout()

        def into(buffer: bytearray) -> int:
            self._limit(end_s, own_s)
            return self._into(buffer)

        try:
            self._limit(end_s, own_s)
            self._send(data)
            return self._reply(into)
        finally:
            self._socket.settimeout(own_s)

    def _limit(self, end_s: float, own_s: float | None) -> None:
        left_s = end_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s if own_s is None else min(left_s, own_s))

    def _reply(self, into: Callable[[bytearray], int]) -> Any:
        while (reply := self._gets()) is NOTHING or isinstance(reply, PUSHED):
            if reply is NOTHING:
                size = into(self._buffer)
                if size == 0:
                    raise exceptions.ConnectionError(GONE)
                self._feed(self._buffer, 0, size)
            else:
                self.has_news = True
        return reply

    def close(self, pool: Any) -> None:
        """Close it, and give it back."""
        self._connection.disconnect()
        pool.release(self._connection)


def _broken(problem: OSError) -> exceptions.RedisError:
    if isinstance(problem, TimeoutError):
        return exceptions.TimeoutError(LATE)
    return exceptions.ConnectionError(f"Error while talking to the server: {problem}")
