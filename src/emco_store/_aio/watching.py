"""``AsyncWatch``: the commits of a namespace, one after the other, as they happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from time import monotonic
from typing import Self

from emco_store._aio.attempts import AsyncAttempts
from emco_store._aio.block import Target
from emco_store._aio.reading import AsyncReadingStore
from emco_store.core.events import Event
from emco_store.core.resource import Resource
from emco_store.flows import watching
from emco_store.flows.context import Context, checked_deadline
from emco_store.flows.watching import Watching
from emco_store.ports import no_feed

STEP = timedelta(seconds=1)
"""How long one request waits for an event at most, so that :meth:`AsyncWatch.stop` is noticed."""


class AsyncWatch:
    """The events of a feed, as an iterator; made by ``store.watch``.

    It does not end by itself unless ``idle`` was given. It is for one task at a time. An error leaves it as it was:
    iterating again continues at the same place.

    Rules: FEED-3, FEED-7.
    """

    def __init__(
        self,
        context: Context,
        attempts: AsyncAttempts,
        asked: Watching,
        after: str | None,
        idle: timedelta | None,
    ) -> None:
        self._context = context
        self._attempts = attempts
        self._asked = asked
        self._idle = idle
        self._cursor = after
        self._end = after
        self._events: deque[Event] = deque()
        self._stopped = False

    @property
    def cursor(self) -> str | None:
        """Where the watch stands: give it to ``after=`` of another one to continue there.

        It moves on although nothing concerns the watcher. None before a watch that begins now has begun.
        """
        return self._cursor

    def stop(self) -> None:
        """End the iteration within about a second; may be called from any thread."""
        self._stopped = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event, and wait for it.

        Raises:
            FeedGap: Something is missing after the cursor: read the resources anew, and watch from now.
            Unavailable: The backend does not answer.
        """
        begin_s = monotonic()
        while self._stopped or not self._events:
            if self._stopped:
                raise StopAsyncIteration
            self._cursor = self._end
            if self._end is None:
                self._cursor = self._end = await self._attempts.once(watching.end(), None)
            wait = STEP
            if self._idle is not None:
                wait = min(STEP, max(self._idle - timedelta(seconds=monotonic() - begin_s), timedelta(0)))
            told = await self._attempts.once(watching.step(self._context, self._asked, self._end, wait), None)
            self._end = told.cursor
            self._events.extend(told.events)
            if told.is_end and self._idle is not None and monotonic() - begin_s >= self._idle.total_seconds():
                self._cursor = self._end
                raise StopAsyncIteration
        event = self._events.popleft()
        self._cursor = event.cursor
        return event


class AsyncWatches(AsyncReadingStore):
    """The part of a store that is about its feed; ``AsyncStore`` is the whole."""

    def watch(
        self,
        *,
        after: str | None = None,
        kinds: Iterable[type[Resource] | str] | None = None,
        under: Target | None = None,
        topics: Iterable[str] | None = None,
        load: bool = False,
        idle: timedelta | None = None,
    ) -> AsyncWatch:
        """Return the commits of this namespace as an iterator of events, each commit once and in order.

        An event names the resources that the commit has changed, and of each what was done to what of it: the resource
        itself, the state of its lifecycle, a status, or its lease. It has the messages that ``tx.emit`` has added to
        the commit, says who made it and why, and has a cursor, after which a later watch continues.

        Args:
            after: The cursor of the last event that was dealt with. None begins with the first request: what is
                committed after that is told. To read resources first and then watch, take ``feed_cursor()`` before.
            kinds: Only resources of these kinds: models, or names of kinds. None for all, also those without a model.
            under: Only resources under this one, at any depth; needs ``kinds``.
            topics: Only messages of these topics; one that ends in ``*``, such as ``orders.*``, stands for all that
                begin so. None for all messages; with ``kinds``, for none. With ``topics`` alone, no changes are told.
            load: Whether to read the resources too, as they are when the event is read.
            idle: End the iteration when there has been no event for so long; None for never.

        Raises:
            InvalidCall: An argument cannot be right. A text that is no cursor is refused by the first request.
            NotSupported: The backend has no feed.

        Rules: FEED-1 to FEED-9, FEED-10.
        """
        context = self._context()
        if not self._port.guarantees.feed:
            raise no_feed()
        asked = watching.ask(context, kinds=kinds, under=under, load=load, topics=topics)
        return AsyncWatch(context, self._attempts, asked, watching.checked_cursor(after), checked_deadline(idle))

    async def feed_cursor(self, *, oldest: bool = False, deadline: timedelta | None = None) -> str:
        """Return the cursor of the end of the feed: a watch after it tells everything that is committed from now on.

        Take it, read what you need, and then watch after it: so nothing is missed in between.

        Args:
            oldest: Return the cursor of its beginning: a watch after it tells everything that the feed keeps.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: ``oldest`` is neither True nor False.
            NotSupported: The backend has no feed.

        Rules: FEED-7, FEED-10.
        """
        self._context()
        if not self._port.guarantees.feed:
            raise no_feed()
        return await self._attempts.once(watching.end(oldest=oldest), deadline)
