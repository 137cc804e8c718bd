"""An ordered map in a file of SQLite.

One table holds all entries. The number of a row is the revision of its entry times 2**20, plus its place in the write,
so the rows stand in the order in which they were written, and the newest ones are found without an index of their own.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, OrderedMap, Part, Snapshot, Span, Write, beyond
from emco_store.backends.patience import REQUEST_S
from emco_store.backends.sqlite.connections import Connection, Connections
from emco_store.backends.sqlite.errors import is_busy, meaning, meaning_of_commit
from emco_store.backends.sqlite.target import Target
from emco_store.errors import Misconfigured, NotSupported
from emco_store.ports import Unreachable
from emco_store.ports.deadline import time_left_s
from emco_store.queueing.forks import Renewed

APPLICATION: Final = 0x656D636F
"""Says in the head of a file whose it is: "emco" in ASCII."""
LAYOUT: Final = 1
"""The number of the layout of the tables; a newer one takes another."""
POLL_S: Final = 0.01
"""How often a reader that waits looks for what other processes have written, in seconds."""
_SHIFT: Final = 20
_AT_ONCE: Final = 500
"""How many keys one statement names; SQLite takes 999 at least."""
_LONGEST_PAUSE_S: Final = 0.002
_TABLES: Final = (
    "CREATE TABLE entries (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL)",
    "CREATE TABLE counter (revision INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (0)",
    f"PRAGMA application_id={APPLICATION}",
    f"PRAGMA user_version={LAYOUT}",
)


class SqliteMap(OrderedMap, Renewed):
    """An ordered map in one file, which any number of processes may use at once.

    Args:
        target: The file.
    """

    name = "sqlite"

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.durability = target.durability
        self.connections = Connections(target)
        self._target = target
        self._file = str(target)
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._writers = threading.Lock()
        self._written = threading.Condition()

    def open(self) -> None:
        """Open the file, make its tables if it is new, and refuse one of another program or of a newer release."""
        self.connections.open()
        try:
            with self._connection() as connection:
                self._set_up(connection)
        except BaseException:
            self.connections.close()
            raise

    def close(self) -> None:
        """See :meth:`OrderedMap.close`."""
        self.connections.close()

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        """See :meth:`OrderedMap.snapshot`."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield _Snapshot(connection)
            connection.execute("COMMIT")

    def write(self, write: Write) -> bool:
        """See :meth:`OrderedMap.write`."""
        until_s = time.monotonic() + _left_s()
        if not self._writers.acquire(timeout=_left_s()):
            raise Unreachable(f"{self._file}: other threads write to it")
        try:
            with self._connection() as connection:
                self._begin(connection, until_s)
                if not _holds(connection, write.when):
                    return False  # and the connection is given back, which ends the transaction
                _put(connection, write)
                self._commit(connection)
        finally:
            self._writers.release()
        with self._written:
            self._written.notify_all()
        return True

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        """See :meth:`OrderedMap.later`."""
        # Of all there are, the rows of the prefix are looked at, and otherwise those that were written since.
        number = "+id" if revision == 0 else "id"
        with self._connection() as connection:
            found = connection.execute(
                f"SELECT key, value, id FROM entries WHERE {number} >= ? AND key >= ? AND key < ? ORDER BY {number} LIMIT ?",  # noqa: E501, S608 - a column
                ((revision + 1) << _SHIFT, prefix, beyond(prefix), limit),
            ).fetchall()
        return tuple(map(_entry, found))

    def wait(self, prefix: bytes, revision: int, within_s: float) -> None:
        """See :meth:`OrderedMap.wait`; what other processes write is looked for every :data:`POLL_S`."""
        until_s = time.monotonic() + within_s
        seen = -1
        with self._written:  # so no thread of this process writes between a look and the wait
            while (left_s := until_s - time.monotonic()) > 0:
                with self._connection() as connection:
                    ((newest,),) = connection.execute("SELECT revision FROM counter")
                if newest != seen and self.later(prefix, revision, 1):
                    return
                seen = newest
                self._written.wait(left_s if self._target.is_memory else min(left_s, POLL_S))

    def now_us(self) -> int:
        """Return the time of the machine, on which all processes are that use the file."""
        return time.time_ns() // 1_000

    @contextmanager
    def _connection(self) -> Generator[Connection]:
        """Lend a connection, and let no error of SQLite out."""
        with self.connections.lent(_left_s()) as connection:
            try:
                yield connection
            except sqlite3.Error as problem:
                raise meaning(problem, self._file) from problem

    def _begin(self, connection: Connection, until_s: float) -> None:
        """Begin a transaction that writes, once no other process is in one."""
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as problem:
                if not is_busy(problem) or time.monotonic() >= until_s:
                    raise
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311 - a pause
            else:
                return

    def _commit(self, connection: Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as problem:
            raise meaning_of_commit(problem, self._file) from problem

    def _set_up(self, connection: Connection) -> None:
        if not self._is_ours(connection):
            self._begin(connection, time.monotonic() + _left_s())
            if not self._is_ours(connection):  # another process may have made them meanwhile
                for statement in _TABLES:
                    connection.execute(statement)
            connection.execute("COMMIT")
        if not self._target.is_memory:
            ((mode,),) = connection.execute("PRAGMA journal_mode")
            if mode != "wal":
                self._switch(connection)

    def _is_ours(self, connection: Connection) -> bool:
        """Return whether the tables are there; False for a new file.

        Raises:
            Misconfigured: It is a file of another program.
            NotSupported: It is one of a newer release.
        """
        ((application,),) = connection.execute("PRAGMA application_id")
        ((layout,),) = connection.execute("PRAGMA user_version")
        ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
        if not application and not layout and not tables:
            return False
        if application != APPLICATION:
            raise Misconfigured(
                f"Cannot keep resources in {self._file}.",
                why=["it is a database of another program"],
                hint="name a file that does not exist yet.",
                setting="file",
            )
        if layout != LAYOUT:
            raise NotSupported(
                f"Cannot open {self._file}.",
                why=[f"a newer release has written it: its layout is {layout}, and this one knows {LAYOUT}"],
                hint="install that release.",
            )
        return True

    def _switch(self, connection: Connection) -> None:
        """Switch a file to write-ahead logging, in which readers and a writer do not wait for each other."""
        until_s = time.monotonic() + _left_s()
        while True:
            try:
                ((mode,),) = connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as problem:
                if not is_busy(problem) or time.monotonic() >= until_s:
                    raise
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S))  # noqa: S311 - a pause
            else:
                break
        if mode != "wal":
            raise Misconfigured(
                f"Cannot use {self._file}.",
                why=["SQLite keeps no write-ahead log there: its disk has no shared memory"],
                hint="put the file on a disk of this machine.",
                setting="file",
            )


