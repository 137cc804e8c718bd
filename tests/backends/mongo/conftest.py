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
from tests.backends.mongo.members import ReplicaSet, own_set
from tests.servers.plugin import Servers
from tests.servers.process import HOST, Server

ROOT = "of-root"
"""The password of the user ``root``."""


class Thing(Resource):
    """What these tests store."""

    note: str = ""


@pytest.fixture(scope="session")
def mongo_server(servers: Servers) -> Server:
    """A replica set that no other worker uses, since these tests make its commands fail and end its sessions."""
    return servers.own("mongo")


@pytest.fixture(scope="package")
def three(mongo_server: Server) -> Iterator[ReplicaSet]:  # noqa: ARG001 - it says whether a server is needed
    """A replica set of three whose members may be stopped; each test leaves all of them running."""
    with own_set(3) as (url, members):
        found = ReplicaSet(url, members)
        found.settle()
        yield found
        found.client.close()


@pytest.fixture(scope="package")
def guarded(mongo_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001 - as above
    """A replica set that asks who one is; the user ``root`` may do everything."""
    keys = tmp_path_factory.mktemp("keys") / "key"
    keys.write_text("c2VjcmV0LWZvci10ZXN0cw==")
    keys.chmod(0o600)
    with own_set(1, f"--keyFile={keys}") as (url, (member,)):
        with MongoClient[Any](HOST, member.port, directConnection=True) as client:
            client.admin.command("createUser", "root", pwd=ROOT, roles=["root"])
        yield url


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
def fail(root: MongoClient[Any], namespace: str) -> Iterator[Callable[..., int]]:
    """Lets commands of this test's clients fail in the server; gives how many have failed so far, of all tests."""

    def plan(command: str, mode: Any = 1, **data: Any) -> int:
        times = {"times": mode} if isinstance(mode, int) else mode
        whole = {"failCommands": [command], "appName": namespace, **data}
        reply = root.admin.command({"configureFailPoint": "failCommand", "mode": times, "data": whole})
        return int(reply["count"])

    yield plan
    root.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
