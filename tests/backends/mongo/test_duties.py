"""What PyMongo does around a command, on both transports: a store forgets none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient, MongoClient

from emco_store import AsyncStore, Guarantees, Store, Unavailable, connect, connect_async
from tests.backends.mongo.conftest import ROOT, Thing
from tests.backends.mongo.test_cancelled import open_transactions
from tests.servers.process import HOST
from tests.servers.proxy import Fault, Proxy

TRANSPORTS = ("auto", "plain")
BURST = 30
MANY = 20
SOON_S = 3.0
"""The deadline of each request: whoever waits for a dead connection does not meet it."""


@pytest.fixture(params=TRANSPORTS)
def transport(request) -> str:
    """Which transport is asked for."""
    return str(request.param)


@pytest.fixture
def proxy(mongo_server: Any) -> Iterator[Proxy]:
    """A way to the server whose connections can fall silent."""
    made = Proxy(int(mongo_server.url.rpartition(":")[2].partition("/")[0]))
    yield made
    made.close()


@pytest.fixture
def proxied(proxy: Proxy) -> str:
    """The server behind the proxy."""
    return f"mongodb://{HOST}:{proxy.port}/?directConnection=true&heartbeatFrequencyMS=500&serverMonitoringMode=poll"


def hurried(store: Any) -> Any:
    """Let each request of a store end soon."""
    store._port._deadline_s = SOON_S
    return store


def pools(store: Any) -> list[Any]:
    """Return PyMongo's pools."""
    return [server.pool for server in store._port._client._topology._servers.values()]


def test_connection_of_an_older_generation_is_not_used_again(proxy, proxied, namespace, transport):
    """Connections have died in silence, and PyMongo has cleared its pool: the next call takes a new one."""
    with connect(proxied, namespace=namespace, transport=transport) as store:
        hurried(store).create(Thing(name="a"))
        proxy.fall_silent()
        for pool in pools(store):
            pool.reset_without_pause()

        assert "a" == store.get(Thing, "a").name
        assert "b" == store.create(Thing(name="b")).name


def test_asyncio_connection_of_an_older_generation_is_not_used_again(proxy, proxied, namespace, transport):
    """The same for asyncio."""

    async def scenario() -> list[str]:
        async with connect_async(proxied, namespace=namespace, transport=transport) as store:
            await hurried(store).create(Thing(name="a"))
            proxy.fall_silent()
            for pool in pools(store):
                await pool.reset_without_pause()
            return [(await store.get(Thing, "a")).name, (await store.create(Thing(name="b"))).name]

    assert ["a", "b"] == asyncio.run(scenario())


def test_call_that_waits_on_a_dead_connection_ends_when_the_monitor_gives_it_up(proxy, proxied, namespace, transport):
    """PyMongo interrupts what waits for a server that no longer answers its monitor, and the call is made again."""
    url = f"{proxied}&connectTimeoutMS=300"
    with connect(url, namespace=namespace, transport=transport) as store:
        hurried(store).create(Thing(name="a"))
        proxy.fall_silent()

        assert "a" == store.get(Thing, "a").name
        assert "b" == store.create(Thing(name="b")).name


def test_socket_timeout_ends_the_wait_for_a_dead_connection(proxy, proxied, namespace, transport):
    """``socketTimeoutMS`` bounds each wait for a reply; what it ends is asked once more."""
    url = f"{proxied}&socketTimeoutMS=300&connectTimeoutMS=20000"
    with connect(url, namespace=namespace, transport=transport) as store:
        hurried(store).create(Thing(name="a"))
        proxy.fall_silent()

        assert "a" == store.get(Thing, "a").name
        assert "b" == store.create(Thing(name="b")).name


def test_connection_that_was_idle_for_too_long_is_not_used_again(url, namespace, transport):
    """``maxIdleTimeMS`` counts for every connection."""
    with connect(f"{url}&maxIdleTimeMS=30000", namespace=namespace, transport=transport) as store:
        store.create(Thing(name="a"))
        (pool,) = pools(store)
        before = {connection.id for connection in pool.conns}
        for connection in pool.conns:
            connection.last_checkin_time -= 60

        assert "a" == store.get(Thing, "a").name

        assert before
        assert before.isdisjoint(connection.id for connection in pool.conns)


