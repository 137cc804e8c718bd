"""The Redis backend, in both modes, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest

from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.pauses import Pauses
from emco_store.contracts.proxy import Proxy
from emco_store.contracts.suite import Conformance, Harness
from tests.servers.process import Server


@pytest.fixture(scope="class")
def contract_backend(redis_server: Server) -> RedisBackend:
    """The server of this run, in the place of the harness's own."""
    return RedisBackend(redis_server.url)


@contextmanager
def behind_proxy(backend: RedisBackend, pauses: Pauses) -> Iterator[RedisBackend]:
    """The same server by way of a proxy."""
    server = urlsplit(str(backend._target))
    with closing(Proxy(str(server.hostname), server.port or 6379, pauses)) as proxy:
        yield RedisBackend(f"redis://127.0.0.1:{proxy.port}{server.path}")


class TestRedis(Conformance):
    """Every rule of the contract, without a gap."""

    harness = Harness("redis", lambda: RedisBackend("redis://"), examples=20, stride=8, inside=behind_proxy)
