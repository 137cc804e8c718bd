"""The maps that this library has, and that of the example: each does what the base of key-value backends needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from os import getpid

import pytest

from emco_store.backends.etcd.address import read_address
from emco_store.backends.etcd.etcd_map import EtcdMap
from emco_store.backends.keyvalue.ordered_map import OrderedMap
from emco_store.backends.sqlite.rows import SqliteMap
from emco_store.backends.sqlite.target import Target
from emco_store.contracts.maps import MapConformance
from tests.backends.keyvalue.maps import example

Make = Callable[[], OrderedMap]
_numbers = count()


class TestDictionary(MapConformance):
    """The dictionary of the example."""

    @pytest.fixture
    def make_map(self) -> Make:
        """One map: its data is in it."""
        rows = example.DictMap()
        return lambda: rows


class TestSqliteFile(MapConformance):
    """A file, with maps of their own as in several processes."""

    @pytest.fixture
    def make_map(self, tmp_path) -> Make:
        """A new file."""
        return lambda: SqliteMap(Target(str(tmp_path / "store.db"), "off"))


class TestSqliteMemory(MapConformance):
    """SQLite in memory."""

    @pytest.fixture
    def make_map(self) -> Make:
        """One map: its data is in it."""
        rows = SqliteMap(Target(":memory:"))
        return lambda: rows


@pytest.mark.etcd
class TestEtcd(MapConformance):
    """A folder of a server."""

    @pytest.fixture
    def make_map(self, etcd_server) -> Make:
        """A new folder."""
        address = replace(read_address(etcd_server.url), folder=f"maps-{getpid()}-{next(_numbers)}")
        return lambda: EtcdMap(address)
