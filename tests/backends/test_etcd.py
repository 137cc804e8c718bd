"""The etcd backend on a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store.backends.etcd.backend import EtcdBackend
from emco_store.contracts.paused_map import damage_map, inside_map
from emco_store.contracts.suite import Conformance, Harness, Mode
from tests.backends.shared import only
from tests.servers.process import Server

contract_mode = only(Mode.BLOCKING)
"""One mode: that for asyncio is an adapter over it, which the other backends test."""


@pytest.fixture(scope="class")
def contract_backend(etcd_server: Server) -> Iterator[EtcdBackend]:
    """The server of this run, in the place of the harness's own; its connections stay while stores come and go."""
    backend = EtcdBackend(etcd_server.url)
    backend.rows.open()
    yield backend
    backend.rows.close()


class TestEtcd(Conformance):
    """Every rule of the contract."""

    harness = Harness(
        "etcd",
        lambda: EtcdBackend("etcd://"),
        examples=1,
        stride=2000,
        inside=inside_map,
        damage=damage_map,
    )
