"""Open a file of SQLite, and look at it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from emco_store.backends.health import (
    PROBE,
    Finding,
    Report,
    Verdict,
    durability_finding,
    latency,
    refusal,
)
from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.feed import KEPT
from emco_store.backends.keyvalue.port import KeyValuePort
from emco_store.backends.schemes import OpenOptions
from emco_store.backends.sqlite.errors import meaning
from emco_store.backends.sqlite.rows import SqliteMap
from emco_store.backends.sqlite.target import Target
from emco_store.errors import InvalidCall, StoreError
from emco_store.ports import Durability, Get

_SAFER = "to survive a power failure: leave out ?synchronous= in the URL."


def open_target(target: object, options: OpenOptions) -> SqliteBackend:
    """Return the file that a URL names; see :data:`emco_store.backends.schemes.Opener`."""
    if options.transport != "auto":
        raise InvalidCall(
            f"Cannot open a file with transport={options.transport!r}.",
            why=["there is no server, and just one way to the file"],
            hint="leave transport out.",
        )
    return SqliteBackend(str(target))


class SqliteBackend(KeyValueBackend):
    """One file of SQLite, for any number of namespaces and processes of one machine.

    Args:
        url: ``sqlite:///FILE``, ``sqlite:////WHOLE/PATH``, or ``sqlite:///:memory:`` for data that goes with this
            object; see the reference for its options.

    Raises:
        InvalidCall: It is no such URL.
    """

    def __init__(self, url: str) -> None:
        self._target = Target.parse(url)
        self._map = SqliteMap(self._target)
        super().__init__(self._map)

    def report(self, namespace: str) -> Report:
        """Look at the file and at a namespace; writes nothing, and makes no file."""
        path = Path(self._target.path)
        if not self._target.is_memory and not path.exists():
            hint = "open a store with this URL once; that makes the file."
            return Report("sqlite", (Finding("file", f"{path} does not exist", Verdict.WRONG, hint),), records=None)
        return self.opened(namespace, "file", lambda port: self._look(namespace, path, port))

    def _look(self, namespace: str, path: Path, port: KeyValuePort) -> Report:
        try:
            durability = self._target.durability
            findings = (
                Finding("file", f"{path}, {path.stat().st_size / 1e6:,.1f} MB" if path.exists() else "none: in memory"),
                Finding("SQLite", f"{sqlite3.sqlite_version}, synchronous={self._target.synchronous}"),
                self._durability(),
                *self._soundness(),
                latency("read", lambda: port.ask(Get((PROBE,)))),
                Finding("feed", f"the newest {KEPT:,} commits, once somebody reads it"),
            )
            return Report("sqlite", findings, self.kinds(namespace), durability=durability)
        except StoreError as problem:
            return Report("sqlite", (refusal("file", problem),), records=None)

    def _durability(self) -> Finding:
        if self._target.durability is Durability.LOCAL_SYNC or self._target.is_memory:
            return durability_finding(self._target.durability)
        told = f"{self._target.durability}: commits survive the end of a process, but no power failure"
        return Finding("durability", told, Verdict.ADVICE, _SAFER)

    def _soundness(self) -> Iterator[Finding]:
        """Have SQLite examine the pages of the file."""
        with self._map.connections.lent(1.0) as connection:
            try:
                ((found,),) = connection.execute("PRAGMA quick_check(1)")
            except sqlite3.Error as problem:
                raise meaning(problem, str(self._target)) from problem
        hint = "restore a backup; before that, `sqlite3 FILE .recover` saves what can be read."
        yield Finding.judged("pages", "sound" if found == "ok" else str(found), bad=found != "ok", hint=hint)
