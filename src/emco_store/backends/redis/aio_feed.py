"""The feed of the asyncio port to Redis, which readers share; the blocking form is generated from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from emco_store.backends.batcher import AsyncBatcher, Ticket
from emco_store.backends.newest import MOST_EVENTS
from emco_store.backends.redis import feed
from emco_store.backends.redis.commands import Rest
from emco_store.backends.redis.feed import Entry, Place
from emco_store.backends.redis.pace import FRESH_S
from emco_store.backends.redis.tails import Tail
from emco_store.ports import EventPage, Events
from emco_store.queueing.forks import Renewed

ALL = 1 << 30
"""The readers that one read may serve: however many wait."""
Ask = Callable[[Rest], Awaitable[Any]]
Wait = Callable[[Place, float], Awaitable[Sequence[Entry] | None]]


class AsyncStreamFeed(Renewed):
    """The feed of one namespace.

    Of the readers that wait at the end of the feed, one waits on the server and reads, and the others wait for what it
    finds. A reader that does not want to wait, or is further back, reads by itself. A page without events always comes
    from the server.

    Args:
        ask: Sends a query to ``events.lua``, and returns the reply.
        wait: Waits until something follows a place, for at most so many seconds, and returns what does; None where
            only ``events.lua`` can say. It may end sooner, with nothing.
    """

    def __init__(self, ask: Ask, wait: Wait) -> None:
        super().__init__()
        self._ask = ask
        self._wait = wait
        self._turns: AsyncBatcher[None, None] = AsyncBatcher(members=ALL, weight=ALL)
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._tail = Tail()

    async def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        if events.after is None:
            end, found = feed.entries("", await self._ask(feed.events_args(events)))
            return feed.page(end, found)
        place = feed.place_of(events.after)
        until_s = monotonic() + events.wait.total_seconds()
        is_at_end = self._tail.is_end(place)
        while (left_s := until_s - monotonic()) > 0:
            page = self._tail.page(events, FRESH_S)
            if page is None and not is_at_end:
                page = await self._read(events, place)
            if page is not None and page.events:
                return page
            await self._take_turn(events, place, left_s)
            is_at_end = False
        return await self._read(events, place)

    async def _read(self, events: Events, place: Place) -> EventPage:
        """Read without waiting."""
        end, found = feed.entries(events.after or "", await self._ask(feed.after_args(place, events.limit)))
        if feed.is_end(events, found):
            self._tail.note_end(end)
        self._tail.add(place, found)
        return feed.page(end, found)

    async def _take_turn(self, events: Events, place: Place, left_s: float) -> None:
        """Wait until one reader has read for all who wait: this one, if no other does; or for a while."""
        until_s = monotonic() + left_s
        ticket: Ticket[None, None] = Ticket(None)
        try:
            is_reader = await self._turns.wait_turn(ticket, left_s)
        except TimeoutError:
            return
        if not is_reader:
            return
        try:
            page = self._tail.page(events, FRESH_S)
            if page is None or not page.events:
                await self._read_on(events, place, until_s)
        finally:
            self._turns.finish(self._turns.take(ticket))

    async def _read_on(self, events: Events, place: Place, until_s: float) -> None:
        """Wait until something follows a place, and read it for all."""
        self._tail.begin(place)
        found = await self._wait(place, max(until_s - monotonic(), 0.0))
        if found is None:
            _, found = feed.entries(events.after or "", await self._ask(feed.after_args(place, MOST_EVENTS)))
        self._tail.add(place, found)
