"""FEED-11 with real processes: consumers are killed while they work, and each event has its effect once."""

from __future__ import annotations

import re
import secrets
from contextlib import ExitStack

import pytest

from emco_store import Verdict, connect
from emco_store.contracts.consumers import Daybook
from emco_store.contracts.models import Site
from tests.beating.rig import started, until

COUNT = 60


@pytest.mark.parametrize("name", ["redis", "mongo"])
def test_consumers_that_are_killed_leave_each_event_with_one_effect(servers, name, tmp_path):
    """One dies before a commit, one while it works; the last goes on: nothing is missing, doubled or out of order."""
    url, namespace = servers.get(name).url, f"consuming-{secrets.token_hex(4)}"
    with connect(url, namespace=namespace) as store, ExitStack() as stack:
        begin = store.feed_cursor()
        hands = [
            stack.enter_context(started("-m", "tests.consuming.worker", url, namespace, begin, str(tmp_path)))
            for _ in range(3)
        ]
        for hand in hands:
            assert "ready" == hand.hear()
        by_pid = {hand.process.pid: hand for hand in hands}
        trap = tmp_path / f"s{COUNT // 2}"
        trap.touch()
        names = [store.create(Site(name=f"s{number}")).name for number in range(COUNT)]
        until(lambda: not trap.exists(), "the first one dies")
        until(lambda: COUNT <= len(written(store)), "the second one goes on")
        victim = by_pid.pop(leader(store))

        names += [store.create(Site(name=f"s{COUNT + number}")).name for number in range(COUNT)]
        victim.kill()
        until(lambda: len(names) <= len(written(store)), "the last one does the rest")

        assert names == written(store)
        assert 1 == sum(hand.process.poll() is None for hand in hands)


def written(store):
    """Return the names of the sites in the order in which a consumer has dealt with them."""
    return [line for one in store.list(Daybook) for line in one.entries]


def leader(store):
    """Return the id of the process that works."""
    (state,) = store.consumers()
    assert Verdict.FREE is not state.lease.verdict
    return int(re.search(r"process (\d+)", state.lease.holder)[1])
