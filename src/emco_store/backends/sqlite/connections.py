"""The connections of one process to a file of SQLite: lent to one thread at a time, and none of them across a fork."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Final

from emco_store.backends.sqlite.errors import meaning
from emco_store.backends.sqlite.target import Target
from emco_store.errors import InvalidCall
from emco_store.ports import Unreachable
from emco_store.queueing.forks import Renewed

FORK_S: Final = 5.0
"""How long a fork waits for transactions of other threads, in seconds."""
Connection = sqlite3.Connection


class Connections(Renewed):
    """Connections that are made when they are needed, and kept until :meth:`close`.

    A connection must not be used, nor closed, by another process than the one that made it: SQLite would take the locks
    of the parent for its own (Source: sqlite.org, "How To Corrupt An SQLite Database File", section 2.6). So before a
    fork all of them are closed, once the transactions under way have ended.

    Args:
        target: The file. Data in memory has one connection, which all threads share.
    """

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target
        self._idle: list[Connection] = []
        self._kept = 0
        self._is_torn = False
        self._renew()

    def _pause(self) -> None:
        """Before a fork: close what is open, and lend nothing meanwhile; see :class:`Renewed`."""
        with self._changed:
            self._is_forking = True
            if not self._target.is_memory:
                self._changed.wait_for(lambda: not self._lent, FORK_S)
                self._empty()

    def _resume(self) -> None:
        """After a fork, in the parent."""
        with self._changed:
            self._is_forking = False
            self._changed.notify_all()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._changed = threading.Condition()
        self._is_torn = self._is_torn or getattr(self, "_lent", 0) > 0
        self._lent = 0
        self._is_forking = False

    def open(self) -> None:
        """Keep connections until as many calls of :meth:`close`."""
        with self._changed:
            self._kept += 1

    def close(self) -> None:
        """Take back one call of :meth:`open`; after the last one, close all connections."""
        with self._changed:
            self._kept -= 1
            if not self._kept:
                self._empty()
                self._changed.notify_all()

    @contextmanager
    def lent(self, within_s: float) -> Generator[Connection]:
        """Lend a connection, in no transaction.

        Args:
            within_s: How long to wait for one.

        Raises:
            InvalidCall: The process was forked in the middle of a transaction.
            Misconfigured: The file cannot be opened.
            Unreachable: There is none in time, or all are closed.
        """
        connection = self._take(within_s)
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _take(self, within_s: float) -> Connection:
        if self._is_torn:
            raise InvalidCall(
                f"Cannot use {self._target} in this process.",
                why=["it was forked while another thread was in the middle of a transaction"],
                hint="open a store in each process.",
            )
        until_s = monotonic() + within_s
        with self._changed:
            while self._is_forking or (self._target.is_memory and self._lent):
                if not self._changed.wait(until_s - monotonic()) and monotonic() >= until_s:
                    raise Unreachable(f"{self._target}: another thread uses it")
            if not self._kept:
                raise Unreachable(f"{self._target}: it is closed")
            self._lent += 1
            connection = self._idle.pop() if self._idle else None
        try:
            return connection or self._made()
        except BaseException:
            self._count_down()
            raise

    def _give_back(self, connection: Connection) -> None:
        try:
            if connection.in_transaction:  # its caller was interrupted
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            with self._changed:
                is_wanted = self._kept and not connection.in_transaction
                if is_wanted and (self._target.is_memory or not self._is_forking):
                    self._idle.append(connection)
                else:
                    connection.close()
        finally:
            self._count_down()

    def _count_down(self) -> None:
        with self._changed:
            self._lent -= 1
            self._changed.notify_all()

    def _empty(self) -> None:
        while self._idle:
            with suppress(sqlite3.Error):
                self._idle.pop().close()

    def _made(self) -> Connection:
        try:
            made = sqlite3.connect(self._target.path, timeout=0, isolation_level=None, check_same_thread=False)
            made.execute(f"PRAGMA synchronous={self._target.synchronous}")
        except sqlite3.Error as problem:
            raise meaning(problem, str(self._target)) from problem
        return made
