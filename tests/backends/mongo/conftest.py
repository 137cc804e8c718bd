"""A namespace on the shared replica set, and commands that fail on demand."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from emco_store import Resource, Store, connect
from emco_store.backends.mongo.backend import DATABASE
from emco_store.backends.mongo.commands import collection
from tests.servers.process import Server


class Thing(Resource):
    """What these tests store."""

    note: str = ""


@pytest.fixture(scope="module")
def root(mongo_server: Server) -> Iterator[MongoClient[Any]]:
    """A client that may do everything."""
    with MongoClient(mongo_server.url) as client:
        yield client


@pytest.fixture
def namespace(root: MongoClient[Any]) -> Iterator[str]:
    """A namespace of the test's own."""
    name = f"t{secrets.token_hex(8)}"
    yield name
    root[DATABASE].drop_collection(collection(name))


@pytest.fixture
def url(mongo_server: Server, namespace: str) -> str:
    """The server, by a URL whose clients can be told from others."""
    return f"{mongo_server.url}&appName={namespace}&heartbeatFrequencyMS=500"


@pytest.fixture
def store(url: str, namespace: str) -> Iterator[Store]:
    """A store with a client of its own."""
    with connect(url, namespace=namespace) as opened:
        yield opened


@pytest.fixture
def records(root: MongoClient[Any], namespace: str) -> Any:
    """The documents behind the store."""
    return root[DATABASE][collection(namespace)]


@pytest.fixture
def fail(root: MongoClient[Any], namespace: str) -> Iterator[Callable[..., None]]:
    """Lets commands of this test's clients fail in the server."""

    def plan(command: str, mode: Any = 1, **data: Any) -> None:
        times = {"times": mode} if isinstance(mode, int) else mode
        whole = {"failCommands": [command], "appName": namespace, **data}
        root.admin.command({"configureFailPoint": "failCommand", "mode": times, "data": whole})

    yield plan
    root.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
