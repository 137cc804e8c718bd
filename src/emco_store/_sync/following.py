# Generated from src/emco_store/_aio/following.py by `python3 dev.py sync`: do not edit.
"""``Follow``: the resources of a kind as they are, and then every change of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Generic, Literal, Self, TypeVar, overload

from emco_store._sync.attempts import Attempts
from emco_store._sync.block import Target
from emco_store._sync.caching import Cache
from emco_store._sync.followers import STEP, Follower
from emco_store._sync.reading import ReadingStore
from emco_store.core.events import Aspect
from emco_store.core.following import News
from emco_store.core.lookups import Index
from emco_store.core.query import Condition
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows import caching, following
from emco_store.flows.context import Context, checked_deadline
from emco_store.flows.following import Following
from emco_store.ports import Durability, no_feed

R = TypeVar("R", bound=Resource)
T = TypeVar("T")


class Follow(Generic[T]):
    """What a follower is told, as an iterator; made by ``store.follow``.

    It does not end by itself unless ``idle`` was given. It is for one task at a time. An error leaves it as it was:
    iterating again continues at the same place.

    Rules: FEED-12.
    """

    def __init__(
        self,
        context: Context,
        attempts: Attempts,
        asked: Following,
        follower: Follower[T],
        *,
        idle: timedelta | None,
        unreadable: str,
    ) -> None:
        self._context = context
        self._attempts = attempts
        self._asked = asked
        self._follower = follower
        self._idle = idle
        self._unreadable = unreadable
        self._told: deque[News[T] | InvalidResource] = deque()
        self._cursor: str | None = None
        self._stopped = False

    @property
    def cursor(self) -> str | None:
        """Up to where the feed was told: give it to ``after=`` of a watch. None until a list has ended."""
        return self._cursor

    def cache(
        self, *, index: Mapping[str, Index[T]] | None = None, stale_after: timedelta | None = timedelta(seconds=15)
    ) -> Cache[T]:
        """Return a copy of the resources for an ``with`` block, which stays true in the background.

        Args:
            index: Functions by names, for look-ups with ``cache.by(name, value)``: each returns the value under which a
                resource is found, a list, tuple or set of values, or None.
            stale_after: How old the copy may become before look-ups raise ``StaleCache``, at least 3 s; None for any
                age. In use it is as old as the newest event takes to come, and known to be true every second or two.

        Raises:
            InvalidCall: An argument cannot be right, or the iteration has begun.

        Rules: FEED-13.
        """
        if self._follower.cursor is not None:
            raise InvalidCall(
                "Cannot make a cache of what is already iterated over.",
                why=["both would read one feed, and each would miss what the other has read"],
                hint="call store.follow(…) once for the cache and once for the iteration.",
            )
        indexes = caching.checked_indexes({} if index is None else index)
        age = caching.checked_age(stale_after)
        return Cache(self._context, self._attempts, self._asked, self._follower, indexes=indexes, stale_after=age)

    def stop(self) -> None:
        """End the iteration within about a second; may be called from any thread."""
        self._stopped = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> News[T]:
        """Return what is new next, and wait for it.

        Raises:
            InvalidResource: A document cannot be read; it counts as gone. The next one follows.
            Unavailable: The backend does not answer.
        """
        begin_s = monotonic()
        while not self._stopped:
            while self._told:
                item = self._told.popleft()
                if not self._told and not self._follower.is_listing:
                    self._cursor = self._follower.cursor
                if not isinstance(item, InvalidResource):
                    return item
                if self._unreadable == "raise":
                    raise item
            wait = STEP
            if self._idle is not None:
                wait = min(STEP, max(self._idle - timedelta(seconds=monotonic() - begin_s), timedelta(0)))
            told, is_empty = self._follower.advance(wait)
            self._told.extend(told)
            if not told and not self._follower.is_listing:
                self._cursor = self._follower.cursor
            if is_empty and self._idle is not None and monotonic() - begin_s >= self._idle.total_seconds():
                break
        raise StopIteration


class Follows(ReadingStore):
    """The part of a store that follows resources; ``Store`` is the whole."""

    @overload
    def follow(
        self, model: type[R], *, under: Target | None = None, where: Sequence[Condition] | Condition = (),
        aspects: Iterable[Aspect] = (Aspect.RESOURCE,), unreadable: Literal["raise", "skip"] = "raise",
        idle: timedelta | None = None,
    ) -> Follow[R]: ...  # fmt: skip
    @overload
    def follow(
        self, model: str, *, under: Target | None = None, where: Sequence[Condition] | Condition = (),
        aspects: Iterable[Aspect] = (Aspect.RESOURCE,), unreadable: Literal["raise", "skip"] = "raise",
        idle: timedelta | None = None,
    ) -> Follow[Any]: ...  # fmt: skip
    def follow(
        self,
        model: type[R] | str,
        *,
        under: Target | None = None,
        where: Sequence[Condition] | Condition = (),
        aspects: Iterable[Aspect] = (Aspect.RESOURCE,),
        unreadable: Literal["raise", "skip"] = "raise",
        idle: timedelta | None = None,
    ) -> Follow[Any]:
        """Return the resources of a kind, and then their changes, as an iterator without a gap between the two.

        It lists the resources (``Added``), says that the list is complete (``Resynced``), and goes on with the changes:
        ``Added``, ``Updated``, ``Removed``. Whoever applies this in order has a copy of the resources. Where the feed
        has a gap, it lists anew and tells the differences, and then ``Resynced``.

        A resource is told as it is when it is read. Several changes of one resource that follow each other quickly may
        be told as one.

        Args:
            model: A model, or the name of a kind.
            under: Only resources under this one, at any depth.
            where: Conditions on fields, all of which must hold. A resource that stops meeting them is ``Removed``.
            aspects: What of a resource is told: changes of the resource itself, of its state, of its statuses, of its
                lease. All but the first are told as ``Updated`` with that ``aspect``.
            unreadable: What to do with a document that cannot be read, which counts as gone: ``"raise"`` its
                ``InvalidResource``, and go on after it if the next item is asked for; or ``"skip"`` it.
            idle: End the iteration when there has been nothing new for so long; None for never.

        Raises:
            InvalidCall: An argument cannot be right.
            NotSupported: The backend has no feed.

        Rules: FEED-12.
        """
        context = self._context()
        asked = following.ask(context, model, under=under, where=where, aspects=aspects, unreadable=unreadable)
        guarantees = self._port.guarantees
        if not guarantees.feed:
            raise no_feed()
        may_forget = guarantees.durability is not Durability.MAJORITY
        follower: Follower[Any] = Follower(context, self._attempts, asked, may_forget=may_forget)
        return Follow(context, self._attempts, asked, follower, idle=checked_deadline(idle), unreadable=unreadable)
