"""Clients, written once: generators of requests, and functions that answer them.

A client runs in a thread on a blocking store, or in a task on a store for asyncio. Many clients are the load of one
process.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from emco_store._aio.store import AsyncStore
from emco_store._sync.store import Store
from emco_store.contracts.histories.history import Call as Recorded, Result
from emco_store.errors import StoreError, UnknownOutcome
from emco_store.ports import Outcome


class Request(Protocol):
    """A request to a store."""

    def on(self, store: Any) -> Any:
        """Make the request, and return the answer or an awaitable."""
        ...


Script = Generator["Ask", Any, Any]
"""The body of a transaction: yields calls on ``tx``, and returns the steps that it made."""
Client = Generator[Request, Any, None]
"""Everything that one client does."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Call one method of a store or of a transaction."""

    name: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def on(self, store: Any) -> Any:
        """See :class:`Request`."""
        return getattr(store, self.name)(*self.arguments, **self.options)


@dataclass(frozen=True, slots=True)
class Transact:
    """Run a script in a transaction, and repeat it after lost races."""

    script: Callable[[], Script]

    def on(self, store: Store | AsyncStore) -> Any:
        """See :class:`Request`."""
        return store.run(self._later) if isinstance(store, AsyncStore) else store.run(self._now)

    def _now(self, tx: Any) -> Any:
        return play(self.script(), tx)

    async def _later(self, tx: Any) -> Any:
        return await play_async(self.script(), tx)


def play(asking: Generator[Request, Any, Any], store: Any) -> Any:
    """Answer all requests from a blocking store or transaction; return the result of the generator."""
    answer: Any = None
    problem: Exception | None = None
    while True:
        try:
            request = asking.send(answer) if problem is None else asking.throw(problem)
        except StopIteration as end:
            return end.value
        answer = problem = None
        try:
            answer = request.on(store)
        except Exception as raised:  # noqa: BLE001 - the client decides what it means
            problem = raised


async def play_async(asking: Generator[Request, Any, Any], store: Any) -> Any:
    """Answer all requests from a store or transaction for asyncio; see :func:`play`."""
    answer: Any = None
    problem: Exception | None = None
    with closing(asking):  # at once where it is cancelled, so that it records what it was doing
        while True:
            try:
                request = asking.send(answer) if problem is None else asking.throw(problem)
            except StopIteration as end:
                return end.value
            answer = problem = None
            try:
                answer = request.on(store)
                if inspect.isawaitable(answer):
                    answer = await answer
            except Exception as raised:  # noqa: BLE001 - the client decides what it means
                problem = raised


def ask_and_record(
    recorded: Recorded,
    request: Request,
    *,
    settles: bool,
    answered: Callable[[Any], Any],
    refused: Callable[[StoreError], Any | None] = lambda _: None,
) -> Generator[Request, Any, bool]:
    """Make a request, and record how it ended.

    Args:
        recorded: The operation, which has begun.
        request: The request.
        settles: Whether to settle an unknown outcome at once, as a careful program does.
        answered: Returns the steps to record for an answer; called with None if no answer came.
        refused: Returns the steps for an error that says something about the state, else None.

    Returns:
        Whether it happened.
    """
    try:
        answer = yield request
    except UnknownOutcome as problem:
        result = Result.UNKNOWN
        if settles:
            result = yield from _settled(problem.txid)
        recorded.ends(result, answered(None), type(problem).__name__)
        return result is Result.OK
    except StoreError as problem:
        steps = refused(problem)
        recorded.ends(Result.FAILED if steps is None else Result.OK, steps, type(problem).__name__)
        return False
    except Exception as problem:  # noqa: BLE001 - a fault that the run must name: only StoreError may come
        recorded.ends(Result.UNKNOWN, answered(None), f"unexpected {type(problem).__name__}: {problem}"[:300])
        return False
    recorded.ends(Result.OK, answered(answer))
    return True


def _settled(txid: str) -> Generator[Request, Any, Result]:
    try:
        outcome = yield Ask("resolve", (txid,))
    except StoreError:
        return Result.UNKNOWN
    return Result.OK if outcome is Outcome.COMMITTED else Result.FAILED
