"""What keeps a real server from serving for a while: a typed error, nothing half written; then all is well again."""

from __future__ import annotations

import signal

import pytest
from redis import BusyLoadingError, Redis, RedisError, ResponseError
from redis.exceptions import MovedError

from emco_store import Key
from emco_store.backends.redis.commands import Names
from emco_store.errors import Misconfigured, StoreError, Unavailable
from tests.backends.redis.conftest import NAMESPACE, SOON, Child, Site, dump, once, works
from tests.servers.process import HOST
from tests.servers.redis_nodes import Node, own_redis, replica_of, replication

pytestmark = pytest.mark.redis

COMMANDS = 300_000
"""What a server has to read when it starts. It looks for requests after about a thousand of them."""
DELAY_US = 50
"""How long it waits after each: half a minute in all, if nobody ended it."""


CHILD = Key.parse("Child/a/c")
CALLS = {
    "get": lambda store: store.get(Site, "a", deadline=SOON),
    "list": lambda store: store.list(Site, deadline=SOON),
    "create": lambda store: store.create(Child(parent=Key.parse("Site/a"), name="d"), deadline=SOON),
    "put": lambda store: store.put(Site(name="a", text="x"), deadline=SOON),
    "delete": lambda store: store.delete(CHILD, deadline=SOON),
    "resolve": lambda store: store.resolve("any", deadline=SOON),
}


def fill(store) -> None:
    """Store a resource and its child."""
    store.create(Child(parent=store.create(Site(name="a")), name="c"))


def refusals(store, *names: str) -> dict[str, type[StoreError]]:
    """Return the error in which each call ends, or each of these."""
    found = {}
    for name in names or CALLS:
        with pytest.raises(StoreError) as caught:
            CALLS[name](store)
        found[name] = type(caught.value)
    return found


def each(error: type[StoreError]) -> dict[str, type[StoreError]]:
    """Say that every call ends in this error."""
    return dict.fromkeys(CALLS, error)


@pytest.fixture(scope="module", params=[None, "wheel"], ids=["newest", "oldest"])
def slow(request, started) -> Node:
    """A server that has much to read when it starts."""
    node: Node = started.enter(own_redis("--appendonly", "yes", "--appendfsync", "always", binary=request.param))
    node.ask("EVAL", "for n = 1, ARGV[1] do redis.call('SET', 'filler', n) end", 0, COMMANDS)
    return node


@pytest.mark.timeout(300)
def test_server_that_still_reads_its_data_is_unavailable(open_store, slow):
    """LOADING: nothing is answered and nothing written until all of it is there again."""
    with Redis.from_url(slow.url) as client:
        for name in client.scan_iter("{emco*"):
            client.delete(name)
    store = open_store(slow.url)
    fill(store)
    slow.kill()
    slow.begin("--key-load-delay", str(DELAY_US))
    slow.wait_until(lambda: _is_loading(slow))

    found = refusals(store, "get", "create")
    slow.kill()
    slow.start()

    assert {"get": Unavailable, "create": Unavailable} == found
    assert ["c"] == [child.name for child in store.list(Child)]
    works(store)


def _is_loading(node: Node) -> bool:
    try:
        node.ask("PING")
    except BusyLoadingError:
        return True
    except RedisError:  # it does not listen yet
        return False
    return False


def test_server_that_cannot_write_to_its_disk_must_be_looked_after(open_store, fresh):
    """MISCONF: a server whose last snapshot failed refuses all, and names the setting that says so."""
    store = open_store(fresh.url)
    fill(store)
    before = dump(fresh)
    in_its_way = fresh.folder / "dump.rdb"
    in_its_way.unlink(missing_ok=True)
    (in_its_way / "something").mkdir(parents=True)  # root may write to any file, but none where a folder is
    fresh.ask("CONFIG SET", "save", "3600 1")
    _save(fresh, "err")

    found = refusals(store)
    after = dump(fresh)
    (in_its_way / "something").rmdir()
    in_its_way.rmdir()
    _save(fresh, "ok")
    fresh.ask("CONFIG SET", "save", "")

    assert each(Misconfigured) == found
    assert before == after
    works(store)


def _save(node: Node, outcome: str) -> None:
    """Take a snapshot, which ends as it should."""
    node.wait_until(lambda: _is_saving(node))
    node.wait_until(lambda: outcome == _persistence(node)["rdb_last_bgsave_status"])


def _is_saving(node: Node) -> bool:
    try:
        return bool(node.ask("BGSAVE"))
    except ResponseError:  # it rewrites its append-only file meanwhile
        return False


def _persistence(node: Node) -> dict[str, str]:
    with node.admin() as client:
        found: dict[str, str] = client.info("persistence")
    return found


def test_server_without_the_replicas_that_it_must_have_is_unavailable(open_store, fresh, started):
    """NOREPLICAS: it may have been replaced, so it is not read from either; with a replica it goes on."""
    store = open_store(fresh.url)
    fill(store)
    before = dump(fresh)
    fresh.ask("CONFIG SET", "min-replicas-to-write", 1)

    found = refusals(store)
    after = dump(fresh)
    replica = started.enter(replica_of(fresh))
    fresh.wait_until(lambda: 1 == replication(fresh)["min_slaves_good_slaves"])
    works(store)
    fresh.ask("CONFIG SET", "min-replicas-max-lag", 1)
    replica.process.send_signal(signal.SIGSTOP)  # as if the network between them were gone
    fresh.wait_until(lambda: 0 == replication(fresh)["min_slaves_good_slaves"])
    again = refusals(store)
    fresh.ask("CONFIG SET", "min-replicas-to-write", 0)
    replica.kill()

    assert each(Unavailable) == found == again
    assert before == after
    works(store)


def test_server_that_becomes_a_replica_and_a_primary_again_goes_on(open_store, fresh):
    """READONLY: nothing is read from it and nothing written while it follows another one."""
    store = open_store(fresh.url)
    fill(store)
    before = dump(fresh)
    fresh.ask("REPLICAOF", HOST, "1")

    found = refusals(store)
    after = dump(fresh)
    fresh.ask("REPLICAOF", "NO", "ONE")

    assert each(Unavailable) == found
    assert before == after
    works(store)


def test_cluster_that_lacks_a_slot_is_unavailable(open_store, classes, client, nodes):
    """CLUSTERDOWN: a cluster that is not complete serves nothing; when it is, the same store goes on."""
    for node in nodes:
        node.ask("FLUSHALL")
    store = open_store(client(classes[1](host=HOST, port=nodes[0].port, retry=once(classes))))
    fill(store)
    records = Names(NAMESPACE).key("records")
    home = next(node for node in nodes if _holds(node, records))
    slot = home.ask("CLUSTER KEYSLOT", records) + 1  # its neighbour, which is on the same node
    before = dump(home)
    home.ask("CLUSTER DELSLOTS", slot)
    home.wait_until(lambda: "fail" == home.ask("CLUSTER INFO")["cluster_state"])

    found = refusals(store)
    home.ask("CLUSTER ADDSLOTS", slot)
    home.wait_until(lambda: "ok" == home.ask("CLUSTER INFO")["cluster_state"])

    assert each(Unavailable) == found
    assert before == dump(home)
    works(store)


def _holds(node: Node, key: str) -> bool:
    try:
        return bool(node.ask("EXISTS", key))
    except MovedError:
        return False
