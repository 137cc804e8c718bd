"""Requests that arrive while others are on their way gather, and the first of them sends them as one group.

A lone request does not wait. Among many, a group costs what one request would, and the longer a group takes, the larger
the next one is. Requests keep the order of their arrival. Nothing here talks to a server.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from emco_store.queueing.forks import Renewed

Q = TypeVar("Q")
A = TypeVar("A")


class Ticket(Generic[Q, A]):
    """One request and its reply.

    Args:
        request: The request.
        weight: Its share of the maximum weight of a group.

    Attributes:
        is_served: Whether there is a reply, or an error in place of one.
        is_taken: Whether it belongs to a group, so that it may have been sent.
    """

    __slots__ = ("_problem", "_reply", "is_served", "is_taken", "promise", "request", "weight")

    def __init__(self, request: Q, weight: int = 1) -> None:
        self.request = request
        self.weight = weight
        self.is_served = False
        self.is_taken = False
        self.promise: Any = None
        self._reply: A | None = None
        self._problem: Exception | None = None

    def answer(self, reply: A) -> None:
        """Store the reply."""
        self._reply, self.is_served = reply, True

    def fail(self, problem: Exception) -> None:
        """Store the error that takes the reply's place."""
        self._problem, self.is_served = problem, True

    def outcome(self) -> A:
        """Return the reply, or raise the error."""
        if self._problem is not None:
            raise self._problem
        return self._reply  # type: ignore[return-value]  # it was served, with or without a problem


class _BaseBatcher(Renewed, Generic[Q, A]):
    """Which request leads a group, which wait, and which is next; what both forms share.

    Args:
        members: Maximum number of requests in a group.
        weight: Maximum weight of a group; a heavier request is sent alone.
        groups: Maximum number of groups on their way at once (>= 1).
    """

    def __init__(self, *, members: int, weight: int, groups: int = 1) -> None:
        super().__init__()
        self._members = members
        self._weight = weight
        self._groups = groups
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._lock = threading.Lock()
        self._free = self._groups
        self._waiting: deque[Ticket[Q, A]] = deque()

    def goes_at_once(self) -> bool:
        """Return True if a request may go now, alone and without a ticket; after it, call ``finish(())``."""
        with self._lock:
            return self._enter()

    def take(self, ticket: Ticket[Q, A]) -> Sequence[Ticket[Q, A]]:
        """Return the group that a leading ticket sends: the ticket itself, then those that wait, in order."""
        group = [ticket]
        weight = ticket.weight
        with self._lock:
            while self._waiting and len(group) < self._members:
                weight += self._waiting[0].weight
                if weight > self._weight:
                    break
                if not (following := self._waiting.popleft()).promise.done():
                    following.is_taken = True
                    group.append(following)
        return group

    def finish(self, group: Sequence[Ticket[Q, A]]) -> None:
        """Wake the members of a group that has ended, and start the next one.

        Members that were not served, because the leader was interrupted, are woken as well: what was sent for them may
        still arrive, so they must not take a later refusal for the answer.
        """
        with self._lock:
            for ticket in group[1:]:
                if not ticket.promise.done():
                    ticket.promise.set_result(False)
            self._pass_on()

    def _begin(self, ticket: Ticket[Q, A], promise: Callable[[], Any]) -> bool:
        """Return True if the ticket leads at once; otherwise append it to the queue."""
        with self._lock:
            if self._enter():
                return True
            ticket.promise = promise()
            self._waiting.append(ticket)
            return False

    def _enter(self) -> bool:
        if not self._free:
            return False
        self._free -= 1
        return True

    def _abandon(self, ticket: Ticket[Q, A]) -> None:
        """Forget a ticket whose caller no longer waits; if it has just become the leader, the next one leads."""
        with self._lock:
            promise = ticket.promise
            if not promise.done():
                promise.cancel()
            elif not promise.cancelled() and promise.exception() is None and promise.result():
                self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            ticket = self._waiting.popleft()
            if not ticket.promise.done():
                ticket.promise.set_result(True)
                return
        self._free += 1


class Batcher(_BaseBatcher[Q, A]):
    """The batcher for threads."""

    def wait_turn(self, ticket: Ticket[Q, A], within_s: float | None = None) -> bool:
        """Wait until the ticket leads a group, or until the group that it went with has ended.

        Args:
            ticket: The ticket.
            within_s: How long to wait, in seconds.

        Returns:
            True if it leads; False if it went with the group of another leader.

        Raises:
            TimeoutError: Neither has happened in time.
        """
        if self._begin(ticket, Future):
            return True
        try:
            return bool(ticket.promise.result(within_s))
        except BaseException:
            self._abandon(ticket)
            raise


class AsyncBatcher(_BaseBatcher[Q, A]):
    """The batcher for the tasks of one event loop.

    One timer serves all that wait: one for each costs a get among many a fifteenth of its work.
    """

    def _renew(self) -> None:
        super()._renew()
        self._ends_s: dict[asyncio.Future[bool], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait_turn(self, ticket: Ticket[Q, A], within_s: float | None = None) -> bool:
        """See :meth:`Batcher.wait_turn`."""
        loop = asyncio.get_running_loop()
        if self._begin(ticket, loop.create_future):
            return True
        if within_s is not None:
            self._limit(ticket.promise, loop.time() + within_s, loop)
        try:
            return bool(await ticket.promise)
        except BaseException:
            self._abandon(ticket)
            raise
        finally:
            self._ends_s.pop(ticket.promise, None)

    def _limit(self, promise: asyncio.Future[bool], end_s: float, loop: asyncio.AbstractEventLoop) -> None:
        """Let a wait end at a moment, as the loop counts."""
        self._ends_s[promise] = end_s
        if self._timer is None or end_s < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(end_s, self._expire, end_s, loop)

    def _expire(self, due_s: float, loop: asyncio.AbstractEventLoop) -> None:
        """End what has waited for too long; a timer may ring a moment before it is due."""
        due_s = max(due_s, loop.time())
        left_s: list[float] = []
        for promise, end_s in self._ends_s.items():
            if end_s > due_s:
                left_s.append(end_s)
            elif not promise.done():
                promise.set_exception(TimeoutError())
        self._timer = loop.call_at(min(left_s), self._expire, min(left_s), loop) if left_s else None
