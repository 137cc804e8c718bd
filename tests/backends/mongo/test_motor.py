"""The MongoDB backend through a Motor client, for asyncio, which is all that Motor is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from emco_store.backends.mongo.backend import MongoBackend
from emco_store.contracts.harness import Mode
from emco_store.contracts.suite import Harness, PortRules
from emco_store.ports import AsyncPort
from tests.backends.shared import SharedClients, drop, empty, only
from tests.servers.process import Server


class WithMotor(SharedClients):
    """Asyncio stores get a Motor client; the suite's own look behind the store stays blocking."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.motor: Any = AsyncIOMotorClient(url)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        return MongoBackend(self.motor).async_port(namespace)


contract_mode = only(Mode.ASYNCIO)
"""The one mode that Motor has."""


@pytest.fixture(scope="class")
def contract_backend(mongo_server: Server) -> Iterator[WithMotor]:
    """The server of this run, in the place of the harness's own."""
    backend = WithMotor(mongo_server.url)
    yield backend
    backend.motor.close()
    backend.client.close()


class TestMotor(PortRules):
    """Every rule of what a backend decides; the store above is the same as with PyMongo."""

    harness = Harness("motor", lambda: WithMotor("mongodb://"), drop=drop, empty=empty, examples=3, stride=200)
