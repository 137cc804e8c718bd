"""A replica set of three whose primary steps down, crashes and stands still while writers are at work."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from emco_store import connect
from tests.backends.mongo.members import ReplicaSet, Writers

pytestmark = pytest.mark.timeout(300)


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
