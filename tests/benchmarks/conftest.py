"""Servers of this worker alone: a run of the benchmark clears what any run has left, and so what others measure."""

from __future__ import annotations

import pytest

from tests.servers.plugin import Servers
from tests.servers.process import Server


@pytest.fixture(scope="session")
def mongo_server(servers: Servers) -> Server:
    """A replica set that no other worker uses."""
    return servers.own("mongo")


@pytest.fixture(scope="session")
def redis_server(servers: Servers) -> Server:
    """A Redis that no other worker uses."""
    return servers.own("redis")
