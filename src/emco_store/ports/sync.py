# Generated from src/emco_store/ports/aio.py by `python3 dev.py sync`: do not edit.
"""What a store asks of a port for time, and what a backend answers; the blocking form is made from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol, TypeVar

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports.guarantees import Guarantees
from emco_store.ports.replies import Audited, Outcome, Receipt, ReferrerPage, Refusal
from emco_store.ports.requests import Audit, Commit, Get, Hold, Mend, ReferrerQuery, Release, Request, Scan, Settle

T = TypeVar("T")


class Port(Protocol):
    """The door into a backend, for one namespace.

    ``ask`` may raise :class:`Unreachable`, and for a commit also :class:`OutcomeLost`. No exception of a driver leaves
    a port. A blocking port may be used from several threads at once.
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

    def ask(self, request: Request[T]) -> T:
        """Answer one request."""
        ...

    def close(self) -> None:
        """Release what was opened."""
        ...


class PortBase(ABC):
    """A port that answers each request by the method of its name: subclass it to write a backend."""

    @property
    @abstractmethod
    def guarantees(self) -> Guarantees:
        """See :attr:`Port.guarantees`."""

    @abstractmethod
    def open(self) -> None:
        """See :meth:`Port.open`."""

    def ask(self, request: Request[T]) -> T:
        """Answer one request by the method that it names."""
        reply: T = getattr(self, request.verb)(request)
        return reply

    @abstractmethod
    def get(self, request: Get) -> Mapping[Key, Record]:
        """Return the records that exist, all as of one moment."""

    @abstractmethod
    def scan(self, scan: Scan) -> tuple[Record, ...]:
        """Return the records that the scan names, in its order, all as of one moment."""

    @abstractmethod
    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """Return the records with an edge to any of the targets, all as of one moment."""

    @abstractmethod
    def commit(self, commit: Commit) -> Receipt | Refusal:
        """Check every precondition and write everything, or write nothing and name every one that failed.

        The whole call is atomic for every other call, and has its effect once for a txid: repeated, it returns the
        receipt again.

        Rules: ATM-1 to ATM-4, OCC-1.
        """

    @abstractmethod
    def settle(self, request: Settle) -> Outcome:
        """Return how the commit ended; one that has not happened by now never will.

        Rules: ATM-5.
        """

    @abstractmethod
    def hold(self, hold: Hold) -> None:
        """Refuse commits of other holders on records for a moment.

        Rules: OCC-11.
        """

    @abstractmethod
    def release(self, release: Release) -> None:
        """End what :meth:`hold` began; what this holder does not hold stays as it is."""

    @abstractmethod
    def audit(self, audit: Audit) -> Audited:
        """Examine the next few of all things that are stored, and name what does not fit; write nothing.

        A server must not stand still for long meanwhile.

        Raises:
            InvalidCall: ``after`` is not what a step has returned.

        Rules: CHK-1, CHK-5.
        """

    @abstractmethod
    def mend(self, mend: Mend) -> None:
        """Make entries that ``audit`` has named fit the records as they are by now; no record that fits changes.

        Each by itself, and nothing where nothing is wrong any more, so it is harmless at any time.
        """

    @abstractmethod
    def close(self) -> None:
        """See :meth:`Port.close`."""


class PortWrapper:
    """A port around another: hands everything on; a subclass overrides :meth:`ask`.

    Args:
        inner: The other port.
    """

    def __init__(self, inner: Port) -> None:
        self._inner = inner

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`Port.guarantees`."""
        return self._inner.guarantees

    def open(self) -> None:
        """See :meth:`Port.open`."""
        self._inner.open()

    def ask(self, request: Request[T]) -> T:
        """See :meth:`Port.ask`."""
        return self._inner.ask(request)

    def close(self) -> None:
        """See :meth:`Port.close`."""
        self._inner.close()
