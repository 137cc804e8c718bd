"""A lease that is taken for a block."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Any

from emco_store._aio.attempts import AsyncAttempts
from emco_store.beating import Beater, Lease, this_process
from emco_store.core.judging import Poll, Watch, judge
from emco_store.core.leases import LeaseTarget, read_lease
from emco_store.core.pulses import Pulse
from emco_store.core.records import Record
from emco_store.core.reserved import lease_of
from emco_store.errors import Conflict, LeaseHeld, LeaseLost, StoreError
from emco_store.flows import leasing
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.holding import Holding
from emco_store.flows.unit import Unit
from emco_store.queueing.pauses import async_pause

LONGEST_PAUSE_S = 1.0
"""Maximum time between two looks at leases, in seconds."""
LOOKS = 15
"""Minimum number of looks in a TTL at a lease that one waits for."""


class AsyncTaking:
    """A lease for an ``async with`` block, which takes it and releases it at the end; made by ``store.lease``."""

    def __init__(
        self,
        context: Context,
        attempts: AsyncAttempts,
        beater: Beater,
        asked: leasing.Asked,
        wait: timedelta | None,
        *,
        stall_after: timedelta | None = None,
    ) -> None:
        self._context = context
        self._attempts = attempts
        self._beater = beater
        self._asked = asked
        self._wait = wait
        self._stall_after = stall_after
        self._watch = Watch()
        self._pause_s = _pause_s(asked.ttl)
        self._lease: Lease | None = None

    async def __aenter__(self) -> Lease:
        end_us = None if self._wait is None else self._beater.clock() + self._wait // timedelta(microseconds=1)
        while True:
            try:
                self._lease = await self._take()
            except LeaseHeld as problem:
                left_s = 0.0 if end_us is None else (end_us - self._beater.clock()) / 1_000_000
                if left_s <= 0:
                    raise
                if not await self._end_if_dead(problem.lease_uid):
                    await async_pause(min(self._pause_s, left_s))
            else:
                return self._lease

    async def _take(self) -> Lease:
        uid, holder = self._context.new_id(), this_process()
        while True:
            sent_us = self._beater.clock()
            record: Record | None = await self._attempts.retried(
                lambda holding: leasing.take(Unit(self._context, holding), self._asked, uid=uid, holder=holder), None
            )
            if record is not None:
                target = LeaseTarget(self._asked.resource, uid)
                token = read_lease(record).token
                return self._beater.hold(
                    target, token=token, ttl=self._asked.ttl, sent_us=sent_us, stall_after=self._stall_after
                )

    async def _end_if_dead(self, uid: str) -> bool:
        """Judge the holder of the lease, and end it if it looks dead: nobody else may be there to do so."""
        sent_us = self._beater.clock()
        page = await self._attempts.once(leasing.polled(uids=(uid,)), None)
        if not page.pulses:  # a failover may have lost it, and without one the lease would never end
            lost = {uid: (lease_of(self._asked.resource), self._asked.ttl)}
            await self._attempts.once(leasing.beat_first(lost), None)
        for pulse in page.pulses:  # the holder may have taken it for a shorter TTL
            self._pause_s = min(self._pause_s, _pause_s(pulse.ttl))
        poll = Poll(sent_us, self._beater.clock(), page.at_us, page.server, page.pulses)
        self._watch, _, ends = judge(self._watch, poll)
        try:
            for pulse in ends:
                await self._attempts.retried(ending(self._context, pulse), None)
        except Conflict:
            return False
        return bool(ends)

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        lease, self._lease = self._lease, None
        if lease is None or not self._beater.drop(lease, "it was released"):
            return
        try:
            await self._attempts.retried(
                lambda holding: leasing.release(Unit(self._context, holding), lease), None
            )  # fmt: skip
        except LeaseLost:
            pass
        except StoreError:
            if problem is None:
                raise


def _pause_s(ttl: timedelta) -> float:
    return min(LONGEST_PAUSE_S, ttl.total_seconds() / LOOKS)


def ending(
    context: Context, pulse: Pulse, leader: LeaseTarget | None = None, reason: str | None = None
) -> Callable[[Holding], Flow[Any]]:
    """Return what makes an attempt to end a lease that looks dead, or that is ended for another reason."""
    return lambda holding: leasing.end_silent(Unit(context, holding), pulse, leader, reason)
