"""The feed of the asyncio port to MongoDB, read from change streams; the blocking form is generated from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any

from bson import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from emco_store.backends.mongo import feed
from emco_store.backends.mongo.calls import AsyncCalls
from emco_store.backends.mongo.documents import Document
from emco_store.ports import EventPage, Events
from emco_store.queueing.forks import Renewed

LONGEST_S = 1.0
"""For how long one request waits at most, so that the end of a port is not held up."""
KEPT = 32
"""How many change streams stay open between the requests of their readers."""
Perform = Callable[[Callable[[float], Awaitable[EventPage]]], Awaitable[EventPage]]


@dataclass(frozen=True, slots=True)
class _Stream:
    """A change stream on the server: its number, and the session that it belongs to."""

    number: int
    session: Any


class AsyncFeed(Renewed):
    """The feed of one namespace.

    Args:
        client: A client of PyMongo.
        database: The database, as the port uses it.
        calls: How PyMongo is called.
        collection: The collection of the namespace.
        namespace: The namespace.
    """

    def __init__(self, client: Any, database: Any, calls: AsyncCalls, collection: str, namespace: str) -> None:
        super().__init__()
        self._client = client
        self._database = database
        self._calls = calls
        self._collection = collection
        self._namespace = namespace
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`; a stream that two processes read loses events."""
        self._streams: dict[str, _Stream] = {}

    async def events(self, events: Events, perform: Perform) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`.

        Args:
            events: What is asked for.
            perform: How the port makes a request that may be repeated.
        """
        until_s = monotonic() + events.wait.total_seconds()
        while True:
            left_s = max(until_s - monotonic(), 0.0)
            page = await perform(partial(self._page, events, min(left_s, LONGEST_S)))
            if page.events or events.after is None or monotonic() >= until_s:
                return page
            events = replace(events, after=page.cursor)

    async def close(self) -> None:
        """Close the change streams."""
        while self._streams:
            await self._end(self._streams.popitem()[1])

    async def _page(self, events: Events, wait_s: float, within_s: float) -> EventPage:
        """Read once, and wait for a while."""
        wait_s = min(wait_s, within_s / 2)
        try:
            if events.after is None:
                if events.oldest and (found := await self._oldest(within_s)):
                    return EventPage(found)
                new, cursor = await self._begin(None, within_s)
                await self._keep(cursor, new)
                return EventPage(cursor)
            stream = self._streams.pop(events.after, None)
            if stream is None:
                stream, _ = await self._begin(feed.place_of(self._namespace, events.after), within_s)
            command = feed.more(self._collection, stream.number, events.limit, wait_s)
            reply = await self._calls.waiting(
                within_s, partial(self._sent, command, stream.session), partial(self._unwanted, stream)
            )
        except OperationFailure as problem:
            refusal = feed.refused(problem.code, events)
            if refusal is None:
                raise
            raise refusal from problem
        page = feed.page(self._namespace, events, reply)
        if reply["cursor"]["id"]:
            await self._keep(page.cursor, stream)
        return page

    async def _oldest(self, within_s: float) -> str | None:
        """Return the earliest cursor from which the oplog holds everything; None if nothing was committed yet."""
        hello = await self._calls.ask(within_s, partial(self._sent, {"hello": 1}, None))
        found = await self._calls.ask(within_s, partial(self._sent, feed.oldest(self._collection), None))
        for time in feed.times(found["cursor"]["firstBatch"], hello["localTime"]):
            stream, cursor = await self._begin(time, within_s)
            try:  # the server looks into the oplog with the first read
                first = feed.more(self._collection, stream.number, 1, 0)
                await self._calls.ask(within_s, partial(self._sent, first, stream.session))
            except OperationFailure as problem:
                if problem.code not in feed.LOST:
                    raise
            else:
                return cursor
            finally:
                await self._end(stream)
        return None

    async def _begin(self, place: str | Timestamp | None, within_s: float) -> tuple[_Stream, str]:
        """Open a change stream; return it, and the cursor at which it begins."""
        session = self._client.start_session()
        command = feed.begin(self._collection, place)
        reply = await self._calls.ask(within_s, partial(self._sent, command, session))
        token = reply["cursor"]["postBatchResumeToken"]
        return _Stream(reply["cursor"]["id"], session), feed.cursor_at(self._namespace, token)

    async def _sent(self, command: Document, session: Any) -> Document:
        reply: Document = await self._database.command(command, session=session)
        return reply

    async def _keep(self, cursor: str, stream: _Stream) -> None:
        """Keep a change stream for the reader that continues at a cursor; end the one that was kept for longest."""
        other = self._streams.pop(cursor, None)
        self._streams[cursor] = stream
        if other is None and len(self._streams) > KEPT:
            other = self._streams.pop(next(iter(self._streams)), None)
        if other is not None:
            await self._end(other)

    async def _unwanted(self, stream: _Stream, _: Document) -> None:
        await self._end(stream)

    async def _end(self, stream: _Stream) -> None:
        """Close a change stream; one that cannot be closed ends by itself."""
        command = {"killCursors": self._collection, "cursors": [stream.number]}
        with suppress(PyMongoError):
            await self._calls.ask(LONGEST_S, partial(self._sent, command, stream.session))
        await stream.session.end_session()