class _Snapshot:
    """The map as of the first read of a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """See :meth:`Snapshot.get`."""
        return {entry.key: entry for entry in map(_entry, _rows(self._connection, "key, value, id", keys))}

    def scan(self, span: Span) -> Part:
        """See :meth:`Snapshot.scan`."""
        order = "DESC" if span.descending else "ASC"
        found = self._connection.execute(
            f"SELECT key, value, id FROM entries WHERE key >= ? AND key < ? ORDER BY key {order} LIMIT ?",  # noqa: S608 - a word
            (span.low, span.below, span.limit + 1),
        ).fetchall()
        return Part(tuple(map(_entry, found[: span.limit])), len(found) > span.limit)

    def count(self, span: Span) -> int:
        """See :meth:`Snapshot.count`."""
        query = "SELECT count(*) FROM entries WHERE key >= ? AND key < ?"
        ((found,),) = self._connection.execute(query, (span.low, span.below))
        return int(found)


def _left_s() -> float:
    left_s = time_left_s()
    return REQUEST_S if left_s is None else max(left_s, 0.0)


def _entry(row: tuple[bytes, bytes, int]) -> Entry:
    key, value, number = row
    return Entry(key, value, number >> _SHIFT)


def _rows(connection: Connection, columns: str, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes, int]]:
    for at in range(0, len(keys), _AT_ONCE):
        some = keys[at : at + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        yield from connection.execute(f"SELECT {columns} FROM entries WHERE key IN ({marks})", some)  # noqa: S608 - marks


def _holds(connection: Connection, when: Mapping[bytes, int]) -> bool:
    """Return whether each entry is at its revision."""
    found = {key: number >> _SHIFT for key, _, number in _rows(connection, "key, NULL, id", [*when])}
    return all(found.get(key, ABSENT) == revision for key, revision in when.items())


def _put(connection: Connection, write: Write) -> None:
    connection.execute("UPDATE counter SET revision = revision + 1")
    ((revision,),) = connection.execute("SELECT revision FROM counter")
    connection.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in write.deletes])
    first = revision << _SHIFT
    rows = [(first + at, key, value) for at, (key, value) in enumerate(write.puts.items())]
    connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
