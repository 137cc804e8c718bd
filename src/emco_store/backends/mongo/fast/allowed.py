"""When PyMongo's connections may be used without its calls: an allow-list; whatever is not on it goes by public calls.

What PyMongo does around a command is a duty of whoever goes around PyMongo. The fast transport has been tested with
these versions, options and mechanisms, and has their duties: pool generations, idle connections, time-outs, and errors
that make PyMongo look for the primary again.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, Final

import pymongo

OLDEST: Final = (4, 13, 2)
NEWEST: Final = (4, 20)
"""The releases of PyMongo with which the suite has run on this transport; patches of the newest count as tested."""
UNDERSTOOD: Final = frozenset(
    {
        # Where the servers are, and how PyMongo connects to them.
        *(
            "appname",
            "connect",
            "connecttimeoutms",
            "directconnection",
            "driver",
            "heartbeatfrequencyms",
            "maxconnecting",
        ),
        *("replicaset", "servermonitoringmode", "serverselectiontimeoutms", "srvmaxhosts", "srvservicename"),
        *(
            "ssl",
            "tls",
            "tlsallowinvalidcertificates",
            "tlsallowinvalidhostnames",
            "tlscafile",
            "tlscertificatekeyfile",
        ),
        *("tlscertificatekeyfilepassword", "tlscrlfile", "tlsdisableocspendpointcheck", "tlsinsecure"),
        # Who one is; the mechanism is judged by itself.
        *("authmechanism", "authsource", "username", "password"),
        # The pool and the time-outs, which the transport honours.
        *("maxidletimems", "maxpoolsize", "minpoolsize", "sockettimeoutms", "timeoutms", "waitqueuetimeoutms"),
        # What the store says itself, whatever the client says.
        *("document_class", "journal", "localthresholdms", "maxstalenessseconds", "readconcernlevel", "readpreference"),
        *("readpreferencetags", "retryreads", "retrywrites", "tz_aware", "tzinfo", "unicode_decode_error_handler"),
        *("uuidrepresentation", "w", "wtimeoutms", "datetime_conversion"),
    }
)
"""Options of a client or its URL that mean nothing for this transport, or that it honours."""
MECHANISMS: Final = frozenset({"DEFAULT", "SCRAM-SHA-1", "SCRAM-SHA-256"})
"""Mechanisms of authentication that are over once a connection is open."""
_COMMANDS: Final = logging.getLogger("pymongo.command")


def objection(client: Any) -> str:
    """Say why the fast transport may not be used with a client; empty where it may."""
    return next((found for check in _CHECKS if (found := check(client))), "")


def _of_version(_: Any) -> str:
    if pymongo.version_tuple[:3] >= OLDEST and pymongo.version_tuple[:2] <= NEWEST:
        return ""
    tested = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    return f"PyMongo {pymongo.version} is not one of those tested ({tested})"


def _of_class(client: Any) -> str:
    if type(client) in {pymongo.MongoClient, pymongo.AsyncMongoClient}:
        return ""
    return f"the client is of another class ({type(client).__qualname__})"


def _of_methods(client: Any) -> str:
    changed = next(_changed(is_async=isinstance(client, pymongo.AsyncMongoClient)), "")
    return changed and f"{changed} of PyMongo is not as it was tested, or something has been put in its place"


def _of_listeners(client: Any) -> str:
    return "event listeners are registered with the client" if client.options.event_listeners else ""


def _of_options(client: Any) -> str:
    unknown = sorted({name.lower() for name in client.options._options} - UNDERSTOOD)  # noqa: SLF001 - see USED
    return f"the client has options that this transport does not handle: {', '.join(unknown)}" if unknown else ""


def _of_mechanism(client: Any) -> str:
    credentials = client.options.pool_options._credentials  # noqa: SLF001 - see USED
    if credentials is None or credentials.mechanism in MECHANISMS:
        return ""
    return f"the client authenticates by {credentials.mechanism}"


_CHECKS: Final = (_of_version, _of_class, _of_methods, _of_listeners, _of_options, _of_mechanism)


def is_logged() -> bool:
    """Check whether somebody reads PyMongo's log of commands, which only its calls write."""
    return _COMMANDS.isEnabledFor(logging.DEBUG)


