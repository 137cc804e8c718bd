"""Fixtures that every folder of tests may ask for."""

from __future__ import annotations

import pytest

from tests.servers.plugin import Servers
from tests.servers.process import Server


@pytest.fixture(scope="session")
def mongo_server(servers: Servers) -> Server:
    """A MongoDB replica set of one node, shared by the whole run: take a namespace of your own in it."""
    return servers.get("mongo")


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> Server:
    """A Redis server, shared by the whole run: take a namespace of your own in it."""
    return servers.get("redis")


@pytest.fixture(scope="session")
def nats_server(servers: Servers) -> Server:
    """A NATS server with JetStream, shared by the whole run: take a stream of your own in it."""
    return servers.get("nats")


@pytest.fixture(scope="session")
def etcd_server(servers: Servers) -> Server:
    """An etcd of one member, shared by the whole run: take a namespace or a folder of your own in it."""
    return servers.get("etcd")
