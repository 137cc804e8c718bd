"""Ports to the simulated server, and the book in which all that they were told is written down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import StoreError
from emco_store.ports import (
    AsyncPort,
    Audit,
    Audited,
    Commit,
    Guarantees,
    Hold,
    Outcome,
    OutcomeLost,
    Port,
    Receipt,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Scan,
    Unreachable,
)
from proof.simulated_network import Client, Network, NoAnswer, NotSent, Server

T = TypeVar("T")
ASKED: Final = "asked how it ended"


@dataclass(frozen=True, slots=True)
class Site:
    """What a port of one client reaches."""

    server: Server
    network: Network
    client: Client


Design = Callable[[Site], AsyncPort]
"""Makes the port of a client."""


class SimulatedReads:
    """The requests that do not commit, each of them one message.

    Args:
        site: The server, the way there, and the client.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self.site.server.port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return await self._send("get", _texts(keys), lambda port: port.get(keys))

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return await self._send("scan", scan.kind, lambda port: port.scan(scan))

    async def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return await self._send("referrers", _texts(follow.targets), lambda port: port.referrers(follow))

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        return await self._send("settle", txid, lambda port: port.settle(txid))

    async def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.hold`."""
        await self._send("hold", _texts(hold.keys), lambda port: port.hold(hold))

    async def release(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.release`."""
        await self._send("release", _texts(hold.keys), lambda port: port.release(hold))

    async def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.Port.audit`."""
        return await self._send("audit", audit.after, lambda port: port.audit(audit))

    async def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """See :meth:`emco_store.ports.Port.mend`."""
        await self._send("mend", len(flaws), lambda port: port.mend(flaws))

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""

    async def _send(self, name: str, told: object, request: Callable[[Port], T]) -> T:
        server = self.site.server
        try:
            return await self.site.network.call(self.site.client, name, told, lambda: request(server.port))
        except (NotSent, NoAnswer):
            raise Unreachable from None


class PlainPort(SimulatedReads):
    """A commit is one message."""

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        server = self.site.server
        try:
            return await self.site.network.call(
                self.site.client, "commit", commit.txid, lambda: server.port.commit(commit)
            )
        except NotSent:
            raise Unreachable from None
        except NoAnswer:
            raise OutcomeLost from None


@dataclass(slots=True)
class Book:
    """What clients were told of commits.

    Attributes:
        told: For each txid, every answer in its order.
        commits: What each was about.
        worst_s: The longest that a commit took at a port, in virtual seconds.
    """

    told: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    commits: dict[str, Commit] = field(default_factory=dict[str, Commit])
    worst_s: float = 0.0

    @property
    def unknown(self) -> list[str]:
        """The commits of which nobody knows yet how they ended, in the order of their names."""
        return sorted(txid for txid, answers in self.told.items() if not _known(answers))

    def broken(self, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Compare what was told with what became of each commit."""
        return [text for txid in sorted(self.told) for text in self._judged(txid, outcomes.get(txid))]

    def _judged(self, txid: str, outcome: Outcome | None) -> list[str]:
        answers = self.told[txid]
        commit = self.commits.get(txid)
        happened = outcome is Outcome.COMMITTED
        has_effect = commit is None or commit.size > 0
        found: list[str] = []
        if any(isinstance(answer, Receipt) for answer in answers) and has_effect and not happened:
            found.append(f"{txid} was acknowledged, and has not happened")
        if Outcome.COMMITTED in answers and not happened:
            found.append(f"{txid} was resolved as committed, and has not happened")
        if Outcome.ABORTED in answers and happened:
            found.append(f"{txid} was resolved as aborted, and has happened")
        if happened and Outcome.COMMITTED not in answers:
            if answers and isinstance(answers[-1], Refusal):
                found.append(f"{txid} was refused with {answers[-1].failures}, and has happened: {_named(answers)}")
            elif answers and all(isinstance(answer, Unreachable | StoreError) for answer in answers):
                found.append(f"{txid} was said to have had no effect, and has happened: {_named(answers)}")
        return found


class Watched:
    """A port that writes every answer down.

    Args:
        inner: The port.
        book: Where to.
        time: The clock, in seconds.
    """

    def __init__(self, inner: AsyncPort, book: Book, time: Callable[[], float]) -> None:
        self._inner = inner
        self._book = book
        self._time = time

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        self._book.commits[commit.txid] = commit
        return await self._written(commit.txid, self._inner.commit(commit))

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        answers = self._book.told[txid]
        answers.append(ASKED)
        answer = await self._inner.settle(txid)
        answers.append(answer)
        return answer

    async def _written(self, txid: str, asked: Awaitable[Receipt | Refusal]) -> Receipt | Refusal:
        begun_s = self._time()
        answers = self._book.told[txid]
        try:
            answer = await asked
        except BaseException as problem:
            answers.append(problem)
            raise
        finally:
            self._book.worst_s = max(self._book.worst_s, self._time() - begun_s)
        answers.append(answer)
        return answer


def _known(answers: list[object]) -> bool:
    if any(isinstance(answer, Receipt | Outcome) for answer in answers) or (
        answers and isinstance(answers[-1], Refusal)
    ):
        return True
    return bool(answers) and all(isinstance(answer, Unreachable | StoreError) for answer in answers)


def _named(answers: list[object]) -> str:
    return ", ".join(str(answer) if isinstance(answer, str) else type(answer).__name__ for answer in answers)


def _texts(keys: tuple[Key, ...]) -> str:
    return " ".join(key.text for key in keys)