@pytest.mark.parametrize("command", ["find", "update", "commitTransaction"])
@pytest.mark.parametrize("times", [1, 3])
def test_demand_to_authenticate_again_is_left_to_pymongo(guarded, namespace, transport, command, times):
    """Code 391 costs the caller nothing; once a reply has said it, all commands go by public calls."""
    unheard = command == "update" and transport == "auto"  # the first one gets no reply
    url = guarded.replace("://", f"://root:{ROOT}@")
    with connect(f"{url}&appName={namespace}", namespace=namespace, transport=transport) as store:
        store.create(Thing(name="a"))
        store._port._client.admin.command(  # type: ignore[attr-defined]  # the port is one of MongoDB
            {
                "configureFailPoint": "failCommand",
                "mode": {"times": times + unheard},
                "data": {"failCommands": [command], "errorCode": 391, "appName": namespace},
            }
        )
        if command == "find":
            assert "a" == store.get(Thing, "a").name
        else:
            assert "b" == store.create(Thing(name="b")).name

        assert ["a"] if command == "find" else ["a", "b"] == [thing.name for thing in store.list(Thing)]
        assert "plain" == store.guarantees.transport
        assert transport == "plain" or "authenticate" in store.guarantees.transport_reason


@pytest.fixture(params=[1, 2], ids=["one connection", "two connections"])
def small(request, proxied, namespace, transport) -> Iterator[Store]:
    """A store whose pool has few connections."""
    url = f"{proxied}&maxPoolSize={request.param}&appName={namespace}"
    with connect(url, namespace=namespace, transport=transport) as store:
        yield store


@pytest.mark.parametrize("command", ["update", "commitTransaction"])
def test_lost_reply_leaves_no_transaction_open_in_a_small_pool(small, proxy, root, command):
    """The end of the transaction needs a connection, and finds one: ``maxPoolSize=1`` (ATM-1)."""
    create_many(small, "t")
    proxy.plan(command.encode(), Fault.LOSE_REPLY)

    create_many(small, "u")

    assert [] == open_transactions(root, small.namespace)
    assert 2 * MANY == len(small.list(Thing).items)


def create_many(store: Store, name: str) -> None:
    """Create more in one transaction than what fits one message."""
    with store.transaction() as tx:
        for number in range(MANY):
            tx.create(Thing(name=f"{name}{number:02}"))


def test_asyncio_calls_that_are_cancelled_twice_leave_the_store_usable(url, namespace, transport):
    """PyMongo's pool keeps its lock, however its callers are cancelled, and no connection is missing afterwards."""

    async def scenario() -> str:
        options = "&maxPoolSize=2&waitQueueTimeoutMS=5000"
        async with connect_async(f"{url}{options}", namespace=namespace, transport=transport) as store:
            await hurried(store).create(Thing(name="a"))
            for turns in range(12):
                await burst(store, turns)
            return (await store.update((await store.get(Thing, "a")).model_copy(update={"note": "new"}))).note

    assert "new" == asyncio.run(scenario())


async def burst(store: AsyncStore, turns: int) -> None:
    """Begin many calls, and cancel each twice, some turns of the event loop later."""
    calls = [asyncio.create_task(store.get(Thing, "a")) for _ in range(BURST)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for _ in range(2):
        for call in calls:
            call.cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*calls, return_exceptions=True)


def test_deadline_ends_a_call_whatever_pymongo_does(url, namespace, transport):
    """A call of PyMongo that never ends is left to itself."""

    async def scenario() -> None:
        async with connect_async(url, namespace=namespace, transport=transport) as store:
            await store.create(Thing(name="a"))
            store._port._deadline_s = 0.2  # type: ignore[attr-defined]
            (pool,) = pools(store)
            await pool.reset_without_pause()
            async with pool.lock:  # as if somebody had lost it
                for call in (store.get(Thing, "a"), store.list(Thing), store.create(Thing(name="b"))):
                    with pytest.raises(Unavailable):
                        await call
            assert "a" == (await store.get(Thing, "a")).name

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", [MongoClient, AsyncMongoClient])
def test_private_method_with_other_parameters_keeps_no_store_from_opening(url, namespace, monkeypatch, kind):
    """A PyMongo that has changed is used by its public calls, and the reason is named."""
    select = kind._select_server

    def changed(self: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
        return select(self, operation, *args, **kwargs)

    monkeypatch.setattr(kind, "_select_server", changed)

    async def scenario() -> Guarantees:
        async with connect_async(url, namespace=namespace) as store:
            await store.create(Thing(name="b"))
            return store.guarantees

    if kind is AsyncMongoClient:
        found = asyncio.run(scenario())
    else:
        with connect(url, namespace=namespace) as store:
            store.create(Thing(name="a"))
            found = store.guarantees

    assert "plain" == found.transport
    assert "_select_server" in found.transport_reason


def test_sessions_are_used_again(url, root, namespace):
    """The server remembers each for half an hour: their number must not grow with the commits."""
    with MongoClient(url) as client, connect(client, namespace=namespace) as store:
        assert "fast" == store.guarantees.transport
        before = sessions(root)
        for number in range(30):
            store.create(Thing(name=f"t{number}"))

        assert sessions(root) - before < 10


def sessions(root: MongoClient[Any]) -> int:
    """Count the sessions that the server has in memory."""
    return int(root.admin.command("serverStatus")["logicalSessionRecordCache"]["activeSessionsCount"])