USED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "client": {
        "_checkout": ("server", "session"),
        "_select_server": ("server_selector", "session", "operation"),
    },
    "connection": {
        "_raise_connection_failure": ("error",),
        "close_conn": ("reason",),
        "conn_closed": (),
        "set_conn_timeout": ("timeout",),
    },
    "pool": {"reset_without_pause": (), "stale_generation": ("gen", "service_id")},
    "protocol": {"close": (), "read": ("request_id", "max_message_size"), "write": ("message",)},
}
"""The methods of PyMongo's inside that are used, with the parameters that they get.

Beyond these, attributes: ``_topology._servers`` of the client; ``description`` and ``pool`` of a server; ``conn``,
``closed``, ``cancel_context``, ``generation``, ``service_id``, ``max_message_size`` of a connection, and ``get_conn``
of its ``conn``; ``_options`` and ``pool_options._credentials`` of the options. :func:`has_parts` looks for them.
"""
WATCHED: Final[dict[str, tuple[str, ...]]] = {
    "connection": ("command",),
    "database": ("command",),
    "collection": ("find", "insert_one", "update_one"),
}
"""Public methods that instrumentation likes to replace."""


def has_parts(server: Any, connection: Any) -> bool:
    """Check that a server and one of its connections have the attributes that are used; see :data:`USED`."""
    names = ("conn", "closed", "cancel_context", "generation", "service_id", "max_message_size")
    return (
        all(hasattr(connection, name) for name in names)
        and hasattr(connection.cancel_context, "cancelled")
        and hasattr(connection.conn, "get_conn")
        and hasattr(server, "pool")
        and hasattr(getattr(server, "description", None), "is_writable")
    )


def _changed(*, is_async: bool) -> Iterator[str]:
    """Find what is missing, has other parameters, or was replaced."""
    parts = _parts(is_async=is_async)
    for part, methods in USED.items():
        if part == "protocol" and not is_async:
            continue
        for name, parameters in methods.items():
            if not _is_as_tested(getattr(parts.get(part), name, None), parameters):
                yield f"{part}.{name}"
    for part, names in WATCHED.items():
        yield from (f"{part}.{name}" for name in names if not _is_original(getattr(parts.get(part), name, None)))


def _parts(*, is_async: bool) -> dict[str, Any]:
    try:
        if is_async:
            from pymongo.asynchronous import pool as pools  # noqa: PLC0415 - it may not be there
            from pymongo.asynchronous.collection import AsyncCollection  # noqa: PLC0415
            from pymongo.asynchronous.database import AsyncDatabase  # noqa: PLC0415
            from pymongo.network_layer import PyMongoProtocol  # noqa: PLC0415

            return {
                "client": pymongo.AsyncMongoClient, "connection": pools.AsyncConnection, "pool": pools.Pool,
                "protocol": PyMongoProtocol, "database": AsyncDatabase, "collection": AsyncCollection,
            }  # fmt: skip
        from pymongo.synchronous import pool as blocking_pools  # noqa: PLC0415
        from pymongo.synchronous.collection import Collection  # noqa: PLC0415
        from pymongo.synchronous.database import Database  # noqa: PLC0415
    except ImportError:
        return {}
    return {
        "client": pymongo.MongoClient, "connection": blocking_pools.Connection, "pool": blocking_pools.Pool,
        "database": Database, "collection": Collection,
    }  # fmt: skip


def _is_as_tested(method: Any, parameters: tuple[str, ...]) -> bool:
    """Check that a method is PyMongo's own and takes these parameters, and needs no others."""
    if not _is_original(method):
        return False
    taken = [*inspect.signature(method).parameters.values()][1:]
    more = taken[len(parameters) :]
    return tuple(one.name for one in taken[: len(parameters)]) == parameters and all(
        one.default is not inspect.Parameter.empty for one in more
    )


def _is_original(method: Any) -> bool:
    return isinstance(method, FunctionType) and Path(method.__code__.co_filename).is_relative_to(_HOME)


_HOME: Final = Path(pymongo.__file__).parent
