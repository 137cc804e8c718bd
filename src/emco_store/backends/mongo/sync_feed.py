# Generated from src/emco_store/backends/mongo/aio_feed.py by `python3 dev.py sync`: do not edit.
"""The feed of the port to MongoDB, read from change streams; the blocking form is generated from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from bson import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from emco_store.backends.batcher import Batcher, Ticket
from emco_store.backends.mongo import feed
from emco_store.backends.mongo.calls import Calls
from emco_store.backends.mongo.documents import Document
from emco_store.backends.mongo.tails import Tail
from emco_store.backends.newest import MOST_EVENTS
from emco_store.errors import StoreError
from emco_store.ports import EventPage, Events
from emco_store.queueing.forks import Renewed

LONGEST_S = 1.0
"""For how long one request waits at most, so that the end of a port is not held up."""
SHORT_S = 0.05
"""The same where the client has one connection, for which commits wait meanwhile."""
KEPT = 32
"""How many change streams stay open between the requests of readers that have one of their own."""
UNREAD_S = 3.0
"""After which time without a reader the common stream gives way to that of another reader."""
SOON_S = 0.02
"""How long a reader that does not want to wait waits for what another one may just be getting."""
ALL = 1 << 30
"""The readers that one read may serve: however many wait."""
Perform = Callable[[Callable[[float], EventPage]], EventPage]


@dataclass(frozen=True, slots=True)
class _Stream:
    """A change stream on the server: its number, and the session that it belongs to."""

    number: int
    session: Any


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """The change stream that readers have in common, and what it has read last."""

    stream: _Stream
    tail: Tail


class MongoFeed(Renewed):
    """The feed of one namespace.

    Readers near the end of the feed have one change stream in common: one of them reads, and the others wait for what
    it finds. A reader that begins further back, or is too slow for what the common stream keeps, has one of its own,
    until it has caught up.

    Args:
        client: A client of PyMongo.
        database: The database, as the port uses it.
        calls: How PyMongo is called.
        collection: The collection of the namespace.
        namespace: The namespace.
    """

    def __init__(self, client: Any, database: Any, calls: Calls, collection: str, namespace: str) -> None:
        super().__init__()
        self._client = client
        self._database = database
        self._calls = calls
        self._collection = collection
        self._namespace = namespace
        self._longest_s = LONGEST_S if client.options.pool_options.max_pool_size != 1 else SHORT_S
        self._turns: Batcher[None, None] = Batcher(members=ALL, weight=ALL)
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`; a stream that two processes read loses events."""
        self._streams: dict[str, _Stream] = {}
        self._common: _Common | None = None

    def events(self, events: Events, perform: Perform) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`.

        Args:
            events: What is asked for.
            perform: How the port makes a request that may be repeated.
        """
        until_s = monotonic() + events.wait.total_seconds()
        while True:
            left_s = max(until_s - monotonic(), 0.0)
            page = perform(partial(self._page, events, min(left_s, self._longest_s)))
            if page.events or events.after is None or monotonic() >= until_s:
                return page
            events = replace(events, after=page.cursor)

    def close(self) -> None:
        """Close the change streams."""
        while self._streams:
            self._end(self._streams.popitem()[1])
        if self._common is not None:
            self._leave(self._common)

    def _page(self, events: Events, wait_s: float, within_s: float) -> EventPage:
        """Read once, and wait for a while."""
        wait_s = min(wait_s, within_s / 2)
        try:
            if events.after is None:
                if events.oldest and (found := self._oldest(within_s)):
                    return EventPage(found)
                new, cursor = self._begin(self._now(within_s), within_s)
                self._keep(cursor, new, is_end=True)
                return EventPage(cursor)
            shared = self._shared(events, wait_s, within_s)
            if shared is not None:
                return shared
            stream = self._streams.pop(events.after, None)
            if stream is None:
                stream, _ = self._begin(feed.place_of(self._namespace, events.after), within_s)
            command = feed.more(self._collection, stream.number, events.limit, wait_s)
            reply = self._calls.waiting(
                within_s, partial(self._sent, command, stream.session), partial(self._unwanted, stream)
            )
        except OperationFailure as problem:
            refusal = feed.refused(problem.code, events)
            if refusal is None:
                raise
            raise refusal from problem
        try:
            page = feed.page(self._namespace, events, reply)
        except StoreError:
            self._end(stream)
            raise
        if feed.is_over(reply):  # its last word is read again from the place of the page
            self._end(stream)
        elif reply["cursor"]["id"]:
            self._keep(page.cursor, stream, is_end=len(page.events) < events.limit)
        return page

    def _shared(self, events: Events, wait_s: float, within_s: float) -> EventPage | None:
        """Read by the common stream, and wait for a while; None where the cursor is of no place in it."""
        common = self._common
        page = None if common is None else common.tail.page(events)
        if common is None or page is None:
            return None
        if page.events:
            return page
        until_s = monotonic() + wait_s
        ticket: Ticket[None, None] = Ticket(None)
        try:
            is_reader = self._turns.wait_turn(ticket, max(wait_s, SOON_S))
        except TimeoutError:
            return page
        if is_reader:
            try:
                page = common.tail.page(events)
                if page is not None and not page.events and common is self._common:
                    self._read_on(common, max(until_s - monotonic(), 0.0), within_s)
            finally:
                self._turns.finish(self._turns.take(ticket))
        return common.tail.page(events)

    def _read_on(self, common: _Common, wait_s: float, within_s: float) -> None:
        """Read the common stream once; give it up if it cannot be read, or has ended."""
        stream = common.stream
        command = feed.more(self._collection, stream.number, MOST_EVENTS, wait_s)
        try:
            reply = self._calls.waiting(
                within_s, partial(self._sent, command, stream.session), partial(self._unwanted, stream)
            )
        except BaseException:
            if self._common is common:
                self._common = None
            raise
        if reply["cursor"]["id"] and not feed.is_over(reply):
            common.tail.add(reply)
        else:  # each reader finds by itself what there was before the end
            self._leave(common)

    def _give_up(self, common: _Common) -> bool:
        """End the common stream if nobody has read it for a while; return whether that is so."""
        ticket: Ticket[None, None] = Ticket(None)
        try:
            if monotonic() - common.tail.read_s < UNREAD_S or not self._turns.wait_turn(ticket, 0.0):
                return False
        except TimeoutError:  # somebody reads it now
            return False
        try:
            self._leave(common)
        finally:
            self._turns.finish(self._turns.take(ticket))
        return True

    def _leave(self, common: _Common) -> None:
        if self._common is common:
            self._common = None
        self._end(common.stream)

    def _now(self, within_s: float) -> Timestamp:
        """Return the time from which on nothing is committed that a read which comes later might not see.

        A stream that is opened without a place begins after the newest write. While a majority does not have that yet,
        no read shows it, so it would neither be read nor told.
        """
        hello = self._calls.ask(within_s, partial(self._sent, {"hello": 1}, None))
        return feed.after(hello["lastWrite"]["majorityOpTime"]["ts"])

    def _oldest(self, within_s: float) -> str | None:
        """Return the earliest cursor from which the oplog holds everything; None if nothing was committed yet."""
        hello = self._calls.ask(within_s, partial(self._sent, {"hello": 1}, None))
        found = self._calls.ask(within_s, partial(self._sent, feed.oldest(self._collection), None))
        for time in feed.times(found["cursor"]["firstBatch"], hello["localTime"]):
            stream, cursor = self._begin(time, within_s)
            try:  # the server looks into the oplog with the first read
                first = feed.more(self._collection, stream.number, 1, 0)
                self._calls.ask(within_s, partial(self._sent, first, stream.session))
            except OperationFailure as problem:
                if problem.code not in feed.LOST:
                    raise
            else:
                return cursor
            finally:
                self._end(stream)
        return None

    def _begin(self, place: str | Timestamp, within_s: float) -> tuple[_Stream, str]:
        """Open a change stream; return it, and the cursor at which it begins."""
        session = self._client.start_session()
        command = feed.begin(self._collection, place)
        reply = self._calls.ask(within_s, partial(self._sent, command, session))
        token = reply["cursor"]["postBatchResumeToken"]
        return _Stream(reply["cursor"]["id"], session), feed.cursor_at(self._namespace, token)

    def _sent(self, command: Document, session: Any) -> Document:
        reply: Document = self._database.command(command, session=session)
        return reply

    def _keep(self, cursor: str, stream: _Stream, *, is_end: bool) -> None:
        """Keep a change stream for the reader that continues at a cursor; end the one that was kept for longest.

        At the end of the feed, it becomes the common one if that is missing, or nobody reads it; it is of no more use
        where the reader can go on with the common one.
        """
        if is_end and (self._common is None or self._give_up(self._common)):
            self._common = _Common(stream, Tail(self._namespace, cursor))
            return
        if self._common is not None and self._common.tail.admit(cursor):
            self._end(stream)
            return
        other = self._streams.pop(cursor, None)
        self._streams[cursor] = stream
        if other is None and len(self._streams) > KEPT:
            other = self._streams.pop(next(iter(self._streams)), None)
        if other is not None:
            self._end(other)

    def _unwanted(self, stream: _Stream, _: Document) -> None:
        self._end(stream)

    def _end(self, stream: _Stream) -> None:
        """Close a change stream; one that cannot be closed ends by itself."""
        command = {"killCursors": self._collection, "cursors": [stream.number]}
        with suppress(PyMongoError):
            self._calls.ask(LONGEST_S, partial(self._sent, command, stream.session))
        stream.session.end_session()
