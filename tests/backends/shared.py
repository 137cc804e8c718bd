"""The backends of this run, as harnesses that any folder of tests can ask for by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pytest
from pymongo import AsyncMongoClient, MongoClient
from pymongo.write_concern import WriteConcern

from emco_store import MemoryBackend
from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.mongo.commands import collection
from emco_store.backends.mongo.indexes import FIRST
from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.harness import Bench, Harness, Mode
from emco_store.ports import AsyncPort, Port
from tests.servers.process import Server

NAMES: Final = ("memory", "redis", "mongodb")
ON_EACH: Final = (
    "memory",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("mongodb", marks=pytest.mark.mongo),
)
"""Parameters for a test on every backend; the marks are set here because the servers are asked for at run time."""
IN_EACH_MODE: Final = tuple(
    pytest.param((name, mode), marks=marks, id=f"{name}-{mode}")
    for name, marks in (("memory", ()), ("redis", pytest.mark.redis), ("mongodb", pytest.mark.mongo))
    for mode in Mode
)


class SharedClients:
    """The MongoDB backend with one client for many tests, since each test opens several stores.

    The client for asyncio belongs to the event loop that it is first used in, so it is made when first asked for.

    Args:
        url: The replica set.
        listeners: Who is told of the commands that go over the wire.
    """

    def __init__(self, url: str, listeners: Sequence[Any] = ()) -> None:
        self._url = url
        self._listeners = listeners
        self.client: MongoClient[Any] = MongoClient(url, event_listeners=listeners)
        self.async_client: AsyncMongoClient[Any] | None = None

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return MongoBackend(self.client).port(namespace)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        if self.async_client is None:
            self.async_client = AsyncMongoClient(self._url, event_listeners=self._listeners)
        return MongoBackend(self.async_client).async_port(namespace)

    def drop(self, namespace: str) -> None:
        """Remove what a test left behind."""
        self.client[DATABASE].drop_collection(collection(namespace))

    def empty(self, namespace: str) -> bool:
        """Remove what a test has written, and say whether the namespace is as it was made."""
        found = self.client[DATABASE][collection(namespace)]
        found.with_options(write_concern=WriteConcern("majority")).delete_many({})
        return found.index_information().keys() >= FIRST


def drop(backend: Any, namespace: str) -> None:
    """Remove a namespace from MongoDB; see :class:`emco_store.contracts.harness.Harness`."""
    backend.drop(namespace)


def empty(backend: Any, namespace: str) -> bool:
    """Empty a namespace on MongoDB, where making one takes the time of ten commits; see the same."""
    return bool(backend.empty(namespace))


def only(mode: Mode) -> Any:
    """Make the fixture ``contract_mode`` for a backend that runs the suite in one mode."""

    @pytest.fixture(scope="class", params=[mode], ids=str)
    def contract_mode(request: pytest.FixtureRequest) -> Mode:
        """The one mode."""
        found: Mode = request.param
        return found

    return contract_mode


@contextmanager
def bench_on(name: str, mode: Mode, url: Callable[[str], str], listeners: Sequence[Any] = ()) -> Iterator[Bench]:
    """Return one backend in one mode, until the block is left.

    Args:
        name: One of ``NAMES``.
        mode: How it is used.
        url: Gives the address of a server by its name, ``redis`` or ``mongo``; asked only where one is needed.
        listeners: Who is told of the commands that go to MongoDB.
    """
    if name != "mongodb":
        backend = MemoryBackend() if name == "memory" else RedisBackend(url("redis"))
        bench = Bench(Harness(name, lambda: backend, stride=1 if name == "memory" else 40), mode)
        yield bench
        bench.close()
        return
    clients = SharedClients(url("mongo"), listeners)
    bench = Bench(Harness(name, lambda: clients, drop=drop, empty=empty, stride=40), mode)
    yield bench
    if clients.async_client is not None:
        bench.loop.call(clients.async_client.close())
    bench.close()
    clients.client.close()


def url_of(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Return the addresses of this run's servers, each of which starts when it is first asked for."""

    def url(name: str) -> str:
        server: Server = request.getfixturevalue(f"{name}_server")
        return server.url

    return url
