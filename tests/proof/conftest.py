"""The backends, as rigs of the proof."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proof.rig import Rig
from tests.proof.prove import rig_of
from tests.servers.plugin import Servers
from tests.servers.process import Server

ON_EACH = (
    "memory",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("mongo", marks=pytest.mark.mongo),
)


@pytest.fixture(scope="session")
def mongo_server(servers: Servers) -> Server:
    """A replica set that no other worker uses, since these tests end its sessions and shorten its transactions."""
    return servers.own("mongo")


@pytest.fixture(params=ON_EACH)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Each backend, on the servers of this run."""
    server = None if request.param == "memory" else request.getfixturevalue(f"{request.param}_server")
    with rig_of(request.param, server) as rig:
        yield rig
