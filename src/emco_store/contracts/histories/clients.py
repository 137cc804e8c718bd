"""What a client does, written once: a generator that asks, and three ways to answer it.

A client is a generator of requests. It is run in a thread on a blocking store, or in a task on one for asyncio; many of
them make up the load of one process.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol

from emco_store._aio.store import AsyncStore
from emco_store._sync.store import Store
from emco_store.contracts.histories.history import Call as Recorded, Result
from emco_store.errors import StoreError, UnknownOutcome
from emco_store.ports import Outcome


class Request(Protocol):
    """Something to ask of a store."""

    def on(self, store: Any) -> Any:
        """Ask, and give the answer, or what is awaited for it."""
        ...


Script = Generator["Ask", Any, Any]
"""The body of a transaction: it asks ``tx``, and gives what it has done."""
Client = Generator[Request, Any, None]
"""All that one client does."""


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
    """Run a script in a transaction, again while it loses races."""

    script: Callable[[], Script]

    def on(self, store: Store | AsyncStore) -> Any:
        """See :class:`Request`."""
        return store.run(self._later) if isinstance(store, AsyncStore) else store.run(self._now)

    def _now(self, tx: Any) -> Any:
        return play(self.script(), tx)

    async def _later(self, tx: Any) -> Any:
        return await play_async(self.script(), tx)


def play(asking: Generator[Request, Any, Any], store: Any) -> Any:
    """Answer everything that is asked from a blocking store or transaction; give what it ends with."""
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
    """Do the same with a store or a transaction for asyncio."""
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
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as raised:  # noqa: BLE001 - the client decides what it means
            problem = raised


def told(
    recorded: Recorded,
    request: Request,
    *,
    settles: bool,
    answered: Callable[[Any], Any],
    refused: Callable[[StoreError], Any | None] = lambda _: None,
) -> Generator[Request, Any, bool]:
    """Ask, and write down how it ended.

    Args:
        recorded: The operation, which has begun.
        request: What to ask.
        settles: Whether to settle an unknown outcome at once, as a careful program does.
        answered: Gives the steps to write down for an answer; None for what was done when there was none.
        refused: Gives the steps for an error that tells something; None for one that tells nothing.

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
