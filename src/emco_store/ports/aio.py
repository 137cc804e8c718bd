"""What a store asks of a port for asyncio, and what a backend answers; the blocking form is made from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Protocol, TypeVar

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports.guarantees import Guarantees
from emco_store.ports.replies import Audited, Outcome, Receipt, ReferrerPage, Refusal
from emco_store.ports.requests import Audit, Commit, Get, Hold, Mend, ReferrerQuery, Release, Request, Scan, Settle

T = TypeVar("T")


class AsyncPort(Protocol):
    """The door into a backend, for one namespace.

    ``ask`` may raise :class:`Unreachable`, and for a commit also :class:`OutcomeLost`. No exception of a driver leaves
    a port. A blocking port may be used from several threads at once.
    """

    @property
    def guarantees(self) -> Guarantees:
        """What holds with the server that was found."""
        ...

    async def open(self) -> None:
        """Reach the server, see that it can keep its promises, and prepare what requests need; once.

        Raises:
            Misconfigured: A setting would break a promise.
            NotSupported: It is too old, or of a kind that is not proven.
        """
        ...

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """Answer one request."""
        ...

    async def close(self) -> None:
        """Release what was opened."""
        ...


class AsyncPortBase(ABC):
    """A port that answers each request by the method of its name: subclass it to write a backend."""

    @property
    @abstractmethod
    def guarantees(self) -> Guarantees:
        """See :attr:`AsyncPort.guarantees`."""

    @abstractmethod
    async def open(self) -> None:
        """See :meth:`AsyncPort.open`."""

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """Answer one request by the method that it names."""
        reply: Awaitable[T] = getattr(self, request.verb)(request)
        return reply

    @abstractmethod
    async def get(self, request: Get) -> Mapping[Key, Record]:
        """Return the records that exist, all as of one moment."""

    @abstractmethod
    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """Return the records that the scan names, in its order, all as of one moment."""

    @abstractmethod
    async def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """Return the records with an edge to any of the targets, all as of one moment."""

    @abstractmethod
    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """Check every precondition and write everything, or write nothing and name every one that failed.

        The whole call is atomic for every other call, and has its effect once for a txid: repeated, it returns the
        receipt again.

        Rules: ATM-1 to ATM-4, OCC-1.
        """

    @abstractmethod
    async def settle(self, request: Settle) -> Outcome:
        """Return how the commit ended; one that has not happened by now never will.

        Rules: ATM-5.
        """

    @abstractmethod
    async def hold(self, hold: Hold) -> None:
        """Refuse commits of other holders on records for a moment.

        Rules: OCC-11.
        """

    @abstractmethod
    async def release(self, release: Release) -> None:
        """End what :meth:`hold` began; what this holder does not hold stays as it is."""

    @abstractmethod
    async def audit(self, audit: Audit) -> Audited:
        """Examine the next few of all things that are stored, and name what does not fit; write nothing.

        A server must not stand still for long meanwhile.

        Raises:
            InvalidCall: ``after`` is not what a step has returned.

        Rules: CHK-1, CHK-5.
        """

    @abstractmethod
    async def mend(self, mend: Mend) -> None:
        """Make entries that ``audit`` has named fit the records as they are by now; no record that fits changes.

        Each by itself, and nothing where nothing is wrong any more, so it is harmless at any time.
        """

    @abstractmethod
    async def close(self) -> None:
        """See :meth:`AsyncPort.close`."""


class AsyncPortWrapper:
    """A port around another: hands everything on; a subclass overrides :meth:`ask`.

    Args:
        inner: The other port.
    """

    def __init__(self, inner: AsyncPort) -> None:
        self._inner = inner

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`AsyncPort.guarantees`."""
        return self._inner.guarantees

    async def open(self) -> None:
        """See :meth:`AsyncPort.open`."""
        await self._inner.open()

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """See :meth:`AsyncPort.ask`."""
        return self._inner.ask(request)

    async def close(self) -> None:
        """See :meth:`AsyncPort.close`."""
        await self._inner.close()
