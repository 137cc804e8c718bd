"""Gets of several tasks and threads go to the server together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient, MongoClient

from emco_store import Misconfigured, NotFound, Store, connect, connect_async
from emco_store.backends.mongo.sync_gets import GROUPS
from tests.backends.mongo.conftest import Thing
from tests.backends.mongo.test_grouping import Counting

pytestmark = pytest.mark.mongo
READERS = 24


def fill(store: Store) -> list[Thing]:
    """Create what the tests read."""
    with store.transaction() as tx:
        return [tx.create(Thing(name=f"t{number:02}", note=f"{number}")) for number in range(READERS)]


@pytest.mark.parametrize("transport", ["fast", "plain"])
def test_gets_of_tasks_share_requests(store: Store, url: str, namespace: str, transport: str) -> None:
    """Many tasks at once send few requests, over either transport, and each has its own resource."""
    made = fill(store)
    counting = Counting()

    async def test() -> list[Any]:
        options: dict[str, Any] = {"event_listeners": [counting]} if transport == "plain" else {}
        async with (
            AsyncMongoClient[Any](url, **options) as client,
            connect_async(client, namespace=namespace) as opened,
        ):
            assert transport == opened.guarantees.transport
            counting.sent.clear()
            calls = [opened.get(Thing, one.name) for one in made]
            return await asyncio.gather(*calls, opened.get(Thing, "absent"), return_exceptions=True)

    *found, absent = asyncio.run(test())

    assert made == found
    assert isinstance(absent, NotFound)
    assert (counting.sent["find"] < READERS / 2) or transport == "fast"


def test_gets_of_threads_share_requests(store: Store, url: str, namespace: str, fail: Callable[..., None]) -> None:
    """Threads whose gets meet slow requests on their way send few more."""
    made = fill(store)
    counting, start = Counting(), Barrier(READERS)

    with MongoClient[Any](url, event_listeners=[counting]) as client, connect(client, namespace=namespace) as opened:
        fail("find", GROUPS, blockConnection=True, blockTimeMS=200)

        def get(one: Thing) -> Thing:
            start.wait()
            return opened.get(Thing, one.name)

        with ThreadPoolExecutor(READERS) as threads:
            assert made == list(threads.map(get, made))
    assert GROUPS < counting.sent["find"] < READERS / 2


def test_document_that_the_driver_cannot_read_fails_its_own_caller_alone(
    store: Store, url: str, namespace: str, records: Any
) -> None:
    """A date beyond those of Python, which somebody has put into a record, fails one get of a group."""
    made = fill(store)
    far = RawBSONDocument(b"\x10\x00\x00\x00\x09k\x00" + (1 << 60).to_bytes(8, "little") + b"\x00")
    records.update_one({"_id": made[9].key.text}, {"$set": far})

    async def test() -> list[Any]:
        async with connect_async(url, namespace=namespace) as opened:
            return await asyncio.gather(*map(opened.get, made), return_exceptions=True)

    found = asyncio.run(test())

    assert made[:9] + made[10:] == found[:9] + found[10:]
    assert isinstance(found[9], Misconfigured)
