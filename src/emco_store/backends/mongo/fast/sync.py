# Generated from src/emco_store/backends/mongo/fast/aio.py by `python3 dev.py sync`: do not edit.
"""The fast transport of the port: pinned connections, and transactions of one message.

The blocking form is generated from it.

What PyMongo does around a command takes several times as long as the command. This transport lets PyMongo find the
primary, and open, secure, authenticate and watch connections, but keeps those that it uses ("pins" them) and writes
commands on them itself. And where a transaction is one command, it sends the end right after it: when the command
fails, there is no transaction, and the end finds none (see ``_strict`` in ``commands.py``). So the reply to the end is
enough, and the server is told not to reply to the command, unless the caller must know why it fails. After a second
command that would not be safe, because one that the server refuses before it has begun leaves what the first has done.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Self

from bson.binary import UUID_SUBTYPE, Binary
from bson.int64 import Int64
from pymongo.errors import NotPrimaryError, OperationFailure, PyMongoError
from pymongo.server_selectors import writable_server_selector

from emco_store.backends.mongo.commands import IMPOSSIBLE, NOTHING
from emco_store.backends.mongo.documents import Document
from emco_store.backends.mongo.errors import (
    NO_SUCH_TRANSACTION,
    REAUTHENTICATE,
    acknowledged,
    is_whole,
    lost,
    unended,
)
from emco_store.backends.mongo.fast.allowed import has_parts, is_logged, objection
from emco_store.backends.mongo.fast.channels import Channel
from emco_store.backends.mongo.fast.messages import answer, decoded, is_plain_success, message, milliseconds
from emco_store.backends.mongo.sending import Command, in_commands
from emco_store.backends.mongo.sync_transport import (
    ABORT_WITHIN_S,
    MAJORITY,
    SNAPSHOT,
    PlainTransport,
    Transaction,
    Transport,
    end_session,
)
from emco_store.notices import fell_back
from emco_store.ports import OutcomeLost

PINNED = 16
"""How many connections at most stay pinned while nobody uses them."""
FRESH_S = 1.0
"""A connection that was not used for longer is looked at before it is used."""
SESSION_S = 1500.0
"""A session that was not used for longer is not used again; the server forgets it after 30 minutes."""


def transport_to(client: Any, database: str, collection: str, *, owned: bool, wish: str = "auto") -> Transport:
    """Choose the transport to a server.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        collection: The name of the collection.
        owned: Whether nobody else uses the client. Otherwise no connection stays pinned.
        wish: ``plain`` for public calls only, ``auto`` for the fast transport where it is allowed.
    """
    reason = "asked for with transport='plain'" if wish == "plain" else objection(client)
    plain = PlainTransport(client, database, collection, reason)
    if reason:
        return plain
    options = client.options.pool_options
    # PyMongo closes what has been idle for too long in its pool, so there it goes back after each use.
    is_pinning = owned and options.max_idle_time_seconds is None
    most = options.max_pool_size or PINNED
    pinned = int(min(PINNED, most // 2)) if is_pinning else 0
    return FastTransport(client, database, collection, plain, pinned=pinned)


class _Pinned:
    """A connection to the primary that nobody else uses.

    Attributes:
        used_s: When it was used last.
        problem: What has broken it.
    """

    __slots__ = ("_channel", "_checkout", "_connection", "_number", "_server", "problem", "used_s")

    def __init__(self, checkout: Any, connection: Any, server: Any) -> None:
        self._checkout = checkout
        self._connection = connection
        self._channel = Channel(connection)
        self._server = server
        self._number = 0
        self.used_s = 0.0
        self.problem: BaseException | None = None

    def next_number(self) -> int:
        """Return a number for a message, greater than all before it."""
        self._number += 1
        return self._number

    def is_usable(self) -> bool:
        """Check whether it leads to the primary, as far as PyMongo knows, and is still open."""
        connection, server = self._connection, self._server
        if (
            not server.description.is_writable
            or connection.closed
            or connection.cancel_context.cancelled
            # PyMongo has cleared its pool: it knows of a failure that this connection has not met yet.
            or server.pool.stale_generation(connection.generation, connection.service_id)
        ):
            return False
        return monotonic() - self.used_s < FRESH_S or not connection.conn_closed()

    def exchange(self, sent: bytes, numbers: tuple[int, ...], within_s: float) -> list[bytes]:
        """Send messages at once, and return the document of the reply to each."""
        try:
            return self._channel.exchange(sent, numbers, within_s)
        except BaseException as problem:
            self.problem = problem
            raise

    def answer(self, raw: bytes) -> Document:
        """Read a reply; see :func:`emco_store.backends.mongo.fast.messages.answer`."""
        try:
            return answer(raw)
        except NotPrimaryError as problem:
            self.problem = problem
            raise

    def close(self) -> None:
        """Return the connection to PyMongo, and tell it what has broken it."""
        problem = self.problem
        if problem is None:
            self._checkout.__exit__(None, None, None)
            return
        with suppress(type(problem)):  # whoever used the connection has got it
            self._checkout.__exit__(type(problem), problem, None)

    def discard(self) -> None:
        """Close a connection that is of no use any more; that says nothing about its server."""
        self._connection.close_conn("stale")
        self._checkout.__exit__(None, None, None)


class _Session:
    """A session on the server, which is in one transaction at a time.

    Attributes:
        name: The name of the session.
        used_s: When it was used last.
    """

    __slots__ = ("_number", "name", "used_s")

    def __init__(self) -> None:
        self.name: Document = {"id": Binary(os.urandom(16), UUID_SUBTYPE)}
        self.used_s = 0.0
        self._number = 0

    def next_number(self) -> Int64:
        """Return the number of a transaction, greater than all before it."""
        self._number += 1
        return Int64(self._number)


class FastTransport:
    """Writes commands on pinned connections; see :class:`Transport`.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        collection: The name of the collection.
        plain: What to use where PyMongo has something to do with a command.
        pinned: How many connections stay pinned while nobody uses them.

    Attributes:
        is_terse: Whether the server is known to carry out a command to which it is told not to reply.
    """

    def __init__(self, client: Any, database: str, collection: str, plain: PlainTransport, *, pinned: int) -> None:
        self.client = client
        self.database = database
        self.collection = collection
        self.calls = plain.calls
        self.is_terse = False
        self._plain = plain
        self._pinned = pinned
        self._idle: list[_Pinned] = []
        self._sessions: list[_Session] = []
        self._process = os.getpid()
        self._objection = ""

    @property
    def name(self) -> str:
        """See :attr:`Transport.name`."""
        return "plain" if self._objection else "fast"

    @property
    def reason(self) -> str:
        """See :attr:`Transport.reason`."""
        return self._objection or "the driver, its options and its authentication are among those tested"

    def open(self, within_s: float) -> None:
        """See :meth:`Transport.open`."""
        try:
            self._check_ends(within_s)
        except (TypeError, AttributeError) as problem:  # an inside of PyMongo that is not as it was tested
            self.fall_back(f"the connections of this PyMongo are not as they were tested ({type(problem).__name__})")

    def _check_ends(self, within_s: float) -> None:
        """Check that a transaction of which a part has failed cannot be committed, with replies and without."""
        (impossible,), (nothing,) = (in_commands("update", [statement]) for statement in (IMPOSSIBLE, NOTHING))
        with self.transaction(within_s) as transaction:
            transaction.finish(impossible)
        if is_logged():
            return
        with suppress(OutcomeLost):  # a server that does not take it may close the connection
            with _FastTransaction(self, within_s) as transaction:
                is_taken = transaction.finish_tersely(nothing)
            with _FastTransaction(self, within_s) as transaction:
                self.is_terse = is_taken and not transaction.finish_tersely(impossible)

    def ask(self, command: Document, within_s: float) -> Document:
        """See :meth:`Transport.ask`."""
        if self._objection or is_logged():
            return self._plain.ask(command, within_s)
        pinned = self.take(within_s)
        try:
            number = pinned.next_number()
            sent = message(number, {**command, "$db": self.database, "maxTimeMS": milliseconds(within_s)})
            (raw,) = pinned.exchange(sent, (number,), within_s)
            return self.answer(pinned, raw)
        finally:
            if not self.keep(pinned):
                self.put_back(pinned)

    def transaction(self, within_s: float) -> Transaction:
        """See :meth:`Transport.transaction`."""
        if self._objection or is_logged():
            return self._plain.transaction(within_s)
        return _FastTransaction(self, within_s)

    def close(self) -> None:
        """See :meth:`Transport.close`."""
        self._pinned = 0
        self._drop()

    def fall_back(self, objection: str) -> None:
        """Use public calls from now on."""
        fell_back("MongoDB", objection)
        self._objection = objection
        self._pinned = 0

    def answer(self, pinned: _Pinned, raw: bytes) -> Document:
        """Read a reply; where the server wants the client to authenticate again, leave that to PyMongo from now on."""
        try:
            return pinned.answer(raw)
        except OperationFailure as problem:
            if problem.code == REAUTHENTICATE:
                self.fall_back("the server has asked the client to authenticate again, which PyMongo does")
            raise

    def take(self, within_s: float) -> _Pinned:
        """Return a connection that nobody uses."""
        if self._process != os.getpid():  # those of another process must be left to it
            self._process = os.getpid()
            self._idle.clear()
            self._sessions.clear()
        while self._idle:
            try:
                pinned = self._idle.pop()
            except IndexError:  # another thread was faster
                break
            if pinned.is_usable():
                return pinned
            self.calls.within(ABORT_WITHIN_S, pinned.discard)
        return self.calls.within(within_s, self._check_out, self.put_back)

    def _check_out(self) -> _Pinned:
        self.calls.find_primary()
        server = self.client._select_server(writable_server_selector, None, "emco_store")  # noqa: SLF001 - see USED
        checkout = self.client._checkout(server, None)  # noqa: SLF001 - see USED
        connection = checkout.__enter__()
        if not has_parts(server, connection):
            checkout.__exit__(None, None, None)
            raise AttributeError
        return _Pinned(checkout, connection, server)

    def keep(self, pinned: _Pinned) -> bool:
        """Pin a connection for its next use, if it is whole and not one too many."""
        if pinned.problem is not None or len(self._idle) >= self._pinned:
            return False
        pinned.used_s = monotonic()
        self._idle.append(pinned)
        return True

    def put_back(self, pinned: _Pinned) -> None:
        """Take a connection back after its use; what has broken one may have broken all."""
        if self.keep(pinned):
            return
        broken = [pinned]
        if isinstance(pinned.problem, PyMongoError) or self._objection:
            broken += self._idle
            self._idle = []
        for one in broken:
            self.calls.within(ABORT_WITHIN_S, one.close)

    def _drop(self) -> None:
        idle, self._idle = self._idle, []
        for pinned in idle:
            self.calls.within(ABORT_WITHIN_S, pinned.close)

    def session(self) -> _Session:
        """Return a session that is in no transaction."""
        while self._sessions:
            with suppress(IndexError):  # another thread was faster
                session = self._sessions.pop()
                if monotonic() - session.used_s < SESSION_S:
                    return session
        return _Session()

    def give_back(self, session: _Session) -> None:
        """Take back a session whose transaction has ended."""
        session.used_s = monotonic()
        self._sessions.append(session)


class _FastTransaction:
    """A transaction on one pinned connection; see :class:`Transaction`."""

    def __init__(self, transport: FastTransport, within_s: float) -> None:
        self._transport = transport
        self._within_s = within_s
        self._pinned: _Pinned | None = None
        self._session: _Session | None = None
        self._said: Document = {}
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        pinned, session = self._pinned, self._session
        if pinned is None or session is None:
            return
        if self._is_open or not self._transport.keep(pinned):
            is_known = not isinstance(problem, OutcomeLost)
            self._transport.calls.whole(2 * ABORT_WITHIN_S, lambda: self._end(pinned, session, is_known=is_known))
        else:
            self._transport.give_back(session)

    def _end(self, pinned: _Pinned, session: _Session, *, is_known: bool) -> None:
        """Leave nothing open, and give back the connection first: it may be the only one of the pool."""
        if self._is_open and is_known and pinned.problem is None:
            self._abort(pinned)
        self._transport.put_back(pinned)
        if self._is_open:  # it blocks others until the server ends it
            end_session(self._transport.client, session.name)
        else:
            self._transport.give_back(session)

    def _abort(self, pinned: _Pinned) -> None:
        abort, number = self._ending(pinned, "abortTransaction")
        with suppress(PyMongoError):
            (raw,) = pinned.exchange(abort, (number,), ABORT_WITHIN_S)
            reply = decoded(raw)
            self._is_open = reply["ok"] != 1 and reply.get("code") != NO_SUCH_TRANSACTION

    def send(self, command: Command) -> Document:
        """See :meth:`Transaction.send`."""
        pinned, session = self._ready()
        sent, number = self._part(pinned, session, command)
        (raw,) = pinned.exchange(sent, (number,), self._within_s)
        return self._transport.answer(pinned, raw)

    def finish(self, command: Command, *, says_why: bool = True) -> bool:
        """See :meth:`Transaction.finish`."""
        is_all = not self._is_open
        if is_all and command.is_strict and not says_why and self._transport.is_terse:
            return self.finish_tersely(command)
        pinned, session = self._ready()
        part, first = self._part(pinned, session, command)
        end, last = self._ending(pinned, "commitTransaction")
        if is_all and command.is_strict:
            with lost():
                told, raw = pinned.exchange(part + end, (first, last), self._within_s)
            if is_plain_success(told) and is_plain_success(raw):
                self._is_open = False
                return True
            if not self._is_done(pinned, told, command, raw):
                return False
        else:
            (told,) = pinned.exchange(part, (first,), self._within_s)
            if not is_whole(self._transport.answer(pinned, told), command.total):
                return False
            with lost():
                (raw,) = pinned.exchange(end, (last,), self._within_s)
        with lost():
            acknowledged(self._transport.answer(pinned, raw))
        self._is_open = False
        return True

    def finish_tersely(self, command: Command) -> bool:
        """Send all of it, one command that is strict, and wait for the reply to its end only; see :meth:`finish`."""
        pinned, session = self._ready()
        part, _ = self._part(pinned, session, command, is_answered=False)
        end, last = self._ending(pinned, "commitTransaction")
        with lost():
            (raw,) = pinned.exchange(part + end, (last,), self._within_s)
            is_done = is_plain_success(raw)
            if not is_done and decoded(raw).get("code") != NO_SUCH_TRANSACTION:
                acknowledged(self._transport.answer(pinned, raw))
                is_done = True
        self._is_open = False
        return is_done

    def _is_done(self, pinned: _Pinned, told: bytes, command: Command, raw: bytes) -> bool:
        """Check whether a part is whole; where it is not, the end that was sent with it must have found nothing."""
        is_done = False
        try:
            is_done = is_whole(self._transport.answer(pinned, told), command.total)
        finally:
            if not is_done:
                self._is_open = False
                unended(decoded(raw))
        return is_done

    def _ready(self) -> tuple[_Pinned, _Session]:
        """Return the connection and the session; the first part takes them."""
        if self._pinned is None or self._session is None:
            self._pinned = self._transport.take(self._within_s)
            self._session = self._transport.session()
        return self._pinned, self._session

    def _part(
        self, pinned: _Pinned, session: _Session, command: Command, *, is_answered: bool = True
    ) -> tuple[bytes, int]:
        """Write a part as a message, and return it with its number; the first begins the transaction."""
        begin: Document = {}
        if not self._is_open:
            self._is_open = True
            self._said = {"lsid": session.name, "txnNumber": session.next_number(), "autocommit": False}
            begin = {"startTransaction": True, "readConcern": SNAPSHOT.document}
        number = pinned.next_number()
        transport = self._transport
        said = {command.name: transport.collection, **self._said, **begin, "maxTimeMS": milliseconds(self._within_s)}
        return message(number, {**said, "$db": transport.database}, command, is_answered=is_answered), number

    def _ending(self, pinned: _Pinned, name: str) -> tuple[bytes, int]:
        """Write the end of the transaction as a message, and return it with its number."""
        number = pinned.next_number()
        end = {name: 1, **self._said, "writeConcern": MAJORITY.document, "maxTimeMS": milliseconds(self._within_s)}
        return message(number, {**end, "$db": "admin"}), number
