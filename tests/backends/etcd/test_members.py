"""A cluster of three members, whose leader is killed under load."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from time import monotonic

import pytest

from emco_store import Resource, Unavailable, UnknownOutcome, connect
from emco_store.ports import Durability, Outcome
from tests.servers.etcd import Node, leader_of, three_members
from tests.servers.plugin import Servers

pytestmark = pytest.mark.etcd
THREADS, AFTER = 4, 20
"""How many threads create, and how many creates each of them has to make after the leader is gone."""


class Parcel(Resource):
    """Something to create."""


@pytest.fixture(scope="module")
def members(servers: Servers) -> Iterator[tuple[Node, ...]]:
    """Three members."""
    servers.get("etcd")  # skips or fails where there is none
    with three_members() as nodes:
        yield nodes


def url_of(*nodes: Node) -> str:
    """Return the URL of a cluster."""
    return f"etcd://{','.join(node.url.removeprefix('etcd://') for node in nodes)}"


def test_three_members_keep_what_a_majority_has(members):
    """The class is that of a majority, and a member that is left out of the URL serves the same data."""
    with connect(url_of(members[0]), namespace="majority", require="majority") as one:
        one.create(Parcel(name="a"))
        assert Durability.MAJORITY is one.guarantees.durability
    with connect(url_of(members[2]), namespace="majority") as other:
        assert "a" == other.get(Parcel, "a").name


class Load:
    """Creates parcels from several threads, and keeps what it is told about each."""

    def __init__(self) -> None:
        self.acknowledged: set[str] = set()
        self.refused: set[str] = set()
        self.settled: dict[str, Outcome] = {}
        self.is_gone = threading.Event()
        self.begun = threading.Semaphore(0)
        self.until_s = monotonic() + 60

    def run(self, store, name: str) -> None:
        """Create until ``AFTER`` creates have succeeded after the leader is gone."""
        left = AFTER
        for number in count():
            if number == 10:
                self.begun.release()
            left -= self.create(store, f"{name}-{number}") and self.is_gone.is_set()
            if not left or monotonic() > self.until_s:
                return

    def create(self, store, key: str) -> bool:
        """Create one, and return whether that was acknowledged."""
        try:
            store.create(Parcel(name=key))
        except UnknownOutcome as problem:
            self.settled[key] = resolved(store, problem.txid)
        except Unavailable:
            self.refused.add(key)
        else:
            self.acknowledged.add(key)
            return True
        return False


def test_leader_that_is_killed_under_load_loses_nothing(members):
    """What was acknowledged is there; what was refused is not; what is unknown is settled, and is what that says."""
    leader, load = leader_of(members), Load()
    stores = [connect(url_of(*members), namespace="killed", deadline=timedelta(seconds=10)) for _ in range(THREADS)]
    threads = [threading.Thread(target=load.run, args=(store, f"t{at}")) for at, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    assert all(load.begun.acquire(timeout=60) for _ in threads)
    leader.kill()
    load.is_gone.set()
    for thread in threads:
        thread.join(90)

    with connect(url_of(*[node for node in members if node is not leader]), namespace="killed") as store:
        found = {each.name for each in store.iterate(Parcel)}
    for each in stores:
        each.close()
    leader.start()
    assert monotonic() < load.until_s
    assert THREADS * AFTER <= len(load.acknowledged)
    committed = {key for key, outcome in load.settled.items() if outcome is Outcome.COMMITTED}
    assert load.acknowledged | committed == found
    assert found.isdisjoint(load.refused)


def resolved(store, txid: str) -> Outcome:
    """Settle a commit, however often that needs to be asked."""
    while True:
        with suppress(Unavailable):
            return store.resolve(txid)
