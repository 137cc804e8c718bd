"""Answers are read from a connection as HTTP/1.1 frames them."""

from __future__ import annotations

import socket

import pytest

from emco_store.backends.etcd.replies import read_reply


def read(*parts: bytes):
    """Read an answer that comes in these parts, and then the end of the connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(10)
        for part in parts:
            theirs.sendall(part)
        theirs.shutdown(socket.SHUT_WR)
        return read_reply(ours)


def test_answer_with_a_length_leaves_the_connection_open():
    """The body is as long as announced, and the date is found by its name in any case."""
    found = read(b"HTTP/1.1 200 OK\r\ndate: now\r\nContent-Len", b"gth: 5\r\n\r\n{", b"1234tail")

    assert (200, "now", b"{1234", False) == found


def test_answer_in_chunks_is_put_together():
    """Chunks may come in any parts, with extensions, and with headers after them."""
    head = b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    assert (503, "", b"abcdef\r\n", True) == read(head + b"3\r\nabc\r", b"\n5;x=1\r\ndef\r\n\r\n0\r\nLate: 1\r\n\r\n")


def test_answer_without_a_length_ends_with_the_connection():
    """All that comes is the body."""
    assert (200, "", b"abc", True) == read(b"HTTP/1.0 200 OK\r\n\r\n", b"abc")


@pytest.mark.parametrize("told", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
def test_answer_that_is_cut_off_is_none(told):
    """A part of an answer is never taken for the whole."""
    with pytest.raises(ConnectionError):
        read(told)


@pytest.mark.parametrize("told", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 ok\r\nContent-Length: 0\r\n\r\n", b"x" * 1_100_000])
def test_answer_of_something_else_is_refused(told):
    """Only HTTP is read."""
    with pytest.raises(ValueError, match=r".*"):
        read_in_thread(told)


def read_in_thread(told: bytes):
    """Read an answer that is too long for the buffer of a socket."""
    import threading  # noqa: PLC0415

    ours, theirs = socket.socketpair()
    with ours, theirs:
        sends = threading.Thread(target=_send, args=(theirs, told))
        sends.start()
        try:
            return read_reply(ours)
        finally:
            ours.close()
            sends.join()


def _send(to: socket.socket, told: bytes) -> None:
    try:
        to.sendall(told)
    except OSError:
        return
