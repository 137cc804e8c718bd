"""How replies of MongoDB are read from a connection, whatever pieces they come in."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import bson
import pytest
from pymongo.errors import ProtocolError

from emco_store.backends.mongo.fast.channels import Channel

LARGE = {"ok": 1.0, "text": "x" * 300_000}
SMALL = {"ok": 1.0}


def reply(number: int, document: dict[str, Any], *, flags: int = 0, kind: int = 2013) -> bytes:
    """Write a reply as a server does."""
    body = struct.pack("<IB", flags, 0) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), 99, number, kind) + body


class Connection:
    """What a connection of PyMongo's looks like to a channel."""

    max_message_size = 48_000_000

    def __init__(self, end: socket.socket) -> None:
        self.conn = SimpleNamespace(get_conn=end)
        self.closed = False
        self.cancel_context = SimpleNamespace(cancelled=False)

    def set_conn_timeout(self, timeout_s: float) -> None:
        """See PyMongo."""
        self.conn.get_conn.settimeout(timeout_s)

    def _raise_connection_failure(self, problem: BaseException) -> None:
        self.closed = True
        raise problem


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection, and the end at which its server is."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours), theirs


@pytest.mark.parametrize(
    "documents",
    [[SMALL], [SMALL, SMALL], [LARGE], [LARGE, SMALL], [SMALL, LARGE, LARGE, SMALL]],
    ids=lambda documents: "-".join("large" if "text" in one else "small" for one in documents),
)
@pytest.mark.parametrize("piece", [1, 15, 17, 1 << 20], ids=str)
def test_replies_are_whole_whatever_pieces_they_come_in(ends, documents, piece):
    """Each message gets its own reply, and what has come of the next one is kept for that."""
    connection, server = ends
    numbers = [*range(7, 7 + len(documents))]
    data = b"".join(reply(number, document) for number, document in zip(numbers, documents, strict=True))
    step = piece if len(data) < 1_000 else max(piece, 10_001)

    def serve() -> None:
        assert b"question" == server.recv(100)
        for at in range(0, len(data), step):
            server.sendall(data[at : at + step])

    thread = threading.Thread(target=serve)
    thread.start()
    found = Channel(connection).exchange(b"question", numbers, 10)
    thread.join()

    assert documents == [bson.decode(one) for one in found]
    assert not connection.closed


@pytest.mark.parametrize(
    "wrong",
    [reply(8, SMALL), reply(7, SMALL, flags=2), reply(7, SMALL, kind=2012), struct.pack("<iiii", 16, 0, 7, 2013)],
    ids=["another message's", "flags", "kind", "empty"],
)
def test_what_is_no_reply_breaks_the_connection(ends, wrong):
    """Nobody reads on where it is not clear what comes."""
    connection, server = ends
    server.sendall(wrong)

    with pytest.raises(ProtocolError):
        Channel(connection).exchange(b"question", [7], 10)

    assert connection.closed


def test_connection_that_ends_within_a_reply_is_broken(ends):
    """Half a reply is none."""
    connection, server = ends
    server.sendall(reply(7, SMALL)[:20])
    server.shutdown(socket.SHUT_WR)

    with pytest.raises(OSError, match="closed"):
        Channel(connection).exchange(b"question", [7], 10)

    assert connection.closed


@pytest.mark.parametrize("come", [0, 20], ids=["nothing", "a part"])
def test_reply_that_is_late_breaks_the_connection(ends, come):
    """Who has waited for as long as was said waits no longer."""
    connection, server = ends
    server.sendall(reply(7, SMALL)[:come])

    with pytest.raises(TimeoutError):
        Channel(connection).exchange(b"question", [7], 0.01)

    assert connection.closed
