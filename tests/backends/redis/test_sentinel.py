"""A primary that is replaced: a store on ``Sentinel.master_for`` goes on with the new one, and asks no other."""

from __future__ import annotations

import pytest

from emco_store.errors import Unavailable, UnknownOutcome
from tests.backends.redis.conftest import NAMESPACE, SOON, Site, once, works
from tests.servers.process import HOST
from tests.servers.redis_sentinel import FAILOVER_WITHIN_S, SERVICE, Watched, watched

pytestmark = [pytest.mark.redis, pytest.mark.timeout(4 * FAILOVER_WITHIN_S)]

NAMES = [f"n{number:02}" for number in range(20)]


@pytest.fixture
def servers(started) -> Watched:
    """A primary, two replicas and a sentinel, for one test."""
    found: Watched = started.enter(watched(replicas=2))
    return found


@pytest.fixture
def service(classes, client, servers):
    """Make a client of what the sentinel says is the primary."""
    sentinel = classes[2]([(HOST, servers.port)], socket_timeout=5, sentinel_kwargs={"retry": once(classes)})
    for watcher in sentinel.sentinels:
        client(watcher)

    def make(name: str = SERVICE):
        return client(sentinel.master_for(name, retry=once(classes), socket_timeout=5))

    return make


def goes_on(store) -> bool:
    """Tell whether the store can write; it may be unavailable for a while, or not know, and nothing else."""
    try:
        works(store)
    except (Unavailable, UnknownOutcome):
        return False
    return True


def names(store) -> list[str]:
    """Return what is stored."""
    return [site.name for site in store.list(Site)]


def test_sentinel_without_a_primary_is_unavailable(open_store, service):
    """A service that no sentinel knows is like a server that is not there."""
    works(open_store(service()))

    with pytest.raises(Unavailable):
        open_store(service("gone"), namespace=NAMESPACE, deadline=SOON)


def test_store_goes_on_after_its_primary_was_killed(open_store, service, servers):
    """Each call meanwhile ends in a typed error; what the replicas had is there, and the old primary is not asked."""
    store = open_store(service())
    for name in NAMES:
        store.create(Site(name=name))
    servers.replicate()

    old = servers.kill_primary()
    servers.primary.wait_until(lambda: goes_on(store), FAILOVER_WITHIN_S)
    after = names(store)
    store.create(Site(name="z"))
    old.start()  # empty, and a primary in its own eyes until the sentinel has seen it

    assert NAMES == after
    assert [*NAMES, "z"] == names(store) == names(open_store(service()))


def test_store_goes_on_after_a_planned_failover(open_store, service, servers):
    """A primary that has become a replica refuses to be read from, and the next connection leads to the new one."""
    store = open_store(service())
    for name in NAMES:
        store.create(Site(name=name))
    servers.replicate()
    old = servers.primary

    servers.fail_over()
    old.ask("REPLICAOF", HOST, "1")  # it learns nothing new from here on, so whoever asks it is told what was
    servers.primary.wait_until(lambda: goes_on(store), FAILOVER_WITHIN_S)
    changed = store.put(Site(name="n00", text="new"))

    assert old.port != servers.primary.port
    assert changed == store.get(Site, "n00")
    assert NAMES == names(store)
