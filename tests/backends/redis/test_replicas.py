"""Commits that wait for replicas: acknowledged means that a replica has it, too."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emco_store import Durability, Misconfigured, MissingReference, UnknownOutcome
from emco_store.backends.redis.backend import RedisBackend
from emco_store.backends.redis.commands import Names
from emco_store.connect import inspect
from emco_store.errors import InvalidCall
from emco_store.ports import Outcome
from tests.backends.redis.conftest import NAMESPACE, ONCE, Child, Site
from tests.servers.redis_nodes import Node, primary_and_replica

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def both(started) -> tuple[Node, Node]:
    """A primary and its replica."""
    return started.enter(primary_and_replica())


@pytest.fixture
def pair(both) -> tuple[Node, Node]:
    """The same, empty."""
    both[0].ask("FLUSHALL")
    return both


@contextmanager
def stopped(node: Node) -> Iterator[None]:
    """Let a server do nothing for a while, and lose nothing."""
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.process.pid, signal.SIGCONT)


def kept(node: Node, key: str) -> bool:
    """Tell whether a server has a record."""
    return bool(node.ask("HEXISTS", Names(NAMESPACE).key("records"), key))


def test_acknowledged_commit_is_on_the_replica(open_store, pair):
    """DUR-1: the class is ``replicated``, and after each call the replica has what was written."""
    primary, replica = pair
    store = open_store(primary.url, require="replicated")
    assert Durability.REPLICATED == store.guarantees.durability

    for number in range(50):
        site = store.create(Site(name=f"s{number}"))
        assert kept(replica, f"Site/s{number}")
        if number % 2:
            store.delete(site)
            assert not kept(replica, f"Site/s{number}")


def test_commit_that_no_replica_has_is_unknown_until_one_has_it(open_store, pair):
    """ATM-4, ATM-5: while the replica hangs nothing is acknowledged; later ``resolve`` tells the truth for both."""
    primary, replica = pair
    store = open_store(primary.url, require="replicated", retry=ONCE)
    store.create(Site(name="here"))

    with stopped(replica):
        with pytest.raises(UnknownOutcome) as caught:
            store.create(Site(name="unknown"))
        with pytest.raises(MissingReference):  # what is refused waits for nobody
            store.create(Child(name="c", parent="Site/absent"))

    assert Outcome.COMMITTED == store.resolve(caught.value.txid)
    assert kept(replica, "Site/unknown")
    assert 1 == store.get(Site, "unknown").meta.version


def test_doctor_is_told_what_is_required(pair, node):
    """DUR-2: a primary with a replica can do what is required, one without a replica cannot."""
    assert Durability.REPLICATED == inspect(pair[0].url, namespace=NAMESPACE, require="replicated").durability
    assert inspect(pair[0].url, namespace=NAMESPACE, require="replicated").is_well
    assert not inspect(node.url, namespace=NAMESPACE, require="replicated").is_well


def test_too_few_replicas_are_refused(open_store, pair, node):
    """DUR-2: a store that is to wait for more replicas than there are is not opened."""
    with pytest.raises(Misconfigured, match="too few replicas") as caught:
        open_store(RedisBackend(pair[0].url, replicas=2))
    assert "replicas" == caught.value.setting
    with pytest.raises(Misconfigured):
        open_store(node.url, require="replicated")
    for wrong in (-1, True, "1", 1.0):
        with pytest.raises(InvalidCall, match="replicas"):
            RedisBackend(pair[0].url, replicas=wrong)
