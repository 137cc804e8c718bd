"""Servers of the tests' own, stores in both modes, and a proxy between the two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from emco_store import Resource, connect, connect_async
from emco_store.contracts.blocking import Loop, blocking
from emco_store.contracts.harness import Mode
from emco_store.flows.context import RetryPolicy
from tests.servers.process import ServerMissing
from tests.servers.proxy import Proxy, proxied
from tests.servers.redis import ServerTooOld
from tests.servers.redis_nodes import Node, cluster, own_redis

NAMESPACE = "faults"
ONCE = RetryPolicy(deadline_s=0.0)
"""No call is repeated, so that each shows what one attempt ends in."""


class Site(Resource):
    """A kind to write."""

    text: str = ""


class Child(Resource, parent=Site):
    """A kind whose creation moves the guard of its parent."""


class Started:
    """Starts servers for the tests of a module, and says by name which one is missing."""

    def __init__(self, *, required: bool) -> None:
        self._required = required
        self._stack = ExitStack()

    def enter(self, server: AbstractContextManager[Any]) -> Any:
        """Return the server; where there is none, skip the test, or fail it where it is required.

        A newer server than the one that is here is not what is required: its absence is a skip.
        """
        try:
            return self._stack.enter_context(server)
        except ServerTooOld as problem:
            pytest.skip(f"redis: {problem}")
        except ServerMissing as problem:
            if self._required:
                pytest.fail(f"redis: {problem}", pytrace=False)
            pytest.skip(f"redis: {problem}")

    def close(self) -> None:
        """Stop all."""
        self._stack.close()


@pytest.fixture(scope="module")
def started(request: pytest.FixtureRequest) -> Iterator[Started]:
    """What starts the servers of this module."""
    started = Started(required="redis" in request.config.getoption("require").split(","))
    yield started
    started.close()


EACH = pytest.mark.each_redis


@pytest.fixture(
    scope="module", params=[pytest.param(None, id="newest", marks=EACH), pytest.param("wheel", id="oldest", marks=EACH)]
)
def node(request: pytest.FixtureRequest, started: Started) -> Node:
    """A server of the module's own, of each version that is here."""
    node: Node = started.enter(own_redis("--appendonly", "yes", "--appendfsync", "always", binary=request.param))
    return node


@pytest.fixture
def fresh(node: Node) -> Node:
    """The same server, empty and without limits."""
    if node.process.poll() is not None:
        node.start()
    with node.admin() as client:
        client.replicaof("NO", "ONE")
        client.config_set("min-replicas-to-write", 0)
        client.flushall()
        client.config_set("maxmemory", 0)
    return node


@pytest.fixture
def proxy(fresh: Node) -> Iterator[Proxy]:
    """A proxy before the server."""
    with proxied(fresh.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def newest(started: Started) -> Node:
    """One server, where its version plays no part."""
    node: Node = started.enter(own_redis())
    return node


@pytest.fixture(scope="module")
def nodes(started: Started) -> tuple[Node, ...]:
    """A cluster of three."""
    found: tuple[Node, ...] = started.enter(cluster())
    return found


@pytest.fixture
def newest_proxy(newest: Node) -> Iterator[Proxy]:
    """A proxy before that server, which is empty."""
    newest.ask("FLUSHALL")
    with proxied(newest.port) as proxy:
        yield proxy


@pytest.fixture(params=list(Mode), ids=str)
def mode(request: pytest.FixtureRequest) -> Mode:
    """How the store is used."""
    found: Mode = request.param
    return found


@pytest.fixture
def loop() -> Iterator[Loop]:
    """The event loop of the stores for asyncio."""
    loop = Loop()
    yield loop
    loop.close()


CLASSES = {
    Mode.BLOCKING: (redis.Redis, redis.RedisCluster, Sentinel, Retry),
    Mode.ASYNCIO: (redis.asyncio.Redis, redis.asyncio.RedisCluster, AsyncSentinel, AsyncRetry),
}


@pytest.fixture
def classes(mode: Mode) -> Any:
    """The classes of redis-py for the mode of the test."""
    return CLASSES[mode]


@pytest.fixture
def client(mode: Mode, loop: Loop) -> Iterator[Callable[[Any], Any]]:
    """Hand over clients, which close with the test."""
    with ExitStack() as stack:

        def keep(client: Any) -> Any:
            stack.callback(client.close if mode is Mode.BLOCKING else lambda: loop.call(client.aclose()))
            return client

        yield keep


SOON = timedelta(seconds=0.6)
"""The deadline of a call that cannot succeed."""


def once(classes: Any) -> Any:
    """Return the retry that repeats nothing."""
    return classes[3](NoBackoff(), 0)


def works(store: Any) -> None:
    """Write, read and delete."""
    site = store.put(Site(name="works"))
    assert site in list(store.list(Site))
    store.delete(site)


Open = Callable[..., Any]


@pytest.fixture
def open_store(mode: Mode, loop: Loop) -> Iterator[Open]:
    """Open stores in the mode of the test; they close with it."""
    with ExitStack() as stack:

        def open_store(target: Any, **options: Any) -> Any:
            settings = {"namespace": NAMESPACE, "retry": ONCE, **options}
            if mode is Mode.BLOCKING:
                return stack.enter_context(connect(target, **settings))
            return stack.enter_context(blocking(connect_async(target, **settings), loop))

        yield open_store


def dump(node: Node) -> dict[bytes, bytes | None]:
    """Return everything that the server holds."""
    with redis.Redis.from_url(node.url) as client:
        return {name: client.dump(name) for name in client.scan_iter()}


def impatient(url: str) -> str:
    """Return a URL whose client does not wait long for a reply."""
    return f"{url}?socket_timeout=0.6&socket_connect_timeout=10"
