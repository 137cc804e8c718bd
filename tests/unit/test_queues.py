"""The queues of calls that want the same records, for threads and tasks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import Conflict, InvalidCall
from emco_store.flows.holding import Holding
from emco_store.queueing import waiters
from emco_store.queueing.queues import Queues
from emco_store.queueing.waiters import AsyncWaiter, Waiter
from tests.unit.test_batcher import in_a_loop

A, B, C = (Key("Counter", name) for name in "abc")


def lost(*keys: Key) -> Conflict:
    """Return the error of an attempt that has lost these keys."""
    return Conflict("Lost.", why=["another commit came between"], hint="repeat.", keys=keys)


def record(key: Key, version: int = 1, guard: int = 0) -> Record:
    """Return a record without contents."""
    return Record(key, "uid", version, b"{}", (), (), (), 0, 0, guard)


def waiters_in(queues: Queues, number: int) -> list[AsyncWaiter]:
    """Return this number of waiters, which wait for 10 seconds at most."""
    return [AsyncWaiter(queues, Holding().wanted, longest_s=10.0) for _ in range(number)]


async def settled() -> None:
    """Let all tasks run as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


def wait_in(waiter: AsyncWaiter, *keys: Key) -> asyncio.Task[None]:
    """Join the queues of these keys, and wait."""
    assert waiter.join_after(lost(*keys))
    return asyncio.create_task(waiter.pause(10.0))


# waiting


@in_a_loop
async def test_calls_go_one_after_the_other_in_the_order_in_which_they_came():
    """The next call runs when the one before has left; when all have left, no queue remains."""
    queues = Queues()
    standing = waiters_in(queues, 3)
    waiting = [wait_in(waiter, A) for waiter in standing]

    for at, waiter in enumerate(standing):
        await settled()
        assert [number <= at for number in range(3)] == [task.done() for task in waiting]
        waiter.leave()

    assert 0 == len(queues)


@in_a_loop
async def test_call_that_wants_two_records_waits_for_both_and_for_nobody_behind_it():
    """The call that has waited longest is first in all of its queues, in any order of the keys."""
    queues = Queues()
    first, both, other, last = waiters_in(queues, 4)
    waiting = [wait_in(first, A), wait_in(both, A, B), wait_in(other, B, A), wait_in(last, B)]
    await settled()
    assert [True, False, False, False] == [task.done() for task in waiting]

    for at, waiter in enumerate((first, both, other)):
        waiter.leave()
        await settled()
        assert at + 2 == sum(task.done() for task in waiting)


@in_a_loop
async def test_call_that_loses_another_record_stands_behind_the_others_for_both():
    """It leaves its queues before it joins others, so no two calls wait for each other."""
    queues = Queues()
    first, second = waiters_in(queues, 2)
    await wait_in(first, A)
    await wait_in(second, B)

    one, two = wait_in(first, B), wait_in(second, A)
    await settled()

    assert (True, False) == (one.done(), two.done())
    assert ((A, B), (B, A)) == (first.keys, second.keys)
    first.leave()
    await two


@in_a_loop
async def test_first_that_loses_again_stays_and_pauses():
    """It has lost to another process, so it stays first, and pauses."""
    queues = Queues()
    (waiter,) = waiters_in(queues, 1)
    await wait_in(waiter, A)

    assert not waiter.join_after(lost(A))
    await waiter.pause(0.0)

    assert waiter.is_first


@pytest.mark.parametrize("is_called", [False, True], ids=["waiting", "called"])
def test_cancelled_one_passes_its_turn_on(is_called: bool):  # noqa: FBT001 - a parameter of a test
    """A call that is cancelled while it waits, or when it has just been woken, stops no other."""

    @in_a_loop
    async def run() -> None:
        queues = Queues()
        first, second, third = waiters_in(queues, 3)
        waiting = [wait_in(waiter, A) for waiter in (first, second, third)]
        await settled()
        if is_called:
            first.leave()
            waiting[1].cancel()
        else:
            waiting[1].cancel()
            await settled()
            first.leave()
        with pytest.raises(asyncio.CancelledError):
            await waiting[1]
        await waiting[2]
        third.leave()
        assert 0 == len(queues)

    run()


