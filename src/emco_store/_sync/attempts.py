# Generated from src/emco_store/_aio/attempts.py by `python3 dev.py sync`: do not edit.
"""The attempts of one call: repeated while it loses races, and bounded by its deadline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from emco_store._sync.drive import drive
from emco_store._sync.retry import retrying
from emco_store.flows.asking import Flow
from emco_store.flows.context import RetryPolicy, checked_deadline
from emco_store.flows.holding import Holding
from emco_store.ports import Port, deadline as deadlines
from emco_store.queueing.queues import Queues
from emco_store.queueing.waiters import Waiter

T = TypeVar("T")
LEAST_S = 0.5
"""How long an attempt of ``run`` that begins in time, and the end of its holds, may go on after the deadline."""
Attempt = Callable[[Holding, Waiter, float | None], T]
"""One attempt: what it holds together with those before it, how it waits, and when its requests must have ended."""


class Attempts:
    """How the calls of one store are attempted.

    Args:
        port: The port.
        retry: How calls that lose races are repeated.
        deadline: When a call must have ended that has no deadline of its own.

    Attributes:
        port: The port that each request is made of.
    """

    def __init__(self, port: Port, retry: RetryPolicy, deadline: timedelta | None) -> None:
        self.port = port
        self._retry = retry.until(deadline)
        self._deadline = deadline
        self._queues = Queues()

    def end_s(self, deadline: timedelta | None) -> float | None:
        """Return when a call must have ended; None where neither it nor the store has a deadline."""
        given = self._deadline if deadline is None else checked_deadline(deadline)
        return None if given is None else monotonic() + given.total_seconds()

    def by_deadline(self, call: Callable[[], T]) -> T:
        """Do what is no request, within the deadline of the store."""
        end_s = self.end_s(None)
        token = None if end_s is None else deadlines.begin(end_s)
        try:
            return call()
        finally:
            if token is not None:
                deadlines.end(token)

    def once(self, flow: Flow[T], deadline: timedelta | None) -> T:
        """Drive a flow."""
        return drive(flow, self.port, end_s=self.end_s(deadline))

    def queued(self, make: Callable[[], Flow[T]], deadline: timedelta | None) -> T:
        """Drive a flow, and another one while a delete of what it is about has its turn."""
        policy, end_s = self._retry.until(deadline), self.end_s(deadline)
        return retrying(lambda: drive(make(), self.port, end_s=end_s), policy, lambda: Waiter(self._queues))

    def retried(self, make: Callable[[Holding], Flow[T]], deadline: timedelta | None) -> T:
        """Drive a flow, and another one while it loses races."""
        return self.run(lambda holding, waiter, end_s: drive(make(holding), self.port, waiter, end_s=end_s), deadline)

    def run(self, attempt: Attempt[T], deadline: timedelta | None) -> T:
        """Make an attempt, and another one while it loses races."""
        holding = Holding()
        policy, end_s = self._retry.until(deadline), self.end_s(deadline)
        waiter = Waiter(self._queues, holding.wanted, policy.deadline_s)
        try:
            return retrying(lambda: attempt(holding, waiter, end_s), policy, lambda: waiter)
        finally:
            waiter.leave()
            drive(holding.give_back(), self.port, end_s=late(end_s))


def late(end_s: float | None) -> float | None:
    """Return when something must have ended that begins by the deadline; a little later than the deadline itself."""
    return None if end_s is None else max(end_s, monotonic() + LEAST_S)
