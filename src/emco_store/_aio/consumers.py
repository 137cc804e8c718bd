"""``AsyncConsumer``: a function that deals with each event of the feed once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta

from emco_store._aio.attempts import late
from emco_store._aio.block import Target
from emco_store._aio.consuming import AsyncConsuming
from emco_store._aio.drive import drive
from emco_store._aio.leases import AsyncLeases
from emco_store._aio.looking import AsyncLooks
from emco_store._aio.transaction import AsyncTransaction
from emco_store.beating import Lease, required
from emco_store.core.consumers import ConsumerState, Numbered, Place
from emco_store.core.events import Event
from emco_store.core.leases import LeaseTarget
from emco_store.core.pages import Page
from emco_store.core.resource import Resource
from emco_store.core.strategies import Strategy
from emco_store.errors import FeedGap, HandlerFailed, InvalidCall
from emco_store.flows import callbacks, consuming, watching
from emco_store.flows.consuming import Consuming
from emco_store.flows.holding import Holding
from emco_store.flows.unit import Unit
from emco_store.ports import AsyncPort, no_feed
from emco_store.queueing.waiters import AsyncWaiter

AsyncHandler = Callable[[AsyncTransaction, Event], Awaitable[object]]
"""What deals with an event: called with the transaction and the event, several times if other writers win."""
AsyncReset = Callable[[AsyncTransaction], Awaitable[object]]
"""What builds anew what a consumer derives from the store: called with the transaction that saves the cursor."""


class AsyncConsumer(AsyncConsuming):
    """A function that deals with each event of the feed once; made by ``store.consume``.

    Any number may run under one name, in any number of processes: one of them works, and another one takes over when
    it ends or dies.

    Rules: FEED-11.
    """

    def __init__(
        self,
        owner: object,
        port: AsyncPort,
        looks: AsyncLooks,
        asked: Consuming,
        handler: AsyncHandler,
        *,
        retry: Strategy | None,
        reset: AsyncReset | None,
    ) -> None:
        super().__init__(looks, asked, retry)
        self._owner = owner
        self._port = port
        self._handler = handler
        self._reset = reset

    async def skip(self, failure: HandlerFailed, *, reason: str) -> None:
        """Pass over the event at which the consumer has stopped; ``store.consumers()`` shows that this was done.

        Args:
            failure: The error that :meth:`run` has raised.
            reason: Why the event is passed over, for people.

        Raises:
            InvalidCall: It is no error of this consumer, or there is no reason.
            Conflict: The consumer stands elsewhere by now.

        Rules: FEED-11.
        """
        await self._attempts.once(consuming.skip(Unit(self._context), self.name, failure, reason), None)

    async def _deal(self, batch: Sequence[Numbered], place: Place, leader: Lease) -> Place:
        target = required(leader, self._context)

        async def act(tx: AsyncTransaction, unit: Unit) -> Place:
            after = place
            for one in batch:  # the cursor is moved first, so that it goes along whenever the transaction is committed
                after = consuming.move(unit, self.name, place, one.event.cursor, one.number)
                await callbacks.awaited(self._handler(tx, one.event))
                if tx.has_ended:
                    raise InvalidCall(
                        "A consumer's function has ended its transaction.",
                        why=["the transaction ends after the function, with the cursor of the event"],
                        hint="leave commit() and end() to the consumer.",
                    )
            return after

        return await self._within(act, place, target)

    async def _begin(self, target: LeaseTarget, place: Place | None, gap: FeedGap | None) -> Place:
        if gap is not None and self._reset is None:
            raise gap
        cursor = None if place is not None else self._asked.after
        if cursor is None:
            cursor = await self._attempts.once(watching.end(), None)
        before = Place(cursor, 0, None) if place is None else place
        number = before.number + (gap is not None)

        async def act(tx: AsyncTransaction, unit: Unit) -> Place:
            after = consuming.move(unit, self.name, before, cursor, number)
            if self._reset is not None:
                await callbacks.awaited(self._reset(tx))
            return after

        return await self._within(act, before, target)

    async def _within(
        self, act: Callable[[AsyncTransaction, Unit], Awaitable[Place]], place: Place, target: LeaseTarget
    ) -> Place:
        """Do something in a transaction that needs the lease, and rests on where the consumer stands."""

        async def attempt(holding: Holding, waiter: AsyncWaiter, end_s: float | None) -> Place:
            unit = Unit(self._context, holding)
            async with AsyncTransaction(unit, self._port, waiter, owner=self._owner, end_s=late(end_s)) as tx:
                await drive(consuming.stand(unit, self.name, place, target), self._port, waiter, end_s=late(end_s))
                return await act(tx, unit)

        return await self._attempts.run(attempt, None)


class AsyncConsumers(AsyncLeases):
    """The part of a store that is about consumers; ``AsyncStore`` is the whole."""

    def consume(
        self,
        name: str,
        handler: AsyncHandler,
        *,
        kinds: Iterable[type[Resource] | str] | None = None,
        under: Target | None = None,
        topics: Iterable[str] | None = None,
        after: str | None = None,
        batch: int = 1,
        retry: Strategy | None = None,
        reset: AsyncReset | None = None,
        seat_ttl: timedelta | None = None,
    ) -> AsyncConsumer:
        """Return a consumer, whose ``run()`` calls a function for each event of the feed.

        The function's transaction saves the cursor too, and needs the lease of the consumer. So each event has its
        effect in the store once, whichever process dies when, and however many run under the name. The function may be
        called several times for one event, so it must do everything through ``tx``, as in :meth:`run`.

        Args:
            name: The name of the consumer. It begins at its first start, and goes on from its cursor at each later one.
            handler: The function: called with the transaction and the event.
            kinds: Only changes of resources of these kinds; see :meth:`watch`.
            under: Only changes under this resource, at any depth; needs ``kinds``.
            topics: Only messages with these topics. Where only kinds or only topics are named, the other is not told.
            after: The cursor after which the first start begins. None for the end of the feed at that moment: what was
                committed before is not told. Without meaning at later starts.
            batch: Maximum number of events in one transaction, 1 to 500. If one of them fails, each is dealt with by
                itself.
            retry: Says what happens after the function has failed, or the commit of what it did: ``Backoff("1s")``,
                ``FailureRate(3, per="5m")``, or a function of one's own. None: ``run`` raises.
            reset: Called with a transaction where there is no cursor to continue from: at the first start, and after a
                gap. It builds anew what the consumer derives from the store. What is committed after that is told;
                what is committed meanwhile may be. None: a first start does nothing, and a gap is raised.
            seat_ttl: How long the lease counts as alive after a beat, 1 second to 1 day: so long, and a little more,
                until another process takes over from one that was killed. None for 15 seconds.

        Raises:
            InvalidCall: An argument cannot be right.
            NotSupported: The backend has no feed or knows no leases, or the store was made from a client for asyncio.

        Rules: FEED-11.
        """
        context = self._context()
        asked = consuming.ask(
            context, name, kinds=kinds, under=under, topics=topics, after=after, seat_ttl=seat_ttl, batch=batch
        )  # fmt: skip
        consuming.checked_function("handler", handler)
        consuming.checked_function("retry", retry, is_needed=False)
        consuming.checked_function("reset", reset, is_needed=False)
        if not self._port.guarantees.feed:
            raise no_feed()
        return AsyncConsumer(self, self._port, self._looks(None), asked, handler, retry=retry, reset=reset)

    async def consumers(
        self, *, limit: int = 100, after: str | None = None, deadline: timedelta | None = None
    ) -> Page[ConsumerState]:
        """Read one page of consumers and relays: where each stands, what it has skipped, and who works under its name.

        A consumer whose seat is deleted is forgotten: ``store.delete(state.lease.resource)``.

        Args:
            limit: Maximum number of entries, 1 to 1000.
            after: ``page.next`` of the page before.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: The limit or the cursor cannot be used.

        Rules: FEED-11.
        """
        self._context()
        return await self._attempts.once(consuming.look(limit=limit, after=after), deadline)
