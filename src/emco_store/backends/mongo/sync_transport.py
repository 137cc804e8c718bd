# Generated from src/emco_store/backends/mongo/aio_transport.py by `python3 dev.py sync`: do not edit.
"""How the port reaches the primary: the interface of a transport, and the one that uses public calls only.

The blocking form is generated from it. The fast transport stands in ``fast/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self

from bson.timestamp import Timestamp
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from emco_store.backends.mongo.calls import Calls
from emco_store.backends.mongo.documents import OURS, Document
from emco_store.backends.mongo.errors import is_whole, lost
from emco_store.backends.mongo.sending import Command
from emco_store.ports import OutcomeLost

MAJORITY = WriteConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
ABORT_WITHIN_S = 1.0
"""How long the end of a transaction that has failed may take."""


class Transaction(Protocol):
    """A transaction, to be used in an ``with`` block, which leaves nothing open on the server."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the transaction if it is still open."""
        ...

    def send(self, command: Command) -> Document:
        """Send a part of it, and return the reply."""
        ...

    def finish(self, command: Command, *, says_why: bool = True) -> bool:
        """Send the last part and commit.

        Args:
            command: The last part.
            says_why: Whether every other failure than that it found less than it must is to be raised. Otherwise it
                may be False as well, which spares the server a reply.

        Returns:
            False where the part found less than it must, so that nothing was written.

        Raises:
            OutcomeLost: It may or may not have been committed.
            PyMongoError: It was not committed.
        """
        ...


class Transport(Protocol):
    """A way to the primary, for one collection.

    Attributes:
        calls: How PyMongo is called for what is not sent by the transport.
    """

    calls: Calls

    @property
    def name(self) -> str:
        """``fast`` or ``plain``."""
        ...

    @property
    def reason(self) -> str:
        """Why it is this one."""
        ...

    def open(self, within_s: float) -> None:
        """Check that the server behaves as the transport needs it.

        Raises:
            NotSupported: It does not.
        """
        ...

    def ask(self, command: Document, within_s: float) -> Document:
        """Send a command that may be sent twice, and return the reply.

        Raises:
            PyMongoError: There is none, or it is a refusal.
        """
        ...

    def transaction(self, within_s: float) -> Transaction:
        """Make a transaction, each command of which may take that long."""
        ...

    def close(self) -> None:
        """Return the connections that it keeps."""
        ...


class PlainTransport:
    """Uses PyMongo's public calls; see :class:`Transport`.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        collection: The name of the collection.
        reason: Why it is used.
    """

    name = "plain"

    def __init__(self, client: Any, database: str, collection: str, reason: str) -> None:
        self.calls = Calls(client)
        self._client = client
        self._database = client.get_database(database, codec_options=OURS)
        self._collection = collection
        self.reason = reason

    def open(self, within_s: float) -> None:
        """Do nothing: PyMongo checks what it needs."""

    def ask(self, command: Document, within_s: float) -> Document:
        """See :meth:`Transport.ask`."""
        reply: Document = self.calls.ask(within_s, lambda: self._database.command(command, codec_options=OURS))
        return reply

    def transaction(self, within_s: float) -> Transaction:
        """See :meth:`Transport.transaction`."""
        return _PlainTransaction(self._client, self._database, self._collection, self.calls, within_s)

    def close(self) -> None:
        """Do nothing: PyMongo's pool has all connections."""


class _PlainTransaction:
    """A transaction of a session of PyMongo's; see :class:`Transaction`."""

    def __init__(self, client: Any, database: Any, collection: str, calls: Calls, within_s: float) -> None:
        self._client = client
        self._database = database
        self._collection = collection
        self._calls = calls
        self._within_s = within_s
        self._session: Any = None

    def __enter__(self) -> Self:
        self._calls.within(self._within_s, self._calls.find_primary)
        self._session = self._client.start_session()
        # The read preference must be said: a client that prefers secondaries would bring its own.
        self._session.start_transaction(SNAPSHOT, MAJORITY, ReadPreference.PRIMARY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_lost = isinstance(problem, OutcomeLost)
        if is_lost or self._session.in_transaction:
            # It gets time of its own: a transaction that stays open blocks others until the server ends it.
            self._calls.whole(ABORT_WITHIN_S, lambda: self._abort(is_lost=is_lost))
        else:
            self._session.end_session()

    def _abort(self, *, is_lost: bool) -> None:
        try:
            if is_lost:
                # It may still be open, and PyMongo aborts none that it has tried to commit. What happened stays.
                end_session(self._client, self._session.session_id)
            else:
                try:
                    self._session.abort_transaction()
                except ConfigurationError:  # see Outdated; the command for it needs no session
                    end_session(self._client, self._session.session_id)
        finally:
            self._session.end_session()

    def send(self, command: Command) -> Document:
        """See :meth:`Transaction.send`."""
        reply: Document = self._calls.whole(
            self._within_s,
            lambda: self._database.command(command.on(self._collection), codec_options=OURS, session=self._session),
        )
        return reply

    def finish(self, command: Command, *, says_why: bool = True) -> bool:  # noqa: ARG002 - it always does
        """See :meth:`Transaction.finish`."""
        if not is_whole(self.send(command), command.total):
            return False
        with lost():
            self._calls.whole(self._within_s, self._session.commit_transaction)
        return True


def end_session(client: Any, name: Document) -> None:
    """Let the server end whatever a session has left open."""
    with suppress(PyMongoError):
        client.admin.command("killSessions", [name])


def sent(transaction: Transaction, commands: Sequence[Command]) -> Timestamp | None:
    """Send parts of a transaction; give the time on the server, or None where one found less than it must."""
    now: Timestamp | None = None
    for command in commands:
        reply = transaction.send(command)
        if not is_whole(reply, command.total):
            return None
        now = reply["operationTime"]
    return now
