"""``AsyncFollower``: keeps a copy of resources true, one request after the other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Generic, TypeVar

from emco_store._aio.attempts import AsyncAttempts
from emco_store.core.following import Copy, News
from emco_store.errors import FeedGap, InvalidResource, Unavailable
from emco_store.flows import following, watching
from emco_store.flows.context import Context
from emco_store.flows.following import Following

T = TypeVar("T")
STEP = timedelta(seconds=1)
"""How long one request waits for an event at most, so that an end is noticed."""


class AsyncFollower(Generic[T]):
    """Keeps a copy of resources true, one request after the other.

    Args:
        context: The store.
        attempts: How its calls are attempted.
        asked: What is followed.
        may_forget: Whether a server that was out of reach may have forgotten commits.
        clock_s: The own clock, in seconds.

    Attributes:
        copy: The copy.
        cursor: Where the feed is read next; None until the list begins, or begins anew.
        is_listing: Whether the list has not ended.
        as_of_s: The copy shows all that was committed by then, as far as the backend tells it in time, by the own
            clock; None before the first list has ended.

    Rules: FEED-12.
    """

    def __init__(
        self,
        context: Context,
        attempts: AsyncAttempts,
        asked: Following,
        *,
        may_forget: bool,
        clock_s: Callable[[], float] = monotonic,
    ) -> None:
        self._context = context
        self._attempts = attempts
        self._asked = asked
        self._may_forget = may_forget
        self._clock_s = clock_s
        self._after: str | None = None
        self._listed_s = 0.0
        self.copy: Copy[T] = Copy(asked.holds)
        self.cursor: str | None = None
        self.is_listing = True
        self.as_of_s: float | None = None

    async def advance(self, wait: timedelta) -> tuple[list[News[T] | InvalidResource], bool]:
        """Read the next page of the list, or the next part of the feed.

        Args:
            wait: How long to wait if there is nothing new yet.

        Returns:
            What is new, and whether there was nothing more to read.

        Raises:
            Unavailable: The backend does not answer; the next call continues.
        """
        sent_s = self._clock_s()
        try:
            if self.cursor is None:
                self._after, self._listed_s, self.is_listing = None, sent_s, True
                self.cursor = await self._attempts.once(watching.end(), None)
                self.copy.begin()
            if self.is_listing:
                return await self._list(self.cursor), False
            step = await self._attempts.once(following.step(self._context, self._asked, self.cursor, wait), None)
        except FeedGap:
            self.cursor = None
            return [], False
        except Unavailable:
            if self._may_forget:
                self.cursor = None
            raise
        self.cursor = step.cursor
        if step.is_end:
            self.as_of_s = sent_s
        return self.copy.changed(step.touched, step.found), step.is_empty

    async def _list(self, cursor: str) -> list[News[T] | InvalidResource]:
        page = await self._attempts.once(following.page(self._context, self._asked, self._after), None)
        told = self.copy.listed(page.items)
        self._after = page.next
        if page.next is None:
            self.is_listing, self.as_of_s = False, self._listed_s
            told += self.copy.end(cursor)
        return told
