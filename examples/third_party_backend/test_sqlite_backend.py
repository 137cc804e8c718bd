"""The whole proof of the backend next door."""

from __future__ import annotations

from sqlite_backend import SqliteBackend

from emco_store.contracts.suite import Conformance, Harness


class TestSqlite(Conformance):
    """Every rule of the contract, blocking and with asyncio."""

    harness = Harness("sqlite", SqliteBackend, examples=20, stride=20)
