"""Messages over connections of PyMongo: a blocking channel, and one for asyncio.

PyMongo makes the connections, and learns when one breaks; for asyncio it also takes replies apart. What it does beyond
that for each message (tasks, time-outs that are set and reset, two reads for each reply) takes longer than the rest of
the client's part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

from emco_store.backends.mongo.fast.messages import HEAD_BYTES, document_in, size_of

POLL_S = 0.5
"""How often a call that waits for a reply looks whether PyMongo has given the connection up; PyMongo does the same."""
_BUFFER_BYTES = 1 << 16
_LARGE_BYTES = 1 << 14
"""A message up to this size fits what the system keeps of a connection, so nobody waits while it is sent."""
_GONE = "connection closed"
_LATE = "timed out"
_INTERRUPTED = "connection interrupted: its server does not answer the monitor"


class Channel:
    """A blocking connection.

    Args:
        connection: A connection of PyMongo that nobody else uses.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._socket = connection.conn.get_conn
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))

    def exchange(self, sent: bytes, numbers: Sequence[int], within_s: float) -> list[bytes]:
        """Send messages at once, and return the document of the reply to each.

        Raises:
            PyMongoError: The connection broke, and is closed.
        """
        try:
            end_s = monotonic() + within_s
            self._connection.set_conn_timeout(within_s if len(sent) > _LARGE_BYTES else min(within_s, POLL_S))
            self._socket.sendall(sent)
            return [*self._replies(numbers, end_s)]
        except BaseException as problem:
            self._connection._raise_connection_failure(problem)  # noqa: SLF001 - see USED
            raise

    def _replies(self, numbers: Sequence[int], end_s: float) -> Iterator[bytes]:
        buffer = self._buffer
        filled = 0
        for number in numbers:
            filled = self._read(buffer, filled, HEAD_BYTES, end_s)
            size = size_of(buffer, number, self._connection.max_message_size)
            if size <= len(buffer):
                filled = self._read(buffer, filled, size, end_s)
                yield document_in(buffer[HEAD_BYTES:size])
                buffer[: filled - size] = buffer[size:filled]
                filled -= size
            else:
                large = memoryview(bytearray(size))
                large[:filled] = buffer[:filled]
                self._read(large, filled, size, end_s)
                yield document_in(large[HEAD_BYTES:])
                filled = 0

    def _read(self, buffer: memoryview, filled: int, least: int, end_s: float) -> int:
        """Read until at least that many bytes are there, and return how many there are."""
        connection = self._connection
        while filled < least:
            try:
                received = self._socket.recv_into(buffer[filled:])
            except TimeoutError:
                if connection.cancel_context.cancelled:
                    raise OSError(_INTERRUPTED) from None
                left_s = end_s - monotonic()
                if left_s <= 0:
                    raise TimeoutError(_LATE) from None
                connection.set_conn_timeout(min(left_s, POLL_S))
                continue
            if not received:
                raise OSError(_GONE)
            filled += received
        return filled


class AsyncChannel:
    """A connection for asyncio; see :class:`Channel`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._protocol = connection.conn.get_conn
        self._loop = asyncio.get_running_loop()
        self._end_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def exchange(self, sent: bytes, numbers: Sequence[int], within_s: float) -> list[bytes]:
        """See :meth:`Channel.exchange`."""
        begin_s = self._loop.time()
        self._end_s = begin_s + within_s
        self._timer = self._loop.call_at(begin_s + min(within_s, POLL_S), self._look)
        try:
            await self._protocol.write(sent)
            return [await self._reply(number) for number in numbers]
        except BaseException as problem:
            await self._connection._raise_connection_failure(problem)  # noqa: SLF001 - see USED
            raise
        finally:
            self._timer.cancel()

    async def _reply(self, number: int) -> bytes:
        body, _ = await self._protocol.read(number, self._connection.max_message_size)
        return document_in(body)

    def _look(self) -> None:
        """Break the connection where the reply is late; whoever waits for it gets the error."""
        now_s = self._loop.time()
        if now_s >= self._end_s:
            self._protocol.close(TimeoutError(_LATE))
        elif self._connection.cancel_context.cancelled:
            self._protocol.close(OSError(_INTERRUPTED))
        else:
            self._timer = self._loop.call_at(min(self._end_s, now_s + POLL_S), self._look)
