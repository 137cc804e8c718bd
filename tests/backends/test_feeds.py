"""The feed beyond its rules: what is overwritten, and who waits for whom."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from emco_store import FeedGap, MemoryBackend
from emco_store.backends.adapters import ThreadedPort
from emco_store.backends.feeds import Ring
from emco_store.contracts.feed import site
from emco_store.core.keys import Key
from emco_store.ports import Commit, Events, Receipt

PATIENCE = timedelta(seconds=20)


def write(port, number):
    """Commit a new record."""
    key = Key("Site", f"n{number}")
    return port.ask(Commit(f"t{number}", {key: None}, puts=(site(key),)))


def test_ring_keeps_as_many_commits_as_it_says_and_then_tells_a_gap():
    """A reader that is as far behind as the feed is long gets everything; one commit later it gets a gap (FEED-6)."""
    port = MemoryBackend(feed_kept=3).port("n")
    begin = port.ask(Events()).cursor
    for number in range(3):
        write(port, number)
    assert ["t0", "t1", "t2"] == [event.txid for event in port.ask(Events(begin)).events]

    write(port, 3)
    with pytest.raises(FeedGap):
        port.ask(Events(begin))
    assert 3 == port.guarantees.feed_retention


def test_namespace_that_nobody_reads_keeps_nothing():
    """Nothing is kept before the first reader, and a cursor of an earlier process is a gap (FEED-4)."""
    backend = MemoryBackend()
    port = backend.port("n")
    write(port, 0)
    ring = Ring()
    earlier = ring.page(Events()).cursor

    with pytest.raises(FeedGap):
        port.ask(Events(earlier))
    write(port, 1)
    begin = port.ask(Events()).cursor
    write(port, 2)
    assert ["t2"] == [event.txid for event in port.ask(Events(begin)).events]


def test_tasks_that_wait_for_events_hold_no_thread_and_no_loop():
    """Sixteen watchers of one loop wait, another task commits, and all of them get the event (FEED-6)."""

    async def watched():
        port = MemoryBackend().async_port("n")
        begin = (await port.ask(Events())).cursor
        before = threading.active_count()
        waiting = [asyncio.create_task(port.ask(Events(begin, wait=PATIENCE))) for _ in range(16)]
        for _ in range(3):
            await asyncio.sleep(0)
        assert threading.active_count() <= before  # those of other tests may end meanwhile
        await write(port, 0)
        return [[event.txid for event in page.events] for page in await asyncio.gather(*waiting)]

    assert [["t0"]] * 16 == asyncio.run(watched())


def test_cancelled_watcher_is_woken_no_more():
    """A task that stops waiting leaves nothing behind in the feed (FEED-6)."""

    async def cancelled():
        backend = MemoryBackend()
        port = backend.async_port("n")
        begin = (await port.ask(Events())).cursor
        waiting = asyncio.create_task(port.ask(Events(begin, wait=PATIENCE)))
        for _ in range(3):
            await asyncio.sleep(0)
        with backend.request("n", "look", None) as space:
            ring = space.feed
        assert 1 == len(ring.waiting)
        waiting.cancel()
        await asyncio.wait({waiting})
        return ring.waiting

    assert [] == asyncio.run(cancelled())


def test_readers_that_wait_take_no_thread_of_a_threaded_port():
    """More readers wait than the port has threads, and a commit still goes through (FEED-6)."""

    async def watched():
        port = ThreadedPort(MemoryBackend().port("n"), threads=1)
        begin = (await port.ask(Events())).cursor
        waiting = [asyncio.create_task(port.ask(Events(begin, wait=PATIENCE))) for _ in range(4)]
        await asyncio.sleep(0)
        assert Receipt("t0") == await write(port, 0)
        pages = await asyncio.gather(*waiting)
        await port.close()
        return [[event.txid for event in page.events] for page in pages]

    assert [["t0"]] * 4 == asyncio.run(watched())


def test_wait_that_nobody_ends_returns_an_empty_page():
    """A page without events has the cursor at which it was asked for (FEED-7)."""
    backend = MemoryBackend()
    begin = backend.port("n").ask(Events()).cursor
    wait = timedelta(milliseconds=1)

    blocking = backend.port("n").ask(Events(begin, wait=wait))
    asked = asyncio.run(backend.async_port("n").ask(Events(begin, wait=wait)))

    assert [(begin, ())] * 2 == [(page.cursor, page.events) for page in (blocking, asked)]
