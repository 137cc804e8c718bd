"""The batcher of group commit, for threads and tasks."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from emco_store.backends.batcher import AsyncBatcher, Batcher, Ticket


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in its own event loop."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(test(**fixtures))

    return run


def serve(group: Sequence[Ticket[int, int]]) -> None:
    """Answer each request with its double."""
    for ticket in group:
        ticket.answer(2 * ticket.request)


async def go(batcher: AsyncBatcher[int, int], number: int, groups: list[list[int]], gate: asyncio.Event) -> int:
    """Send one request, in a group that waits at the gate."""
    ticket = Ticket[int, int](number)
    while not ticket.is_served:
        if await batcher.wait_turn(ticket):
            group = batcher.take(ticket)
            try:
                groups.append([member.request for member in group])
                await gate.wait()
                serve(group)
            finally:
                batcher.finish(group)
    return ticket.outcome()


@in_a_loop
async def test_those_who_come_meanwhile_go_together_and_in_order():
    """The first goes alone at once, the others as one group in the order of their arrival."""
    batcher, groups, gate = AsyncBatcher[int, int](members=10, weight=100), list[list[int]](), asyncio.Event()
    tasks = [asyncio.create_task(go(batcher, number, groups, gate)) for number in range(5)]
    await asyncio.sleep(0)
    assert [[0]] == groups

    gate.set()

    assert [0, 2, 4, 6, 8] == await asyncio.gather(*tasks)
    assert [[0], [1, 2, 3, 4]] == groups


@in_a_loop
async def test_group_ends_at_its_limits():
    """No group has more members or weight than allowed, and a heavier request goes alone."""
    batcher, groups, gate = AsyncBatcher[int, int](members=3, weight=4), list[list[int]](), asyncio.Event()
    tasks = [asyncio.create_task(go(batcher, number, groups, gate)) for number in range(8)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)

    assert [[0], [1, 2, 3], [4, 5, 6], [7]] == groups
    heavy, light = Ticket[int, int](1, weight=9), Ticket[int, int](2)
    assert await batcher.wait_turn(heavy)
    assert [heavy] == batcher.take(heavy)
    batcher.finish([heavy])
    assert await batcher.wait_turn(light)


@in_a_loop
async def test_some_groups_are_on_their_way_at_once():
    """As many requests as there may be groups go at once, and the next one waits until any of them has ended."""
    batcher = AsyncBatcher[int, int](members=10, weight=100, groups=2)
    first, second, third, fourth, fifth = (Ticket[int, int](number) for number in range(5))
    assert await batcher.wait_turn(first)
    assert await batcher.wait_turn(second)
    waiting = [asyncio.create_task(batcher.wait_turn(ticket)) for ticket in (third, fourth)]
    await asyncio.sleep(0)
    assert [False, False] == [task.done() for task in waiting]

    batcher.finish([second])

    assert await waiting[0]
    assert [third, fourth] == batcher.take(third)
    batcher.finish([first])
    assert await batcher.wait_turn(fifth)


@in_a_loop
async def test_cancelled_one_is_left_out():
    """A request that is cancelled while it waits joins no group, and the others go."""
    batcher, groups, gate = AsyncBatcher[int, int](members=10, weight=100), list[list[int]](), asyncio.Event()
    tasks = [asyncio.create_task(go(batcher, number, groups, gate)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.sleep(0)
    gate.set()

    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [[0], [1, 3]] == groups
    assert [0, 2, 6] == [results[at] for at in (0, 1, 3)]
    assert isinstance(results[2], asyncio.CancelledError)


@in_a_loop
async def test_turn_of_one_that_is_cancelled_goes_to_the_next():
    """A request that is cancelled when it has just become the leader stops no other."""
    batcher = AsyncBatcher[int, int](members=10, weight=100)
    first, second, third = (Ticket[int, int](number) for number in range(3))
    assert await batcher.wait_turn(first)
    waiting = [asyncio.create_task(batcher.wait_turn(ticket)) for ticket in (second, third)]
    await asyncio.sleep(0)
    batcher.finish([first])
    waiting[0].cancel()

    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert results[1] is True


@in_a_loop
async def test_members_of_a_group_that_is_interrupted_go_again():
    """If the leader is cancelled, the other members of its group go without it."""
    batcher, groups, gate = AsyncBatcher[int, int](members=10, weight=100), list[list[int]](), asyncio.Event()
    tasks = [asyncio.create_task(go(batcher, number, groups, gate)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[1].cancel()
    gate.set()

    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert [[0], [1, 2], [2]] == groups
    assert [True, True, False] == [isinstance(result, asyncio.CancelledError) for result in results]
    assert 4 == results[2]


@in_a_loop
async def test_each_wait_ends_at_its_own_time_in_whatever_order_they_began():
    """A wait that began later and ends earlier does end earlier, and one that began earlier still ends."""
    batcher = AsyncBatcher[int, int](members=10, weight=100)
    await batcher.wait_turn(Ticket(0))  # nobody else's turn comes
    ended: list[float] = []

    async def wait(within_s: float) -> None:
        with pytest.raises(TimeoutError):
            await batcher.wait_turn(Ticket(1), within_s)
        ended.append(within_s)

    async with asyncio.timeout(10):
        await asyncio.gather(wait(0.03), wait(0.0), wait(0.02), wait(0.01))

    assert [0.0, 0.01, 0.02, 0.03] == ended


def test_threads_share_turns_and_each_gets_its_own_reply():
    """Each request of a thread is served once, with its own reply, in any interleaving."""
    batcher = Batcher[int, int](members=4, weight=100)
    replies: dict[int, int] = {}
    served: list[int] = []

    def send(first: int) -> None:
        for number in range(first, first + 200):
            ticket = Ticket[int, int](number)
            if batcher.wait_turn(ticket):
                group = batcher.take(ticket)
                served.extend(member.request for member in group)
                serve(group)
                batcher.finish(group)
            replies[number] = ticket.outcome()

    threads = [threading.Thread(target=send, args=(1000 * at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert {number: 2 * number for number in replies} == replies
    assert 1600 == len(replies) == len(served) == len(set(served))


def test_thread_whose_problem_was_noted_raises_it():
    """A request that could not be served raises its error in its own caller."""
    ticket = Ticket[int, int](1)
    ticket.fail(KeyError("why"))

    with pytest.raises(KeyError, match="why"):
        ticket.outcome()
