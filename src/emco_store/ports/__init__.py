"""The narrow waist: what a store asks of a backend, and what a backend promises while it answers.

A backend decides nothing. It answers three reads and performs one write, :class:`Commit`; it can keep others off some
records for a moment, keeps the heartbeats of leases, tells what was committed, and can be examined for flaws. Rules,
cascades, retries and validation live above it.

A store has one door into it, ``port.ask(request)``. The requests stand in :mod:`.requests`, the replies in
:mod:`.replies`; a backend subclasses :class:`PortBase` or :class:`AsyncPortBase`.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from emco_store.ports.aio import AsyncPort, AsyncPortBase, AsyncPortWrapper
from emco_store.ports.guarantees import Durability, Guarantees, WriteLimits
from emco_store.ports.replies import (
    Alive,
    Audited,
    Beaten,
    EventPage,
    Failure,
    Fenced,
    Held,
    Lapsed,
    Missing,
    Moved,
    Outcome,
    OutcomeLost,
    PulsePage,
    Receipt,
    RecordPage,
    ReferrerPage,
    Refusal,
    Stale,
    Taken,
    Unreachable,
    feed_gap,
    no_cursor,
    no_feed,
    no_leases,
    not_open,
)
from emco_store.ports.requests import (
    Audit,
    Beat,
    Commit,
    Count,
    Events,
    Get,
    Hold,
    Mend,
    Pulses,
    ReferrerQuery,
    Release,
    Request,
    Scan,
    Settle,
)
from emco_store.ports.sources import Clock, IdSource
from emco_store.ports.sync import Port, PortBase, PortWrapper

__all__ = [
    "Alive",
    "AsyncPort",
    "AsyncPortBase",
    "AsyncPortWrapper",
    "Audit",
    "Audited",
    "Backend",
    "Beat",
    "Beaten",
    "Clock",
    "Commit",
    "Count",
    "Durability",
    "EventPage",
    "Events",
    "Failure",
    "Fenced",
    "Get",
    "Guarantees",
    "Held",
    "Hold",
    "IdSource",
    "Lapsed",
    "Mend",
    "Missing",
    "Moved",
    "Outcome",
    "OutcomeLost",
    "Port",
    "PortBase",
    "PortWrapper",
    "PulsePage",
    "Pulses",
    "Receipt",
    "RecordPage",
    "ReferrerPage",
    "ReferrerQuery",
    "Refusal",
    "Release",
    "Request",
    "Scan",
    "Settle",
    "Stale",
    "Taken",
    "Unreachable",
    "WriteLimits",
    "feed_gap",
    "no_cursor",
    "no_feed",
    "no_leases",
    "not_open",
]


@runtime_checkable
class Backend(Protocol):
    """Data that several stores can share, by namespace; ``connect`` accepts a backend instead of a URL.

    Its two methods open the same data, so that what a blocking store commits an asyncio store sees.
    """

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        ...

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        ...
