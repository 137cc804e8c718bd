"""The role that is documented is enough for one namespace, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from emco_store import Misconfigured, Resource, connect, unique
from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.mongo.commands import collection
from emco_store.backends.mongo.server import role
from emco_store.contracts.atomicity import AtomicityRules
from emco_store.contracts.beats import BeatRules, PulseCheckRules
from emco_store.contracts.commits import CommitRules
from emco_store.contracts.deletes import DeleteRules
from emco_store.contracts.durability import DurabilityRules
from emco_store.contracts.feed import FeedRules
from emco_store.contracts.fences import FenceRules
from emco_store.contracts.harness import Harness, Mode
from emco_store.contracts.lists import ListRules
from emco_store.contracts.uniques import UniqueRules
from emco_store.ports import AsyncPort, Port
from tests.backends.mongo.conftest import ROOT, Thing
from tests.backends.shared import only

USER = "of-users"


class Badge(Resource):
    """Has a value that nobody else has."""

    code: Annotated[str, unique()]


class Replies(CommandListener):
    """Notes which commands the server has performed, and which it has refused."""

    def __init__(self) -> None:
        self.performed: list[str] = []
        self.refused: list[str] = []

    def started(self, event: Any) -> None:
        """See the base class."""

    def succeeded(self, event: Any) -> None:
        """Note it."""
        self.performed.append(event.command_name)

    def failed(self, event: Any) -> None:
        """Note it."""
        self.refused.append(event.command_name)


class Guarded:
    """The backend for users who may only use one namespace each; made by root as namespaces are asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.root: MongoClient[Any] = MongoClient(url, username="root", password=ROOT)
        self._clients: dict[str, MongoClient[Any]] = {}
        self.replies = Replies()

    def port(self, namespace: str) -> Port:
        """Open one namespace as its own user."""
        return MongoBackend(self.client(namespace)).port(namespace)

    def async_port(self, namespace: str) -> AsyncPort:
        """See the blocking port: a server asks for the same rights in both modes."""
        raise NotImplementedError

    def client(self, namespace: str) -> MongoClient[Any]:
        """Return the client of the user of a namespace."""
        if namespace not in self._clients:
            database = self.root[DATABASE]
            made = role(DATABASE, namespace)
            database.command(made)
            database.command("createUser", namespace, pwd=USER, roles=[made["createRole"]])
            self._clients[namespace] = MongoClient(
                self._url,
                username=namespace,
                password=USER,
                authSource=DATABASE,
                appName=namespace,
                event_listeners=[self.replies],
            )
        return self._clients[namespace]

    def drop(self, namespace: str) -> None:
        """Remove a namespace and its user."""
        self._clients.pop(namespace).close()
        database = self.root[DATABASE]
        database.drop_collection(collection(namespace))
        database.command("dropUser", namespace)
        database.command("dropRole", f"emco-store-{namespace}")

    def close(self) -> None:
        """Close every client."""
        for client in [self.root, *self._clients.values()]:
            client.close()


@pytest.fixture
def backend(guarded: str) -> Iterator[Guarded]:
    """Users of their own for one test."""
    backend = Guarded(guarded)
    yield backend
    backend.drop("one")
    backend.close()


contract_mode = only(Mode.BLOCKING)
"""One mode: both send the same commands."""


@pytest.fixture(scope="class")
def contract_backend(guarded: str) -> Iterator[Guarded]:
    """The server with users, in the place of the harness's own."""
    backend = Guarded(guarded)
    yield backend
    backend.close()


class TestUnderTheRole(
    AtomicityRules,
    CommitRules,
    DeleteRules,
    DurabilityRules,
    ListRules,
    UniqueRules,
    FenceRules,
    BeatRules,
    PulseCheckRules,
    FeedRules,
):
    """Everything that a store sends, by a user with exactly this role."""

    harness = Harness("mongodb", lambda: Guarded("mongodb://"), drop=lambda backend, name: backend.drop(name))


def test_user_of_one_namespace_cannot_open_another(backend):
    """The role of a namespace gives no right in another one."""
    with connect(backend, namespace="one") as store:
        store.create(Thing(name="a"))

    with pytest.raises(Misconfigured):
        MongoBackend(backend.client("one")).port("two").open()


def test_lost_commit_is_ended_under_the_role(backend):
    """Ending one's own session needs no right of its own, so what a lost commit has written blocks nobody (ATM-3)."""
    lost = {"failCommands": ["commitTransaction"], "appName": "one", "errorCode": 50}
    with connect(backend, namespace="one") as store:
        backend.root.admin.command({"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": lost})

        store.create(Thing(name="a"))

        assert ["a"] == [thing.name for thing in store.list(Thing)]
    assert "killSessions" in backend.replies.performed
    assert ["commitTransaction"] == backend.replies.refused


def test_look_at_a_namespace_needs_no_more_rights(backend):
    """What the user may not read is left out of the report, and the rest is there."""
    with connect(backend, namespace="one") as store:
        store.create(Thing(name="a"))

    report = MongoBackend(backend.client("one")).report("one")

    assert {"Thing": 1} == report.records
    assert "majority" == report.durability


def test_user_who_may_no_longer_make_indexes_writes_no_unique_value(backend):
    """The error names the user, nothing is written, and what needs no index goes on (ID-6)."""
    with connect(backend, namespace="one") as store:
        of_one = {"resource": {"db": DATABASE, "collection": collection("one")}, "actions": ["createIndex"]}
        backend.root[DATABASE].command({"revokePrivilegesFromRole": "emco-store-one", "privileges": [of_one]})

        with pytest.raises(Misconfigured) as caught:
            store.create(Badge(name="b", code="1"))

        assert "user" == caught.value.setting
        assert "a" == store.create(Thing(name="a")).name
        assert () == store.list(Badge).items
