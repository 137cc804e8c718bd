"""Connections of PyMongo that are kept, written to and read from here: a blocking one, and one for asyncio.

PyMongo makes them, and is told when one breaks; for asyncio it also takes replies apart. What it does beside that for
each message (tasks, time-outs that are set and reset, two reads for each reply) takes longer than the rest of the
client's part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any, Final

import pymongo

from emco_store.backends.mongo.messages import HEAD_BYTES, document_in, size_of

USED: Final = {
    "client": ("_select_server", "_checkout"),
    "connection": ("_raise_connection_failure", "set_conn_timeout", "conn_closed"),
    "interface": ("get_conn",),
    "protocol": ("read", "write"),
}
"""What is used of PyMongo's inside, for which it has no public call."""
_BUFFER_BYTES = 1 << 16
_GONE = "connection closed"
_LATE = "timed out"


def is_possible(client: Any) -> bool:
    """Tell whether this version of PyMongo has all that is used of its inside."""
    try:
        from pymongo import network_layer  # noqa: PLC0415 - it may not be there
        from pymongo.asynchronous.pool import AsyncConnection  # noqa: PLC0415
        from pymongo.synchronous.pool import Connection  # noqa: PLC0415
    except ImportError:
        return False
    is_async = isinstance(client, pymongo.AsyncMongoClient)
    parts: dict[str, Any] = {
        "client": client,
        "connection": AsyncConnection if is_async else Connection,
        "interface": getattr(network_layer, "AsyncNetworkingInterface" if is_async else "NetworkingInterface", None),
    }
    if is_async:
        parts["protocol"] = getattr(network_layer, "PyMongoProtocol", None)
    return all(hasattr(part, name) for kind, part in parts.items() for name in USED[kind])


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
        """Send messages at once, and give the document of the reply to each.

        Raises:
            PyMongoError: The connection broke, and is closed.
        """
        try:
            end_s = monotonic() + within_s
            self._connection.set_conn_timeout(within_s)
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
        """Read until so much is there at least, and tell how much there is."""
        while filled < least:
            received = self._socket.recv_into(buffer[filled:])
            if not received:
                raise OSError(_GONE)
            filled += received
            if filled < least:
                left_s = end_s - monotonic()
                if left_s <= 0:
                    raise TimeoutError(_LATE)
                self._connection.set_conn_timeout(left_s)
        return filled


class AsyncChannel:
    """A connection for asyncio; see :class:`Channel`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._protocol = connection.conn.get_conn

    async def exchange(self, sent: bytes, numbers: Sequence[int], within_s: float) -> list[bytes]:
        """See :meth:`Channel.exchange`."""
        try:
            async with asyncio.timeout(within_s):
                await self._protocol.write(sent)
                return [await self._reply(number) for number in numbers]
        except BaseException as problem:
            await self._connection._raise_connection_failure(problem)  # noqa: SLF001 - see USED
            raise

    async def _reply(self, number: int) -> bytes:
        body, _ = await self._protocol.read(number, self._connection.max_message_size)
        return document_in(body)
