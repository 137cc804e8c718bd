"""``AsyncRelay``: sends what the feed tells to a sink, each message once and in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol

from emco_store._aio.block import Target
from emco_store._aio.consumers import AsyncConsumers
from emco_store._aio.consuming import AsyncConsuming
from emco_store._aio.looking import AsyncLooks
from emco_store.beating import Lease, required
from emco_store.core import relaying
from emco_store.core.consumers import Numbered, Place
from emco_store.core.leases import LeaseTarget
from emco_store.core.relaying import Delivery, Position, checked_changes, checked_position, refuse_sink
from emco_store.core.resource import Resource
from emco_store.core.strategies import Backoff, GiveUp, Strategy
from emco_store.errors import FeedGap, SinkFailed, StoreError
from emco_store.flows import callbacks, consuming, watching
from emco_store.flows.consuming import Consuming
from emco_store.ports import no_feed

AsyncOnGap = Callable[[FeedGap], Awaitable[str]]
"""Decides after which cursor a relay continues, where something is missing in the feed."""


class AsyncSink(Protocol):
    """Where a relay sends messages to.

    It must refuse or pass over what is not after the last message that it has, in one step with storing a message:
    then each message is there once, even if two relays send at the same time. A sink that cannot do so, and always
    returns None as its position, gets a message again if a relay dies after sending it.
    """

    async def position(self) -> Position | None:
        """Return the position of the last message that the sink has; None if it has none, or does not know."""
        ...

    async def send(self, batch: Sequence[Delivery]) -> None:
        """Store messages, in order; what it has stored when it raises must be the first of them."""
        ...


class AsyncRelay(AsyncConsuming):
    """Sends what the feed tells to a sink; made by ``store.relay``.

    Any number may run under one name, in any number of processes: one of them works, and another one takes over when
    it ends or dies.

    Rules: FEED-15.
    """

    def __init__(
        self,
        looks: AsyncLooks,
        asked: Consuming,
        sink: AsyncSink,
        *,
        changes: str | None,
        retry: Strategy | None,
        on_gap: AsyncOnGap | None,
        on_failure: Callable[[SinkFailed], object] | None,
    ) -> None:
        super().__init__(looks, asked, retry)
        self._sink = sink
        self._changes = changes
        self._on_gap = on_gap
        self._on_failure = on_failure
        self._sent = Position(0, 0)

    async def step(self, leader: Lease, *, wait: timedelta = timedelta(0)) -> int:
        """Send the next messages, and save that; see :meth:`AsyncConsuming.step`.

        Raises:
            LeaseLost: Another program works under this name.
            SinkFailed: The sink fails, and ``retry`` gives up.
            FeedGap: Something is missing after the cursor, and there is no ``on_gap=``.
            Unavailable: The backend does not answer.

        Rules: FEED-15.
        """
        try:
            return await super().step(leader, wait=wait)
        except TroubleError as trouble:
            decision = self._decided()
            if isinstance(decision, GiveUp):
                raise consuming.sink_failed(
                    self.name, self._tries, trouble.problem, decision.reason
                ) from trouble.problem  # fmt: skip
            if self._on_failure is not None:
                self._on_failure(consuming.sink_failed(self.name, self._tries, trouble.problem))
            await self._rest(decision.after.total_seconds())
            return 0

    async def _deal(self, batch: Sequence[Numbered], place: Place, leader: Lease) -> Place:
        target = required(leader, self._context)
        unsent = [
            message
            for one in batch
            for message in relaying.deliveries(one, self._changes)
            if message.position.place > self._sent.place
        ]
        if unsent:
            leader.check()
            try:
                await self._sink.send(unsent)
            except Exception as problem:
                raise TroubleError(problem) from problem
            self._sent = unsent[-1].position
        return await self._save(place, target, batch[-1].event.cursor, batch[-1].number)

    async def _begin(self, target: LeaseTarget, place: Place | None, gap: FeedGap | None) -> Place:
        if gap is not None and self._on_gap is None:
            raise gap
        if gap is not None and self._on_gap is not None:
            cursor = watching.checked_cursor(await callbacks.awaited(self._on_gap(gap)))
        else:
            cursor = self._asked.after
        if cursor is None:
            cursor = await self._attempts.once(watching.end(oldest=gap is None), None)
        before = Place(cursor, 0, None) if place is None else place
        number = before.number if gap is None else max(before.number, self._sent.number) + 1
        saved = await self._save(before, target, cursor, number)
        self._expected = ""
        return saved

    async def _ready(self, place: Place) -> Place:
        try:
            position = checked_position(await self._sink.position())
        except StoreError:
            raise
        except Exception as problem:
            raise TroubleError(problem) from problem
        self._sent = position or Position(place.number, 0)
        begin = consuming.ahead(place, position)
        if position is not None and begin is not place:
            self._expected = position.txid
        return begin

    async def _fail(self, place: Place, batch: Sequence[Numbered], problem: Exception) -> None:  # noqa: ARG002 - of no event
        raise problem


class TroubleError(Exception):
    """A sink has failed.

    Attributes:
        problem: Its error.
    """

    def __init__(self, problem: Exception) -> None:
        super().__init__(problem)
        self.problem = problem


class AsyncRelays(AsyncConsumers):
    """The part of a store that is about relays; ``AsyncStore`` is the whole."""

    def relay(
        self,
        name: str,
        sink: AsyncSink,
        *,
        topics: Iterable[str] | None = None,
        changes: str | None = None,
        kinds: Iterable[type[Resource] | str] | None = None,
        under: Target | None = None,
        after: str | None = None,
        batch: int = 100,
        retry: Strategy | None = Backoff(),  # noqa: B008 - a frozen value
        on_gap: AsyncOnGap | None = None,
        on_failure: Callable[[SinkFailed], object] | None = None,
        seat_ttl: timedelta | None = None,
    ) -> AsyncRelay:
        """Return a relay, whose ``run()`` sends what the feed tells to a sink, each message once and in order.

        Messages of ``tx.emit`` are sent. Changes are sent only under a topic that ``changes=`` names: what leaves the
        store is a contract with others, and the records of a service are not.

        Args:
            name: The name of the relay. Each sink needs a relay with a name of its own.
            sink: Where the messages go; see :class:`AsyncSink`.
            topics: Only messages with these topics. None for all; with ``kinds``, for none.
            changes: The topic under which the changes of each commit are sent, as one message; None for no changes.
            kinds: Only changes of resources of these kinds; needs ``changes``.
            under: Only changes under this resource, at any depth; needs ``kinds``.
            after: The cursor after which the first start begins. None for the oldest event that the feed keeps, so that
                no message is lost that was emitted before. Without meaning at later starts.
            batch: Maximum number of commits between two saves of the cursor, 1 to 500.
            retry: Says what happens after the sink has failed. None: ``run`` raises.
            on_gap: Called after a gap; returns the cursor after which to continue, such as that of
                ``feed_cursor(oldest=True)``. None: ``run`` raises.
            on_failure: Called with each failure of the sink after which the relay tries again.
            seat_ttl: See :meth:`consume`.

        Raises:
            InvalidCall: An argument cannot be right.
            NotSupported: The backend has no feed or knows no leases, or the store was made from a client for asyncio.

        Rules: FEED-15.
        """
        context = self._context()
        topic = checked_changes(changes)
        consuming.refuse_changes_without_a_topic(topic, kinds=kinds, under=under)
        if topic is None and topics is None:
            topics = ["*"]
        asked = consuming.ask(
            context, name, kinds=kinds, under=under, topics=topics, after=after, seat_ttl=seat_ttl, batch=batch
        )  # fmt: skip
        refuse_sink(sink)
        for function, given in (("retry", retry), ("on_gap", on_gap), ("on_failure", on_failure)):
            consuming.checked_function(function, given, is_needed=False)
        if not self._port.guarantees.feed:
            raise no_feed()
        return AsyncRelay(
            self._looks(None), asked, sink, changes=topic, retry=retry, on_gap=on_gap, on_failure=on_failure
        )  # fmt: skip
