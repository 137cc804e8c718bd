"""Requests: what a store can ask of a port, each as one value that knows the type of its reply.

A new request takes a class here, an abstract method of its name in :mod:`emco_store.ports.aio`, and that method in each
backend. Wrappers, adapters and the drivers of flows pass on requests that they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from datetime import timedelta
from typing import Any, ClassVar, Final, Generic, TypeVar

from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.pulses import Heartbeat, Seen
from emco_store.core.records import Record, Seal, Stamp
from emco_store.core.values import Nothing, value
from emco_store.ports.replies import (
    Audited,
    Beaten,
    EventPage,
    Outcome,
    PulsePage,
    Receipt,
    RecordPage,
    ReferrerPage,
    Refusal,
)

Reply_co = TypeVar("Reply_co", covariant=True)


_NOTHING: Final[Mapping[Key, Any]] = Nothing()


class Request(Generic[Reply_co]):
    """One request to a port.

    Attributes:
        verb: The name of the method of a backend's port that answers it.
    """

    __slots__ = ()
    verb: ClassVar[str]


@value(frozen=True, slots=True)
class Get(Request[Mapping[Key, Record]]):
    """Read records by key.

    Attributes:
        keys: The keys; there may be none.
    """

    verb: ClassVar[str] = "get"
    keys: tuple[Key, ...]


@value(frozen=True, slots=True)
class Scan(Request[RecordPage]):
    """Read the next records in an order.

    Attributes:
        kind: Only records of this kind; None for all kinds, and then never with ``field``.
        prefix: Only keys whose text begins with this.
        field: Order by this indexed field and then by key; only records that have it. None orders by key.
        equal: Only this indexed text, so that the order is by key; None for any text. Only with ``field``.
        low: Only indexed texts from this one on; None for no bound. Only with ``field``, never with ``equal``.
        below: Only indexed texts that are less than this; None for no bound. Only with ``field``, never with ``equal``.
        until: Only keys whose text is less than this; empty for no bound. Never with ``field``.
        after: Start after this position, a pair of indexed text (empty without ``field``) and key text. There need be
            no record at it.
        limit: Maximum number of records (>= 1).
        descending: Read from the end to the beginning.

    Raises:
        ValueError: These do not go together.
    """

    verb: ClassVar[str] = "scan"
    kind: str | None
    prefix: str = ""
    _: KW_ONLY
    field: str | None = None
    equal: str | None = None
    low: str | None = None
    below: str | None = None
    until: str = ""
    after: tuple[str, str] | None = None
    limit: int = 1000
    descending: bool = False

    def __post_init__(self) -> None:
        is_bounded = self.low is not None or self.below is not None
        if self.field is None:
            is_wrong = is_bounded or self.equal is not None
        else:
            is_wrong = self.kind is None or bool(self.until) or (is_bounded and self.equal is not None)
        if is_wrong:
            raise ValueError(f"The parts of this scan do not go together: {self!r}")


@value(frozen=True, slots=True)
class Count(Request[int]):
    """Count the records that a scan would find if it had no limit.

    Attributes:
        scan: What to count; with ``field``, ``prefix`` is that of the whole kind, or ``equal`` is given. Its
            ``limit`` and ``descending`` do not count.
    """

    verb: ClassVar[str] = "count"
    scan: Scan


@value(frozen=True, slots=True)
class ReferrerQuery(Request[ReferrerPage]):
    """Read the next referrers of records.

    Attributes:
        targets: The records that are referred to, as one set.
        load: Records to read along with the referrers, as of the same moment.
        after: Only referrers whose key text is greater than this.
        limit: Maximum number of referrers (>= 1).
    """

    verb: ClassVar[str] = "referrers"
    targets: tuple[Key, ...]
    load: tuple[Key, ...] = ()
    after: str = ""
    limit: int = 1000


@value(frozen=True, slots=True)
class Commit(Request[Receipt | Refusal]):
    """One atomic write, and all that it rests on.

    Attributes:
        txid: Names the commit; a commit with the same txid has its effect once.
        expect: Each record must be in this state, or absent where None stands.
        require: Each record must exist; its guard moves.
        sealed: Each record must exist with this guard: nobody has referred to it since.
        fenced: Each record must exist with this uid, in whatever version: the leases that the commit requires.
        silent: For the lease of each key, nothing may have beaten beyond what was seen; the commit ends its pulse.
        puts: Whole records, written over whatever has their key. The guard of the record that is replaced is kept.
        deletes: Records to delete.
        holder: Whose holds do not refuse it. A record that another holder holds refuses a commit that writes.
        origin: Who makes it and why, for the feed.
        messages: What the feed tells of it beside its changes. A commit with messages begins the feed, if nobody has.

    A value in ``puts[…].unique`` may belong to no other record of the kind that remains.
    """

    verb: ClassVar[str] = "commit"
    txid: str
    expect: Mapping[Key, Stamp | None] = _NOTHING
    require: frozenset[Key] = frozenset()
    sealed: Mapping[Key, Seal] = _NOTHING
    puts: tuple[Record, ...] = ()
    deletes: tuple[Key, ...] = ()
    holder: str = ""
    fenced: Mapping[Key, str] = _NOTHING
    silent: Mapping[Key, Seen] = _NOTHING
    origin: Origin = NOBODY
    messages: tuple[Message, ...] = ()

    @property
    def keys(self) -> frozenset[Key]:
        """The keys of all records that it rests on or writes, apart from those that are fenced."""
        return self.touched | self.require

    @property
    def touched(self) -> frozenset[Key]:
        """The keys of all records whose state matters or changes, apart from their guards."""
        return frozenset(self.expect).union(self.sealed, (put.key for put in self.puts), self.deletes)

    @property
    def size(self) -> int:
        """The number of records and messages that it writes."""
        return len(self.puts) + len(self.deletes) + len(self.messages)


@value(frozen=True, slots=True)
class Settle(Request[Outcome | None]):
    """Settle how a commit ended, and make sure that it can no longer end otherwise.

    Attributes:
        txid: The name of the commit.
    """

    verb: ClassVar[str] = "settle"
    txid: str


@value(frozen=True, slots=True)
class Hold(Request[None]):
    """Take an advisory lock with an expiry on records, so that a delete that lost to other commits can win.

    It is a hint for fairness; no promise rests on it. It ends by itself, by the clock of the server, so a hold whose
    holder died stops nobody for long.

    Attributes:
        holder: Whose commits go on.
        keys: The records. Those that do not exist, and those that another holder holds, are passed over.
        lasts: When it ends, unless it is released before, or the record is written or deleted.
    """

    verb: ClassVar[str] = "hold"
    holder: str
    keys: tuple[Key, ...]
    lasts: timedelta = timedelta(seconds=3)


@value(frozen=True, slots=True)
class Release(Request[None]):
    """End holds before their time.

    Attributes:
        holder: Whose holds.
        keys: The records.
    """

    verb: ClassVar[str] = "release"
    holder: str
    keys: tuple[Key, ...]


@value(frozen=True, slots=True)
class Beat(Request[Beaten]):
    """Say that the holders of leases are alive.

    Attributes:
        beats: The newest beat of each lease, by the uid of the lease.
    """

    verb: ClassVar[str] = "beat"
    beats: Mapping[str, Heartbeat]


@value(frozen=True, slots=True)
class Pulses(Request[PulsePage]):
    """Read the next pulses, by the uids of their leases.

    Attributes:
        due: Only those after which no beat came for their TTL, by the clock of the server.
        uids: Only those of these leases; None for all.
        after: Only those whose uid is greater than this.
        limit: Maximum number of pulses (>= 1).
    """

    verb: ClassVar[str] = "pulses"
    due: bool = False
    uids: tuple[str, ...] | None = None
    after: str = ""
    limit: int = 1000


@value(frozen=True, slots=True)
class Events(Request[EventPage]):
    """Read the next events of the feed.

    Attributes:
        after: Start after the event of this cursor. None asks where the feed ends now: the reply holds no events, and
            everything that is committed after it comes after its cursor.
        limit: Maximum number of events (>= 1).
        wait: How long to wait if there is no event yet; never with ``after=None``.
        oldest: With ``after=None``, ask where the feed begins: all events that it keeps come after the cursor.
    """

    verb: ClassVar[str] = "events"
    after: str | None = None
    limit: int = 1000
    wait: timedelta = timedelta(0)
    oldest: bool = False


@value(frozen=True, slots=True)
class Audit(Request[Audited]):
    """Examine the next part of everything that is stored, to see that it fits together.

    Attributes:
        after: Start after this place, which the step before returned; empty for the beginning.
        limit: Maximum number of entries (>= 1); a backend may stop earlier.
    """

    verb: ClassVar[str] = "audit"
    after: str = ""
    limit: int = 1000


@value(frozen=True, slots=True)
class Mend(Request[None]):
    """Make entries of the backend fit the records.

    Attributes:
        flaws: What an audit found of the backend's own.
    """

    verb: ClassVar[str] = "mend"
    flaws: tuple[Flaw, ...]
