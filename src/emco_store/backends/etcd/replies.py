"""Answers of a member, read from a connection: the part of HTTP/1.1 that etcd speaks."""

from __future__ import annotations

import socket
from typing import NamedTuple

_CHUNK = 1 << 16
_LONGEST_HEAD = 1 << 20


class Reply(NamedTuple):
    """What a member has answered, as it came.

    Attributes:
        status: The status of HTTP.
        date: The header of this name; empty without one.
        body: What it says.
        is_last: Whether the connection ends with it.
    """

    status: int
    date: str
    body: bytes
    is_last: bool


def read_reply(connection: socket.socket) -> Reply:
    """Read one answer, which is the only one under way.

    Raises:
        OSError: The connection broke, or the time is over.
        ValueError: It is no answer in HTTP.
    """
    source = _Source(connection)
    first, *rest = source.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    version, status, *_ = f"{first}  ".split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    pairs = (line.partition(":") for line in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    is_open = not is_chunked and "content-length" not in headers
    if is_chunked:
        body = _chunks(source)
    else:
        body = source.rest() if is_open else source.exactly(int(headers["content-length"]))
    is_last = is_open or headers.get("connection", "").lower() == "close"
    return Reply(int(status), headers.get("date", ""), body, is_last)


def _chunks(source: _Source) -> bytes:
    parts: list[bytes] = []
    while size := int(source.until(b"\r\n").partition(b";")[0], 16):
        parts.append(source.exactly(size))
        source.exactly(2)
    while source.until(b"\r\n"):  # headers after the body
        pass
    return b"".join(parts)


class _Source:
    """What has come and is not read yet."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def until(self, end: bytes) -> bytes:
        """Return what comes before an end, and pass over the end."""
        while (at := self._buffer.find(end)) < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise ValueError(_LONGEST_HEAD)
            self._more()
        found = bytes(self._buffer[:at])
        del self._buffer[: at + len(end)]
        return found

    def exactly(self, size: int) -> bytes:
        """Return so many bytes."""
        while len(self._buffer) < size:
            self._more()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def rest(self) -> bytes:
        """Return all that comes until the other side closes the connection."""
        while got := self._connection.recv(_CHUNK):
            self._buffer += got
        return bytes(self._buffer)

    def _more(self) -> None:
        got = self._connection.recv(_CHUNK)
        if not got:
            raise ConnectionError("EOF")
        self._buffer += got
