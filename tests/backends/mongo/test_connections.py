"""The connections of a client: how long a server is looked for, and one that was made in a transition."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from emco_store import AsyncStore, Store, Unavailable, connect, connect_async
from tests.backends.mongo.conftest import Thing
from tests.backends.mongo.members import ReplicaSet, until
from tests.servers.mongo import MongoProcess
from tests.servers.process import HOST, free_port


@contextmanager
def alone(member: MongoProcess) -> Iterator[MongoClient[Any]]:
    """Return a client of one member."""
    with MongoClient[Any](HOST, member.port, directConnection=True, serverSelectionTimeoutMS=20_000) as client:
        yield client


def recovering(three: ReplicaSet) -> MongoProcess:
    """Take a secondary into maintenance, in which it is neither primary nor secondary, and give it."""
    member = next(one for one in three.members if one is not three.primary)
    with alone(member) as client:
        client.admin.command("replSetMaintenance", 1)
    return member


def promote(three: ReplicaSet, member: MongoProcess) -> None:
    """End the maintenance of a member, and make it primary."""
    with alone(member) as client:
        client.admin.command("replSetMaintenance", 0)

        def is_primary() -> bool:
            try:
                client.admin.command("replSetStepUp")
            except (AutoReconnect, OperationFailure):
                return False  # it has not caught up yet
            return bool(client.admin.command("hello")["isWritablePrimary"])

        until(is_primary)
    until(lambda: three.primary is member)


def pool_of(store: Store | AsyncStore, member: MongoProcess) -> Any:
    """Return the pool of connections to a member, once the client of the store knows of it."""
    port: Any = store._port
    return port._client._topology.get_server_by_address((HOST, member.port)).pool


def test_connection_that_was_made_in_a_transition_is_replaced(three):
    """PyMongo keeps a connection on which it refuses every session from then on; the store has it made anew."""
    with connect(three.url, namespace="transition") as store:
        member = recovering(three)
        with pool_of(store, member).checkout() as connection:
            assert not connection.supports_sessions
        promote(three, member)
        until(lambda: store._port._client.primary == (HOST, member.port))  # type: ignore[attr-defined]

        assert 1 == store.put(Thing(name="a")).meta.version
    three.settle()


def test_connection_of_asyncio_that_was_made_in_a_transition_is_replaced(three):
    """The same for asyncio."""

    async def scenario() -> int:
        async with connect_async(three.url, namespace="transition-asyncio") as store:
            member = await asyncio.to_thread(recovering, three)
            async with pool_of(store, member).checkout() as connection:
                assert not connection.supports_sessions
            await asyncio.to_thread(promote, three, member)
            client: Any = store._port._client  # type: ignore[attr-defined]
            while await client.primary != (HOST, member.port):  # noqa: ASYNC110 - the client has no event for it
                await asyncio.sleep(0.05)
            return (await store.put(Thing(name="a"))).meta.version

    assert 1 == asyncio.run(scenario())
    three.settle()


def test_store_looks_for_a_server_only_as_long_as_the_url_says():
    """``serverSelectionTimeoutMS`` counts when a store is opened, though the store has a time-out of its own."""
    with pytest.raises(Unavailable) as caught:
        connect(f"mongodb://{HOST}:{free_port()}/?serverSelectionTimeoutMS=100", namespace="n")

    problem: Any = caught.value
    (waited_s,) = re.findall(r"Timeout: ([\d.]+)s", str(problem.__cause__.__cause__))  # as PyMongo says it
    assert float(waited_s) <= 0.1


def test_indexes_that_a_majority_does_not_have_are_made_again(url, namespace, fail):
    """Opening a store waits until its indexes can no longer be lost: on them the unique values rest."""
    error = {"writeConcernError": {"code": 91, "errmsg": "planned"}}
    before = fail("createIndexes", 2, **error)

    with connect(url, namespace=namespace) as store:
        assert 1 == store.create(Thing(name="a")).meta.version

    assert before + 2 == fail("createIndexes", "off")
