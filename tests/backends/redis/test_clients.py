"""Which clients are accepted, on which servers: one server, a primary with a replica, sentinels, a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff

from emco_store.backends.redis.backend import RedisBackend
from emco_store.backends.redis.commands import Names
from emco_store.contracts.harness import Mode
from emco_store.errors import InvalidCall, Misconfigured
from emco_store.ports import Events, Pulses
from tests.backends.redis.conftest import CLASSES, Site, once, works
from tests.backends.redis.test_feed import FEED, PATIENCE, Asked, told, write
from tests.servers.process import HOST
from tests.servers.redis_nodes import primary_and_replica, replication

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def pair(started):
    """A primary and its replica."""
    return started.enter(primary_and_replica())


def test_client_stays_open_when_the_store_is_closed(open_store, classes, client, newest):
    """Who made the client closes it."""
    shared = client(classes[0](host=HOST, port=newest.port, retry=once(classes)))
    first = open_store(shared)
    first.close()

    works(open_store(shared))


def test_client_that_repeats_by_itself_is_refused(open_store, classes, client, newest):
    """A repeat that the store does not see could double a commit; redis-py repeats by default."""
    for retry in (None, classes[3](NoBackoff(), 1), classes[3](NoBackoff(), -1)):
        options = {} if retry is None else {"retry": retry}
        with pytest.raises(Misconfigured) as caught:
            open_store(client(classes[0](host=HOST, port=newest.port, **options)))

        assert "retry" == caught.value.setting


def test_pool_without_a_retry_is_as_its_connections_are(open_store, classes, client, mode, newest):
    """The class of a pool's connections decides where its options say nothing."""
    asyncio = mode is Mode.ASYNCIO
    pool = (redis.asyncio if asyncio else redis).ConnectionPool(host=HOST, port=newest.port)

    works(open_store(client(classes[0].from_pool(pool))))


def test_client_or_url_that_decodes_replies_is_refused(open_store, classes, client, newest):
    """Documents are bytes."""
    decoding = client(classes[0](host=HOST, port=newest.port, retry=once(classes), decode_responses=True))

    for target in (decoding, f"{newest.url}?decode_responses=true"):
        with pytest.raises(Misconfigured) as caught:
            open_store(target)

        assert "decode_responses" == caught.value.setting


def test_client_of_the_other_mode_is_refused(open_store, mode, newest):
    """A blocking client in an asyncio store, and the other way round, is a mistake that is named at once."""
    other = CLASSES[Mode.ASYNCIO if mode is Mode.BLOCKING else Mode.BLOCKING][0]

    with pytest.raises(InvalidCall):
        open_store(other(host=HOST, port=newest.port))


def test_cluster_serves_every_namespace(open_store, classes, client, nodes):
    """All keys of a namespace share a slot, and each script is known, or sent, wherever that slot is."""
    shared = client(classes[1](host=HOST, port=nodes[0].port, retry=once(classes)))
    owners = set()

    for number in range(12):
        store = open_store(shared, namespace=f"n{number}")
        for node in nodes:
            node.ask("SCRIPT FLUSH")
        works(store)
        site = store.create(Site(name="b"))
        owners |= {node.port for node in nodes if _holds(node, Names(f"n{number}").key("records"))}
        store.delete(site)

    assert {node.port for node in nodes} == owners


def test_page_from_a_cluster_names_the_node_of_the_namespace(nodes):
    """SUP-2: a failover of another node breaks no watch."""
    with redis.RedisCluster(host=HOST, port=nodes[0].port, retry=once(CLASSES[Mode.BLOCKING])) as client:
        ports = [RedisBackend(client).port(f"n{number}") for number in range(12)]
        for port in ports:
            port.open()

        names = [port.ask(Pulses()).server for port in ports]

        assert names == [port.ask(Pulses()).server for port in ports]
    assert {replication(node)["master_replid"] for node in nodes} == {*names}


@pytest.fixture
def clustered(classes, client, mode, loop, nodes) -> Iterator[tuple[Any, Any]]:
    """A port to a cluster that is asked in the mode of the test, and its client."""
    for node in nodes:
        node.ask("FLUSHALL")
    shared = client(classes[1](host=HOST, port=nodes[0].port, retry=once(classes)))
    port = Asked(shared, mode, loop)
    yield port, shared
    port.close()


def test_reader_of_a_cluster_waits_on_the_node_of_the_namespace(clustered, nodes):
    """FEED-3: it is told an event as soon as a reader of one server is."""
    port, _ = clustered
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    with ThreadPoolExecutor(1) as apart:
        page = apart.submit(port.ask, Events(begin, wait=PATIENCE))
        while not any(node.ask("INFO", "clients")["blocked_clients"] for node in nodes):
            pass
        with redis.RedisCluster(host=HOST, port=nodes[0].port) as home:
            home.xadd(FEED, told("t0"))

        assert ["t0"] == [event.txid for event in page.result().events]


def test_reader_of_a_cluster_whose_namespace_has_moved_asks_its_client(clustered, monkeypatch):
    """FEED-3: a node that refuses it, because the namespace is on another one, stops no reader."""
    port, client = clustered
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    home = client.get_node_from_key(FEED)
    other = next(node for node in client.get_primaries() if node.port != home.port)
    monkeypatch.setattr(client, "get_node_from_key", lambda *_, **__: other)
    write(port, 0)

    assert ["t0"] == [event.txid for event in port.ask(Events(begin, wait=PATIENCE)).events]


def _holds(node, key: str) -> bool:
    with redis.Redis.from_url(node.url) as client:
        try:
            return bool(client.exists(key))
        except redis.exceptions.MovedError:
            return False


def test_cluster_client_that_repeats_by_itself_is_refused(open_store, classes, client, nodes):
    """The rule about retries holds for clusters."""
    with pytest.raises(Misconfigured) as caught:
        open_store(client(classes[1](host=HOST, port=nodes[0].port)))

    assert "retry" == caught.value.setting


def test_node_of_a_cluster_behind_a_plain_client_is_refused(open_store, nodes):
    """One node has a part of the namespaces only."""
    with pytest.raises(Misconfigured) as caught:
        open_store(nodes[0].url)

    assert "cluster-enabled" == caught.value.setting


def test_replica_is_refused_when_a_store_is_opened(open_store, pair):
    """A replica forgets nothing, but it may be behind and cannot write."""
    with pytest.raises(Misconfigured) as caught:
        open_store(pair[1].url)

    assert "replicaof" == caught.value.setting
    works(open_store(pair[0].url))


def test_connections_of_a_url_do_not_read_the_metadata_of_the_driver(open_store, newest, monkeypatch):
    """Where redis-py tells the server its version, it does not look that up anew for each connection."""
    monkeypatch.setattr(redis.utils, "get_lib_version", lambda: pytest.fail("the metadata were read"))

    works(open_store(newest.url))
