"""What a store needs of its server: a replica set, and no more privileges than it says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from emco_store import Conflict, Misconfigured, NotSupported, Unavailable, UnknownOutcome, connect
from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.mongo.commands import collection
from emco_store.backends.mongo.server import guarantees, role
from tests.backends.mongo.conftest import Thing
from tests.servers.mongo import MongoProcess, replica_set, standalone_mongo

ROOT, USER = "of-root", "of-users"
SET = {"setName": "rs", "isWritablePrimary": True}


@pytest.fixture(scope="module")
def three() -> Iterator[tuple[str, list[MongoProcess]]]:
    """A replica set of three."""
    with replica_set(3) as found:
        yield found


def test_standalone_server_is_misconfigured():
    """A server without transactions is refused when the store is opened (DUR-2)."""
    with standalone_mongo() as url, pytest.raises(Misconfigured) as caught:
        connect(url, namespace="n")

    assert "replSet" == caught.value.setting


@pytest.mark.parametrize(
    ("hello", "version", "error"),
    [
        ({"msg": "isdbgrid"}, "7.0.1", NotSupported),
        (SET, "5.0.31", NotSupported),
        (SET, "4.4.0-rc1", NotSupported),
        ({}, "7.0.1", Misconfigured),
    ],
)
def test_server_that_cannot_keep_the_promises_is_refused(hello, version, error):
    """Routers, old servers and standalone ones are told apart (DUR-1)."""
    with pytest.raises(error):
        guarantees(hello, version)


@pytest.mark.parametrize("concern", ["w=1", "w=0", "w=2"])
def test_write_concern_below_majority_is_misconfigured(mongo_server, namespace, concern):
    """A URL that asks for less than a majority is refused before any I/O (DUR-2)."""
    with pytest.raises(Misconfigured) as caught:
        connect(f"{mongo_server.url}&{concern}", namespace=namespace)

    assert "w" == caught.value.setting


def test_acknowledged_commits_survive_a_step_down(three):
    """While the primary steps down, each commit that was acknowledged stays, and each other is known (ATM-4, DUR-1)."""
    url, _ = three
    acknowledged: list[str] = []
    stepped = threading.Event()
    with connect(url, namespace="stepdown") as store, MongoClient(url) as client:

        def write(writer: int) -> None:
            number = 0
            while not stepped.is_set() or number < 10:
                name = f"w{writer}-{number}"
                number += 1
                try:
                    store.create(Thing(name=name))
                except (Unavailable, UnknownOutcome, Conflict):
                    continue
                acknowledged.append(name)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        client.admin.command("replSetStepDown", 3, force=True)
        stepped.set()
        for writer in writers:
            writer.join()
        found: set[str] = set()
        after = None
        while True:
            page = store.list(Thing, limit=1000, after=after)
            found |= {thing.name for thing in page}
            after = page.next
            if after is None:
                break

    assert acknowledged
    assert set() == set(acknowledged) - found


def test_server_that_was_killed_and_restarted_has_every_acknowledged_commit():
    """A store rides out the crash of its only server: what it does meanwhile is one typed error (DUR-1)."""
    with replica_set(1) as (url, (member,)), connect(f"{url}&serverSelectionTimeoutMS=500", namespace="n") as store:
        for number in range(20):
            store.create(Thing(name=f"n{number:02}"))
        store._port._deadline_s = 1.0  # type: ignore[attr-defined]  # the port of MongoDB
        member.kill()
        with pytest.raises(Unavailable):
            store.get(Thing, "n00")
        with pytest.raises(Unavailable):
            store.create(Thing(name="x"))
        member.restart()
        with MongoClient(url, serverSelectionTimeoutMS=20_000) as client:
            client.admin.command("ping")

        assert [f"n{number:02}" for number in range(20)] == [thing.name for thing in store.list(Thing)]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A replica set that asks who one is."""
    keys = tmp_path_factory.mktemp("keys") / "key"
    keys.write_text("c2VjcmV0LWZvci10ZXN0cw==")
    keys.chmod(0o600)
    with replica_set(1, f"--keyFile={keys}") as (url, (member,)):
        with MongoClient("127.0.0.1", member.port, directConnection=True) as client:
            client.admin.command("createUser", "root", pwd=ROOT, roles=["root"])
        yield url


class Guarded:
    """The backend for users who may only use one namespace each; made by root as namespaces are asked for."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._root: MongoClient[Any] = MongoClient(url, username="root", password=ROOT)
        self._clients: dict[str, MongoClient[Any]] = {}

    def port(self, namespace: str) -> Any:
        """Open one namespace as its own user."""
        if namespace not in self._clients:
            database = self._root[DATABASE]
            made = role(DATABASE, namespace)
            database.command(made)
            database.command("createUser", namespace, pwd=USER, roles=[made["createRole"]])
            self._clients[namespace] = MongoClient(
                self._url,
                username=namespace,
                password=USER,
                authSource=DATABASE,
            )
        return MongoBackend(self._clients[namespace]).port(namespace)

    def async_port(self, namespace: str) -> Any:
        """See the blocking port: this test needs no other."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every client."""
        for client in [self._root, *self._clients.values()]:
            client.close()


def test_role_is_enough_for_one_namespace_and_for_no_other(guarded):
    """The role that is documented lets a store do everything in its namespace, and nothing beside it."""
    backend = Guarded(guarded)
    with connect(backend, namespace="one") as store:
        thing = store.put(Thing(name="a"))
        store.update(thing.model_copy(update={"note": "new"}))
        store.delete(thing.key)
        assert () == store.list(Thing).items
        assert "aborted" == store.resolve("some")
        with pytest.raises(Misconfigured):
            MongoBackend(backend._clients["one"]).port("two").open()
    backend.close()
    assert "emco.one" == collection("one")
