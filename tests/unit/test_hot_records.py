"""What calls of one store gain by standing in lines: few attempts, and an end, however they meet."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter as Tally
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from emco_store import AsyncStore, AsyncTransaction, MemoryBackend, Resource, Transaction, connect, connect_async
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.ports import Commit, Get
from tests.unit.test_batcher import in_a_loop

TASKS, THREADS, TIMES = 32, 16, 5
ALWAYS = 10**9


class Counter(Resource):
    """What everybody wants to change."""

    count: int = 0


def busy(faults: Faults) -> FaultyBackend:
    """Return a backend at whose every request other tasks go on."""
    for kind in (Get, Commit):
        faults.do(kind, lambda: asyncio.sleep(0), times=ALWAYS)
    return FaultyBackend(MemoryBackend(), faults)


def adding(attempts: Tally[str], *names: str) -> Any:
    """Return a function that adds 1 to each, in this order."""

    async def add(tx: AsyncTransaction) -> None:
        attempts[names[0]] += 1
        for name in names:
            found = await tx.get(Counter, name)
            await tx.update(found.model_copy(update={"count": found.count + 1}))

    return add


async def crowd(store: AsyncStore, *functions: Any) -> None:
    """Let each of many tasks run one of the functions a few times."""

    async def work(number: int) -> None:
        for _ in range(TIMES):
            await store.run(functions[number % len(functions)])

    await asyncio.gather(*(work(number) for number in range(TASKS)))


@in_a_loop
async def test_tasks_on_one_record_lose_once_and_hand_over_what_they_wrote():
    """Each task loses at most its first race; most reads are answered by the one before; no line remains."""
    faults, attempts = Faults(), Tally[str]()
    async with connect_async(busy(faults), namespace="n") as store:
        made = await store.create(Counter(name="a"))
        faults.requests.clear()

        await crowd(store, adding(attempts, "a"))

        assert TASKS * TIMES == (await store.get(made)).count
        assert attempts["a"] <= TASKS * TIMES + TASKS
        assert faults.count(Get) <= 3 * TASKS
        assert 0 == len(store._attempts._queues)


@in_a_loop
async def test_tasks_that_put_one_record_lose_once():
    """What is put by many waits in line as well."""
    faults = Faults()
    async with connect_async(busy(faults), namespace="n") as store:

        async def work(number: int) -> None:
            for turn in range(TIMES):
                await store.put(Counter(name="a", count=1 + TIMES * number + turn))

        await asyncio.gather(*(work(number) for number in range(TASKS)))

        assert TASKS * TIMES == (await store.get(Counter, "a")).meta.version
        assert faults.count(Commit) <= TASKS * TIMES + TASKS
        assert 0 == len(store._attempts._queues)


@in_a_loop
async def test_tasks_that_want_two_records_in_opposite_order_end():
    """None waits for another that waits for it, and none loses for ever."""
    attempts = Tally[str]()
    async with connect_async(busy(Faults()), namespace="n") as store:
        made = [await store.create(Counter(name=name)) for name in "ab"]

        await crowd(store, adding(attempts, "a", "b"), adding(attempts, "b", "a"))

        assert [TASKS * TIMES] * 2 == [one.count for one in await store.get_many(made)]
        assert attempts.total() <= 3 * TASKS * TIMES
        assert 0 == len(store._attempts._queues)


@in_a_loop
async def test_tasks_that_are_cancelled_in_line_stop_nobody():
    """Whoever is cancelled at whatever moment leaves the line, and the others come to their end."""
    async with connect_async(busy(Faults()), namespace="n") as store:
        made = await store.create(Counter(name="a"))
        tasks = [asyncio.create_task(store.run(adding(Tally(), "a"))) for _ in range(TASKS)]
        for task in tasks[::2]:
            await asyncio.sleep(0)
            task.cancel()

        results = await asyncio.gather(*tasks, return_exceptions=True)

        done = [result for result in results if result is None]
        assert len(done) >= TASKS // 2
        assert all(result is None for result in results[1::2])
        assert len(done) == (await store.get(made)).count
        assert 0 == len(store._attempts._queues)


@in_a_loop
async def test_deadline_ends_the_wait_in_line():
    """Whoever may not wait goes on although another stands before it, and is told the truth."""
    gate, arrived = asyncio.Event(), asyncio.Event()
    async with connect_async(backend := MemoryBackend(), namespace="n") as store:
        made = await store.create(Counter(name="a"))

        async def lose_and_stay(tx: AsyncTransaction) -> None:
            found = await tx.get(made)
            if not len(store._attempts._queues):
                async with connect_async(backend, namespace="n") as other:
                    await other.update(found.model_copy(update={"count": 7}))
            else:
                arrived.set()
                await gate.wait()
            await tx.update(found.model_copy(update={"count": found.count + 1}))

        first = asyncio.create_task(store.run(lose_and_stay))
        await arrived.wait()
        await store.run(adding(Tally(), "a"), deadline=timedelta(0))
        gate.set()
        await first

        assert 9 == (await store.get(made)).count
        assert 0 == len(store._attempts._queues)


def test_threads_on_one_record_lose_once():
    """Threads that all read before one has written lose once, and go one after the other from then on."""
    faults, attempts, start = Faults(), Tally[str](), threading.Barrier(THREADS)
    with connect(FaultyBackend(MemoryBackend(), faults), namespace="n") as store:
        made = store.create(Counter(name="a"))
        faults.do(Get, lambda: start.wait(timeout=60), moment="after", times=THREADS)

        def add(tx: Transaction) -> None:
            attempts["a"] += 1
            found = tx.get(made)
            tx.update(found.model_copy(update={"count": found.count + 1}))

        def work(_: int) -> None:
            for _ in range(TIMES):
                store.run(add)

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(work, range(THREADS)))

        assert THREADS * TIMES == store.get(made).count
        assert attempts["a"] <= 2 * THREADS * TIMES
        assert 0 == len(store._attempts._queues)
