"""Clients that a fault on a server does not lead astray: they wait while it lasts, and settle what they do not know."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from emco_store._aio.store import AsyncStore
from emco_store.connect import connect, connect_async
from emco_store.contracts.histories.clients import Ask, Client, Request, Transact, ask_and_record, play, play_async
from emco_store.contracts.histories.history import History, Result
from emco_store.contracts.histories.workloads import SPAN, Attempt, Shift, list_steps
from emco_store.errors import Misconfigured, StoreError, Unavailable, UnknownOutcome
from emco_store.flows.context import RetryPolicy
from emco_store.ports import Backend
from proof.deployments import deployments
from proof.races import races
from proof.running import MODELS
from tests.proof.faults.striking import ENOUGH_S

PAUSE_S = 0.02
RETRY = RetryPolicy(deadline_s=10.0)


@dataclass(frozen=True, slots=True)
class Loose:
    """A transaction on lists whose end its client did not settle.

    Attributes:
        txid: Names it.
        values: What it appended.
    """

    txid: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Ask for nothing, for a moment."""

    def on(self, store: Any) -> Any:
        """See :class:`emco_store.contracts.histories.clients.Request`."""
        return asyncio.sleep(PAUSE_S) if isinstance(store, AsyncStore) else threading.Event().wait(PAUSE_S)


def careful(asking: Generator[Request, Any, Any], unknown: list[str]) -> Generator[Request, Any, Any]:
    """Ask what a client asks, repeat ``resolve`` until it is answered, and wait where nothing can be had.

    Args:
        asking: The client.
        unknown: Gets the txid of each unknown outcome.
    """
    answer: Any = None
    problem: Exception | None = None
    while True:
        try:
            request = asking.send(answer) if problem is None else asking.throw(problem)
        except StopIteration as end:
            return end.value
        answer = problem = None
        end_s = time.monotonic() + ENOUGH_S
        while True:
            try:
                answer = yield request
            except UnknownOutcome as raised:
                unknown.append(raised.txid)
                problem = raised
            except StoreError as raised:
                if isinstance(raised, Unavailable | Misconfigured):
                    yield Pause()
                    if _insists(request) and time.monotonic() < end_s:
                        continue
                problem = raised
            break


def _insists(request: Request) -> bool:
    return isinstance(request, Ask) and request.name == "resolve"


def racing(shift: Shift, loose: list[Loose], *, only_reads: bool) -> Client:  # noqa: ARG001 - see WORKLOADS
    """Race for references; every unknown outcome is settled at once."""
    yield from careful(races(shift), [])


def deploying(shift: Shift, loose: list[Loose], *, only_reads: bool) -> Client:  # noqa: ARG001 - see WORKLOADS
    """Take deployments through their lives; half of the unknown outcomes are settled at once."""
    yield from careful(deployments(shift), [])


def appending(shift: Shift, loose: list[Loose], *, only_reads: bool) -> Client:
    """Read and append to lists; every second unknown outcome is settled at once, the others are left for later.

    Args:
        shift: What the client is given.
        loose: Gets what is left for later.
        only_reads: Whether some of the transactions only read.
    """
    at = 0
    while shift.goes_on(at):
        steps = list_steps(shift.random, at // SPAN, partial(_value, shift, at))
        while not only_reads and "append" not in {kind for kind, *_ in steps}:
            steps = list_steps(shift.random, at // SPAN, partial(_value, shift, at))
        attempt = Attempt(steps)
        recorded = shift.recorder.call(shift.name, steps)
        settles = shift.random.random() < 0.5
        unknown: list[str] = []
        request = Transact(attempt.script)
        yield from careful(ask_and_record(recorded, request, settles=settles, answered=attempt.made), unknown)
        if unknown and not settles:
            loose.append(Loose(unknown[-1], tuple(value for kind, _, value in steps if kind == "append")))
        at += 1


def _value(shift: Shift, at: int, number: int) -> int:
    return shift.value(4 * at + number)


class Workload(Protocol):
    """Makes a client; arguments as for :func:`appending`."""

    def __call__(self, shift: Shift, loose: list[Loose], *, only_reads: bool) -> Client:
        """Make it."""
        ...


WORKLOADS: dict[str, Workload] = {"lists": appending, "races": racing, "deployments": deploying}


def play_all(backend: Callable[[], Backend], namespace: str, threads: list[Client], tasks: list[Client]) -> None:
    """Let some clients be threads on one store, and others tasks on another, until all have ended."""

    async def work() -> None:
        async with connect_async(backend(), namespace=namespace, models=MODELS, retry=RETRY) as store:
            await asyncio.gather(*(play_async(client, store) for client in tasks))

    with (
        connect(backend(), namespace=namespace, models=MODELS, retry=RETRY) as store,
        ThreadPoolExecutor(len(threads) + 1) as pool,
    ):
        works = [pool.submit(play, client, store) for client in threads]
        if tasks:
            works.append(pool.submit(lambda: asyncio.run(work())))
        for one in works:
            one.result()


# what is left


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of values that were appended.

    Attributes:
        acknowledged: How many of them belong to transactions that were acknowledged, or settled as committed.
        lost: Those of them that are gone.
        risen: Those that are there although their transaction did not happen.
    """

    acknowledged: int
    lost: tuple[int, ...]
    risen: tuple[int, ...]


def count_values(known: History) -> Counted:
    """Compare what clients were told with what the reads of ``final`` have found."""
    there: set[int] = set()
    for operation in known.of(Result.OK):
        if operation.process == "final":
            there.update(value for kind, _, found in operation.steps if kind == "read" for value in found)
    acknowledged = set(_appended(known, Result.OK))
    failed = set(_appended(known, Result.FAILED))
    return Counted(len(acknowledged), tuple(sorted(acknowledged - there)), tuple(sorted(failed & there)))


def _appended(known: History, result: Result) -> Iterable[int]:
    return (value for operation in known.of(result) for kind, _, value in operation.steps if kind == "append")
