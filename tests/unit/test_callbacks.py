"""OCC-8 and OCC-14 in threads and tasks: where the store may be used beside a transaction, and what ``run`` refuses."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading

import pytest

from emco_store import InvalidCall, MemoryBackend, Resource, connect, connect_async


class Job(Resource):
    """Something to store."""


@pytest.fixture
def store():
    """A blocking store with one job."""
    with connect("memory://", namespace="callbacks") as store:
        store.create(Job(name="z"))
        yield store


def in_tasks(work):
    """Run ``work(store)`` on an asyncio store with one job."""

    async def main():
        async with connect_async("memory://", namespace="callbacks") as store:
            await store.create(Job(name="z"))
            return await work(store)

    return asyncio.run(main())


def test_other_thread_uses_the_store_while_a_transaction_is_open(store):
    """OCC-8: A thread that does not belong to the block is not refused."""
    found = []

    with store.transaction():
        thread = threading.Thread(target=lambda: found.append(store.get(Job, "z")))
        thread.start()
        thread.join()

    assert ["z"] == [job.name for job in found]


def test_other_task_uses_the_store_while_a_transaction_is_open():
    """OCC-8: A task that was begun outside the block is not refused."""

    async def work(store):
        begun, may_read = asyncio.Event(), asyncio.Event()

        async def outside():
            begun.set()
            await may_read.wait()
            return await store.get(Job, "z")

        task = asyncio.create_task(outside())
        await begun.wait()
        async with store.transaction():
            may_read.set()
            return await task

    assert "z" == in_tasks(work).name


@pytest.mark.parametrize("how", ["run", "transaction"])
def test_task_that_outlives_its_transaction_may_use_the_store(how):
    """OCC-8: A task that was begun inside is refused until the transaction has ended, and no longer."""

    async def work(store):
        ended = asyncio.Event()

        async def later():
            with pytest.raises(InvalidCall):
                await store.get(Job, "z")
            await ended.wait()
            return await store.get(Job, "z")

        async def begin(_):
            task = asyncio.create_task(later())
            await asyncio.sleep(0)
            return task

        if how == "run":
            task = await store.run(begin)
        else:
            async with store.transaction() as tx:
                task = await begin(tx)
        ended.set()
        return await task

    assert "z" == in_tasks(work).name


def test_thread_that_inherits_the_context_is_refused_until_the_transaction_ends():
    """OCC-8: ``asyncio.to_thread`` carries the context, so what it runs inside a block is inside it."""
    backend = MemoryBackend()

    async def work():
        with connect(backend, namespace="callbacks") as store:
            store.create(Job(name="z"))
            with store.transaction(), pytest.raises(InvalidCall):
                await asyncio.to_thread(store.get, Job, "z")
            return await asyncio.to_thread(store.get, Job, "z")

    assert "z" == asyncio.run(work()).name


def test_transaction_that_ends_in_another_context_frees_the_store(store):
    """OCC-8: A fixture or a dependency may begin a block in one context and end it in another."""
    tx = store.transaction()
    contextvars.copy_context().run(tx.__enter__)
    tx.create(Job(name="made"))

    contextvars.copy_context().run(tx.__exit__, None, None, None)

    assert ["made", "z"] == [job.name for job in store.list(Job)]


def test_transaction_has_one_block(store):
    """OCC-8: A second block of one transaction is refused, and the first one stays as it ended."""
    with store.transaction() as tx:
        tx.create(Job(name="made"))

    with pytest.raises(InvalidCall), tx:
        pass

    assert ["made", "z"] == [job.name for job in store.list(Job)]


async def _coroutine(tx):
    return tx.create(Job(name="never"))


async def _async_generator(tx):
    yield tx.create(Job(name="never"))


def _returns_a_coroutine(tx):
    return _coroutine(tx)


@pytest.mark.parametrize(
    "fn",
    [_coroutine, _async_generator, _returns_a_coroutine, functools.partial(_coroutine)],
    ids=["async def", "async generator", "plain function", "partial"],
)
def test_blocking_run_refuses_a_function_that_has_not_run(store, fn):
    """OCC-14: A coroutine function would be called, never awaited, and committed as nothing."""
    with pytest.raises(InvalidCall):
        store.run(fn)

    assert ["z"] == [job.name for job in store.list(Job)]


@pytest.mark.parametrize(
    "fn", [lambda _: None, lambda _: 3, _async_generator], ids=["none", "value", "async generator"]
)
def test_asyncio_run_refuses_a_function_that_cannot_be_awaited(fn):
    """OCC-14: A plain function cannot await ``tx``."""

    async def work(store):
        with pytest.raises(InvalidCall):
            await store.run(fn)
        return await store.list(Job)

    assert ["z"] == [job.name for job in in_tasks(work)]


def test_gathered_reads_of_one_transaction_are_refused_in_memory_too():
    """OCC-8: Two calls at once have no order, on a server and in memory alike."""

    async def work(store):
        async def both(tx):
            return await asyncio.gather(tx.get(Job, "z"), tx.get(Job, "z"), return_exceptions=True)

        return await store.run(both)

    first, second = in_tasks(work)

    assert "z" == first.name
    assert isinstance(second, InvalidCall)
