# Generated from src/emco_store/backends/mongo/aio_wire.py by `python3 dev.py sync`: do not edit.
"""How the time port talks to a server: over connections that it keeps, or by PyMongo's calls.

The blocking form is made from it.

What PyMongo does around a command takes several times as long as the command. A kept wire lets PyMongo find the primary
and open, secure and authenticate connections, and watch over them; but it keeps those that it uses, and writes commands
on them itself. And where a transaction is one command, it sends the end right behind it: when the command fails, there
is no transaction, and the end finds none (see ``_strict`` in ``commands.py``). Behind a second command that would not
be safe, because one that the server refuses before it has begun leaves what the first has done.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Protocol, Self

from bson.binary import UUID_SUBTYPE, Binary
from bson.int64 import Int64
from pymongo import timeout
from pymongo.errors import ConfigurationError, NotPrimaryError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.server_selectors import writable_server_selector
from pymongo.write_concern import WriteConcern

from emco_store.backends.mongo.commands import IMPOSSIBLE
from emco_store.backends.mongo.documents import Document
from emco_store.backends.mongo.errors import acknowledged, is_whole, lost, unended
from emco_store.backends.mongo.kept import Channel, is_possible
from emco_store.backends.mongo.messages import OURS, answer, decoded, is_plain_success, message, milliseconds
from emco_store.backends.mongo.sending import Command, in_commands
from emco_store.ports import OutcomeLost

MAJORITY = WriteConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
ABORT_WITHIN_S = 1.0
KEPT = 16
"""How many connections at most are kept while nobody uses them."""
FRESH_S = 1.0
"""A connection that was not used for longer is looked at before it is used."""


class Bundle(Protocol):
    """A transaction under way, to be used in an ``with`` block, at whose end it is ended if it is still open."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing open on the server."""
        ...

    def send(self, command: Command) -> Document:
        """Send a part of it, and give the reply."""
        ...

    def finish(self, command: Command) -> bool:
        """Send the last part and commit; False where the part found less than it must, so that nothing was written.

        Raises:
            OutcomeLost: It may or may not have been committed.
            PyMongoError: It was not committed.
        """
        ...


class Wire(Protocol):
    """The way to the primary, for one collection."""

    def open(self, within_s: float) -> None:
        """See that the server behaves as the wire takes it to.

        Raises:
            NotSupported: It does not.
        """
        ...

    def ask(self, command: Document, within_s: float) -> Document:
        """Send a command that may be sent twice, and give the reply.

        Raises:
            PyMongoError: There is none, or it is a refusal.
        """
        ...

    def bundle(self, within_s: float) -> Bundle:
        """Make a transaction."""
        ...

    def close(self) -> None:
        """Give back what it keeps."""
        ...


