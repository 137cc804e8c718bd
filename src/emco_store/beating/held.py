"""A lease in the hand of its holder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from emco_store.core.leases import LeaseTarget, check_progress, write_progress
from emco_store.core.pulses import Heartbeat
from emco_store.errors import InvalidCall
from emco_store.flows.refusals import lease_lost

_US: Final = timedelta(microseconds=1)


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
    """

    def __init__(self, acked_us: int, clock: Callable[[], int]) -> None:
        self._pid = os.getpid()
        self._clock = clock
        self._acked_us = acked_us
        self._number = 1
        self._over = ""
        self._progress: tuple[Mapping[str, Any], int] = ({}, acked_us)

    def reason_now(self, ttl: timedelta, token: int) -> str:
        """Return why the lease counts as over; empty if it does not."""
        over = self.over_now(token)
        silent = (self._clock() - self._acked_us) * _US
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
        return f"{self._over}; its token was {token}" if self._over else ""

    def report(self, fields: Mapping[str, Any]) -> None:
        """Note what the holder reports."""
        self._progress = (fields, self._clock())

    def next_beat(self) -> tuple[int, str]:
        """Return the number of the next beat, and what goes along with it."""
        self._number += 1
        fields, at_us = self._progress
        return self._number, write_progress(fields, self._clock() - at_us)

    def acknowledge(self, sent_us: int) -> None:
        """Note that a beat was acknowledged which was sent at that time."""
        self._acked_us = max(self._acked_us, sent_us)

    def end(self, reason: str) -> None:
        """Note that the lease is over."""
        self._over = self._over or reason

    @property
    def is_own(self) -> bool:
        """Whether this process holds it, and is no child of the one that does."""
        return os.getpid() == self._pid
