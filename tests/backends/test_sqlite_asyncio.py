"""The SQLite backend for asyncio."""

from __future__ import annotations

import pytest

from emco_store.backends.sqlite.backend import SqliteBackend
from emco_store.contracts.suite import Harness, Mode, PortRules
from tests.backends import test_sqlite
from tests.backends.shared import only

contract_mode = only(Mode.ASYNCIO)


@pytest.fixture(scope="class")
def contract_backend(tmp_path_factory: pytest.TempPathFactory) -> SqliteBackend:
    """A file of this class, in the place of the harness's own."""
    return test_sqlite.on(tmp_path_factory.mktemp("sqlite") / "store.db")


class TestSqliteForAsyncio(PortRules):
    """Every rule of what a backend decides."""

    harness = Harness("sqlite", lambda: SqliteBackend("sqlite:///:memory:"), examples=3, stride=200)
