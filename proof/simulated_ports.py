"""Ports to the simulated server, and the book in which all answers are recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from emco_store.errors import StoreError
from emco_store.ports import (
    AsyncPort,
    AsyncPortBase,
    AsyncPortWrapper,
    Commit,
    Guarantees,
    Outcome,
    OutcomeLost,
    Receipt,
    Refusal,
    Request,
    Settle,
    Unreachable,
)
from proof.simulated_network import Client, Network, NoAnswer, NotSent, Server

ASKED: Final = "asked how it ended"


@dataclass(frozen=True, slots=True)
class Site:
    """What a port of one client reaches."""

    server: Server
    network: Network
    client: Client


Design = Callable[[Site], AsyncPort]
"""Builds the port of a client."""


class PlainPort:
    """A port to the simulated server that sends each request as one message.

    Args:
        site: The server, the network and the client.
    """

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self.site.server.port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        return await self.send(request, self.site.server.port.ask)

    async def send(self, request: Request[Any], execute: Callable[[Any], Any]) -> Any:
        """Send a request as one message.

        Args:
            request: The request.
            execute: What the server does when it arrives.
        """
        call = self.site.network.call
        try:
            return await call(self.site.client, request.verb, _told(request), lambda: execute(request))
        except NotSent:
            raise Unreachable from None
        except NoAnswer:
            raise (OutcomeLost if isinstance(request, Commit) else Unreachable) from None

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""


class SimulatedReads(PlainPort, AsyncPortBase):
    """The part of a port without commits, for ports whose commits are under test."""

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        if isinstance(request, Commit):
            return await AsyncPortBase.ask(self, request)
        return await super().ask(request)


def _told(request: Request[Any]) -> str:
    """Return what the trace shows of a request."""
    return request.txid if isinstance(request, Commit | Settle) else repr(request)


@dataclass(slots=True)
class Book:
    """The answers that clients got to commits.

    Attributes:
        told: The answers for each txid, in order.
        commits: The commit of each txid.
        worst_s: The longest time of a commit at a port, in virtual seconds.
    """

    told: dict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    commits: dict[str, Commit] = field(default_factory=dict[str, Commit])
    worst_s: float = 0.0

    @property
    def unknown(self) -> list[str]:
        """The txids of commits whose outcome is unknown, in order."""
        return sorted(txid for txid, answers in self.told.items() if not _known(answers))

    def broken(self, outcomes: Mapping[str, Outcome]) -> list[str]:
        """Compare the answers with the outcome of each commit."""
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


class Watched(AsyncPortWrapper):
    """A port that records every answer.

    Args:
        inner: The port.
        book: The book.
        time: The clock, in seconds.
    """

    def __init__(self, inner: AsyncPort, book: Book, time: Callable[[], float]) -> None:
        super().__init__(inner)
        self._book = book
        self._time = time

    async def ask(self, request: Request[Any]) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        if isinstance(request, Commit):
            return await self._written(request)
        if not isinstance(request, Settle):
            return await super().ask(request)
        answers = self._book.told[request.txid]
        answers.append(ASKED)
        answer = await super().ask(request)
        answers.append(answer)
        return answer

    async def _written(self, commit: Commit) -> Receipt | Refusal:
        self._book.commits[commit.txid] = commit
        begun_s = self._time()
        answers = self._book.told[commit.txid]
        try:
            answer = await super().ask(commit)
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
