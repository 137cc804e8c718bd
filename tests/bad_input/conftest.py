"""The world that bad input meets, once with the blocking store and once with the asyncio one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store import MemoryBackend, connect, connect_async
from emco_store.contracts.blocking import Loop, blocking
from tests.bad_input.case import NAMESPACE, World

SMALL_COMMITS = 10
"""Records in one commit of these stores, so that too many of them are few."""


@pytest.fixture(params=["sync", "async"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A fresh store with a few resources in it."""
    backend = MemoryBackend()
    if request.param == "sync":
        with connect(backend, namespace=NAMESPACE, max_records=SMALL_COMMITS) as store:
            yield World(store, backend)
        return
    loop = Loop()
    with blocking(connect_async(backend, namespace=NAMESPACE, max_records=SMALL_COMMITS), loop) as store:
        yield World(store, backend)
    loop.close()
