"""Group commit: while one request is on its way, those that come gather, and the first of them goes next with all.

A lone request waits for nothing. Among many, each group costs what one of them would, and the longer a group takes, the
larger the next one is. Requests keep the order in which they came. Nothing here talks to a server.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Ticket(Generic[Q, A]):
    """One request, and what became of it.

    Args:
        request: The request.
        weight: How much of a group it takes.
    """

    __slots__ = ("_problem", "_reply", "is_served", "promise", "request", "weight")

    def __init__(self, request: Q, weight: int = 1) -> None:
        self.request = request
        self.weight = weight
        self.is_served = False
        self.promise: Any = None
        self._reply: A | None = None
        self._problem: Exception | None = None

    def answer(self, reply: A) -> None:
        """Note the reply."""
        self._reply, self.is_served = reply, True

    def fail(self, problem: Exception) -> None:
        """Note that there is none."""
        self._problem, self.is_served = problem, True

    def outcome(self) -> A:
        """Give the reply, or raise why there is none."""
        if self._problem is not None:
            raise self._problem
        return self._reply  # type: ignore[return-value]  # it was served, with or without a problem


class _Queue(Generic[Q, A]):
    """What both forms share: who goes, who waits, and who goes next.

    Args:
        members: How many requests make the largest group.
        weight: How much they may weigh together; a heavier one goes alone.
    """

    def __init__(self, *, members: int, weight: int) -> None:
        self._members = members
        self._weight = weight
        self._lock = threading.Lock()
        self._is_busy = False
        self._waiting: deque[Ticket[Q, A]] = deque()

    def take(self, ticket: Ticket[Q, A]) -> Sequence[Ticket[Q, A]]:
        """Give the group that goes with a ticket whose turn it is: itself first, then those that wait, in order."""
        group = [ticket]
        weight = ticket.weight
        with self._lock:
            while self._waiting and len(group) < self._members:
                weight += self._waiting[0].weight
                if weight > self._weight:
                    break
                if not (following := self._waiting.popleft()).promise.cancelled():
                    group.append(following)
        return group

    def leave(self, group: Sequence[Ticket[Q, A]]) -> None:
        """Tell the members of a group that it has ended, and let the next one go.

        A member that was not served, because the one whose turn it was has been interrupted, is woken as well: what was
        sent for it may still arrive, so it must not take a later refusal for the answer.
        """
        with self._lock:
            for ticket in group[1:]:
                if not ticket.promise.done():
                    ticket.promise.set_result(False)
            self._pass_on()

    def _begin(self, ticket: Ticket[Q, A], promise: Callable[[], Any]) -> bool:
        """Go at once, or wait in the queue."""
        with self._lock:
            if not self._is_busy:
                self._is_busy = True
                return True
            ticket.promise = promise()
            self._waiting.append(ticket)
            return False

    def _abandon(self, ticket: Ticket[Q, A]) -> None:
        """Forget one that no longer waits; the turn that it may just have been given goes to the next."""
        with self._lock:
            promise = ticket.promise
            if promise.done() and not promise.cancelled():
                if promise.result():
                    self._pass_on()
            else:
                promise.cancel()

    def _pass_on(self) -> None:
        while self._waiting:
            ticket = self._waiting.popleft()
            if not ticket.promise.done():
                ticket.promise.set_result(True)
                return
        self._is_busy = False


class Turns(_Queue[Q, A]):
    """The queue for threads."""

    def is_first(self, ticket: Ticket[Q, A]) -> bool:
        """Wait until it is the ticket's turn to go, with a group; False when it went with another's group."""
        if self._begin(ticket, Future):
            return True
        try:
            return bool(ticket.promise.result())
        except BaseException:
            self._abandon(ticket)
            raise


class AsyncTurns(_Queue[Q, A]):
    """The queue for the tasks of one event loop."""

    async def is_first(self, ticket: Ticket[Q, A]) -> bool:
        """See :meth:`Turns.is_first`."""
        if self._begin(ticket, asyncio.get_running_loop().create_future):
            return True
        try:
            return bool(await ticket.promise)
        except BaseException:
            self._abandon(ticket)
            raise
