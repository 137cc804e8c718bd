"""``AsyncReaper``: ends the leases of holders that have died."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from emco_store._aio.attempts import AsyncAttempts
from emco_store._aio.taking import LONGEST_PAUSE_S, AsyncTaking, ending
from emco_store.beating import Beater, Lease, required
from emco_store.core.judging import Judgement, Poll, Watch, judge
from emco_store.core.keys import Key
from emco_store.core.leases import Reaped, Seat
from emco_store.core.reserved import resource_of
from emco_store.errors import Conflict, LeaseHeld, LeaseLost, StoreError, Unavailable, UnknownOutcome
from emco_store.flows import leasing
from emco_store.flows.context import Context
from emco_store.queueing.pauses import async_pause

REAPER = "emco-reaper"
"""The name of the seat that the leading reaper holds."""


class AsyncReaper:
    """Ends the leases of holders that have died; made by ``store.reaper``.

    Any number may run, in any number of processes: one of them leads, and another takes over when it dies.

    Rules: SUP-1 to SUP-5.
    """

    def __init__(self, context: Context, attempts: AsyncAttempts, beater: Beater, poll: timedelta | None) -> None:
        self._context = context
        self._attempts = attempts
        self._beater = beater
        self._poll = poll
        self._watch = Watch()
        self._was_whole = False
        self._ttl_s = 10.0
        self._stopped = False

    def stop(self) -> None:
        """Let :meth:`run` return after its next look; may be called from any thread."""
        self._stopped = True

    async def run(self, told: Callable[[Reaped], object] | None = None) -> None:
        """Lead, or wait to lead, and end what has died, until :meth:`stop` is called.

        Args:
            told: Called with what was done after each look that has found something dead.

        Raises:
            StoreError: The backend refuses what this needs; one that cannot be reached is waited for.
        """
        seat = leasing.asked(self._context, Seat(name=REAPER))
        taking = AsyncTaking(self._context, self._attempts, self._beater, seat, timedelta(seconds=self._pause_s()))
        while not self._stopped:
            try:
                async with taking as leader:
                    await self._lead(leader, told)
            except (LeaseHeld, LeaseLost):
                continue
            except (Conflict, Unavailable, UnknownOutcome):
                await async_pause(self._pause_s())

    async def _lead(self, leader: Lease, told: Callable[[Reaped], object] | None) -> None:
        while not self._stopped:
            reaped = await self.look(leader)
            if told is not None and any(reaped):
                told(reaped)
            await async_pause(self._pause_s())

    async def look(self, leader: Lease) -> Reaped:
        """Look once, and end what is to be ended.

        Args:
            leader: The lease of the seat ``emco-reaper``, which must be there at each commit.

        Raises:
            LeaseLost: Another reaper leads.
            Unavailable: The backend does not answer.

        Rules: SUP-1, SUP-4, SUP-5.
        """
        target = required(leader, self._context)
        judged = await self._judged(is_whole=self._watch.wants_all)
        if judged.watch.wants_all and not self._was_whole:
            judged = await self._judged(is_whole=True)
        ended: list[Key] = []
        refused: list[tuple[Key, StoreError]] = []
        for pulse in judged.ends:
            resource = resource_of(pulse.key)
            try:
                await self._attempts.retried(ending(self._context, pulse, target), None)
            except (LeaseLost, Unavailable):
                raise
            except Conflict:
                continue
            except StoreError as problem:
                refused.append((resource, problem))
            else:
                ended.append(resource)
        doubted = [resource_of(pulse.key) for pulse in judged.dead[len(judged.ends) :]]
        return Reaped(tuple(ended), tuple(doubted), tuple(refused))

    async def _judged(self, *, is_whole: bool) -> Judgement:
        sent_us = self._beater.clock()
        page = await self._attempts.once(leasing.polled(due=not is_whole), None)
        received_us = self._beater.clock()  # the time of the server is that of the first page
        pulses = await self._attempts.once(leasing.further(page, due=not is_whole), None)
        judged = judge(self._watch, Poll(sent_us, received_us, page.at_us, pulses, is_whole))
        self._watch, self._was_whole = judged.watch, is_whole
        self._ttl_s = min([self._ttl_s, *(pulse.ttl.total_seconds() for pulse in pulses)])
        return judged

    def _pause_s(self) -> float:
        """Return the time between two looks: a tenth of the shortest TTL, and at most a second, unless it is given."""
        if self._poll is not None:
            return self._poll.total_seconds()
        known = (model.__emco__.lease for model in self._context.schema.models())
        shortest_s = min([self._ttl_s, *(ttl.total_seconds() for ttl in known if ttl is not None)])
        return min(LONGEST_PAUSE_S, shortest_s / 10)
