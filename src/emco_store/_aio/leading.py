"""Leading: one of all who want to acts, under the lease of a seat."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from emco_store._aio.looking import AsyncLooks
from emco_store._aio.taking import AsyncTaking
from emco_store.beating import Lease
from emco_store.core.leases import Seat, checked_seat_ttl
from emco_store.errors import Conflict, LeaseHeld, LeaseLost, Unavailable, UnknownOutcome
from emco_store.flows import leasing
from emco_store.queueing.pauses import async_pause


class AsyncLeading:
    """Takes a seat, acts while it has it, and waits for it while another has it.

    Args:
        looks: The looks at leases; they say how long to pause between two acts.
        seat: The name of the seat.
        ttl: Its TTL, a ``timedelta`` from a second to a day; None for that of every seat.

    Raises:
        InvalidCall: The TTL is none of these.
    """

    def __init__(self, looks: AsyncLooks, seat: str, ttl: timedelta | None) -> None:
        self._looks = looks
        self._seat = seat
        self._ttl = checked_seat_ttl(ttl)
        self._stopped = False

    def stop(self) -> None:
        """Let :meth:`run` return after its next act; may be called from any thread."""
        self._stopped = True

    async def run(self, act: Callable[[Lease], Awaitable[object]]) -> None:
        """Lead, or wait to lead, until :meth:`stop` is called.

        Args:
            act: Called again and again while it leads, with the lease of the seat.

        Raises:
            StoreError: The backend refuses what this needs; one that cannot be reached is waited for.
        """
        looks = self._looks
        seat = replace(leasing.asked(looks.context, Seat(name=self._seat)), ttl=self._ttl)
        taking = AsyncTaking(looks.context, looks.attempts, looks.beater, seat, timedelta(seconds=looks.pause_s()))
        while not self._stopped:
            try:
                async with taking as leader:
                    while not self._stopped:
                        await act(leader)
                        if not self._stopped:
                            await async_pause(looks.pause_s())
            except (LeaseHeld, LeaseLost):
                continue
            except (Conflict, Unavailable, UnknownOutcome):
                await async_pause(looks.pause_s())
