"""Waits that a reader of the feed sends ahead: when it does, and when it does not use their replies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from emco_store import FeedGap
from emco_store.backends.redis import pace
from emco_store.backends.redis.backend import RedisBackend
from emco_store.backends.redis.pace import AHEAD, AHEAD_S, FRESH_S, GATHER_S, Pace
from emco_store.contracts.feed import site
from emco_store.contracts.harness import Mode
from emco_store.core.keys import Key
from emco_store.ports import Commit, Events
from tests.backends.redis.conftest import NAMESPACE
from tests.backends.redis.test_clients import clustered
from tests.backends.redis.test_feed import FEED, PATIENCE, Asked, begin_anew, take_its_place, told, write
from tests.backends.waiting_readers import first_is_cancelled
from tests.servers.process import HOST

pytestmark = pytest.mark.redis

__all__ = ["clustered"]
ONE: Any = (b"an entry",)
SHORT = timedelta(milliseconds=5)


@pytest.fixture
def port(fresh, mode, loop, monkeypatch) -> Iterator[Asked]:
    """A port whose readers are never late, however slow the machine is."""
    monkeypatch.setattr(pace, "FRESH_S", PATIENCE.total_seconds())
    port = Asked(fresh.url, mode, loop)
    yield port
    port.close()


def begin_singly(port, count=AHEAD + 1):
    """Commit and read events one at a time, so that waits are open after the last one; return its cursor."""
    cursor = port.ask(Events()).cursor
    assert () == port.ask(Events(cursor)).events
    return read_singly(port, cursor, range(count))


def read_singly(port, cursor, numbers):
    """Commit and read events one at a time; return the cursor of the last one."""
    for number in numbers:
        write(port, number)
        page = port.ask(Events(cursor, wait=PATIENCE))
        assert [f"t{number}"] == [event.txid for event in page.events]
        cursor = page.cursor
    return cursor


def calls(client, name):
    """Return how often the server has executed a command."""
    return client.info("commandstats").get(f"cmdstat_{name}", {"calls": 0})["calls"]


def connections(client):
    """Return how many connections the server has accepted."""
    return client.info("stats")["total_connections_received"]


def test_waits_are_sent_ahead_where_events_come_singly(port, fresh):
    """The first few events take a request each, and then one request is enough for several events."""
    with Redis.from_url(fresh.url) as client:
        cursor = begin_singly(port, 0)
        looks = calls(client, "xrevrange")
        cursor = read_singly(port, cursor, range(AHEAD))
        assert looks == calls(client, "xrevrange")
        cursor = read_singly(port, cursor, range(AHEAD, 3 * AHEAD))
        opened = connections(client)
        read_singly(port, cursor, range(3 * AHEAD, 5 * AHEAD))

        assert calls(client, "xrevrange") >= looks + 3 * AHEAD
        assert opened == connections(client)


def test_commits_that_come_fast_end_the_waits_ahead(port, fresh):
    """Each event comes once and in order, and then commits gather again."""
    cursor = begin_singly(port)
    found = []
    for burst in range(8):
        numbers = range(100 * burst, 100 * burst + 5)
        for number in numbers:
            write(port, f"-{number}")
        while len(found) < 5 * (burst + 1):
            page = port.ask(Events(cursor, wait=PATIENCE))
            found += [event.txid for event in page.events]
            cursor = page.cursor
    with Redis.from_url(fresh.url) as client:
        looks = calls(client, "xrevrange")
        for number in range(3):
            write(port, f"last-{number}")
        assert 3 == len(port.ask(Events(cursor, wait=PATIENCE)).events)

        assert looks == calls(client, "xrevrange")
    assert [f"t-{100 * burst + number}" for burst in range(8) for number in range(5)] == found


def test_reader_that_waits_for_a_shorter_time_does_not_wait_for_what_was_sent_ahead(port, fresh):
    """It asks by itself; and who always waits that briefly sends nothing ahead."""
    cursor = begin_singly(port)
    with Redis.from_url(fresh.url) as client:
        opened = connections(client)
        assert () == port.ask(Events(cursor, wait=SHORT)).events
        assert opened + 1 == connections(client)
        looks = calls(client, "xrevrange")
        for number in range(100, 100 + 3 * AHEAD):
            write(port, number)
            page = port.ask(Events(cursor, wait=SHORT))
            assert [f"t{number}"] == [event.txid for event in page.events]
            cursor = page.cursor

        assert [opened + 1, looks] == [connections(client), calls(client, "xrevrange")]


def test_page_without_events_comes_from_the_server_while_waits_are_open(port, fresh):
    """A page without events says what was there at its end, so the server is asked then (FEED-7)."""
    cursor = begin_singly(port)
    with Redis.from_url(fresh.url) as client:
        scripts = calls(client, "evalsha")
        assert () == port.ask(Events(cursor, wait=timedelta(seconds=2.5 * AHEAD_S))).events

        assert scripts + 1 == calls(client, "evalsha")
    assert cursor == read_singly(port, cursor, ()) != read_singly(port, cursor, (100,))


def forgotten(port, fresh):
    """Tell whether a reader that was away is told an event that a failover has forgotten meanwhile."""
    cursor = begin_singly(port)
    with Redis.from_url(fresh.url) as client:
        older = client.dump(FEED)
        write(port, "lost")
        client.restore(FEED, 0, older, replace=True)
        client.xadd(FEED, told("other"))
    page = port.ask(Events(cursor, wait=PATIENCE))
    return ["lost"] == [event.txid.removeprefix("t") for event in page.events]


def test_reply_that_has_lain_there_for_long_is_not_given_on(port, fresh, monkeypatch):
    """FEED-3: a reader that was away for long asks the server again; without the limit, it would not."""
    assert forgotten(port, fresh)

    fresh.ask("FLUSHALL")
    other = Asked(fresh.url, Mode.BLOCKING, port.loop)
    begun = Pace.begin

    def begin_late(self, within_s):
        if self.open:
            self._ended_s -= 2 * PATIENCE.total_seconds()
        return begun(self, within_s)

    monkeypatch.setattr(Pace, "begin", begin_late)
    assert not forgotten(other, fresh)
    other.close()


def test_slow_reader_keeps_its_connection(port, fresh, monkeypatch):
    """One that takes longer for each event than a reply may lie there sends nothing ahead."""
    monkeypatch.setattr(pace, "FRESH_S", -1.0)
    with Redis.from_url(fresh.url) as client:
        cursor = begin_singly(port, 2)
        before = [connections(client), calls(client, "xrevrange")]
        read_singly(port, cursor, range(2, 4 * AHEAD))

        assert before == [connections(client), calls(client, "xrevrange")]


@pytest.mark.parametrize("replace", [take_its_place, begin_anew])
def test_history_that_is_replaced_while_waits_are_open_is_a_gap(port, fresh, replace):
    """FEED-3, FEED-4: the entry of the cursor is looked for in each reply."""
    cursor = begin_singly(port)
    with Redis.from_url(fresh.url) as client:
        replace(client, cursor.partition(".")[0])

    with pytest.raises(FeedGap):
        port.ask(Events(cursor, wait=PATIENCE))


def test_command_that_fails_between_waits_costs_no_event(port, fresh):
    """The server becomes a replica for a while, and then ends the connections; readers ask again (FEED-3)."""
    cursor = begin_singly(port)
    fresh.ask("REPLICAOF", HOST, "1")
    fresh.ask("REPLICAOF", "NO", "ONE")
    cursor = read_singly(port, cursor, range(100, 100 + AHEAD + 1))
    with Redis.from_url(fresh.url) as client:
        write(port, "between")
        client.client_kill_filter(_type="normal", skipme=True)
    page = port.ask(Events(cursor, wait=PATIENCE))

    assert ["tbetween"] == [event.txid for event in page.events]


def test_replica_tells_nothing_to_a_wait_that_was_sent_ahead(port, fresh):
    """FEED-2: a look is refused there, as the first one of a request is."""
    cursor = begin_singly(port)
    with Redis.from_url(fresh.url) as client, ThreadPoolExecutor(1) as apart:
        write(port, "a")
        fresh.ask("REPLICAOF", HOST, "1")
        page = apart.submit(port.ask, Events(cursor, wait=PATIENCE))
        fresh.ask("REPLICAOF", "NO", "ONE")
        found = [event.txid for event in page.result().events]
        client.xadd(FEED, told("later"))

    assert ["ta"] == found


@pytest.mark.parametrize("protocol", [2, 3])
def test_waits_are_sent_ahead_in_either_protocol(fresh, loop, mode, monkeypatch, protocol):
    """Replies mean the same in both."""
    monkeypatch.setattr(pace, "FRESH_S", PATIENCE.total_seconds())
    fresh.ask("CONFIG", "RESETSTAT")
    port = Asked(f"{fresh.url}?protocol={protocol}", mode, loop)
    begin_singly(port, 3 * AHEAD)
    port.close()

    with Redis.from_url(fresh.url) as client:
        assert calls(client, "xrevrange") > AHEAD


def test_waits_are_sent_ahead_in_a_cluster(clustered, nodes, monkeypatch):
    """They go to the node of the namespace."""
    monkeypatch.setattr(pace, "FRESH_S", PATIENCE.total_seconds())
    for node in nodes:
        node.ask("CONFIG", "RESETSTAT")
    port, _ = clustered
    begin_singly(port, 3 * AHEAD)

    looks = ["cmdstat_xrevrange" in node.ask("INFO", "commandstats") for node in nodes]
    assert [False, False, True] == sorted(looks)


def test_reader_that_is_cancelled_while_waits_are_open_takes_nothing_from_the_others(fresh, monkeypatch):
    """Its connection is given up, with all that was sent over it."""
    monkeypatch.setattr(pace, "FRESH_S", PATIENCE.total_seconds())

    async def cancelled():
        port = RedisBackend(fresh.url).async_port(NAMESPACE)
        await port.open()
        cursor = (await port.ask(Events())).cursor
        await port.ask(Events(cursor))
        for number in range(AHEAD + 2):
            key = Key("Site", f"n{number}")
            await port.ask(Commit(f"t{number}", {key: None}, puts=(site(key),)))
            cursor = (await port.ask(Events(cursor, wait=PATIENCE))).cursor
        await first_is_cancelled(port, cursor, PATIENCE)

    asyncio.run(cancelled())


@pytest.fixture
def clock(monkeypatch) -> Iterator[list[float]]:
    """The time, by which a pace goes."""
    now_s = [1000.0]
    monkeypatch.setattr(pace, "monotonic", lambda: now_s[0])
    return now_s


def ahead():
    """Return a pace that has just sent waits ahead, and has read the first reply."""
    made = Pace()
    for _ in range(AHEAD + 1):
        assert not made.begin(1.0)
        made.send()
        made.end(ONE)
    return made


def test_age_of_a_reply_is_the_time_that_readers_were_away(clock):
    """Several short absences count as one, for a reply may be there since the first of them."""
    made = ahead()
    for is_in_time in (True, True, False):
        clock[0] += 0.4 * FRESH_S
        assert is_in_time is made.begin(1.0)
        made.end(ONE)


def test_reply_that_is_waited_for_ends_all_doubt(clock):
    """Nothing has lain there before it."""
    made = ahead()
    for _ in range(AHEAD - 1):
        clock[0] += 0.9 * FRESH_S
        assert made.begin(1.0)
        clock[0] += 2 * GATHER_S
        made.end(ONE)


@pytest.mark.parametrize("within_s", [1.0, AHEAD_S / 2])
def test_waits_are_not_sent_ahead_again_until_events_come_singly_again(clock, within_s):
    """A reader that is late, or has little time, opens no connection for each event."""
    made = ahead()
    clock[0] += 0.0 if within_s < AHEAD_S else 2 * FRESH_S
    assert not made.begin(within_s)
    for _ in range(AHEAD):
        assert 0 == made.send()
        made.end(ONE)
        assert not made.begin(1.0)
    assert AHEAD == made.send()
