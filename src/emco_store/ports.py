"""The narrow waist: what a backend answers and performs, and what it promises while doing so.

A backend decides nothing. It answers three reads and performs one write, :class:`Commit`; rules, cascades, retries and
validation live above it. Two protocols say the same for blocking and for asyncio backends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from emco_store.core.keys import Key
from emco_store.core.records import Record, Seal, Stamp
from emco_store.errors import InvalidCall, Misconfigured


class Durability(StrEnum):
    """What an acknowledged commit survives, from least to most."""

    VOLATILE = "volatile"
    """Nothing: it lives in memory."""
    LOCAL_1S = "local-1s"
    """A killed server; a power failure may take the last second."""
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
        outcomes_kept: For how long the outcome of a commit is remembered. ``resolve`` refuses a commit that began
            longer ago than half of it, so what was forgotten is never taken for what has not happened.
    """

    backend: str
    isolation: str
    durability: Durability
    outcomes_kept: timedelta = timedelta(hours=24)

    def refuse_below(self, wanted: Durability | None) -> None:
        """Refuse a server that promises less than the caller demands.

        Raises:
            Misconfigured: It does.
        """
        if wanted is not None and self.durability.rank < wanted.rank:
            raise Misconfigured(
                f"This {self.backend} store cannot give the durability {wanted!s}.",
                why=[f"what an acknowledged commit survives here is of the class {self.durability!s}"],
                do="set the server up for it, use another backend, or ask for less.",
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


@dataclass(frozen=True, slots=True)
class Follow:
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


@dataclass(frozen=True, slots=True)
class Followed:
    """What a :class:`Follow` found.

    Attributes:
        records: Those of the records to load that are there.
        referrers: The records with an edge to any of the targets, each once, by key text.
    """

    records: Mapping[Key, Record]
    referrers: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """One atomic write, and all that it rests on.

    Attributes:
        txid: Names the commit; a commit with the same txid has its effect once.
        expect: Each record must be in this state, or absent where None stands.
        require: Each record must be there; its guard moves.
        sealed: Each record must be there with this guard: nobody has referred to it since.
        puts: Whole records, written over whatever has their key. The guard of the record that is replaced is kept.
        deletes: Records that go.

    A value in ``puts[…].unique`` may belong to no other record of the kind that remains.
    """

    txid: str
    expect: Mapping[Key, Stamp | None] = field(default_factory=dict[Key, Stamp | None])
    require: frozenset[Key] = frozenset()
    sealed: Mapping[Key, Seal] = field(default_factory=dict[Key, Seal])
    puts: tuple[Record, ...] = ()
    deletes: tuple[Key, ...] = ()

    @property
    def size(self) -> int:
        """The number of records that it writes."""
        return len(self.puts) + len(self.deletes)


@dataclass(frozen=True, slots=True)
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
class Fenced:
    """The txid was settled as aborted before this commit arrived."""

    txid: str


Failure = Stale | Missing | Moved | Taken | Fenced


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
    return InvalidCall("This store is not open yet.", do="use it inside `async with connect_async(…) as store`.")


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

    def referrers(self, follow: Follow) -> Followed:
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

    async def referrers(self, follow: Follow) -> Followed:
        """See :meth:`Port.referrers`."""
        ...

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`Port.commit`."""
        ...

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`Port.settle`."""
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
