# Generated from src/emco_store/_aio/leading.py by `python3 dev.py sync`: do not edit.
"""Leading: one of all who want to acts, under the lease of a seat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from emco_store._sync.looking import Looks
from emco_store._sync.taking import Taking
from emco_store.beating import Lease
from emco_store.core.leases import Seat, checked_seat_ttl
from emco_store.errors import Conflict, LeaseHeld, LeaseLost, Unavailable, UnknownOutcome
from emco_store.flows import leasing
from emco_store.queueing.pauses import pause


class Leading:
    """Takes a seat, acts while it has it, and waits for it while another has it.

    Args:
        looks: The looks at leases; they say how long to pause between two acts.
        seat: The name of the seat.
        ttl: Its TTL, a ``timedelta`` from a second to a day; None for that of every seat.

    Raises:
        InvalidCall: The TTL is none of these.
    """

    def __init__(self, looks: Looks, seat: str, ttl: timedelta | None) -> None:
        self._looks = looks
        self._seat = seat
        self._ttl = checked_seat_ttl(ttl)
        self._stopped = False

    def stop(self) -> None:
        """Let :meth:`run` return after its next act; may be called from any thread."""
        self._stopped = True

    def run(self, act: Callable[[Lease], object]) -> None:
        """Lead, or wait to lead, until :meth:`stop` is called.

        Args:
            act: Called again and again while it leads, with the lease of the seat.

        Raises:
            StoreError: The backend refuses what this needs; one that cannot be reached is waited for.
        """
        looks = self._looks
        seat = replace(leasing.asked(looks.context, Seat(name=self._seat)), ttl=self._ttl)
        taking = Taking(looks.context, looks.attempts, looks.beater, seat, timedelta(seconds=looks.pause_s()))
        while not self._stopped:
            try:
                with taking as leader:
                    while not self._stopped:
                        act(leader)
                        if not self._stopped:
                            pause(looks.pause_s())
            except (LeaseHeld, LeaseLost):
                continue
            except (Conflict, Unavailable, UnknownOutcome):
                pause(looks.pause_s())
