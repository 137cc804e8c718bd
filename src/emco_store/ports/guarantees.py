"""What a store promises with the server that it found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from emco_store.errors import InvalidCall, Misconfigured


class Durability(StrEnum):
    """What an acknowledged commit survives, from least to most."""

    VOLATILE = "volatile"
    """Nothing: it lives in memory."""
    LOCAL_1S = "local-1s"
    """The end of the server, but for about the last second: an fsync that hangs may hold back a little more."""
    LOCAL_SYNC = "local-sync"
    """A power failure of the one server."""
    REPLICATED = "replicated"
    """The loss of the server, at a planned failover."""
    MAJORITY = "majority"
    """The loss of a minority of the servers at any moment."""

    @property
    def rank(self) -> int:
        """0 for the least, 4 for the most."""
        return list(Durability).index(self)


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """What a server takes in one write; None where nothing but the machine limits it.

    A commit is one write. Beside its records, a write holds the entries that lead to them, the outcome and the event.

    Attributes:
        key_bytes: The longest key of an entry.
        value_bytes: The largest value of an entry, such as a record with its references.
        write_bytes: All keys and values of one write together.
        write_entries: How many entries one write compares, puts and deletes together.
    """

    key_bytes: int | None = None
    value_bytes: int | None = None
    write_bytes: int | None = None
    write_entries: int | None = None


@dataclass(frozen=True, slots=True)
class Guarantees:
    """What a store promises with the server that it found.

    Attributes:
        backend: The name of the backend.
        isolation: The isolation of transactions.
        durability: The durability class.
        outcome_retention: For how long the outcome of a commit is remembered. ``resolve`` refuses a commit that began
            longer ago than half of it, so an outcome that was forgotten is never taken for a commit that did not
            happen.
        transport: How requests reach the server: ``fast`` or ``plain`` (public calls of the driver only); empty where
            there is no server.
        transport_reason: Why it is that one.
        leases: Whether the backend keeps the pulses of leases, and checks ``fenced`` and ``silent`` in commits.
        feed: Whether the backend has a feed of all commits.
        feed_retention: How many of the newest commits the feed keeps at least; 0 where only the server knows.
        limits: What one commit can hold on this server. A larger one is refused before it is sent.
    """

    backend: str
    isolation: str
    durability: Durability
    outcome_retention: timedelta = timedelta(hours=24)
    transport: str = ""
    transport_reason: str = ""
    leases: bool = False
    feed: bool = False
    feed_retention: int = 0
    limits: WriteLimits = WriteLimits()

    def refuse_below(self, wanted: Durability | None) -> None:
        """Refuse a server that promises less than the caller demands.

        Raises:
            Misconfigured: It does.
        """
        if wanted is not None and self.durability.rank < wanted.rank:
            raise Misconfigured(
                f"This {self.backend} store cannot give the durability {wanted!s}.",
                why=[f"what an acknowledged commit survives here is of the class {self.durability!s}"],
                hint="set the server up for it, use another backend, or ask for less.",
                setting="require",
            )


def checked_transport(wish: Any) -> str:
    """Return how a caller wants requests to reach the server.

    Raises:
        InvalidCall: There is no such way.
    """
    if wish not in ("auto", "plain"):
        raise InvalidCall(
            f"Cannot open a store with transport={wish!r:.40}.",
            why=["there is no such transport to ask for"],
            hint="use 'auto', or 'plain' for public calls of the driver only.",
        )
    return str(wish)
