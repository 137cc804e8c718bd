"""The MongoDB backend, in both modes, on a real replica set of one node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store.contracts.harness import Bench, Mode
from emco_store.contracts.suite import Conformance, Harness
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


class TestMongo(Conformance):
    """Every rule of the contract, without a gap."""

    harness = Harness("mongodb", lambda: SharedClients("mongodb://"), drop=drop, empty=empty, examples=6, stride=40)
