"""How the asyncio port reaches the primary: the interface of a transport, and the one that uses public calls only.

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

from emco_store.backends.mongo.calls import AsyncCalls
from emco_store.backends.mongo.documents import OURS, Document
from emco_store.backends.mongo.errors import is_whole, lost
from emco_store.backends.mongo.sending import Command
from emco_store.ports import OutcomeLost

MAJORITY = WriteConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
ABORT_WITHIN_S = 1.0
"""How long the end of a transaction that has failed may take."""


class AsyncTransaction(Protocol):
    """A transaction, to be used in an ``async with`` block, which leaves nothing open on the server."""

    async def __aenter__(self) -> Self:
        """Begin."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the transaction if it is still open."""
        ...

    async def send(self, command: Command) -> Document:
        """Send a part of it, and return the reply."""
        ...

    async def finish(self, command: Command, *, says_why: bool = True) -> bool:
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


class AsyncTransport(Protocol):
    """A way to the primary, for one collection.

    Attributes:
        calls: How PyMongo is called for what is not sent by the transport.
    """

    calls: AsyncCalls

    @property
    def name(self) -> str:
        """``fast`` or ``plain``."""
        ...

    @property
    def reason(self) -> str:
        """Why it is this one."""
        ...

    async def open(self, within_s: float) -> None:
        """Check that the server behaves as the transport needs it.

        Raises:
            NotSupported: It does not.
        """
        ...

    async def ask(self, command: Document, within_s: float) -> Document:
        """Send a command that may be sent twice, and return the reply.

        Raises:
            PyMongoError: There is none, or it is a refusal.
        """
        ...

    def transaction(self, within_s: float) -> AsyncTransaction:
        """Make a transaction, each command of which may take that long."""
        ...

    async def close(self) -> None:
        """Return the connections that it keeps."""
        ...


class AsyncPlainTransport:
    """Uses PyMongo's public calls; see :class:`AsyncTransport`.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        collection: The name of the collection.
        reason: Why it is used.
    """

    name = "plain"

    def __init__(self, client: Any, database: str, collection: str, reason: str) -> None:
        self.calls = AsyncCalls(client)
        self._client = client
        self._database = client.get_database(database, codec_options=OURS)
        self._collection = collection
        self.reason = reason

    async def open(self, within_s: float) -> None:
        """Do nothing: PyMongo checks what it needs."""

    async def ask(self, command: Document, within_s: float) -> Document:
        """See :meth:`AsyncTransport.ask`."""
        reply: Document = await self.calls.ask(within_s, lambda: self._database.command(command, codec_options=OURS))
        return reply

    def transaction(self, within_s: float) -> AsyncTransaction:
        """See :meth:`AsyncTransport.transaction`."""
        return _AsyncPlainTransaction(self._client, self._database, self._collection, self.calls, within_s)

    async def close(self) -> None:
        """Do nothing: PyMongo's pool has all connections."""


class _AsyncPlainTransaction:
    """A transaction of a session of PyMongo's; see :class:`AsyncTransaction`."""

    def __init__(self, client: Any, database: Any, collection: str, calls: AsyncCalls, within_s: float) -> None:
        self._client = client
        self._database = database
        self._collection = collection
        self._calls = calls
        self._within_s = within_s
        self._session: Any = None

    async def __aenter__(self) -> Self:
        await self._calls.within(self._within_s, self._calls.find_primary)
        self._session = self._client.start_session()
        # The read preference must be said: a client that prefers secondaries would bring its own.
        await self._session.start_transaction(SNAPSHOT, MAJORITY, ReadPreference.PRIMARY)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_lost = isinstance(problem, OutcomeLost)
        if is_lost or self._session.in_transaction:
            # It gets time of its own: a transaction that stays open blocks others until the server ends it.
            await self._calls.whole(ABORT_WITHIN_S, lambda: self._abort(is_lost=is_lost))
        else:
            await self._session.end_session()

    async def _abort(self, *, is_lost: bool) -> None:
        try:
            if is_lost:
                # It may still be open, and PyMongo aborts none that it has tried to commit. What happened stays.
                await end_session(self._client, self._session.session_id)
            else:
                try:
                    await self._session.abort_transaction()
                except ConfigurationError:  # see Outdated; the command for it needs no session
                    await end_session(self._client, self._session.session_id)
        finally:
            await self._session.end_session()

    async def send(self, command: Command) -> Document:
        """See :meth:`AsyncTransaction.send`."""
        reply: Document = await self._calls.whole(
            self._within_s,
            lambda: self._database.command(command.on(self._collection), codec_options=OURS, session=self._session),
        )
        return reply

    async def finish(self, command: Command, *, says_why: bool = True) -> bool:  # noqa: ARG002 - it always does
        """See :meth:`AsyncTransaction.finish`."""
        if not is_whole(await self.send(command), command.total):
            return False
        with lost():
            await self._calls.whole(self._within_s, self._session.commit_transaction)
        return True


async def end_session(client: Any, name: Document) -> None:
    """Let the server end whatever a session has left open."""
    with suppress(PyMongoError):
        await client.admin.command("killSessions", [name])


async def sent(transaction: AsyncTransaction, commands: Sequence[Command]) -> Timestamp | None:
    """Send parts of a transaction; give the time on the server, or None where one found less than it must."""
    now: Timestamp | None = None
    for command in commands:
        reply = await transaction.send(command)
        if not is_whole(reply, command.total):
            return None
        now = reply["operationTime"]
    return now
