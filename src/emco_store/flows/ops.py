"""The requests that a flow yields, each of which knows the method of a port that answers it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Generator, Mapping
from typing import Any, Generic, TypeVar

from emco_store import ports
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.values import value
from emco_store.errors import Unavailable
from emco_store.ports import AsyncPort, Port

T = TypeVar("T")
Flow = Generator["Op[Any]", Any, T]
"""A computation that pauses at each request to the backend and ends with a ``T``."""


class Op(ABC, Generic[T]):
    """One request; ``reply = yield from op.ask()`` keeps the type of the reply."""

    __slots__ = ()

    @abstractmethod
    def on(self, port: Port) -> T:
        """Perform it on a blocking port."""

    @abstractmethod
    def on_async(self, port: AsyncPort) -> Awaitable[T]:
        """Perform it on an asyncio port."""

    def ask(self) -> Generator[Op[Any], Any, T]:
        """Hand the request to whoever drives the flow, and give back the reply."""
        reply: T = yield self
        return reply


class Read(Op[T]):
    """A request that writes nothing: when the backend cannot be reached, that is all there is to tell."""

    __slots__ = ()

    def ask(self) -> Generator[Op[Any], Any, T]:
        """See :meth:`Op.ask`."""
        try:
            reply: T = yield self
        except ports.Unreachable as problem:
            raise unavailable() from problem
        return reply


@value(frozen=True, slots=True)
class Get(Read[Mapping[Key, Record]]):
    """Ask for records by key."""

    keys: tuple[Key, ...]

    def on(self, port: Port) -> Mapping[Key, Record]:
        """See :meth:`Op.on`."""
        return port.get(self.keys)

    def on_async(self, port: AsyncPort) -> Awaitable[Mapping[Key, Record]]:
        """See :meth:`Op.on_async`."""
        return port.get(self.keys)


@value(frozen=True, slots=True)
class Scan(Read[tuple[Record, ...]]):
    """Ask for records in an order."""

    scan: ports.Scan

    def on(self, port: Port) -> tuple[Record, ...]:
        """See :meth:`Op.on`."""
        return port.scan(self.scan)

    def on_async(self, port: AsyncPort) -> Awaitable[tuple[Record, ...]]:
        """See :meth:`Op.on_async`."""
        return port.scan(self.scan)


@value(frozen=True, slots=True)
class Referrers(Read[ports.ReferrerPage]):
    """Ask who refers to any of the targets."""

    follow: ports.ReferrerQuery

    def on(self, port: Port) -> ports.ReferrerPage:
        """See :meth:`Op.on`."""
        return port.referrers(self.follow)

    def on_async(self, port: AsyncPort) -> Awaitable[ports.ReferrerPage]:
        """See :meth:`Op.on_async`."""
        return port.referrers(self.follow)


@value(frozen=True, slots=True)
class Look(Read[ports.Audited]):
    """Ask for a look at the next few of all things that are stored."""

    audit: ports.Audit

    def on(self, port: Port) -> ports.Audited:
        """See :meth:`Op.on`."""
        return port.audit(self.audit)

    def on_async(self, port: AsyncPort) -> Awaitable[ports.Audited]:
        """See :meth:`Op.on_async`."""
        return port.audit(self.audit)


@value(frozen=True, slots=True)
class Mend(Op[None]):
    """Ask that entries of the backend fit the records."""

    flaws: tuple[Flaw, ...]

    def on(self, port: Port) -> None:
        """See :meth:`Op.on`."""
        port.mend(self.flaws)

    def on_async(self, port: AsyncPort) -> Awaitable[None]:
        """See :meth:`Op.on_async`."""
        return port.mend(self.flaws)


@value(frozen=True, slots=True)
class Submit(Op[ports.Receipt | ports.Refusal]):
    """Ask for a commit."""

    commit: ports.Commit

    def on(self, port: Port) -> ports.Receipt | ports.Refusal:
        """See :meth:`Op.on`."""
        return port.commit(self.commit)

    def on_async(self, port: AsyncPort) -> Awaitable[ports.Receipt | ports.Refusal]:
        """See :meth:`Op.on_async`."""
        return port.commit(self.commit)


@value(frozen=True, slots=True)
class Settle(Op[ports.Outcome]):
    """Ask how a commit ended, and make sure that it can no longer end otherwise."""

    txid: str

    def on(self, port: Port) -> ports.Outcome:
        """See :meth:`Op.on`."""
        return port.settle(self.txid)

    def on_async(self, port: AsyncPort) -> Awaitable[ports.Outcome]:
        """See :meth:`Op.on_async`."""
        return port.settle(self.txid)


@value(frozen=True, slots=True)
class Hold(Op[None]):
    """Ask that others leave records alone for a moment."""

    hold: ports.Hold

    def on(self, port: Port) -> None:
        """See :meth:`Op.on`."""
        port.hold(self.hold)

    def on_async(self, port: AsyncPort) -> Awaitable[None]:
        """See :meth:`Op.on_async`."""
        return port.hold(self.hold)


@value(frozen=True, slots=True)
class Release(Op[None]):
    """Let others go on."""

    hold: ports.Hold

    def on(self, port: Port) -> None:
        """See :meth:`Op.on`."""
        port.release(self.hold)

    def on_async(self, port: AsyncPort) -> Awaitable[None]:
        """See :meth:`Op.on_async`."""
        return port.release(self.hold)


def unavailable() -> Unavailable:
    """Make the error for a backend that cannot be reached."""
    return Unavailable(
        "The backend cannot be asked; nothing was written.", why=["it does not answer"], hint="try again later."
    )
