"""The Redis backend, in both modes, on a real server."""

from __future__ import annotations

import pytest

from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.suite import Conformance, Harness
from tests.servers.process import Server


@pytest.fixture(scope="class")
def contract_backend(redis_server: Server) -> RedisBackend:
    """The server of this run, in the place of the harness's own."""
    return RedisBackend(redis_server.url)


class TestRedis(Conformance):
    """Every rule of the contract, without a gap."""

    harness = Harness("redis", lambda: RedisBackend("redis://"), examples=20, stride=8)
