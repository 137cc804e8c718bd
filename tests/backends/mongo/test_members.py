"""A replica set of three whose primary steps down, crashes and stands still while writers are at work."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from emco_store import Resource, connect, unique
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.core.keys import Key
from emco_store.core.pulses import Heartbeat
from emco_store.ports import Beat, Pulses
from tests.backends.mongo.members import ReplicaSet, Writers

pytestmark = pytest.mark.timeout(300)


class Badge(Resource):
    """Has a value that nobody else has."""

    code: Annotated[str | None, unique()] = None


@pytest.fixture
def writers(three: ReplicaSet) -> Iterator[Writers]:
    """Writers on a store of their own; after the test all members run, and what is stored is what was told."""
    with connect(f"{three.url}&heartbeatFrequencyMS=500", namespace=f"m{secrets.token_hex(8)}") as store:
        port: Any = store._port
        port._deadline_s = 5.0
        yield Writers(store)


def test_acknowledged_commits_survive_a_step_down(three, writers):
    """While the primary steps down, each commit that was acknowledged stays, and each other is known (ATM-4, DUR-1)."""
    with writers.at_work():
        three.step_down()
    three.settle()

    writers.check()


def test_acknowledged_commits_survive_a_primary_that_is_killed(three, writers):
    """A primary that crashes and comes back costs no acknowledged commit, and repeats none (ATM-4, DUR-1)."""
    primary = three.primary
    with writers.at_work():
        primary.kill()
        three.wait_for_another(primary)
        primary.restart()
    three.settle()

    writers.check()


def test_acknowledged_commits_survive_a_primary_that_stands_still(three, writers):
    """A primary that wakes up deposed has acknowledged nothing that the others do not have (ATM-4, DUR-1)."""
    primary = three.primary
    with writers.at_work():
        primary.pause()
        try:
            three.wait_for_another(primary)
        finally:
            primary.resume()
    three.settle()

    writers.check()


def test_index_is_made_while_a_member_stands_still(three):
    """A majority is enough for an index, as for a commit; by itself the server would wait for all members (ID-6)."""
    with connect(three.url, namespace=f"m{secrets.token_hex(8)}") as store:
        store.create(Badge(name="a"))
        other = next(member for member in three.members if member is not three.primary)
        other.pause()
        try:
            store.create(Badge(name="b", code="1"))
        finally:
            other.resume()
        three.settle()

        assert ["a", "b"] == [badge.name for badge in store.list(Badge)]


def test_members_that_change_all_the_time_cost_no_commit(three, writers):
    """While members freeze, step down and crash in turn, nothing but typed errors comes, and nothing is lost."""
    with writers.at_work():
        for _ in range(2):
            one, other = (member for member in three.members if member is not three.primary)
            three.freeze(one)
            three.step_down()
            other.kill()
            other.restart()
            three.settle()
            three.step_down()
    three.settle()

    writers.check()


class AfterFinds(CommandListener):
    """Does something once, after the first read that is successful from now on.

    Attributes:
        act: What to do; None for nothing.
    """

    def __init__(self) -> None:
        self.act: Callable[[], object] | None = None

    def started(self, event: Any) -> None:
        """Do nothing yet."""

    def succeeded(self, event: Any) -> None:
        """Do it."""
        act = self.act
        if act is not None and event.command_name == "find":
            self.act = None
            act()

    def failed(self, event: Any) -> None:
        """Wait for another one."""


@pytest.mark.parametrize("is_over", [True, False])
def test_pulses_of_two_primaries_have_the_name_of_the_later_one(three, is_over):
    """SUP-2: an election that comes in the middle of a poll, and may have forgotten beats, is seen in this poll."""
    listener, old = AfterFinds(), three.primary

    def elect():
        three.step_down()
        if is_over:
            three.wait_for_another(old)

    with MongoClient(f"{three.url}&heartbeatFrequencyMS=500", event_listeners=[listener]) as client:
        port = MongoBackend(client).port(f"m{secrets.token_hex(8)}")
        port.open()
        port.ask(Beat({"u": Heartbeat(Key("Worker", "w"), 1, timedelta(hours=1))}))
        before = [port.ask(Pulses()).server for _ in range(2)]

        listener.act = elect
        page = port.ask(Pulses())

        assert ["u"] == [pulse.uid for pulse in page.pulses]
        assert before[0] == before[1] != page.server
        assert page.server in {port.ask(Pulses()).server, ""}
        assert is_over <= bool(page.server)
    three.settle()
