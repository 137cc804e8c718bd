"""Pulses: what a backend keeps of the heartbeats of leases, beside the records.

The lease of a resource is the record ``emco__Lease/<Kind>/<names>``, and its holder beats as long as it lives. Each
beat replaces the pulse of the lease. A pulse is named by the uid of its lease, so two takers never share one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from emco_store.core.keys import Key
from emco_store.core.naming import LEASE
from emco_store.core.values import value

__all__ = ["LEASE", "Heartbeat", "Pulse", "Seen"]


@value(frozen=True, slots=True)
class Heartbeat:
    """One beat of the holder of a lease.

    Attributes:
        key: The key of the lease.
        number: 1 for the first beat of the lease, and greater with each one that follows.
        ttl: How long the lease counts as alive after this beat.
        progress: What the holder says of its work: JSON text of at most 1 KiB; empty for nothing.
    """

    key: Key
    number: int
    ttl: timedelta
    progress: str = ""


class Seen(NamedTuple):
    """The newest beat of a lease that a judge has seen."""

    uid: str
    number: int


@value(frozen=True, slots=True)
class Pulse:
    """The newest beat of a lease that has arrived.

    Attributes:
        uid: The uid of the lease.
        key: The key of the lease.
        number: The number of the beat.
        ttl: How long the lease counts as alive after it.
        at_us: When it arrived, by the clock of the server: microseconds since a fixed moment.
        progress: What the holder said with it.
    """

    uid: str
    key: Key
    number: int
    ttl: timedelta
    at_us: int
    progress: str = ""

    @property
    def due_us(self) -> int:
        """When it is due, unless another beat arrives before, by the clock of the server."""
        return self.at_us + self.ttl // timedelta(microseconds=1)

    @property
    def seen(self) -> Seen:
        """What a judge has seen who has seen this."""
        return Seen(self.uid, self.number)
