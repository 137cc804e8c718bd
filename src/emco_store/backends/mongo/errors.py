"""What the errors of PyMongo and the replies of the server mean."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from pymongo import errors

from emco_store.errors import InvalidCall, InvalidResource, Misconfigured, NotSupported, StoreError, Unavailable
from emco_store.ports import OutcomeLost, Unreachable

DUPLICATE_KEY = 11000
IMMUTABLE_FIELD = 66
"""What a statement fails with that had to find its document, and did not."""
MAX_TIME_EXPIRED = 50
NO_SUCH_TRANSACTION = 251
REAUTHENTICATE = 391
"""The server wants the client to authenticate again; it has executed nothing."""
TRANSIENT = frozenset(
    {
        # Two of us met, or the server had to end what it was doing.
        24,  # LockTimeout
        112,  # WriteConflict
        117,  # ConflictingOperationInProgress
        175,  # QueryPlanKilled
        239,  # SnapshotTooOld
        246,  # SnapshotUnavailable
        NO_SUCH_TRANSACTION,
        262,  # ExceededTimeLimit
        276,  # IndexBuildAborted
        285,  # IndexBuildAlreadyInProgress
        290,  # TransactionExceededLifetimeLimitSeconds
        355,  # InterruptedDueToStorageChange
        365,  # TemporarilyUnavailable, for want of cache
        REAUTHENTICATE,
        11601,  # Interrupted
        DUPLICATE_KEY,  # of two that upsert the same, one comes too late and finds the other's on its next try
        # The primary is moving, or a member is starting or ending. Most of them PyMongo tells as NotPrimaryError.
        6,  # HostUnreachable
        7,  # HostNotFound
        20,  # IllegalOperation: transaction numbers, on a member that has not read the set's configuration yet
        43,  # CursorNotFound, after the primary moved
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        94,  # NotYetInitialized
        109,  # ConfigurationInProgress
        134,  # ReadConcernMajorityNotAvailableYet
        164,  # InitialSyncActive
        189,  # PrimarySteppedDown
        210,  # CannotVerifyAndSignLogicalTime
        211,  # KeyNotFound: the keys that sign the cluster's time, on a member that has just started
        216,  # ElectionInProgress
        217,  # IncompleteTransactionHistory
        9001,  # SocketException
        10058,  # LegacyNotPrimary
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
    }
)
"""Codes after which nothing was written, and the same request may succeed in a moment.

