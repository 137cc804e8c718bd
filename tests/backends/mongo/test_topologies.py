"""What a store needs of its server: a replica set that waits for a majority."""

from __future__ import annotations

import pytest
from pymongo import MongoClient

from emco_store import Misconfigured, NotSupported, Unavailable, connect
from emco_store.backends.mongo.server import guarantees
from tests.backends.mongo.conftest import Thing
from tests.servers.mongo import replica_set, standalone_mongo

SET = {"setName": "rs", "isWritablePrimary": True}


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
