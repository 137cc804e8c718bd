"""Maps over servers of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from emco_store.backends.etcd.etcd_map import EtcdMap
from tests.servers.etcd import Node, own_etcd
from tests.servers.plugin import Servers
from tests.servers.process import ServerMissing

OpenMap = Callable[[str], EtcdMap]


@pytest.fixture(scope="module")
def node(servers: Servers) -> Iterator[Node]:
    """A member with the limits that etcd has by default, for the tests of one file; it may be killed and started."""
    servers.get("etcd")  # skips or fails where there is none
    try:
        with own_etcd() as started:
            yield started
    except ServerMissing as problem:
        pytest.skip(str(problem))


@pytest.fixture
def open_map() -> Iterator[OpenMap]:
    """What opens a map, which is closed with the test."""
    with ExitStack() as stack:

        def opened(url: str) -> EtcdMap:
            made = EtcdMap(url)
            stack.callback(made.close)
            made.open()
            return made

        yield opened
