"""Replies: what a port answers to requests, and how it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from emco_store.core.events import Event
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.pulses import Pulse
from emco_store.core.records import Record, Stamp
from emco_store.core.values import value
from emco_store.errors import FeedGap, InvalidCall, NotSupported


@value(frozen=True, slots=True)
class RecordPage:
    """The reply to a :class:`Scan`.

    Attributes:
        records: The records, in the order of the scan. There may be fewer than its limit, or none.
        next: Where the next page begins, as ``after`` of the scan that reads it; None says that nothing follows.
    """

    records: tuple[Record, ...]
    next: tuple[str, str] | None


@value(frozen=True, slots=True)
class ReferrerPage:
    """The reply to a :class:`ReferrerQuery`.

    Attributes:
        records: Those of the records to load that exist.
        referrers: The records with an edge to any of the targets, each once, by key text. There may be fewer than the
            limit, or none.
        next: Where the next page begins, as ``after`` of the query that reads it; None says that nothing follows.
    """

    records: Mapping[Key, Record]
    referrers: tuple[Record, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Audited:
    """The reply to an :class:`Audit`.

    Over all steps, each record that exists throughout is returned at least once, and each entry that a backend keeps
    beside its records (an index, a unique value, an outcome) is compared with them in both directions.

    Attributes:
        records: Records that can be read.
        absent: Targets of these records that did not exist when the backend looked; looking again may find them.
        flaws: What is wrong with the backend's own entries, each as of one moment, and records that cannot be read.
        entries: The number of entries that were examined.
        next: Where the next step begins; None at the end.
    """

    records: tuple[Record, ...] = ()
    absent: frozenset[Key] = frozenset()
    flaws: tuple[Flaw, ...] = ()
    entries: int = 0
    next: str | None = None


@value(frozen=True, slots=True)
class Receipt:
    """A commit has happened."""

    txid: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A record is not in the expected state; ``found`` is None where there is no record."""

    key: Key
    expected: Stamp | None
    found: Stamp | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A required record does not exist."""

    key: Key


@dataclass(frozen=True, slots=True)
class Moved:
    """A sealed record is gone, or has been referred to since."""

    key: Key


@dataclass(frozen=True, slots=True)
class Taken:
    """A unique value belongs to another record."""

    key: Key
    field: str
    owner: Key


@dataclass(frozen=True, slots=True)
class Held:
    """Another holder holds a record for its delete."""

    key: Key


@dataclass(frozen=True, slots=True)
class Lapsed:
    """A record that the commit requires is not there, or is another one by now: a lease is over."""

    key: Key


@dataclass(frozen=True, slots=True)
class Alive:
    """The holder of a lease has beaten again since it was judged."""

    key: Key


@dataclass(frozen=True, slots=True)
class Fenced:
    """The txid was settled as aborted before this commit arrived."""

    txid: str


Failure = Stale | Missing | Moved | Taken | Held | Lapsed | Alive | Fenced


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was written, because these preconditions failed: all that failed are named."""

    failures: tuple[Failure, ...]


@value(frozen=True, slots=True)
class Beaten:
    """The reply to a :class:`Beat`.

    Attributes:
        at_us: The time of the server at which the beats arrived, in microseconds since a fixed moment.
        lapsed: The uids of the leases that are over: their pulses have been removed.
    """

    at_us: int
    lapsed: frozenset[str] = frozenset()


@value(frozen=True, slots=True)
class PulsePage:
    """The reply to :class:`Pulses`.

    Attributes:
        at_us: The time of the server as of which this holds, in microseconds since the moment from which
            ``pulse.at_us`` counts too.
        pulses: The pulses, by uid.
        server: The name of the server that has answered: the same as long as it has forgotten no beat, and another
            after a failover or a restart that may have forgotten some. Empty where that never happens.
        next: Where the next page begins, as ``after`` of the request that reads it; None says that nothing
            follows.
    """

    at_us: int
    pulses: tuple[Pulse, ...] = ()
    server: str = ""
    next: str | None = None


@value(frozen=True, slots=True)
class EventPage:
    """The reply to :class:`Events`.

    Attributes:
        cursor: Where the next page begins: the cursor of the last event. Without events it is a cursor after which
            nothing is left out.
        events: The events, in the order of the feed.
    """

    cursor: str
    events: tuple[Event, ...] = ()


class Outcome(StrEnum):
    """How a commit ended."""

    COMMITTED = "committed"
    ABORTED = "aborted"


class OutcomeLost(Exception):
    """Raised by a port when a commit was sent and no answer came: it may or may not have happened."""


class Unreachable(Exception):
    """Raised by a port when a request had no effect because the backend could not be reached.

    Args:
        reasons: Why, each with the address of its server; nothing in them is secret.
    """

    def __init__(self, *reasons: str) -> None:
        super().__init__(*reasons)
        self.reasons = reasons


def not_open() -> InvalidCall:
    """Build the error for a store that is used before it was opened."""
    return InvalidCall("This store is not open yet.", hint="use it inside `async with connect_async(…) as store`.")


def no_leases() -> NotSupported:
    """Build the error for a lease on a backend that keeps no pulses."""
    return NotSupported(
        "This backend knows no leases.",
        why=["its port answers neither beats nor pulses, as store.guarantees.leases says"],
        hint="use the memory, Redis or MongoDB backend; or write both methods: see the how-to about backends.",
    )


def no_feed() -> NotSupported:
    """Build the error for a backend that has no feed."""
    return NotSupported(
        "This backend has no feed of changes.",
        why=["its port answers no requests for events, as store.guarantees.feed says"],
        hint="use the memory, Redis or MongoDB backend; or write the method: see the how-to about backends.",
    )


def feed_gap(why: str, cursor: str) -> FeedGap:
    """Build the error for a cursor after which something is missing, or may be.

    Args:
        why: What has happened to the event that the cursor names, or to those after it.
        cursor: The cursor.
    """
    return FeedGap(
        "The feed cannot continue after this cursor.",
        why=[why],
        hint="read the resources that you keep a copy of, and watch from a cursor that you took before that.",
        cursor=cursor,
    )


def no_cursor(given: object) -> InvalidCall:
    """Build the error for a text that is no cursor of a feed."""
    return InvalidCall(
        f"Cannot read the feed after {given!r:.80}.",
        why=["it is no cursor of this backend"],
        hint="give the cursor of an event, or None to begin now.",
        argument="after",
    )
