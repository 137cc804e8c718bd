"""Looks at leases: judge them, again and again, and end those of the dead."""

from __future__ import annotations

from datetime import timedelta

from emco_store._aio.attempts import AsyncAttempts
from emco_store._aio.taking import LONGEST_PAUSE_S, ending
from emco_store.beating import Beater
from emco_store.core.judging import Judgement, Poll, Watch, judge
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseTarget, Reaped
from emco_store.core.pulses import Pulse
from emco_store.core.reserved import resource_of
from emco_store.errors import Conflict, LeaseLost, StoreError, Unavailable
from emco_store.flows import leasing
from emco_store.flows.context import Context

LOOKS = 60
"""After how many looks it is checked again that each lease has a pulse."""


class AsyncLooks:
    """The looks of one observer, which remembers what it has seen.

    Args:
        context: The surroundings.
        attempts: How calls are attempted.
        beater: What beats for leases, and has the own clock.
        poll: The time between two looks; None for a tenth of the shortest TTL that is known, at most a second.
    """

    def __init__(self, context: Context, attempts: AsyncAttempts, beater: Beater, poll: timedelta | None) -> None:
        self.context = context
        self.attempts = attempts
        self.beater = beater
        self._poll = poll
        self._watch = Watch()
        self._was_whole = False
        self._ttl_s = 10.0
        self._number = 0

    async def reap(self, target: LeaseTarget) -> Reaped:
        """Look once, and end what is to be ended, under a lease that must be there at each commit.

        Raises:
            LeaseLost: The lease is over.
            Unavailable: The backend does not answer.

        Rules: SUP-1, SUP-4, SUP-5, SUP-10.
        """
        if self._number % LOOKS == 0:
            await self.attempts.once(leasing.revive(self.context), None)
        self._number += 1
        judged = await self._judged(is_whole=self._watch.wants_all)
        if judged.watch.wants_all and not self._was_whole and not judged.ends:  # what may be ended is ended
            judged = await self._judged(is_whole=True)
        refused: list[tuple[Key, StoreError]] = []
        ended = [resource_of(pulse.key) for pulse in judged.ends if await self.end(pulse, target, refused)]
        doubted = [resource_of(pulse.key) for pulse in judged.dead[len(judged.ends) :]]
        return Reaped(tuple(ended), tuple(doubted), tuple(refused))

    async def end(
        self, pulse: Pulse, target: LeaseTarget, refused: list[tuple[Key, StoreError]], reason: str | None = None
    ) -> bool:
        """End a lease, unless its holder has beaten again; return whether it was ended.

        Args:
            pulse: The pulse as it was judged.
            target: The lease that must be there at the commit.
            refused: Gets the resource and the error, where a rule cannot be carried out.
            reason: Why it is ended, for people; None for its silence.

        Raises:
            LeaseLost: ``target`` is over.
            Unavailable: The backend does not answer.
        """
        try:
            await self.attempts.retried(ending(self.context, pulse, target, reason), None)
        except (LeaseLost, Unavailable):
            raise
        except Conflict:
            return False
        except StoreError as problem:
            refused.append((resource_of(pulse.key), problem))
            return False
        return True

    async def _judged(self, *, is_whole: bool) -> Judgement:
        sent_us = self.beater.clock()
        first = await self.attempts.once(leasing.polled(due=not is_whole), None)
        received_us = self.beater.clock()  # the time of the server is that of the first page
        page = await self.attempts.once(leasing.further(first, due=not is_whole), None)
        judged = judge(self._watch, Poll(sent_us, received_us, page.at_us, page.server, page.pulses, is_whole))
        self._watch, self._was_whole = judged.watch, is_whole
        self._ttl_s = min([self._ttl_s, *(pulse.ttl.total_seconds() for pulse in page.pulses)])
        return judged

    def pause_s(self) -> float:
        """Return the time between two looks: a tenth of the shortest TTL, and at most a second, unless it is given."""
        if self._poll is not None:
            return self._poll.total_seconds()
        known = (model.__emco__.lease for model in self.context.schema.models())
        shortest_s = min([self._ttl_s, *(ttl.total_seconds() for ttl in known if ttl is not None)])
        return min(LONGEST_PAUSE_S, shortest_s / 10)
