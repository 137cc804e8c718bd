"""What an error of SQLite means for a store."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from emco_store.errors import Misconfigured
from emco_store.ports import OutcomeLost, Unreachable


class _Refused(NamedTuple):
    """Why SQLite refuses until somebody acts, and what to do."""

    why: str
    hint: str


_DAMAGED: Final = "restore a backup; before that, `sqlite3 FILE .recover` saves what can be read."
_REFUSED: Final = {
    sqlite3.SQLITE_PERM: _Refused("this process may not use it", "see the rights of the file and of its folder."),
    sqlite3.SQLITE_AUTH: _Refused("this process may not use it", "see the rights of the file and of its folder."),
    sqlite3.SQLITE_READONLY: _Refused(
        "it cannot be written", "let this process write to the file and to its folder, in which two more files stand."
    ),
    sqlite3.SQLITE_FULL: _Refused("its disk is full", "make room; nothing was written, and all that was is there."),
    sqlite3.SQLITE_CANTOPEN: _Refused(
        "it cannot be opened or made", "see that its folder exists, and that this process may write to it."
    ),
    sqlite3.SQLITE_CORRUPT: _Refused("it is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: _Refused("it is no database of SQLite", "name another file, or restore a backup."),
    sqlite3.SQLITE_NOMEM: _Refused("there is no memory left for it", "give the process more memory."),
    sqlite3.SQLITE_NOLFS: _Refused("its disk takes no file as large", "use another disk."),
}
"""By the primary code of the error."""
_PASSING: Final = {
    sqlite3.SQLITE_BUSY: "another process has locked it",
    sqlite3.SQLITE_LOCKED: "another thread has locked it",
    sqlite3.SQLITE_INTERRUPT: "it was interrupted",
    sqlite3.SQLITE_PROTOCOL: "other processes keep its locks busy",
    sqlite3.SQLITE_IOERR: "its disk reports an error",
}


def primary_code(problem: sqlite3.Error) -> int:
    """Return the primary code of an error; 0 where it has none, as if the connection is closed."""
    return getattr(problem, "sqlite_errorcode", 0) & 0xFF


def is_busy(problem: sqlite3.Error) -> bool:
    """Return whether another process holds the lock that was asked for."""
    return primary_code(problem) == sqlite3.SQLITE_BUSY


def meaning(problem: sqlite3.Error, file: str) -> Exception:
    """Return what an error means where nothing was written, with its cause.

    Args:
        problem: The error.
        file: The name of the file, for people.
    """
    code = primary_code(problem)
    if code in _PASSING:
        found: Exception = Unreachable(f"{file}: {_PASSING[code]}")
    elif isinstance(problem, sqlite3.ProgrammingError) and not code:
        found = Unreachable(f"{file}: it is closed")
    else:
        refused = _REFUSED.get(code) or _Refused(
            f"SQLite says: {problem}", "see that only stores use the file, and report it."
        )
        found = Misconfigured(f"Cannot use {file}.", why=[refused.why], hint=refused.hint, setting="file")
    found.__cause__ = problem
    return found


def meaning_of_commit(problem: sqlite3.Error, file: str) -> Exception:
    """Return what an error at the end of a transaction means: after an error of the disk nobody knows what it has."""
    if primary_code(problem) != sqlite3.SQLITE_IOERR:
        return meaning(problem, file)
    lost = OutcomeLost()
    lost.__cause__ = problem
    return lost