@in_a_loop
async def test_one_that_is_first_for_long_is_passed_over():
    """A call that stays first holds up those after it for a bounded time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiters, "MAX_TURN_S", 0.01)
        queues = Queues()
        stuck, second, third = waiters_in(queues, 3)
        await wait_in(stuck, A)
        waiting = [wait_in(second, A), wait_in(third, A)]

        await waiting[0]

        assert ((), True) == (stuck.keys, second.is_first)
        stuck.leave()
        second.leave()
        await waiting[1]
        third.leave()
        assert 0 == len(queues)


@in_a_loop
async def test_wait_ends_at_its_time():
    """A call that has no more time leaves the queue, and those after it move up."""
    queues = Queues()
    first, second = waiters_in(queues, 2)
    await wait_in(first, A)
    assert second.join_after(lost(A))

    await second.pause(0.0)

    assert ((), True) == (second.keys, first.is_first)


def test_thread_waits_for_its_turn_and_no_longer_than_it_may():
    """Threads queue as tasks do."""
    queues = Queues()
    first, second, third = (Waiter(queues, Holding().wanted) for _ in range(3))
    for waiter in (first, second, third):
        assert waiter.join_after(lost(A))
    first.pause(10.0)
    second.pause(0.0)
    assert ((), False) == (second.keys, third.is_first)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(third.pause, 60.0)
        first.leave()
        waiting.result(timeout=60)

    third.leave()
    assert 0 == len(queues)


@in_a_loop
async def test_call_whose_loop_is_closed_is_passed_over():
    """A call whose event loop has ended is passed over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiters, "MAX_TURN_S", 0.01)
        queues = Queues()
        first, dead, third = waiters_in(queues, 3)
        await wait_in(first, A)

        async def enter() -> None:
            dead.join_after(lost(A))

        await asyncio.to_thread(lambda: asyncio.run(enter()))
        waiting = wait_in(third, A)
        first.leave()

        await waiting


def test_what_brings_nobody_forward_takes_no_place():
    """A call that holds what it needs, meets a hold, or failed otherwise, does not queue."""
    holder = Holding()
    holder.holder = "me"
    held = Conflict("Held.", why=["somebody is about to delete it"], hint="repeat.", keys=(A,), held=True)
    for holding, problem in (
        (holder, lost(A)),
        (Holding(), held),
        (Holding(), lost()),
        (Holding(), InvalidCall("No.")),
    ):
        waiter = Waiter(queues := Queues(), holding.wanted)
        assert not waiter.join_after(problem)
        assert 0 == len(queues)


# handing over


async def reading(waiter: AsyncWaiter, *keys: Key) -> Any:
    """Read as a first attempt does, which waits if there is a queue."""
    return await waiter.wait_before(keys)


@in_a_loop
async def test_next_reader_is_given_what_was_written():
    """A call that waited to read before the commit was sent need not ask for what it wrote."""
    queues = Queues()
    writer, reader, other = waiters_in(queues, 3)
    await wait_in(writer, A)
    writer.note({A: record(A, guard=7)})
    read, more = asyncio.create_task(reading(reader, A)), asyncio.create_task(reading(other, A))
    await settled()

    writer.note_successors("t")
    writer.hand_over([record(A, version=2), record(B)])
    writer.leave()

    assert {A: record(A, version=2, guard=7)} == await read
    reader.leave()
    assert await more is None


@in_a_loop
async def test_reader_that_came_after_the_commit_was_sent_reads():
    """What was true at the commit may have changed when a later reader begins, so it is handed nothing."""
    queues = Queues()
    writer, reader = waiters_in(queues, 2)
    await wait_in(writer, A)
    writer.note_successors("t")
    read = asyncio.create_task(reading(reader, A))
    await settled()

    writer.note_successors("t")  # sent again, because no answer came
    writer.hand_over([record(A, version=2)])
    writer.leave()

    assert await read is None


@in_a_loop
async def test_reader_that_left_meanwhile_and_came_again_reads():
    """A waiter that has left and joined again is a later reader."""
    queues = Queues()
    writer, reader = waiters_in(queues, 2)
    await wait_in(writer, A)
    assert reader.join_after(lost(A))
    writer.note_successors("t")
    reader.leave()
    assert reader.join_after(lost(A))

    writer.hand_over([record(A, version=2)])

    assert {} == reader.handed


@in_a_loop
async def test_reader_of_more_than_was_written_reads():
    """A request shows one moment, so it is answered from one commit or by the backend."""
    queues = Queues()
    writer, reader = waiters_in(queues, 2)
    await wait_in(writer, A)
    read = asyncio.create_task(reading(reader, A, C))
    await settled()

    writer.note_successors("t")
    writer.hand_over([record(A, version=2)])
    writer.leave()

    assert await read is None
