"""The connections that a fast transport keeps of its port's own client: shared, broken, idle, too few, after a fork."""

from __future__ import annotations

import asyncio
import os
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import redis.asyncio

from emco_store import connect, connect_async
from emco_store.backends.redis.fast import multiplexed, pinned, replies
from emco_store.backends.redis.sync import RedisPort
from emco_store.backends.redis.task import TaskRedisPort
from emco_store.contracts.harness import Mode
from emco_store.core.keys import Key
from emco_store.ports import Get, Unreachable
from tests.backends.redis.conftest import NAMESPACE, Site, once, works
from tests.servers.proxy import Fault

pytestmark = pytest.mark.redis

MANY = 32
KEY = Key("Site", "a")


def names(count: int = MANY) -> list[str]:
    """Return that many names, in order."""
    return [f"n{number:03}" for number in range(count)]


def connections(node) -> set[str]:
    """Return the connections that are open, but for the one that asks."""
    with node.admin() as admin:
        mine = admin.client_id()
        return {client["id"] for client in admin.client_list() if client["id"] != str(mine)}


def kill_connections(node) -> None:
    """Close every connection from the side of the server."""
    with node.admin() as admin:
        for one in connections(node):
            admin.execute_command("CLIENT", "KILL", "ID", one)


@pytest.fixture
def empty(newest):
    """The server, empty."""
    newest.ask("FLUSHALL")
    return newest


def test_connection_that_the_server_closed_while_idle_is_replaced(open_store, empty):
    """What nobody waited for was not lost: a read and a commit go over a new connection."""
    store = open_store(empty.url)
    for name in names(3):
        kill_connections(empty)
        store.create(Site(name=name))
        kill_connections(empty)
        assert name == store.get(Site, name).name


@pytest.mark.parametrize("options", ["max_connections=1", "protocol=3", "protocol=2"])
def test_url_with_options_of_connections_is_served(open_store, empty, options):
    """One connection is enough for one caller, and either protocol is read."""
    works(open_store(f"{empty.url}?{options}"))


def test_connection_that_was_idle_for_longer_than_its_client_wants_is_replaced(mode, classes, loop, empty, monkeypatch):
    """``health_check_interval`` is kept: such a connection may be dead, and a commit over it would be lost."""
    pool = (redis if mode is Mode.BLOCKING else redis.asyncio).ConnectionPool.from_url(
        empty.url, health_check_interval=60, retry=once(classes)
    )
    port, call = opened(mode, classes, loop, pool)
    seen = []
    for now_s in (0, 59, 120, 240):
        monkeypatch.setattr(replies, "time", SimpleNamespace(monotonic=lambda now_s=now_s: now_s))
        call(port.ask(Get((KEY,))))
        seen.append(connections(empty))
    call(port.close())

    assert seen[0] == seen[1]
    assert len({*map(frozenset, seen)}) == 3