Source: ``error_codes.yml`` of MongoDB, its categories NotPrimaryError, ShutdownError, RetriableError and Interruption.
"""
_REPEATABLE = ("TransientTransactionError", "SystemOverloadedError")
"""With one of these labels the server says the same of codes that are not in the table."""
_OUTDATED = ("Sessions are not supported", "round_trip_time for server")
"""How ConfigurationErrors begin that PyMongo raises because of what a server was in the midst of a transition."""
_UNNAMED = re.compile(r"\bDNS\b|_mongodb\._tcp|resolution lifetime")
"""What PyMongo says when a record of a mongodb+srv URL cannot be looked up."""
_UNTRUSTED = "certificate verify failed"
_NO_INDEX = "hint provided"
"""How the server says that it has no such index, for which it has no code of its own."""
BAD_VALUE = 2
UNAUTHORIZED = 13
IDENTITY = frozenset({11, 18, 334, 8000})
"""UserNotFound, AuthenticationFailed, MechanismUnavailable, and what Atlas says in place of them."""
TOO_LARGE = frozenset({10334, 17419, 17420})
"""BSONObjectTooLarge, and its two forms for what an update would make."""
CACHE_TOO_SMALL = 388
"""TransactionTooLargeForCache: a large commit met a cache that is full of what others have just written."""
_NO_ANSWER = (errors.ServerSelectionTimeoutError, errors.WaitQueueTimeoutError, errors.NetworkTimeout)


class Collided(Exception):
    """Two transactions met, or the primary moved; nothing was written, and the same may be sent again."""


class Outdated(Collided):
    """A connection takes its server for what it was in a transition, in which the connection was made.

    PyMongo asks a server once for each connection whether it has sessions, keeps the connection in its pool, and
    refuses every session on it from then on, without sending anything.
    """


class Unindexed(Collided):
    """A request names an index that is not there: it was never made, or was dropped. Nothing was written."""


@contextmanager
def translated() -> Generator[None]:
    """Let no error of the driver out, where nothing was written for good."""
    try:
        yield
    except BSONError as problem:
        # Its text holds the document.
        is_large = isinstance(problem, errors.DocumentTooLarge)
        raise (_too_large() if is_large else _told(None, type(problem).__name__)) from None
    except errors.PyMongoError as problem:
        raise _meaning(problem) from problem


@contextmanager
def lost() -> Generator[None]:
    """Let no error of the driver out, where the commit may have happened before its reply was lost."""
    try:
        yield
    except BSONError:
        raise OutcomeLost from None
    except errors.PyMongoError as problem:
        # Only a reply says so: PyMongo puts this label also on what hinders it from sending the commit a second time.
        if isinstance(problem, errors.OperationFailure) and problem.has_error_label("TransientTransactionError"):
            raise Collided from problem
        raise OutcomeLost from problem


def refused(reply: Mapping[str, Any]) -> bool:
    """Tell whether a statement failed because what it must find is not there, or a key or unique value is not free.

    Raises:
        StoreError: It failed for another reason.
    """
    failed = reply.get("writeErrors")
    if not failed:
        return False
    code = failed[0]["code"]
    if code in {DUPLICATE_KEY, IMMUTABLE_FIELD}:
        return True
    raise _of_code(code, "a write error", failed[0].get("errmsg", ""))


def is_whole(reply: Mapping[str, Any], total: int) -> bool:
    """Tell whether a command of a transaction found or made all that it had to.

    Raises:
        StoreError: It failed for another reason.
    """
    return not refused(reply) and reply["n"] == total


def acknowledged(reply: Mapping[str, Any]) -> None:
    """See that a majority has a transaction that was committed.

    Raises:
        OutcomeLost: It may be lost again.
    """
    if "writeConcernError" in reply:
        raise OutcomeLost


def unended(reply: Mapping[str, Any]) -> None:
    """See that a transaction of which a part has failed was not committed.

    Raises:
        NotSupported: It was, against what MongoDB's manual says. A store finds out when it is opened.
    """
    if reply["ok"] == 1:
        raise NotSupported(
            "This server commits a transaction of which a part has failed.",
            why=["it is not MongoDB, or a release of it that is not known"],
            hint="use MongoDB 6.0 or newer.",
        )


def confirmed(reply: Mapping[str, Any]) -> None:
    """See that a majority has what a command did; for commands whose replies PyMongo does not look into for that.

    Raises:
        Collided: It may be lost again, so it must be done again.
    """
    if "writeConcernError" in reply:
        raise Collided


def _meaning(problem: errors.PyMongoError) -> Exception:
    if isinstance(problem, errors.InvalidOperation):
        return _misused(problem)
    if isinstance(problem, errors.ConfigurationError):
        return _unusable(problem)
    if isinstance(problem, errors.ServerSelectionTimeoutError) and _UNTRUSTED in str(problem):
        return _untrusted()
    if problem.timeout or isinstance(problem, _NO_ANSWER):
        return Unreachable()
    if _passes(problem):
        return Collided()
    return _of_code(getattr(problem, "code", None), type(problem).__name__, str(problem))


def _unusable(problem: errors.ConfigurationError) -> Exception:
    text = str(problem)
    if text.startswith(_OUTDATED):
        return Outdated()
    if _UNNAMED.search(text):
        return Unreachable("the DNS has no record of the name in the mongodb+srv URL, or does not answer")
    return _told(None, type(problem).__name__)


def _passes(problem: errors.PyMongoError) -> bool:
    """Tell whether the same may succeed in a moment, apart from what the code says."""
    if isinstance(problem, errors.ConnectionFailure | errors.WriteConcernError):
        return True
    # A member was taken out of the set while a connection to it was asked for; the class is not public.
    return type(problem).__name__ == "_PoolClosedError" or any(map(problem.has_error_label, _REPEATABLE))


def _of_code(code: Any, name: str, text: str) -> Exception:
    if code == BAD_VALUE and _NO_INDEX in text:
        return Unindexed()
    if code in TRANSIENT:
        return Collided()
    if code == MAX_TIME_EXPIRED:
        return Unreachable()
    if code in TOO_LARGE:
        return _too_large()
    if code == CACHE_TOO_SMALL:
        return Unavailable(
            "MongoDB cannot hold this commit in its cache; nothing was written.",
            why=["the commit is large for the cache, and the cache is full at the moment"],
            hint="try again later, commit less at once, or give the server a larger cache (wiredTigerCacheSizeGB).",
        )
    return _told(code, name)


def shared_value(details: Mapping[str, Any] | None) -> StoreError:
    """Make the error for a unique index that cannot be made, because two records share a value."""
    claim = str((details or {}).get("keyValue", {}).get("q", ""))
    return Misconfigured(
        "Cannot make the unique index of this namespace.",
        why=[f"two records have the same {claim.partition('=')[0].replace(':', '.')}, which must be unique"],
        hint="change or delete one of them with the driver; the index was missing when the second one came.",
        setting="unique",
    )


def _too_large() -> StoreError:
    return InvalidResource(
        "Cannot store this on MongoDB.",
        why=["with all that it refers to a resource has more than the 16 MiB that the server takes"],
        hint="divide it into several resources; its references are stored beside the document and count too.",
        problems=("too large",),
    )


def _misused(problem: errors.InvalidOperation) -> StoreError:
    if "after close" in str(problem):
        why, hint = "it is closed", "close the store first, then the client that was given to it."
    else:
        why, hint = str(problem), "use the store outside of the sessions that the program has bound to a client."
    return InvalidCall("The MongoDB client of this store cannot be used.", why=[why], hint=hint)


def _untrusted() -> StoreError:
    return Misconfigured(
        "The certificate of the MongoDB server is not trusted; nothing was sent.",
        why=["no certificate authority that the client knows has signed it for this host name"],
        hint="name the file of the authority with tlsCAFile in the URL, and the servers as their certificates do.",
        setting="tlsCAFile",
    )


def _told(code: Any, name: str) -> StoreError:
    if code in IDENTITY:
        return Misconfigured(
            "MongoDB does not accept the name or the password; nothing was written.",
            why=[f"{name}, code {code}"],
            hint="check the user, the password, authSource and authMechanism of the URL or the client.",
            setting="password",
        )
    if code == UNAUTHORIZED:
        return Misconfigured(
            "MongoDB does not let this user do what a store does; nothing was written.",
            why=["the user has too few rights, or the URL names none"],
            hint="name a user in the URL, and give it the role of `docs/how-to/production.md`.",
            setting="user",
        )
    return Misconfigured(
        "MongoDB refused the request; nothing was written.",
        why=[name if code is None else f"{name}, code {code}"],
        hint="see that the server is a replica set, and that the user may read and write the collection.",
        setting="server",
    )
