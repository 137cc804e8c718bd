"""The SQLite backend on a file whose disk nobody waits for."""

from __future__ import annotations

from pathlib import Path

import pytest

from emco_store.backends.sqlite.backend import SqliteBackend
from emco_store.contracts.paused_map import damage_map, inside_map
from emco_store.contracts.suite import Conformance, Harness, Mode
from tests.backends.shared import only

contract_mode = only(Mode.BLOCKING)
"""One mode: that for asyncio is an adapter over it; ``test_sqlite_asyncio.py`` shows what a backend decides there."""


@pytest.fixture(scope="class")
def contract_backend(tmp_path_factory: pytest.TempPathFactory) -> SqliteBackend:
    """A file of this class, in the place of the harness's own."""
    return on(tmp_path_factory.mktemp("sqlite") / "store.db")


def on(file: Path) -> SqliteBackend:
    """Return the backend of a file."""
    return SqliteBackend(f"sqlite:///{file}?synchronous=off")


class TestSqlite(Conformance):
    """Every rule of the contract, without a gap."""

    harness = Harness(
        "sqlite",
        lambda: SqliteBackend("sqlite:///:memory:"),
        examples=10,
        stride=40,
        inside=inside_map,
        damage=damage_map,
    )
