"""Faults around the requests of any backend: it is out of reach, a reply is lost, or something happens in between."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from emco_store.ports import (
    AsyncPort,
    AsyncPortWrapper,
    Backend,
    Commit,
    OutcomeLost,
    Port,
    PortWrapper,
    Request,
    Unreachable,
)

T = TypeVar("T")
R = TypeVar("R", bound=Request[Any])
Kind = type[Request[Any]]
"""The class of the requests that are meant."""
Moment = Literal["before", "after"]


class ClientDied(BaseException):
    """Stands for the death of the client: the library must not catch it and continue."""


@dataclass(slots=True)
class _Plan:
    kind: Kind
    moment: Moment
    action: Callable[[], Any]
    times: int


class Faults:
    """The requests to a backend so far, and what happens around the next ones.

    Attributes:
        requests: All requests so far.
        were_planned: Whether anything was ever planned, even if it was cleared since.
    """

    def __init__(self) -> None:
        self.requests: list[Request[Any]] = []
        self.were_planned = False
        self._plans: list[_Plan] = []

    def do(self, kind: Kind, action: Callable[[], Any], *, moment: Moment = "before", times: int = 1) -> None:
        """Call ``action`` around the next requests of a class; an error that it raises replaces the reply.

        If the action returns an awaitable, a port for asyncio awaits it.
        """
        self.were_planned = True
        self._plans.append(_Plan(kind, moment, action, times))

    def unreachable(self, kind: Kind, *, moment: Moment = "before", times: int = 1) -> None:
        """Make requests fail without effect, or lose the replies of reads, also of one that waits already."""
        self.do(kind, _raiser(Unreachable("planned")), moment=moment, times=times)

    def lose_request(self, *, times: int = 1) -> None:
        """Lose the requests of commits: they do not happen, and no reply comes."""
        self.do(Commit, _raiser(OutcomeLost("planned")), times=times)

    def lose_reply(self, *, times: int = 1) -> None:
        """Lose the replies of commits: they happen, and no reply comes."""
        self.do(Commit, _raiser(OutcomeLost("planned")), moment="after", times=times)

    def clear(self) -> None:
        """Forget what was planned, and the requests so far."""
        self.requests.clear()
        self._plans.clear()

    def asked(self, kind: type[R]) -> list[R]:
        """Return the requests of a class so far."""
        return [request for request in self.requests if isinstance(request, kind)]

    def count(self, kind: Kind) -> int:
        """Return the number of requests of a class so far."""
        return len(self.asked(kind))

    def strike(self, request: Request[Any], moment: Moment) -> Any:
        """Run what is planned for this moment; called by the ports."""
        if moment == "before":
            self.requests.append(request)
        for plan in self._plans:
            if isinstance(request, plan.kind) and plan.moment == moment and plan.times > 0:
                plan.times -= 1
                return plan.action()
        return None


def _raiser(problem: Exception) -> Callable[[], None]:
    def act() -> None:
        raise problem

    return act


@dataclass(frozen=True, slots=True)
class FaultyBackend:
    """A backend with faults around its ports; see :class:`emco_store.ports.Backend`."""

    inner: Backend
    faults: Faults

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return FaultyPort(self.inner.port(namespace), self.faults)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        return FaultyAsyncPort(self.inner.async_port(namespace), self.faults)


class FaultyPort(PortWrapper):
    """A blocking port with faults around its requests."""

    def __init__(self, inner: Port, faults: Faults) -> None:
        super().__init__(inner)
        self._faults = faults

    def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        self._faults.strike(request, "before")
        reply = super().ask(request)
        self._faults.strike(request, "after")
        return reply


class FaultyAsyncPort(AsyncPortWrapper):
    """The same for asyncio; each request lets other tasks run first, as every real one does."""

    def __init__(self, inner: AsyncPort, faults: Faults) -> None:
        super().__init__(inner)
        self._faults = faults

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        await asyncio.sleep(0)
        await _settled(self._faults.strike(request, "before"))
        reply = await super().ask(request)
        await _settled(self._faults.strike(request, "after"))
        return reply


async def _settled(result: Any) -> None:
    if inspect.isawaitable(result):
        await result


def points_around(
    requests: Sequence[type[Request[Any]]], every: int
) -> Iterator[tuple[type[Request[Any]], int, Moment]]:  # fmt: skip
    """Yield moments around requests, every so many of them: the class, how many of it come before, and which moment."""
    moments: tuple[Moment, Moment] = ("before", "after")
    turn = 0
    for number, kind in enumerate(requests):
        for moment in moments:
            turn += 1
            if turn % every == 0:
                yield kind, requests[:number].count(kind), moment