def opened(mode: Mode, classes: Any, loop: Any, pool: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Open a port whose own client has this pool, and give what waits for its calls."""
    call: Callable[[Any], Any] = (lambda done: done) if mode is Mode.BLOCKING else loop.call
    client = classes[0].from_pool(pool)
    port: Any
    if mode is Mode.BLOCKING:
        port = RedisPort(client, NAMESPACE, owned=True, transport=pinned.transport_to(client, owned=True))
    else:
        port = TaskRedisPort(client, NAMESPACE, owned=True, transport=multiplexed.transport_to(client, owned=True))
    call(port.open())
    return port, call


class Hidden:
    """Stands before a socket or a writer, so that it is of no class that is known."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def elsewhere(mode, monkeypatch) -> None:
    """A redis-py that keeps its socket or its writer elsewhere."""
    if mode is Mode.BLOCKING:
        connect_socket = redis.Connection._connect
        monkeypatch.setattr(redis.Connection, "_connect", lambda self: Hidden(connect_socket(self)))
        return
    connect_writer = redis.asyncio.Connection._connect

    async def hidden(self: Any) -> None:
        await connect_writer(self)
        self._writer = Hidden(self._writer)

    monkeypatch.setattr(redis.asyncio.Connection, "_connect", hidden)


@pytest.mark.usefixtures("elsewhere")
def test_connection_whose_inside_is_not_known_is_used_by_its_own_calls(mode, classes, loop, empty):
    """Where redis-py has changed, the port goes on by what it documents, and says so."""
    own = redis if mode is Mode.BLOCKING else redis.asyncio
    pool = own.ConnectionPool.from_url(empty.url, retry=once(classes), max_connections=1)
    port, call = opened(mode, classes, loop, pool)

    for _ in range(3):
        assert {} == call(port.ask(Get((KEY,))))
    assert "plain" == port.guarantees.transport
    assert "elsewhere" in port.guarantees.transport_reason
    call(port.close())


def test_requests_of_all_tasks_share_one_connection(empty):
    """Each has its own reply, in whatever order they were written."""

    async def work() -> None:
        async with connect_async(empty.url, namespace=NAMESPACE) as store:
            before = connections(empty)
            made = await asyncio.gather(*[store.create(Site(name=name, text=name)) for name in names()])
            found = await asyncio.gather(*[store.get(Site, name) for name in names()])
            assert made == found
            assert names() == [site.text for site in found]
            assert len(connections(empty) - before) <= 1

    asyncio.run(work())


def test_more_tasks_than_may_wait_on_a_connection_take_turns(empty, monkeypatch):
    """What is on its way is bounded, and who waits for room is served or told."""
    monkeypatch.setattr(multiplexed, "MAX_WAITING", 3)

    async def work() -> None:
        async with connect_async(empty.url, namespace=NAMESPACE) as store:
            await asyncio.gather(*[store.create(Site(name=name)) for name in names()])
            cancelled = [asyncio.create_task(store.get(Site, name)) for name in names()]
            await asyncio.sleep(0)
            for one in cancelled[::2]:
                one.cancel()
            ended = await asyncio.gather(*cancelled, return_exceptions=True)
            assert names()[1::2] == [each.name for each in ended[1::2]]
            assert names() == [site.name for site in await store.list(Site)]

    asyncio.run(work())


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.LOSE_REQUEST])
def test_connection_that_breaks_under_many_commits_loses_none_and_doubles_none(fresh, proxy, fault):
    """ATM-2: all that were on their way are sent again, each under its txid."""

    async def work() -> None:
        async with connect_async(proxy.url, namespace=NAMESPACE) as store:
            await store.create(Site(name="warm"))
            proxy.plan(b"tx:", fault, times=2)
            made = await asyncio.gather(*[store.create(Site(name=name)) for name in names()])
            assert [1] * MANY == [site.meta.version for site in made]
            assert [*names(), "warm"] == [site.name for site in await store.list(Site)]

    asyncio.run(work())
    assert fresh.process.poll() is None


def test_task_that_began_to_connect_and_is_cancelled_hinders_no_other(empty):
    """The connection is made for all who wait for it."""

    async def work() -> None:
        async with connect_async(empty.url, namespace=NAMESPACE) as store:
            await store.create(Site(name="a"))
            kill_connections(empty)
            reading = [asyncio.create_task(store.get(Site, "a")) for _ in range(4)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            reading[0].cancel()
            ended = await asyncio.gather(*reading, return_exceptions=True)
            assert ["a"] * 3 == [each.name for each in ended[1:]]

    asyncio.run(work())


def test_close_leaves_nobody_waiting_for_a_reply(empty):
    """Who waits for a connection that is closed is told, or asks again."""

    async def work() -> None:
        port = TaskRedisPort(redis.asyncio.Redis.from_url(empty.url), NAMESPACE, owned=True)
        await port.open()
        await port.ask(Get((KEY,)))
        reading = [asyncio.create_task(port.ask(Get((KEY,)))) for _ in range(MANY)]
        await asyncio.sleep(0)
        await port.close()
        ended = await asyncio.gather(*reading, return_exceptions=True)
        await port.close()
        assert all(each == {} or isinstance(each, Unreachable) for each in ended)

    asyncio.run(work())


def test_threads_share_a_store_and_each_has_its_own_replies(empty):
    """A blocking connection serves one thread at a time, and is kept for the next."""

    def work(store: Any, name: str) -> bool:
        made = store.create(Site(name=name, text=name))
        return all(store.get(Site, name) == made for _ in range(20))

    with connect(empty.url, namespace=NAMESPACE) as store, ThreadPoolExecutor(8) as threads:
        before = connections(empty)
        assert all(threads.map(lambda name: work(store, name), names()))
        assert len(connections(empty) - before) <= 8
        assert names() == [site.name for site in store.list(Site)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_process_that_was_forked_has_connections_of_its_own(empty):
    """Parent and child would read each other's replies."""
    with connect(empty.url, namespace=NAMESPACE) as store:
        store.create(Site(name="a", text="parent"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn where there are threads
            child = os.fork()
        if child == 0:
            _end_by(lambda: [store.put(Site(name="b", text=str(n))) for n in range(50)])
        read = [store.get(Site, "a").text for _ in range(50)]
        _, status = os.waitpid(child, 0)

        assert 0 == status
        assert ["parent"] * 50 == read
        assert "49" == store.get(Site, "b").text


def _end_by(work: Any) -> None:
    """Do the work of a forked process, and end it with nothing that belongs to the parent."""
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - pytest must not go on in the child
        traceback.print_exc()
    finally:
        os._exit(code)