def wire_to(client: Any, database: str, collection: str, *, owned: bool) -> Wire:
    """Choose how to talk to a server.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        collection: The name of the collection.
        owned: Whether nobody else uses the client. Otherwise no connection is kept from them.
    """
    if not is_possible(client) or _has_more_to_do(client.options):
        return PlainWire(client, database, collection)
    most = client.options.pool_options.max_pool_size or KEPT
    return KeptWire(client, database, collection, keep=int(min(KEPT, most // 2)) if owned else 0)


def _has_more_to_do(options: Any) -> bool:
    """Tell whether PyMongo is to do more with each command than to send it."""
    settings = getattr(options.pool_options, "_compression_settings", None)
    return bool(
        options.event_listeners
        or options.auto_encryption_opts
        or options.pool_options.server_api
        or options.load_balanced
        or (settings is not None and settings.compressors)
    )


class PlainWire:
    """Talks by PyMongo's calls; see :class:`Wire`."""

    def __init__(self, client: Any, database: str, collection: str) -> None:
        self._client = client
        self._database = client.get_database(database, codec_options=OURS)
        self._collection = collection

    def open(self, within_s: float) -> None:
        """Do nothing: PyMongo sees to it."""

    def ask(self, command: Document, within_s: float) -> Document:
        """See :meth:`Wire.ask`."""
        with timeout(within_s):
            reply: Document = self._database.command(command, codec_options=OURS)
        return reply

    def bundle(self, within_s: float) -> Bundle:
        """See :meth:`Wire.bundle`."""
        return _PlainBundle(self._client, self._database, self._collection, within_s)

    def close(self) -> None:
        """See :meth:`Wire.close`."""


class _PlainBundle:
    """A transaction of a session of PyMongo's; see :class:`Bundle`."""

    def __init__(self, client: Any, database: Any, collection: str, within_s: float) -> None:
        self._client = client
        self._database = database
        self._collection = collection
        self._within_s = within_s
        self._session: Any = None

    def __enter__(self) -> Self:
        self._session = self._client.start_session()
        # The read preference must be said: a client that prefers secondaries would bring its own.
        self._session.start_transaction(SNAPSHOT, MAJORITY, ReadPreference.PRIMARY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(problem, OutcomeLost):
                # It may still be open, and PyMongo ends none that it has tried to commit. What happened stays.
                end_session(self._client, self._session.session_id)
            # A time of its own: a transaction that stays open blocks others until the server ends it.
            elif self._session.in_transaction:
                try:
                    with timeout(ABORT_WITHIN_S):
                        self._session.abort_transaction()
                except ConfigurationError:  # see Outdated; the command for it needs no session
                    end_session(self._client, self._session.session_id)
        finally:
            self._session.end_session()

    def send(self, command: Command) -> Document:
        """See :meth:`Bundle.send`."""
        with timeout(self._within_s):
            reply: Document = self._database.command(
                command.on(self._collection), codec_options=OURS, session=self._session
            )
        return reply

    def finish(self, command: Command) -> bool:
        """See :meth:`Bundle.finish`."""
        if not is_whole(self.send(command), command.total):
            return False
        with lost(), timeout(self._within_s):
            self._session.commit_transaction()
        return True


class _Line:
    """A connection to the primary, and a session on the server that is used on no other.

    Attributes:
        session: The name of the session.
        used_s: When it was used last.
        problem: What has broken it.
    """

    __slots__ = ("_channel", "_checkout", "_connection", "_number", "_server", "problem", "session", "used_s")

    def __init__(self, checkout: Any, connection: Any, server: Any) -> None:
        self._checkout = checkout
        self._connection = connection
        self._channel = Channel(connection)
        self._server = server
        self._number = 0
        self.session: Document = {}
        self.used_s = 0.0
        self.problem: BaseException | None = None
        self.renew()

    def renew(self) -> None:
        """Take another session."""
        self.session = {"id": Binary(os.urandom(16), UUID_SUBTYPE)}

    def next_number(self) -> int:
        """Give a number for a message or a transaction, greater than all before it."""
        self._number += 1
        return self._number

    def is_usable(self) -> bool:
        """Tell whether it leads to the primary, as far as PyMongo knows, and is still open."""
        if not self._server.description.is_writable or self._connection.closed:
            return False
        return monotonic() - self.used_s < FRESH_S or not self._connection.conn_closed()

    def exchange(self, sent: bytes, numbers: tuple[int, ...], within_s: float) -> list[bytes]:
        """Send messages at once, and give the document of the reply to each."""
        try:
            return self._channel.exchange(sent, numbers, within_s)
        except BaseException as problem:
            self.problem = problem
            raise

    def answer(self, raw: bytes) -> Document:
        """Read a reply; see :func:`emco_store.backends.mongo.messages.answer`."""
        try:
            return answer(raw)
        except NotPrimaryError as problem:
            self.problem = problem
            raise

    def close(self) -> None:
        """Give the connection back to PyMongo, and tell it what has broken it."""
        problem = self.problem
        if problem is None:
            self._checkout.__exit__(None, None, None)
            return
        with suppress(type(problem)):  # who had the line was told
            self._checkout.__exit__(type(problem), problem, None)


class KeptWire:
    """Talks over connections that it keeps; see :class:`Wire`.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        collection: The name of the collection.
        keep: How many connections to keep while nobody uses them.
    """

    def __init__(self, client: Any, database: str, collection: str, *, keep: int) -> None:
        self.client = client
        self.database = database
        self.collection = collection
        self._keep = keep
        self._lines: list[_Line] = []
        self._process = os.getpid()

    def open(self, within_s: float) -> None:
        """See :meth:`Wire.open`."""
        with self.bundle(within_s) as bundle:
            for command in in_commands("update", [IMPOSSIBLE]):
                bundle.finish(command)

    def ask(self, command: Document, within_s: float) -> Document:
        """See :meth:`Wire.ask`."""
        line = self.take(within_s)
        try:
            number = line.next_number()
            sent = message(number, {**command, "$db": self.database, "maxTimeMS": milliseconds(within_s)})
            (raw,) = line.exchange(sent, (number,), within_s)
            return line.answer(raw)
        finally:
            self.put_back(line)

    def bundle(self, within_s: float) -> Bundle:
        """See :meth:`Wire.bundle`."""
        return _KeptBundle(self, within_s)

    def close(self) -> None:
        """See :meth:`Wire.close`."""
        self._keep = 0
        self._drop()

    def take(self, within_s: float) -> _Line:
        """Give a line that nobody uses."""
        if self._process != os.getpid():  # those of another process must be left to it
            self._process = os.getpid()
            self._lines.clear()
        while self._lines:
            with suppress(IndexError):  # another thread was faster
                line = self._lines.pop()
                if line.is_usable():
                    return line
                line.close()
        with timeout(within_s):
            server = self.client._select_server(writable_server_selector, None, "emco_store")  # noqa: SLF001 - see USED
            checkout = self.client._checkout(server, None)  # noqa: SLF001 - see USED
            return _Line(checkout, checkout.__enter__(), server)

    def put_back(self, line: _Line) -> None:
        """Take a line back after its use; what has broken one may have broken all."""
        if line.problem is None and len(self._lines) < self._keep:
            line.used_s = monotonic()
            self._lines.append(line)
            return
        if isinstance(line.problem, PyMongoError):
            self._drop()
        line.close()

    def _drop(self) -> None:
        lines, self._lines = self._lines, []
        for line in lines:
            line.close()


class _KeptBundle:
    """A transaction on one line; see :class:`Bundle`."""

    def __init__(self, wire: KeptWire, within_s: float) -> None:
        self._wire = wire
        self._within_s = within_s
        self._line: _Line | None = None
        self._said: Document = {}
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        line = self._line
        if line is None:
            return
        try:
            if self._is_open and line.problem is None and not isinstance(problem, OutcomeLost):
                abort, number = self._ending(line, "abortTransaction")
                with suppress(PyMongoError):
                    line.exchange(abort, (number,), ABORT_WITHIN_S)
                    self._is_open = False
            if self._is_open:  # it blocks others until the server ends it
                end_session(self._wire.client, line.session)
                line.renew()
        finally:
            self._wire.put_back(line)

    def send(self, command: Command) -> Document:
        """See :meth:`Bundle.send`."""
        line = self._ready()
        sent, number = self._part(line, command)
        (raw,) = line.exchange(sent, (number,), self._within_s)
        return line.answer(raw)

    def finish(self, command: Command) -> bool:
        """See :meth:`Bundle.finish`."""
        line = self._ready()
        is_all = not self._is_open
        part, first = self._part(line, command)
        end, last = self._ending(line, "commitTransaction")
        if is_all and command.is_strict:
            with lost():
                told, raw = line.exchange(part + end, (first, last), self._within_s)
            if is_plain_success(told) and is_plain_success(raw):
                self._is_open = False
                return True
            if not self._is_done(line, told, command, raw):
                return False
        else:
            (told,) = line.exchange(part, (first,), self._within_s)
            if not is_whole(line.answer(told), command.total):
                return False
            with lost():
                (raw,) = line.exchange(end, (last,), self._within_s)
        with lost():
            acknowledged(line.answer(raw))
        self._is_open = False
        return True

    def _is_done(self, line: _Line, told: bytes, command: Command, raw: bytes) -> bool:
        """Tell whether a part is whole; where it is not, see that the end behind it has found nothing to commit."""
        is_done = False
        try:
            is_done = is_whole(line.answer(told), command.total)
        finally:
            if not is_done:
                self._is_open = False
                unended(decoded(raw))
        return is_done

    def _ready(self) -> _Line:
        """Give the line; the first part takes one."""
        if self._line is None:
            self._line = self._wire.take(self._within_s)
            number = Int64(self._line.next_number())
            self._said = {"lsid": self._line.session, "txnNumber": number, "autocommit": False}
        return self._line

    def _part(self, line: _Line, command: Command) -> tuple[bytes, int]:
        """Write a part as a message, and give its number; the first begins the transaction."""
        begin: Document = {} if self._is_open else {"startTransaction": True, "readConcern": SNAPSHOT.document}
        self._is_open = True
        number = line.next_number()
        said = {command.name: self._wire.collection, **self._said, **begin, "maxTimeMS": milliseconds(self._within_s)}
        return message(number, {**said, "$db": self._wire.database}, command), number

    def _ending(self, line: _Line, name: str) -> tuple[bytes, int]:
        """Write the end of the transaction as a message, and give its number."""
        number = line.next_number()
        end = {name: 1, **self._said, "writeConcern": MAJORITY.document, "maxTimeMS": milliseconds(self._within_s)}
        return message(number, {**end, "$db": "admin"}), number


def end_session(client: Any, name: Document) -> None:
    """Let the server end whatever a session has left open."""
    with suppress(PyMongoError), timeout(ABORT_WITHIN_S):
        client.admin.command("killSessions", [name])
