"""Which clients a store takes, what of their settings counts, and what closing leaves behind."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient, MongoClient

from emco_store import InvalidCall, connect, connect_async
from tests.backends.mongo.conftest import Thing


@pytest.mark.parametrize("kind", [AsyncMongoClient, AsyncIOMotorClient])
def test_asyncio_client_for_a_blocking_store_is_an_invalid_call(kind):
    """A client of the other kind is refused before any I/O."""
    with pytest.raises(InvalidCall):
        connect(kind("mongodb://127.0.0.1:1"), namespace="n")


def test_blocking_client_for_an_asyncio_store_is_an_invalid_call():
    """A client of the other kind is refused before any I/O."""
    with MongoClient("mongodb://127.0.0.1:1", connect=False) as client, pytest.raises(InvalidCall):
        connect_async(client, namespace="n")


def test_read_settings_of_the_client_do_not_count(url, namespace):
    """Reads and commits go to the primary, as of one majority state, whatever the URL says (OCC-1)."""
    with connect(f"{url}&readPreference=secondary&readConcernLevel=local", namespace=namespace) as store:
        thing = store.create(Thing(name="a"))
        store.update(thing.model_copy(update={"note": "new"}))

        assert ["new"] == [one.note for one in store.list(Thing)]


def test_closed_store_leaves_no_connection(url, namespace, root):
    """A store that made its own client takes everything back, the connections of its monitoring threads too."""
    with connect(url, namespace=namespace) as store:
        store.create(Thing(name="a"))
        assert connections(root, namespace)

    assert are_gone(root, namespace)


def test_closed_asyncio_store_leaves_no_task_and_no_connection(url, namespace, root):
    """A store that made its own client takes everything back."""

    async def scenario() -> set[object]:
        async with connect_async(url, namespace=namespace) as store:
            await store.create(Thing(name="a"))
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert set() == asyncio.run(scenario())
    assert are_gone(root, namespace)


def connections(root: MongoClient[Any], namespace: str) -> list[Any]:
    """Return the connections that the test's own clients have on the server."""
    stages = [{"$currentOp": {"idleConnections": True}}, {"$match": {"appName": namespace}}]
    return list(root.admin.aggregate(stages))


def are_gone(root: MongoClient[Any], namespace: str) -> bool:
    """Tell whether the server sees the end of those connections within a few seconds."""
    deadline = monotonic() + 5
    while connections(root, namespace):
        if monotonic() > deadline:
            return False
    return True


def test_asyncio_store_in_another_event_loop_is_an_invalid_call(url, namespace):
    """A store belongs to the event loop in which it was opened."""
    with asyncio.Runner() as home:
        store = connect_async(url, namespace=namespace)
        home.run(store.open())

        with asyncio.Runner() as other, pytest.raises(InvalidCall):
            other.run(store.get(Thing, "a"))
        home.run(store.aclose())


def test_motor_client_works(url, namespace):
    """A service that still uses Motor hands in its client, which stays open."""

    async def scenario() -> list[str]:
        client = AsyncIOMotorClient(url)
        async with connect_async(client, namespace=namespace) as store:
            thing = await store.create(Thing(name="a"))
            async with store.transaction() as tx:
                await tx.update(thing.model_copy(update={"note": "new"}))
            notes = [one.note for one in await store.list(Thing)]
        await client.admin.command("ping")
        client.close()
        return notes

    assert ["new"] == asyncio.run(scenario())
