"""How requests reach the server of a client of the port's own: over connections that are kept, by bytes.

redis-py makes each connection, with its TLS, its user and its database, and closes it. Between the two its pool, its
locks and its figures would cost a small request more than the rest of the client, so a connection that was made is kept
out of the pool, written to and read from here. The blocking wire keeps one for each thread that waits. The asyncio one
needs a single one: requests of all tasks follow each other on it, and the replies come back in their order.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from redis import exceptions

from emco_store.backends.redis.kept import Line, Link, socket_of, transport_of


class Wire:
    """The connections of a blocking client; any number of threads may use it.

    Args:
        client: The client.
        is_direct: Whether commits go as they come: not where each keeps its connection busy.
    """

    def __init__(self, client: Any, *, is_direct: bool) -> None:
        self.is_direct = is_direct
        self._client = client
        self._kept: list[Line] = []
        self._process = os.getpid()

    def ask(self, data: bytes) -> Any:
        """Send a request and give the reply.

        Raises:
            ConnectionError: There is no connection, or it broke.
            TimeoutError: There was no reply in time.
            ResponseError: The server refused it.
        """
        pool = self._client.connection_pool
        line = self._line(pool)
        if not isinstance(line, Line):
            (reply,) = _exchange(pool, line, data, 1)
        else:
            try:
                reply = line.ask(data)
            except BaseException:
                line.close(pool)  # or a later request would read what is still to come
                raise
            self._kept.append(line)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def exchange(self, data: bytes, count: int) -> list[Any]:
        """Send requests, and give the reply or the problem of each; nobody's request comes between them.

        Raises:
            ConnectionError: There is no connection, or it broke.
            TimeoutError: There was no reply in time.
        """
        pool = self._client.connection_pool
        line = self._line(pool)
        if not isinstance(line, Line):
            return _exchange(pool, line, data, count)
        try:
            replies = line.exchange(data, count)
        except BaseException:
            line.close(pool)
            raise
        self._kept.append(line)
        return replies

    def _line(self, pool: Any) -> Any:
        """Take a connection that is kept, or make one; it is one of redis-py where its socket cannot be had."""
        if self._process != os.getpid():  # after a fork: the server's end of these belongs to the parent
            self._process, self._kept = os.getpid(), []
        while self._kept:
            try:
                line = self._kept.pop()
            except IndexError:  # another thread was faster
                break
            if not line.is_over:
                return line
            line.close(pool)
        connection = pool.get_connection()
        sock = socket_of(connection)
        return connection if sock is None else Line(connection, sock)

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


class AsyncWire:
    """The connections of an asyncio client; for the tasks of one event loop.

    Args:
        client: The client.
        is_direct: Whether requests go as they come, over a connection that all share: not where some keep it busy.

    Attributes:
        kind: The class of its connections.
    """

    kind = Link

    def __init__(self, client: Any, *, is_direct: bool) -> None:
        self.is_direct = is_direct
        self._client = client
        self._link: Link | None = None
        self._linking: asyncio.Task[Link | None] | None = None

    async def ask(self, data: bytes) -> Any:
        """See :meth:`Wire.ask`."""
        link = self._link
        if link is None or link.is_over:
            link = await self._connect() if self.is_direct else None
        if link is None:
            (reply,) = await self.exchange(data, 1)
        else:
            if link.is_full:
                await link.room()
                if link.is_over:
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

    async def _connect(self) -> Link | None:
        """Wait for the connection that is being made; whoever began it may go away."""
        if self._linking is None:
            self._linking = asyncio.create_task(self._linked())
            self._linking.add_done_callback(self._has_linked)
        return await asyncio.shield(self._linking)

    def _has_linked(self, _: object) -> None:
        self._linking = None

    async def _linked(self) -> Link | None:
        pool = self._client.connection_pool
        former, self._link = self._link, None
        if former is not None:
            await former.connection.disconnect()
            await pool.release(former.connection)
        connection = await pool.get_connection()
        transport = transport_of(connection)
        if transport is None:
            self.is_direct = False
            await pool.release(connection)
            return None
        self._link = self.kind(connection, transport)
        return self._link

    async def close(self) -> None:
        """Forget the connection, which the client closes; who waits for a reply is told that it is gone."""
        if self._linking is not None:
            await asyncio.wait({self._linking})
        self._link = None


async def _response_async(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except exceptions.ResponseError as problem:
        return problem
