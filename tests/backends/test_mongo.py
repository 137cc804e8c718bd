"""The MongoDB backend, in both modes, on a real replica set of one node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from pymongo import MongoClient

from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.mongo.commands import collection
from emco_store.contracts.damaging import OTHER, TARGET, Damage
from emco_store.contracts.harness import Bench, Mode
from emco_store.contracts.pauses import Pauses
from emco_store.contracts.proxy import Proxy
from emco_store.contracts.suite import Conformance, Harness
from emco_store.core.records import Record
from tests.backends.shared import SharedClients, drop, empty
from tests.servers.process import Server


@pytest.fixture(scope="class")
def contract_backend(mongo_server: Server) -> Iterator[SharedClients]:
    """The server of this run, in the place of the harness's own."""
    backend = SharedClients(mongo_server.url)
    yield backend
    backend.client.close()


@pytest.fixture(scope="class")
def bench(contract_harness: Harness, contract_mode: Mode, contract_backend: SharedClients) -> Iterator[Bench]:
    """The backend in one mode; the client for asyncio is closed in its own event loop."""
    bench = Bench(contract_harness, contract_mode, contract_backend)
    yield bench
    if contract_backend.async_client is not None:
        bench.loop.call(contract_backend.async_client.close())
        contract_backend.async_client = None
    bench.close()


@contextmanager
def behind_proxy(backend: SharedClients, pauses: Pauses) -> Iterator[MongoBackend]:
    """The same server by way of a proxy, and no other way."""
    host, port = backend.client.address or ("", 0)
    with closing(Proxy(host, port, pauses, about=(b"emco", b"commitTransaction"))) as proxy:
        client: MongoClient[Any] = MongoClient("127.0.0.1", proxy.port, directConnection=True)
        with closing(client):
            yield MongoBackend(client)


def damage(backend: SharedClients, namespace: str, record: Record, what: Damage) -> bool:
    """Change the fields of the document by which the record is found; its index is the server's own."""
    change = {
        Damage.LOST_REFERRER: {"$pull": {"r": TARGET.text}},
        Damage.STRAY_REFERRER: {"$push": {"r": OTHER.text}},
        Damage.LOST_UNIQUE: {"$unset": {"q": 1}},
        Damage.STRAY_UNIQUE: {"$push": {"q": "Item:serial=o"}},
    }.get(what)
    if change is None:
        return False
    records = backend.client[DATABASE][collection(namespace)]
    return records.update_one({"_id": record.key.text}, change).modified_count == 1


class TestMongo(Conformance):
    """Every rule of the contract, without a gap."""

    harness = Harness(
        "mongodb",
        lambda: SharedClients("mongodb://"),
        drop=drop,
        empty=empty,
        examples=6,
        stride=40,
        inside=behind_proxy,
        damage=damage,
    )
