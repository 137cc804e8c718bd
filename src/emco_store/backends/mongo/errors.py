"""What the errors of PyMongo and the replies of the server mean."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from pymongo import errors

from emco_store.errors import InvalidCall, InvalidResource, Misconfigured, StoreError, Unavailable
from emco_store.ports import OutcomeLost, Unreachable

DUPLICATE_KEY = 11000
TRANSIENT = frozenset(
    {
        24,  # LockTimeout
        43,  # CursorNotFound, after the primary moved
        112,  # WriteConflict
        117,  # ConflictingOperationInProgress
        134,  # ReadConcernMajorityNotAvailableYet
        175,  # QueryPlanKilled
        239,  # SnapshotTooOld
        246,  # SnapshotUnavailable
        251,  # NoSuchTransaction
        262,  # ExceededTimeLimit
        11601,  # Interrupted
        DUPLICATE_KEY,  # of two that upsert the same, one comes too late and finds the other's on its next try
    }
)
"""Codes after which nothing was written, and the same request may succeed in a moment."""
TOO_LARGE = frozenset({10334, 17419, 17420})
"""BSONObjectTooLarge, and its two forms for what an update would make."""
CACHE_TOO_SMALL = 388
"""TransactionTooLargeForCache: a large commit met a cache that is full of what others have just written."""
_NO_ANSWER = (errors.ServerSelectionTimeoutError, errors.WaitQueueTimeoutError, errors.NetworkTimeout)


class Collided(Exception):
    """Two transactions met, or the primary moved; nothing was written, and the same may be sent again."""


@contextmanager
def translated() -> Generator[None]:
    """Let no error of the driver out, where nothing was written for good."""
    try:
        yield
    except BSONError as problem:
        # Its text holds the document.
        raise _meaning(problem) from None
    except errors.PyMongoError as problem:
        raise _meaning(problem) from problem


@contextmanager
def lost() -> Generator[None]:
    """Let no error of the driver out, where the commit may have happened before its reply was lost."""
    try:
        yield
    except errors.PyMongoError as problem:
        if problem.has_error_label("TransientTransactionError"):
            raise Collided from problem
        raise OutcomeLost from problem


def refused(reply: Mapping[str, Any]) -> bool:
    """Tell whether a statement failed because a key or a unique value is not free.

    Raises:
        StoreError: It failed for another reason.
    """
    failed = reply.get("writeErrors")
    if not failed:
        return False
    code = failed[0]["code"]
    if code == DUPLICATE_KEY:
        return True
    raise _of_code(code, "a write error")


def _meaning(problem: BSONError | errors.PyMongoError) -> Exception:
    if isinstance(problem, BSONError):
        return _too_large() if isinstance(problem, errors.DocumentTooLarge) else _of_code(None, type(problem).__name__)
    code = getattr(problem, "code", None)
    if isinstance(problem, errors.InvalidOperation):
        return InvalidCall(
            "The MongoDB client of this store cannot be used.",
            why=["it is closed"],
            do="close the store first, then the client that was given to it.",
        )
    if problem.timeout or isinstance(problem, _NO_ANSWER):
        return Unreachable()
    is_transient = code in TRANSIENT or problem.has_error_label("TransientTransactionError")
    if is_transient or isinstance(problem, errors.ConnectionFailure | errors.WriteConcernError):
        return Collided()
    return _of_code(code, type(problem).__name__)


def _of_code(code: Any, name: str) -> Exception:
    if code in TRANSIENT:
        return Collided()
    if code in TOO_LARGE:
        return _too_large()
    if code == CACHE_TOO_SMALL:
        return Unavailable(
            "MongoDB cannot hold this commit in its cache; nothing was written.",
            why=["the commit is large for the cache, and the cache is full at the moment"],
            do="try again later, commit less at once, or give the server a larger cache (wiredTigerCacheSizeGB).",
        )
    return _told(code, name)


def _too_large() -> StoreError:
    return InvalidResource(
        "Cannot store this on MongoDB.",
        why=["with all that it refers to a resource has more than the 16 MiB that the server takes"],
        do="divide it into several resources; its references are stored beside the document and count too.",
        problems=("too large",),
    )


def _told(code: Any, name: str) -> StoreError:
    return Misconfigured(
        "MongoDB refused the request; nothing was written.",
        why=[name if code is None else f"{name}, code {code}"],
        do="see that the server is a replica set, and that the user may read and write the collection.",
        setting="server",
    )
