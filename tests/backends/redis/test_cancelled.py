"""Tasks that are cancelled in the midst of a request: at each place where they wait, on a real server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from emco_store import AsyncStore, connect_async
from emco_store.ports import Outcome
from tests.backends.cancelling import CancelledAt, Ids
from tests.backends.redis.conftest import Child, Site
from tests.servers.process import HOST

pytestmark = pytest.mark.redis


async def create(store: AsyncStore) -> Any:
    """Create a resource with a parent."""
    return await store.create(Child(parent=await store.get(Site, "a"), name="new"))


async def delete(store: AsyncStore) -> Any:
    """Delete a resource."""
    return await store.delete(await store.get(Child, "a", "old"))


async def run(store: AsyncStore) -> Any:
    """Read, change and create in one transaction."""

    async def change(tx: Any) -> None:
        site = await tx.get(Site, "a")
        await tx.update(site.model_copy(update={"text": "changed"}))
        await tx.create(Child(parent=site, name="new"))

    return await store.run(change)


BEFORE = ("", "old")
CALLS: dict[str, tuple[Callable[[AsyncStore], Coroutine[Any, Any, Any]], tuple[str, ...]]] = {
    "get": (lambda store: store.get(Site, "a"), BEFORE),
    "list": (lambda store: store.list(Child), BEFORE),
    "create": (create, ("", "new", "old")),
    "delete": (delete, ("",)),
    "run": (run, ("changed", "new", "old")),
}
"""Calls, and what is stored after each."""


async def state(store: AsyncStore) -> tuple[str, ...]:
    """Return what is stored."""
    site = await store.get(Site, "a")
    return (site.text, *(child.name for child in await store.list(Child)))


@pytest.fixture(params=["own client", "one connection", "one connection, waited for", "cluster"])
def make(request, newest) -> Callable[[], Any]:
    """Make a client of one sort, or give the URL from which the store makes its own; the server is empty."""
    newest.ask("FLUSHALL")
    options = {"host": HOST, "retry": Retry(NoBackoff(), 0)}
    if request.param == "own client":
        return lambda: newest.url
    if request.param == "one connection":
        return lambda: redis.asyncio.Redis(port=newest.port, max_connections=1, **options)
    if request.param == "one connection, waited for":
        pool = redis.asyncio.BlockingConnectionPool
        return lambda: redis.asyncio.Redis.from_pool(pool(port=newest.port, max_connections=1, **options))
    nodes = request.getfixturevalue("nodes")
    for node in nodes:
        node.ask("FLUSHALL")
    return lambda: redis.asyncio.RedisCluster(port=nodes[0].port, **options)


@pytest.mark.parametrize("cold", [False, True], ids=["connected", "connecting"])
@pytest.mark.parametrize("call", list(CALLS))
def test_call_that_is_cancelled_anywhere_leaves_the_store_whole_and_in_step(make, call, cold):
    """ATM-1, ATM-5: no later call is given its reply, and its commit is whole or absent, as ``resolve`` says."""
    for late in (False, True):
        for place in itertools.count():
            namespace = f"{'late' if late else 'early'}-{place}"
            if asyncio.run(_cancel(make(), namespace, call, place, late=late, cold=cold)) <= place:
                break  # it came to its end without having waited so often
        assert place


async def _cancel(client: Any, namespace: str, call: str, place: int, *, late: bool, cold: bool) -> int:
    """Cancel the call at one place, see that all is well, and say how often it waited."""
    work, after = CALLS[call]
    ids = Ids()
    async with connect_async(client, namespace=namespace, ids=ids) as store:
        await store.create(Child(parent=await store.create(Site(name="a")), name="old"))
        if cold:
            await _disconnect(store._port._client)
        before = len(ids.given)
        cancelled = CancelledAt(work(store), place, late=late)

        ended = (await asyncio.gather(asyncio.create_task(cancelled.run()), return_exceptions=True))[0]

        assert isinstance(ended, asyncio.CancelledError) or not isinstance(ended, BaseException), ended
        happened = Outcome.COMMITTED in [await store.resolve(txid) for txid in ids.given[before:]]
        assert (after if happened else BEFORE) == await state(store)
        assert happened or isinstance(ended, asyncio.CancelledError) or BEFORE == after
        for text in ("x", "y"):
            assert text == (await store.put(Site(name="next", text=text))).text
            assert text == (await store.get(Site, "next")).text
    if not isinstance(client, str):
        await client.aclose()
    return cancelled.waited


@pytest.mark.parametrize("which", range(3))
def test_commits_beside_one_that_is_cancelled_anywhere_happen(make, which):
    """ATM-1, ATM-2: commits that are on their way together are not each other's business."""
    for late in (False, True):
        for place in itertools.count():
            namespace = f"{'late' if late else 'early'}-{place}"
            if asyncio.run(_cancel_among(make(), namespace, which, place, late=late)) <= place:
                break
        assert place


async def _cancel_among(client: Any, namespace: str, which: int, place: int, *, late: bool) -> int:
    """Cancel one of several creates, see that all is well, and say how often it waited."""
    names = [f"n{number}" for number in range(4)]
    async with connect_async(client, namespace=namespace) as store:
        await store.create(Site(name="first"))
        cancelled = CancelledAt(store.create(Site(name=names[which])), place, late=late)
        creating = [store.create(Site(name=name)) for name in names if name != names[which]]
        creating.insert(which, cancelled.run())

        ended = await asyncio.gather(*map(asyncio.ensure_future, creating), return_exceptions=True)

        failed = [name for name, end in zip(names, ended, strict=True) if isinstance(end, BaseException)]
        found = [site.name for site in await store.list(Site)]
        assert failed in ([], [names[which]]), ended
        assert sorted({"first", *names} - set(failed)) == sorted(set(found) - set(failed))
        assert "y" == (await store.put(Site(name="first", text="y"))).text
        assert "y" == (await store.get(Site, "first")).text
    if not isinstance(client, str):
        await client.aclose()
    return cancelled.waited


async def _disconnect(client: Any) -> None:
    """Close every connection, so that the next request makes one."""
    disconnecting: list[Awaitable[None]] = (
        [node.disconnect() for node in client.get_nodes()]
        if hasattr(client, "get_nodes")
        else [client.connection_pool.disconnect()]
    )
    await asyncio.gather(*disconnecting)
