"""Open MongoDB: make or accept a client, and refuse what would break a promise."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pymongo import AsyncMongoClient, MongoClient
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.write_concern import WriteConcern

from emco_store.backends.adapters import ThreadedPort
from emco_store.backends.health import PROBE, Report, transport_finding
from emco_store.backends.mongo.commands import collection
from emco_store.backends.mongo.errors import Collided, translated
from emco_store.backends.mongo.fast.aio import transport_to as async_transport_to
from emco_store.backends.mongo.fast.sync import transport_to
from emco_store.backends.mongo.report import look
from emco_store.backends.mongo.sync import MongoPort
from emco_store.backends.mongo.sync_transport import Transport
from emco_store.backends.mongo.task import TaskMongoPort
from emco_store.backends.schemes import OpenOptions
from emco_store.errors import InvalidCall, Misconfigured
from emco_store.ports import Get, Unreachable
from emco_store.ports.guarantees import checked_transport

DATABASE = "emco"
"""The database, unless the URL names one."""


def open_target(target: Any, options: OpenOptions) -> MongoBackend:
    """Return the backend of a URL or a client of PyMongo or Motor; see :data:`emco_store.backends.schemes.Opener`."""
    return MongoBackend(target, transport=options.transport)


class MongoBackend:
    """One replica set, for any number of namespaces.

    Args:
        target: A URL for PyMongo, handed over untouched; or a client, ``MongoClient`` for blocking stores,
            ``AsyncMongoClient`` or Motor's ``AsyncIOMotorClient`` for asyncio. A client stays open when the store is
            closed.
        transport: ``auto`` to write on the driver's connections where that is allowed; ``plain`` for public calls of
            PyMongo only.

    Raises:
        InvalidCall: ``transport`` is neither.
    """

    def __init__(self, target: Any, *, transport: str = "auto") -> None:
        self._target = target
        self._transport = checked_transport(transport)

    def port(self, namespace: str) -> MongoPort:
        """Make the port of one namespace for blocking use."""
        client = self._client(MongoClient)
        try:
            return self._port(client, _database(client), namespace)
        except Misconfigured:
            if self._owned:  # it has begun to look for the servers
                client.close()
            raise

    def async_port(self, namespace: str) -> TaskMongoPort | ThreadedPort:
        """Make the port of one namespace for asyncio."""
        behind = getattr(self._target, "delegate", None) if _is_motor(self._target) else None
        if isinstance(behind, MongoClient):
            # Motor runs this blocking client in threads; used directly, it saves a commit three changes of threads.
            return ThreadedPort(self._port(behind, _database(behind), namespace))
        client = self._client(AsyncMongoClient)
        database = _database(client)
        transport = async_transport_to(client, database, collection(namespace), owned=self._owned, wish=self._transport)
        return TaskMongoPort(client, database, namespace, owned=self._owned, transport=transport)

    def report(self, namespace: str) -> Report:
        """Look at the server and at a namespace; writes nothing."""
        impatient = (
            {} if "serverselectiontimeoutms" in str(self._target).lower() else {"serverSelectionTimeoutMS": 5000}
        )
        client = self._client(MongoClient, **impatient)
        try:
            database = _database(client)
            transport = self._transport_to(client, database, namespace)
            port = MongoPort(client, database, namespace, owned=False, transport=transport)
            found = transport_finding(transport.name, transport.reason)
            try:
                return look(client, database, namespace, lambda: port.ask(Get((PROBE,))), transport=found)
            finally:
                port.close()
        finally:
            if self._owned:
                client.close()

    def namespaces(self) -> list[str]:
        """See :meth:`emco_store.backends.namespaces.Divided.namespaces`; of those that the user may see."""
        with self._at_once() as database:
            named = {"name": {"$regex": f"^{re.escape(collection(''))}"}}
            found = database.list_collection_names(filter=named, authorizedCollections=True)
        return sorted(name.removeprefix(collection("")) for name in found)

    def drop(self, namespace: str) -> None:
        """See :meth:`emco_store.backends.namespaces.Divided.drop`."""
        with self._at_once() as database:
            database.drop_collection(collection(namespace))

    @contextmanager
    def _at_once(self) -> Generator[Any]:
        """Lend the database for commands outside a port, which are not repeated."""
        client = self._client(MongoClient, serverSelectionTimeoutMS=5000)
        try:
            with translated():
                yield client.get_database(_database(client), write_concern=WriteConcern("majority"))
        except Collided as problem:
            raise Unreachable("another server has become the primary") from problem
        finally:
            if self._owned:
                client.close()

    @property
    def _owned(self) -> bool:
        return isinstance(self._target, str)

    def _port(self, client: Any, database: str, namespace: str) -> MongoPort:
        transport = self._transport_to(client, database, namespace)
        return MongoPort(client, database, namespace, owned=self._owned, transport=transport)

    def _transport_to(self, client: Any, database: str, namespace: str) -> Transport:
        return transport_to(client, database, collection(namespace), owned=self._owned, wish=self._transport)

    def _client(self, kind: Any, **options: Any) -> Any:
        if not self._owned:
            if isinstance(self._target, kind):
                return self._target
            raise _not_for(kind, self._target)
        # Until the store is opened, so that a client that is refused leaves no thread behind.
        make: Any = kind
        options |= {"connect": False} if kind is MongoClient else {}
        try:
            return make(self._target, **options)
        except (PyMongoError, ValueError, TypeError, OSError) as problem:
            # The driver's text may hold a part of the password, but that of a file names its option only.
            unread = problem.strerror if isinstance(problem, OSError) else None
            raise InvalidCall(
                "Cannot read this URL of a MongoDB server.",
                why=[unread or "PyMongo cannot make a client of it"],
                hint="write mongodb://HOST:PORT/DATABASE?replicaSet=NAME, with %XX for what is special in a password.",
            ) from None


def _is_motor(target: object) -> bool:
    return type(target).__module__.partition(".")[0] == "motor"


def _not_for(kind: type, target: object) -> InvalidCall:
    function = "connect" if kind is MongoClient else "connect_async"
    return InvalidCall(
        f"{function}() cannot use this {type(target).__name__}.",
        why=[f"it works with {kind.__name__}"],
        hint="give connect() a MongoClient, connect_async() an AsyncMongoClient or AsyncIOMotorClient; or a URL.",
    )


def _database(client: Any) -> str:
    """Return the database that the client's URL names; refuse a write concern below majority in it."""
    concern = client.write_concern.document.get("w", "majority")
    if concern != "majority":
        raise Misconfigured(
            "The MongoDB client asks for less than a majority.",
            why=[f"its write concern is w={concern}"],
            hint="leave w out of the URL and of the client, or say w=majority.",
            setting="w",
        )
    try:
        return str(client.get_default_database().name)
    except ConfigurationError:
        return DATABASE
