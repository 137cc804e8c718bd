"""The narrow waist: what a backend answers and performs, and what it promises while doing so.

A backend decides nothing. It answers three reads and performs one write, :class:`Commit`; it can keep others off some
records for a moment, and can be looked through for flaws. Rules, cascades, retries and validation live above it. Two
protocols say the same for blocking and for asyncio backends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.records import Record, Seal, Stamp
from emco_store.core.values import value
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
class Guarantees:
    """What a store promises with the server that it found.

    Attributes:
        backend: The name of the backend.
        isolation: The isolation of transactions.
        durability: The durability class.
        outcome_retention: For how long the outcome of a commit is remembered. ``resolve`` refuses a commit that began
            longer ago than half of it, so what was forgotten is never taken for what has not happened.
    """

    backend: str
    isolation: str
    durability: Durability
    outcome_retention: timedelta = timedelta(hours=24)

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


@dataclass(frozen=True, slots=True)
class Scan:
    """One step through the records of a kind.

    Attributes:
        kind: Only records of this kind; None for all kinds.
        prefix: Only keys whose text begins so.
        field: Order by this indexed field and then by key; only records that have it. None orders by key.
        low: The least indexed text, inclusive; None for no bound.
        high: The greatest indexed text, inclusive; None for no bound.
        after: Begin behind this position, a pair of indexed text (empty without ``field``) and key text.
        limit: At most so many records, 1 or more.
        descending: Go from the end to the beginning.
    """

    kind: str | None
    prefix: str = ""
    field: str | None = None
    low: str | None = None
    high: str | None = None
    after: tuple[str, str] | None = None
    limit: int = 1000
    descending: bool = False


@value(frozen=True, slots=True)
class ReferrerQuery:
    """One step against the direction of references.

    Attributes:
        targets: Whose referrers are asked for, as one set.
        load: Records to give along with them, as of the same moment.
        after: Only referrers whose key text is behind this one.
        limit: At most so many referrers, 1 or more.
    """

    targets: tuple[Key, ...]
    load: tuple[Key, ...] = ()
    after: str = ""
    limit: int = 1000


@value(frozen=True, slots=True)
class ReferrerPage:
    """What a :class:`ReferrerQuery` found.

    Attributes:
        records: Those of the records to load that are there.
        referrers: The records with an edge to any of the targets, each once, by key text.
    """

    records: Mapping[Key, Record]
    referrers: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """A wish that others leave some records alone for a moment, so that a delete which lost to them can win.

    It is a hint for fairness; no promise rests on it. It ends by itself, by the clock of the server, so one whose
    holder died stops nobody for long.

    Attributes:
        holder: Who may go on.
        keys: The records. Those that are not there, and those that somebody else holds, are passed over.
        lasts: For how long, unless it is released before, or the record is written or deleted.
    """

    holder: str
    keys: tuple[Key, ...]
    lasts: timedelta = timedelta(seconds=3)


@value(frozen=True, slots=True)
class Commit:
    """One atomic write, and all that it rests on.

    Attributes:
        txid: Names the commit; a commit with the same txid has its effect once.
        expect: Each record must be in this state, or absent where None stands.
        require: Each record must be there; its guard moves.
        sealed: Each record must be there with this guard: nobody has referred to it since.
        puts: Whole records, written over whatever has their key. The guard of the record that is replaced is kept.
        deletes: Records that go.
        holder: Whose holds do not stand in its way. What somebody else holds refuses a commit that writes.

    A value in ``puts[…].unique`` may belong to no other record of the kind that remains.
    """

    txid: str
    expect: Mapping[Key, Stamp | None] = field(default_factory=dict[Key, Stamp | None])
    require: frozenset[Key] = frozenset()
    sealed: Mapping[Key, Seal] = field(default_factory=dict[Key, Seal])
    puts: tuple[Record, ...] = ()
    deletes: tuple[Key, ...] = ()
    holder: str = ""

    @property
    def keys(self) -> frozenset[Key]:
        """The keys of all records that it rests on or writes."""
        return self.touched | self.require

    @property
    def touched(self) -> frozenset[Key]:
        """The keys of all records whose state matters or changes, apart from their guards."""
        return frozenset(self.expect).union(self.sealed, (put.key for put in self.puts), self.deletes)

    @property
    def size(self) -> int:
        """The number of records that it writes."""
        return len(self.puts) + len(self.deletes)


@dataclass(frozen=True, slots=True)
class Audit:
    """One step through everything that is stored, to see that it fits together.

    Attributes:
        after: Begin behind this place, which the step before has given; empty for the beginning.
        limit: Look at no more than so many entries, 1 or more; a backend may stop earlier.
    """

    after: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Audited:
    """What an :class:`Audit` came upon.

    Over all steps, each record that is there throughout is given at least once, and each entry that a backend keeps
    beside its records (an index, a unique value, an outcome) is compared with them in both directions.

    Attributes:
        records: Records that can be read.
        absent: Targets of these records that were not there when the backend looked; looking again may find them.
        flaws: What of its own the backend found wrong, each as of one moment, and records that cannot be read.
        entries: How many entries were looked at.
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
    """A record is not in the expected state; ``found`` is None where there is none."""

    key: Key
    expected: Stamp | None
    found: Stamp | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A required record is not there."""

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
    """A record is held for somebody else's delete."""

    key: Key


