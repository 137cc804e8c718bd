"""Faults around the requests of any backend: not reached, answer lost, or something else happening in between."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    AsyncPort,
    Audit,
    Audited,
    Backend,
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

T = TypeVar("T")
Name = Literal["get", "scan", "referrers", "commit", "settle", "hold", "release", "audit", "mend"]
Moment = Literal["before", "after"]


class ClientDied(BaseException):
    """Stands for the end of the client: no code of the library may catch it and go on."""


@dataclass(slots=True)
class _Plan:
    name: Name
    moment: Moment
    action: Callable[[], Any]
    times: int


class Faults:
    """What was asked of a backend, and what shall happen around the next requests.

    Attributes:
        requests: The name and the argument of each request so far.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[Name, Any]] = []
        self._plans: list[_Plan] = []

    def do(self, name: Name, action: Callable[[], Any], *, moment: Moment = "before", times: int = 1) -> None:
        """Call ``action`` around the next requests of that name; what it raises takes the reply's place.

        An action that gives an awaitable is awaited where the port is one for asyncio.
        """
        self._plans.append(_Plan(name, moment, action, times))

    def unreachable(self, name: Name, *, times: int = 1) -> None:
        """Let requests have no effect."""
        self.do(name, _raiser(Unreachable("planned")), times=times)

    def lose_request(self, *, times: int = 1) -> None:
        """Let commits not happen, and tell the client nothing."""
        self.do("commit", _raiser(OutcomeLost("planned")), times=times)

    def lose_reply(self, *, times: int = 1) -> None:
        """Let commits happen, and tell the client nothing."""
        self.do("commit", _raiser(OutcomeLost("planned")), moment="after", times=times)

    def clear(self) -> None:
        """Forget what was planned and what was asked."""
        self.requests.clear()
        self._plans.clear()

    def count(self, name: Name) -> int:
        """Give the number of requests of that name so far."""
        return sum(asked == name for asked, _ in self.requests)

    def strike(self, name: Name, moment: Moment, argument: Any = None) -> Any:
        """Do what is planned for this moment; called by the ports."""
        if moment == "before":
            self.requests.append((name, argument))
        for plan in self._plans:
            if (plan.name, plan.moment) == (name, moment) and plan.times > 0:
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


@dataclass(frozen=True, slots=True)
class FaultyPort:
    """A blocking port with faults around its requests; see :class:`emco_store.ports.Port`."""

    inner: Port
    faults: Faults

    @property
    def guarantees(self) -> Guarantees:
        """What the port promises."""
        return self.inner.guarantees

    def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return self._around("get", keys, lambda: self.inner.get(keys))

    def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return self._around("scan", scan, lambda: self.inner.scan(scan))

    def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        self.inner.open()

    def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return self._around("referrers", follow, lambda: self.inner.referrers(follow))

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        return self._around("commit", commit, lambda: self.inner.commit(commit))

    def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        return self._around("settle", txid, lambda: self.inner.settle(txid))

    def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.hold`."""
        self._around("hold", hold, lambda: self.inner.hold(hold))

    def release(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.release`."""
        self._around("release", hold, lambda: self.inner.release(hold))

    def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.Port.audit`."""
        return self._around("audit", audit, lambda: self.inner.audit(audit))

    def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """See :meth:`emco_store.ports.Port.mend`."""
        self._around("mend", flaws, lambda: self.inner.mend(flaws))

    def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        self.inner.close()

    def _around(self, name: Name, argument: Any, request: Callable[[], T]) -> T:
        self.faults.strike(name, "before", argument)
        reply = request()
        self.faults.strike(name, "after")
        return reply


@dataclass(frozen=True, slots=True)
class FaultyAsyncPort:
    """The same for asyncio; each request lets other tasks run first, as every real one does."""

    inner: AsyncPort
    faults: Faults

    @property
    def guarantees(self) -> Guarantees:
        """What the port promises."""
        return self.inner.guarantees

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return await self._around("get", keys, lambda: self.inner.get(keys))

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return await self._around("scan", scan, lambda: self.inner.scan(scan))

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        await self.inner.open()

    async def referrers(self, follow: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return await self._around("referrers", follow, lambda: self.inner.referrers(follow))

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        return await self._around("commit", commit, lambda: self.inner.commit(commit))

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        return await self._around("settle", txid, lambda: self.inner.settle(txid))

    async def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.hold`."""
        await self._around("hold", hold, lambda: self.inner.hold(hold))

    async def release(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.Port.release`."""
        await self._around("release", hold, lambda: self.inner.release(hold))

    async def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.Port.audit`."""
        return await self._around("audit", audit, lambda: self.inner.audit(audit))

    async def mend(self, flaws: tuple[Flaw, ...]) -> None:
        """See :meth:`emco_store.ports.Port.mend`."""
        await self._around("mend", flaws, lambda: self.inner.mend(flaws))

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        await self.inner.close()

    async def _around(self, name: Name, argument: Any, request: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(0)
        await _settled(self.faults.strike(name, "before", argument))
        reply = await request()
        await _settled(self.faults.strike(name, "after"))
        return reply


async def _settled(result: Any) -> None:
    if inspect.isawaitable(result):
        await result
