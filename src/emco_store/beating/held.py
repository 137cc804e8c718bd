"""A lease in the hand of its holder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from emco_store.beating.cells import EMPTY, LAPSED, STALLED, Cells
from emco_store.core.leases import LeaseTarget, check_progress, write_progress
from emco_store.core.pulses import Heartbeat
from emco_store.errors import InvalidCall
from emco_store.flows.refusals import lease_lost

_US: Final = timedelta(microseconds=1)
_ENDS: Final = {
    LAPSED: "it was ended, whatever its holder still does",
    STALLED: "its holder stood still, so the process that beats for it has ended it",
}


@dataclass(frozen=True, slots=True)
class Lease(LeaseTarget):
    """A lease that this process holds; the value of ``with store.lease(…) as lease``.

    It may be used by any thread and task of the process that took it, and by no child that the process has forked.

    Attributes:
        resource: The key of the resource.
        uid: The uid of the lease.
        token: Greater than that of every earlier lease of the resource. Send it along with effects outside the store:
            whoever takes them must refuse what has a smaller token than it has seen.
        ttl: How long the lease counts as alive after a beat.

    Rules: LEA-3, LEA-4, LEA-9, HB-5.
    """

    token: int
    ttl: timedelta
    _home: object = field(repr=False, compare=False)
    _state: State = field(repr=False, compare=False)

    def check(self) -> None:
        """Raise if the lease is over, or may be over by now: call it before effects outside the store.

        It asks nobody: the lease counts as over when two thirds of its TTL have passed, by the own clock, since the
        newest beat was sent that was acknowledged.

        Raises:
            LeaseLost: It is over, or may be.

        Rules: HB-5, LEA-9.
        """
        reason = self._state.reason_now(self.ttl, self.token)
        if reason:
            raise lease_lost([self.resource], reason)

    def progress(self, **fields: Any) -> None:
        """Report progress, which goes along with the next beat and is shown by ``store.leases``.

        Args:
            fields: Values that have a JSON form, at most 960 bytes in all.

        Raises:
            InvalidCall: They are no JSON, or too large.
        """
        check_progress(fields)
        self._state.report(fields)

    def heartbeat(self) -> Heartbeat:
        """Return the next beat."""
        number, progress = self._state.next_beat()
        return Heartbeat(self.key, number, self.ttl, progress)


def required(lease: Any, home: object) -> LeaseTarget:
    """Return a lease on which a commit may rest.

    Args:
        lease: What the caller gave.
        home: What tells the store from others.

    Raises:
        InvalidCall: It is no lease, or another store has taken it.
        LeaseLost: It is known to be over, or a parent of this process holds it.
    """
    if not isinstance(lease, Lease):
        raise InvalidCall(
            f"Cannot require {lease!r:.80}.", why=["it is not a lease"], hint="give the value of store.lease(…)."
        )
    if lease._home is not home:  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]
        raise InvalidCall(
            f"Cannot require the lease of {lease.resource}.",
            why=["another store has taken it"],
            hint="use the store from which the lease comes.",
        )
    reason = state_of(lease).over_now(lease.token)
    if reason:
        raise lease_lost([lease.resource], reason)
    return lease


def state_of(lease: Lease) -> State:
    """Return what changes about a lease while it is held."""
    return lease._state  # noqa: SLF001 - of this module  # pyright: ignore[reportPrivateUsage]


class State:
    """What changes about a lease while it is held.

    Args:
        acked_us: When the first beat was sent, by the own clock.
        clock: The own clock.
        stall_after: After which time without a tick the process that beats for it ends it; None: a thread beats for it.

    Attributes:
        stall_after: See above.
        cell: Where the process that beats for it says how it goes; None where there is none.
    """

    def __init__(self, acked_us: int, clock: Callable[[], int], stall_after: timedelta | None = None) -> None:
        self._pid = os.getpid()
        self._clock = clock
        self._acked_us = acked_us
        self._number = 1
        self._over = ""
        self._progress: tuple[Mapping[str, Any], int] = ({}, acked_us)
        self._cells: Cells | None = None
        self.stall_after = stall_after
        self.cell: int | None = None

    def reason_now(self, ttl: timedelta, token: int) -> str:
        """Return why the lease counts as over; empty if it does not."""
        over = self.over_now(token)
        silent = (self._clock() - max(self._acked_us, self._written)) * _US
        if over or silent * 3 < ttl * 2:
            return over
        return (
            f"no beat was acknowledged for {silent.total_seconds():.1f} s, and it ends after {ttl.total_seconds():g} s "
            f"without one; its token is {token}"
        )

    def over_now(self, token: int) -> str:
        """Return why the lease is known to be over, for this process; empty if it is not."""
        if os.getpid() != self._pid:
            return f"process {self._pid} holds it, and this process was forked from that one"
        over = self._over or self.found_end
        return f"{over}; its token was {token}" if over else ""

    @property
    def found_end(self) -> str:
        """Why the lease is over, as the process that beats for it has found out; empty if it has not."""
        return _ENDS.get(self._written, "")

    @property
    def _written(self) -> int:
        """What the process that beats for it has written."""
        return EMPTY if self._cells is None or self.cell is None else self._cells[self.cell]

    @property
    def reported(self) -> tuple[Mapping[str, Any], int]:
        """What the holder has reported, and when, by the own clock."""
        return self._progress

    def report(self, fields: Mapping[str, Any]) -> None:
        """Note what the holder reports."""
        self._progress = (fields, self._clock())

    def next_beat(self) -> tuple[int, str]:
        """Return the number of the next beat of the thread, and what goes along with it.

        Where a process beats too, the time is the number; see :meth:`emco_store.beating.notes.Note.beat`.
        """
        now_us = self._clock()
        self._number = self._number + 1 if self.stall_after is None else now_us
        fields, at_us = self._progress
        return self._number, write_progress(fields, now_us - at_us)

    def acknowledge(self, sent_us: int) -> None:
        """Note that a beat was acknowledged which was sent at that time."""
        self._acked_us = max(self._acked_us, sent_us)

    def attend(self, cells: Cells, cell: int) -> None:
        """Let a process beat for the lease, which writes to that cell."""
        self._cells, self.cell = cells, cell

    def is_attended(self, ttl: timedelta) -> bool:
        """Return whether a process beats for the lease: its newest beat is younger than half of the TTL."""
        return self._written > EMPTY and (self._clock() - self._written) * _US * 2 < ttl

    def is_left(self, ttl: timedelta) -> bool:
        """Return whether a process beats for the lease no more, and the thread has not taken over yet."""
        newest_us = max(self._acked_us, self._written)
        return self._written > EMPTY and (self._clock() - newest_us) * _US * 2 >= ttl

    def end(self, reason: str) -> None:
        """Note that the lease is over."""
        self._over = self._over or reason

    @property
    def is_own(self) -> bool:
        """Whether this process holds it, and is no child of the one that does."""
        return os.getpid() == self._pid