@dataclass(frozen=True, slots=True)
class Fenced:
    """The txid was settled as aborted before this commit arrived."""

    txid: str


Failure = Stale | Missing | Moved | Taken | Held | Fenced


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing was written, and these preconditions failed: every one of them."""

    failures: tuple[Failure, ...]


class Outcome(StrEnum):
    """How a commit ended."""

    COMMITTED = "committed"
    ABORTED = "aborted"


class OutcomeLost(Exception):
    """Raised by a port when a commit was sent and no answer came: it may or may not have happened."""


class Unreachable(Exception):
    """Raised by a port when a request had no effect because the backend could not be reached."""


def not_open() -> InvalidCall:
    """Make the error for a store that is used before it was opened."""
    return InvalidCall("This store is not open yet.", hint="use it inside `async with connect_async(…) as store`.")


class Port(Protocol):
    """A blocking backend, for one namespace.

    Every method may raise :class:`Unreachable`, and ``commit`` also :class:`OutcomeLost`. No exception of a driver
    leaves a port. A port may be used from several threads at once.
    """

    @property
    def guarantees(self) -> Guarantees:
        """What holds with the server that was found."""
        ...

    def open(self) -> None:
        """Reach the server, see that it can keep its promises, and prepare what requests need; once.

        Raises:
            Misconfigured: A setting would break a promise.
            NotSupported: It is too old, or of a kind that is not proven.
        """
        ...

    def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """Give the records that are there, all as of one moment."""
        ...

    def scan(self, scan: Scan) -> tuple[Record, ...]:
        """Give the records that the scan names, in its order, all as of one moment."""
        ...

    def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """Give the records with an edge to any of the targets, all as of one moment."""
        ...

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """Check every precondition and write everything, or write nothing and name every one that failed.

        The whole call is atomic for every other call, and has its effect once for a txid: repeated, it gives the
        receipt again.

        Rules: ATM-1 to ATM-4, OCC-1.
        """
        ...

    def settle(self, txid: str) -> Outcome:
        """Say how the commit ended; one that has not happened by now never will.

        Rules: ATM-5.
        """
        ...

    def hold(self, hold: Hold) -> None:
        """Keep commits of others off records for a moment.

        Rules: OCC-11.
        """
        ...

    def release(self, hold: Hold) -> None:
        """End what :meth:`hold` began; what is not held by this holder stays as it is."""
        ...

    def audit(self, audit: Audit) -> Audited:
        """Look at the next few of all things that are stored, and name what does not fit; writes nothing.

        A server must not stand still for long meanwhile.

        Raises:
            InvalidCall: ``after`` is not what a step has given.

        Rules: CHK-1, CHK-5.
        """
        ...

    def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """Make entries that ``audit`` has named fit the records as they are by now; no record that fits changes.

        Each by itself, and nothing where nothing is wrong any more, so it is harmless at any time.
        """
        ...

    def close(self) -> None:
        """Give back what was opened."""
        ...


class AsyncPort(Protocol):
    """The same for asyncio; see :class:`Port`."""

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`Port.guarantees`."""
        ...

    async def open(self) -> None:
        """See :meth:`Port.open`."""
        ...

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`Port.get`."""
        ...

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`Port.scan`."""
        ...

    async def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """See :meth:`Port.referrers`."""
        ...

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`Port.commit`."""
        ...

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`Port.settle`."""
        ...

    async def hold(self, hold: Hold) -> None:
        """See :meth:`Port.hold`."""
        ...

    async def release(self, hold: Hold) -> None:
        """See :meth:`Port.release`."""
        ...

    async def audit(self, audit: Audit) -> Audited:
        """See :meth:`Port.audit`."""
        ...

    async def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """See :meth:`Port.mend`."""
        ...

    async def close(self) -> None:
        """See :meth:`Port.close`."""
        ...


@runtime_checkable
class Backend(Protocol):
    """Data that several stores can share, by namespace; ``connect`` accepts one in the place of a URL.

    Its two methods open the same data, so that what a blocking store commits an asyncio store sees.
    """

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        ...

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        ...


class Clock(Protocol):
    """Where a store takes the time from."""

    def now(self) -> datetime:
        """Give the time, in UTC."""
        ...


class IdSource(Protocol):
    """Where a store takes identifiers from."""

    def new(self) -> str:
        """Give a text that was never given before, in any process."""
        ...
