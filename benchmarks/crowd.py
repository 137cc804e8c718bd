"""Several processes that do the same work at the same time, each with some asyncio tasks."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter

from pymongo import AsyncMongoClient

from benchmarks.measure import Effort, Sample, storm
from benchmarks.model import raw_service, service
from benchmarks.raw.mongo_async import AsyncRawMongo
from emco_store import connect_async

_FORKLESS = get_context("spawn")
_START_WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class Work:
    """What each process does.

    Attributes:
        url: The MongoDB server.
        name: The namespace, and the collection of the hand-written code.
        how: ``ours``, ``raw safe`` or ``unguarded``.
        networks: How many networks there are to refer to.
        tasks: How many tasks there are in each process.
    """

    url: str
    name: str
    how: str
    networks: int
    tasks: int


class Crowd:
    """Processes that wait for the start of each round."""

    def __init__(self, work: Work, processes: int) -> None:
        self._ends: list[Connection] = []
        self._processes = []
        for number in range(processes):
            mine, theirs = _FORKLESS.Pipe()
            process = _FORKLESS.Process(target=_member, args=(theirs, work, number), daemon=True)
            process.start()
            theirs.close()
            self._ends.append(mine)
            self._processes.append(process)
        for end in self._ends:
            _receive(end, _START_WITHIN_S)

    def run(self, effort: Effort) -> Sample:
        """Let all of them work for one round."""
        begun = perf_counter()
        for end in self._ends:
            end.send(effort.seconds)
        samples: list[Sample] = [_receive(end, effort.seconds + _START_WITHIN_S) for end in self._ends]
        latencies = [one for sample in samples for one in sample.latencies_s]
        cpu_s = sum(sample.cpu_s for sample in samples)
        return Sample(len(latencies), perf_counter() - begun, cpu_s, latencies)

    def close(self) -> None:
        """End all of them."""
        for end in self._ends:
            end.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()


def _receive(end: Connection, within_s: float) -> Sample:
    if not end.poll(within_s):
        raise TimeoutError("a process of the benchmark does not answer")
    found: Sample | BaseException = end.recv()
    if isinstance(found, BaseException):
        raise found
    return found


def _member(end: Connection, work: Work, number: int) -> None:
    try:
        asyncio.run(_serve(end, work, number))
    except EOFError:
        return
    except Exception as problem:  # noqa: BLE001 - whatever it is, the parent is to say it
        end.send(RuntimeError(f"{type(problem).__name__}: {problem}"))


async def _serve(end: Connection, work: Work, number: int) -> None:
    choose = random.Random(number)  # noqa: S311 - targets are the same in every run
    numbers = count()

    def place() -> tuple[str, str, str, str]:
        first, second = choose.randrange(work.networks), choose.randrange(work.networks)
        return "s0", f"p{os.getpid()}-{next(numbers)}", f"n{first}", f"n{second}"

    async def rounds(create: Callable[[], Awaitable[object]]) -> None:
        await create()
        end.send(None)
        while True:
            seconds = await asyncio.to_thread(end.recv)
            end.send(await storm(work.tasks, create, seconds))

    if work.how == "ours":
        async with connect_async(work.url, namespace=work.name) as store:
            await rounds(lambda: store.create(service(*place())))
    async with AsyncMongoClient[dict[str, object]](work.url) as client:
        raw = AsyncRawMongo(client, work.name)
        one = raw.create if work.how == "raw safe" else raw.insert
        await rounds(lambda: one(raw_service(*place())))
