"""Servers that several processes share: each starts once, and what became of it is the same for all."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.servers.process import Server, ServerFailed, ServerMissing
from tests.servers.shared import Borrowed, Lender, Started

FOUND = Server("good", "redis://there", "7.0", "a test")


class Starters(dict[str, object]):
    """Three servers that can be asked for, and how often each was started and stopped."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        super().__init__(good=self.good, absent=self.absent, broken=self.broken)

    @contextmanager
    def good(self) -> Iterator[Server]:
        """Yield a server."""
        self.calls.append("start")
        yield FOUND
        self.calls.append("stop")

    @contextmanager
    def absent(self) -> Iterator[Server]:
        """Find none."""
        self.calls.append("absent")
        raise ServerMissing("not here")
        yield

    @contextmanager
    def broken(self) -> Iterator[Server]:
        """Find one that does not start."""
        raise ServerFailed("it ended")
        yield


@pytest.fixture
def starters():
    """The three."""
    return Starters()


@pytest.fixture
def lender(starters):
    """A process that starts them for others."""
    lender = Lender(starters)
    yield lender
    lender.close()


def test_server_starts_once_for_all_who_borrow_it(starters):
    """Every worker gets the same server, which is stopped when the run ends and not before."""
    lender = Lender(starters)

    found = [Borrowed(lender.address).get("good") for _ in range(2)]
    before = list(starters.calls)
    lender.close()

    assert ([FOUND, FOUND], ["start"], ["start", "stop"]) == (found, before, starters.calls)


@pytest.mark.parametrize("name", ["absent", "broken"])
def test_cause_of_an_absence_reaches_who_borrows(starters, lender, name):
    """A worker learns why there is no server, with the class and the text that the starter gave."""
    expected = Started(starters).get(name)
    found = Borrowed(lender.address).get(name)

    assert (type(expected), str(expected)) == (type(found), str(found))


def test_server_that_is_absent_is_looked_for_once(starters, lender):
    """An absence is remembered as a server is."""
    for _ in range(2):
        Borrowed(lender.address).get("absent")

    assert ["absent"] == starters.calls


def test_worker_that_breaks_off_leaves_the_servers_to_the_others(lender):
    """A connection that ends or knows no secret ends nothing but itself."""
    host, port, _ = lender.address
    socket.create_connection((host, port)).close()
    with socket.create_connection((host, port)) as stranger:
        stranger.sendall(b"\0\0\0\4good")

    assert FOUND == Borrowed(lender.address).get("good")
