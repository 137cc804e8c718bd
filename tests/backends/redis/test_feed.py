"""The feed on Redis: when it begins, what trims it, and what a failover forgets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from emco_store import FeedGap
from emco_store.backends.redis import aio_waits, pace, sync_waits
from emco_store.backends.redis.backend import RedisBackend
from emco_store.backends.redis.feed import cursor_at, followers, reading
from emco_store.contracts.feed import site
from emco_store.contracts.harness import Mode
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.records import Stamp
from emco_store.errors import Misconfigured
from emco_store.ports import Commit, Events, Receipt
from tests.backends.redis.conftest import NAMESPACE, dump
from tests.backends.redis.test_refusals import allow, fill
from tests.backends.waiting_readers import first_is_cancelled
from tests.servers.process import HOST

pytestmark = pytest.mark.redis

FEED = f"{{emco:{NAMESPACE}}}:feed"
PATIENCE = timedelta(seconds=10)


@pytest.fixture
def port(fresh, mode, loop) -> Iterator[Any]:
    """A port that is asked in the mode of the test."""
    with_port = Asked(fresh.url, mode, loop)
    yield with_port
    with_port.close()


class Asked:
    """A port that is asked in a mode."""

    def __init__(self, url, mode, loop, **options):
        backend = RedisBackend(url, **options)
        self._call = (lambda reply: reply) if mode is Mode.BLOCKING else loop.call
        self._port = backend.port(NAMESPACE) if mode is Mode.BLOCKING else backend.async_port(NAMESPACE)
        self._call(self._port.open())
        self.loop = loop

    def ask(self, request):
        """Return the reply to a request."""
        return self._call(self._port.ask(request))

    def close(self):
        """Close the port."""
        self._call(self._port.close())


def write(port, number):
    """Commit a new record."""
    key = Key("Site", f"n{number}")
    assert Receipt(f"t{number}") == port.ask(Commit(f"t{number}", {key: None}, puts=(site(key),)))


def test_nothing_is_kept_until_somebody_reads(port, fresh):
    """Commits before the first reader leave no entry, and those after it one each."""
    with Redis.from_url(fresh.url) as client:
        write(port, 0)
        assert not client.exists(FEED)
        begin = port.ask(Events()).cursor
        write(port, 1)

        assert 2 == client.xlen(FEED)
    assert ["t1"] == [event.txid for event in port.ask(Events(begin)).events]


def test_message_begins_the_feed(port, fresh):
    """A commit with messages leaves an entry although nobody has read, and a beginning before it (FEED-10)."""
    with Redis.from_url(fresh.url) as client:
        assert Receipt("t0") == port.ask(Commit("t0", messages=(Message("orders", "k", {"id": 7}),)))
        (begin, fields), (entry, _) = client.xrange(FEED)
    assert {b"t": b"begun-t0"} == fields

    page = port.ask(Events(oldest=True))
    assert f"{begin.decode()}.begun-t0" == page.cursor
    page = port.ask(Events(page.cursor))
    assert [(f"{entry.decode()}.t0", (Message("orders", "k", {"id": 7}),))] == [
        (event.cursor, event.messages) for event in page.events
    ]


def test_page_of_large_messages_is_shorter(port):
    """A page ends after about a MiB, so no reply is larger than what one commit may say by much (FEED-3, FEED-10)."""
    begin = port.ask(Events()).cursor
    body = "x" * 60_000
    for number in range(70):
        port.ask(Commit(f"t{number}", messages=(Message("t", None, body),)))

    pages = []
    while page := port.ask(Events(begin)).events:
        pages.append([event.txid for event in page])
        begin = page[-1].cursor
    assert [32, 32, 6] == [len(page) for page in pages]
    assert [f"t{number}" for number in range(70)] == [txid for page in pages for txid in page]


def test_reader_at_the_end_asks_the_server_once_for_an_event(port, fresh):
    """It waits and reads in one exchange, and has learned with the last page that nothing else is there."""
    begin = port.ask(Events()).cursor
    write(port, 0)
    with Redis.from_url(fresh.url) as client:

        def calls():
            stats = client.info("commandstats")
            return [stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "xread", "xrange")]

        page = port.ask(Events(begin, wait=PATIENCE))
        before = calls()
        write(port, 1)
        written = [after - was for after, was in zip(calls(), before, strict=True)]
        page = port.ask(Events(page.cursor, wait=PATIENCE))
        assert ["t1"] == [event.txid for event in page.events]
        read = [after - was for after, was in zip(calls(), before, strict=True)]

    assert [0, 1, 1] == [both - one for both, one in zip(read, written, strict=True)]


def test_commits_gather_between_two_reads(fresh, loop, monkeypatch):
    """After a read, a reader pauses, and gets all that was committed meanwhile in one exchange."""
    port = Asked(fresh.url, Mode.BLOCKING, loop)
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    write(port, 0)
    page = port.ask(Events(begin, wait=PATIENCE))
    monkeypatch.setattr(pace, "GATHER_S", PATIENCE.total_seconds())
    with Redis.from_url(fresh.url) as client:

        def commit_meanwhile(_):
            for number in range(1, 5):
                write(port, number)
            client.config_resetstat()

        monkeypatch.setattr(sync_waits.time, "sleep", commit_meanwhile)
        page = port.ask(Events(page.cursor, wait=PATIENCE))
        stats = client.info("commandstats")

    assert ["t1", "t2", "t3", "t4"] == [event.txid for event in page.events]
    assert [1, 1] == [stats[f"cmdstat_{name}"]["calls"] for name in ("xread", "xrange")]
    assert "cmdstat_evalsha" not in stats
    port.close()


def test_reader_that_found_several_events_reads_on_without_a_wait(port, fresh):
    """Where commits come fast, the next ones are there after the pause; only if not, the reader waits for them."""
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    for number in range(2):
        write(port, number)
    page = port.ask(Events(begin, wait=PATIENCE))
    assert ["t0", "t1"] == [event.txid for event in page.events]
    with Redis.from_url(fresh.url) as client:
        write(port, 2)
        client.config_resetstat()
        page = port.ask(Events(page.cursor, wait=PATIENCE))
        assert ["t2"] == [event.txid for event in page.events]
        stats = client.info("commandstats")
        assert ("cmdstat_xrange" in stats) > ("cmdstat_xread" in stats)

        assert () == port.ask(Events(page.cursor, wait=timedelta(seconds=0.3))).events
        assert "cmdstat_xread" in client.info("commandstats")


@pytest.mark.parametrize("count", [2, 16])
def test_readers_of_one_store_read_once_for_all(fresh, count):
    """However many wait, the server answers one of them, and each gets everything in pages of its own size."""

    async def followed():
        port = RedisBackend(fresh.url).async_port(NAMESPACE)
        await port.open()
        begin = (await port.ask(Events())).cursor

        async def follow(number):
            found, after = [], begin
            while len(found) < 12:
                page = await port.ask(Events(after, limit=1 + number % 3, wait=PATIENCE))
                found += [event.txid for event in page.events]
                after = page.cursor
            return found

        readers = [asyncio.create_task(follow(number)) for number in range(count)]
        for number in range(12):
            key = Key("Site", f"n{number}")
            await port.ask(Commit(f"t{number}", {key: None}, puts=(site(key),)))
        found = await asyncio.gather(*readers)
        after = (await port.ask(Events())).cursor
        await port.ask(Events(after))
        waiting = [asyncio.create_task(port.ask(Events(after, wait=PATIENCE))) for _ in range(count)]
        async with AsyncRedis.from_url(fresh.url) as client:
            while not (await client.info("clients"))["blocked_clients"]:  # noqa: ASYNC110 - what the server says
                await asyncio.sleep(0)
            await client.config_resetstat()
            key = Key("Site", "last")
            await port.ask(Commit("last", {key: None}, puts=(site(key),)))
            pages = await asyncio.gather(*waiting)
            stats = await client.info("commandstats")
            calls = [stats[f"cmdstat_{name}"]["calls"] for name in ("evalsha", "xrange")]
        await port.close()
        return found, pages, calls

    found, pages, calls = asyncio.run(followed())
    assert [[f"t{number}" for number in range(12)]] * count == found
    assert [["last"]] * count == [[event.txid for event in page.events] for page in pages]
    assert [1, 1] == calls


def test_reader_that_is_cancelled_takes_nothing_from_the_others(fresh):
    """The one that waits on the server may be cancelled; another one goes on in its place."""

    async def cancelled():
        port = RedisBackend(fresh.url).async_port(NAMESPACE)
        await port.open()
        begin = (await port.ask(Events())).cursor
        await port.ask(Events(begin))
        await first_is_cancelled(port, begin, PATIENCE, one_is_blocked)

    async def one_is_blocked():
        async with AsyncRedis.from_url(fresh.url) as client:
            while not (await client.info("clients"))["blocked_clients"]:  # noqa: ASYNC110 - what the server says
                await asyncio.sleep(0)

    asyncio.run(cancelled())


def test_reader_waits_on_a_server_that_has_forgotten_the_scripts(port, fresh):
    """Where the server does not know the script any more, the reader sends its text."""
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    with Redis.from_url(fresh.url) as client:
        client.script_flush()

    assert () == port.ask(Events(begin, wait=timedelta(milliseconds=5))).events
    write(port, 0)
    assert ["t0"] == [event.txid for event in port.ask(Events(begin, wait=PATIENCE)).events]


def test_cursor_of_what_was_trimmed_is_a_gap(port, fresh):
    """A reader whose entry is gone learns it, whether entries behind it are left or none (FEED-3, FEED-6)."""
    begin = port.ask(Events()).cursor
    for number in range(3):
        write(port, number)
    (first, _, last) = port.ask(Events(begin)).events
    with Redis.from_url(fresh.url) as client:
        client.xtrim(FEED, maxlen=1, approximate=False)
        for cursor in (begin, first.cursor):
            with pytest.raises(FeedGap):
                port.ask(Events(cursor, wait=PATIENCE))
        assert () == port.ask(Events(last.cursor)).events
        client.xtrim(FEED, maxlen=0, approximate=False)

    with pytest.raises(FeedGap):
        port.ask(Events(last.cursor, wait=PATIENCE))
    write(port, 3)
    with pytest.raises(FeedGap):
        port.ask(Events(last.cursor, wait=PATIENCE))


def test_empty_feed_begins_again(port, fresh):
    """An administrator who trims everything away stops nobody from reading on from now."""
    port.ask(Events())
    with Redis.from_url(fresh.url) as client:
        client.xtrim(FEED, maxlen=0, approximate=False)
    begin = port.ask(Events()).cursor
    write(port, 0)

    assert ["t0"] == [event.txid for event in port.ask(Events(begin)).events]


def test_event_that_a_failover_has_forgotten_is_a_gap(port, fresh):
    """Another commit has taken the place of an event, under the same id: the cursor names the first one (FEED-4)."""
    begin = port.ask(Events()).cursor
    with Redis.from_url(fresh.url) as client:
        older = client.dump(FEED)
        write(port, 0)
        (forgotten,) = port.ask(Events(begin)).events
        client.restore(FEED, 0, older, replace=True)
        client.xadd(FEED, told("other"), id=forgotten.cursor.partition(".")[0])

        with pytest.raises(FeedGap):
            port.ask(Events(forgotten.cursor, wait=PATIENCE))
        assert ["other"] == [event.txid for event in port.ask(Events(begin)).events]
        client.delete(FEED)
    with pytest.raises(FeedGap):
        port.ask(Events(begin, wait=PATIENCE))


def take_its_place(client, name):
    """Let another commit have the id of the newest event, and one more follow."""
    older = client.xrange(FEED)[:-1]
    client.delete(FEED)
    for entry, fields in older:
        client.xadd(FEED, fields, id=entry)
    client.xadd(FEED, told("other"), id=name)
    client.xadd(FEED, told("later"))


def trim(client, _):
    """Forget all but the newest of three more events."""
    for number in range(3):
        client.xadd(FEED, told(f"more-{number}"))
    client.xtrim(FEED, maxlen=1, approximate=False)


def begin_anew(client, name):
    """Lose the feed, and begin another one."""
    client.delete(FEED)
    trim(client, name)


def told(txid):
    """Make an event as another client of the server may have written it."""
    return {"t": txid, "o": "", "c": "+u 1 Site/other"}


def takes_what_comes(place, found):
    """Read on without a look for the event of the cursor."""
    name = cursor_at(place).partition(".")[0].encode()
    return followers(place, [(name, [b"t", place.txid.encode()]), *(one for one in found if one[0] != name)])


def compares_ids(place, found):
    """Take any event for that of the cursor that has its id."""
    return followers(place._replace(txid=found[0][1][1].decode()), found)


def is_gap_at_the_end(port, fresh, replace):
    """Tell whether a reader at the end, which waits before it asks, learns that its history was replaced."""
    begin = port.ask(Events()).cursor
    write(port, 0)
    (event,) = port.ask(Events(begin)).events
    assert () == port.ask(Events(event.cursor)).events
    with Redis.from_url(fresh.url) as client:
        replace(client, event.cursor.partition(".")[0])
    try:
        port.ask(Events(event.cursor, wait=PATIENCE))
    except FeedGap:
        return True
    return False


@pytest.mark.parametrize("replace", [take_its_place, trim, begin_anew])
def test_reader_at_the_end_of_a_history_that_is_replaced_meets_a_gap(port, fresh, replace):
    """FEED-3, FEED-4: what it has read is looked for in the command that reads on."""
    assert is_gap_at_the_end(port, fresh, replace)


@pytest.mark.parametrize(
    ("mutant", "replace"),
    [(takes_what_comes, trim), (takes_what_comes, begin_anew), (compares_ids, take_its_place)],
)
def test_reader_that_does_not_look_for_its_event_is_caught(port, fresh, monkeypatch, mutant, replace):
    """Each mutant reads on in a history that it has not begun."""
    for module in (aio_waits, sync_waits):
        monkeypatch.setattr(module, "followers", mutant)

    assert not is_gap_at_the_end(port, fresh, replace)


def asks_anybody(names, place, within_s):
    """Read without a command that a replica refuses."""
    waits, _, reads = reading(names, place, within_s)
    return waits, ("XRANGE", names.feed, "+", "-"), reads


@pytest.mark.parametrize(("commands", "is_refused"), [(reading, True), (asks_anybody, False)])
def test_reader_at_the_end_is_told_nothing_by_a_replica(port, fresh, monkeypatch, commands, is_refused):
    """FEED-2: what a replica has may be old, so it is asked for nothing; a mutant that reads there is caught."""
    for module in (aio_waits, sync_waits):
        monkeypatch.setattr(module, "reading", commands)
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    write(port, 0)
    with Redis.from_url(fresh.url) as client, ThreadPoolExecutor(1) as apart:
        fresh.ask("REPLICAOF", HOST, "1")
        client.config_resetstat()
        page = apart.submit(port.ask, Events(begin, wait=PATIENCE))
        while not (page.done() or client.info("commandstats").get("cmdstat_zrem", {}).get("rejected_calls")):
            pass
        assert is_refused is not page.done()
        fresh.ask("REPLICAOF", "NO", "ONE")

        assert ["t0"] == [event.txid for event in page.result().events]


def test_reader_whose_server_becomes_a_replica_waits_for_a_primary(port, fresh):
    """FEED-3: the server ends its wait with an error of its own, and the reader asks again."""
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    with Redis.from_url(fresh.url) as client, ThreadPoolExecutor(1) as apart:
        page = apart.submit(port.ask, Events(begin, wait=PATIENCE))
        while not client.info("clients")["blocked_clients"]:
            pass
        fresh.ask("REPLICAOF", HOST, "1")
        fresh.ask("REPLICAOF", "NO", "ONE")
        client.xadd(FEED, told("t0"))

        assert ["t0"] == [event.txid for event in page.result().events]


def test_reader_that_waits_survives_what_ends_its_connection(port, fresh):
    """The server closes the connections of readers; they ask again (FEED-3)."""
    begin = port.ask(Events()).cursor
    with Redis.from_url(fresh.url) as client:
        assert () == port.ask(Events(begin, wait=timedelta(milliseconds=5))).events
        client.client_kill_filter(_type="normal", skipme=True)
        assert () == port.ask(Events(begin, wait=timedelta(milliseconds=5))).events
    write(port, 0)

    assert ["t0"] == [event.txid for event in port.ask(Events(begin, wait=PATIENCE)).events]


def test_entry_that_no_store_has_written_is_a_typed_error(port, fresh):
    """An event that cannot be read is named, and is no gap in silence (FEED-3)."""
    begin = port.ask(Events()).cursor
    with Redis.from_url(fresh.url) as client:
        client.xadd(FEED, {"t": "foreign", "o": "", "c": "what"})

    with pytest.raises(Misconfigured):
        port.ask(Events(begin))


def test_commit_that_the_feed_cannot_take_writes_nothing(port, fresh):
    """ATM-3: a stream that is full to its last id refuses the commit whole."""
    port.ask(Events())
    with Redis.from_url(fresh.url) as client:
        client.xadd(FEED, {"t": "last"}, id=f"{2**64 - 1}-{2**64 - 1}")
        before = dump(fresh)

        with pytest.raises(Misconfigured):
            port.ask(Commit("t", {Key("Site", "a"): None}, puts=(site(Key("Site", "a")),)))

    assert before == dump(fresh)


def test_user_who_may_not_add_to_the_feed_writes_nothing(fresh, mode, loop):
    """ATM-3: once somebody reads, the right to add to the feed is asked for before the first write."""
    port = Asked(allow(fresh), mode, loop)
    port.ask(Events())
    allow(fresh, "-xadd")
    before = dump(fresh)
    commit = Commit("t", {Key("Site", "a"): None}, puts=(site(Key("Site", "a")),))

    with pytest.raises(Misconfigured) as caught:
        port.ask(commit)
    assert before == dump(fresh)
    allow(fresh)
    assert Receipt("t") == port.ask(commit)
    port.close()
    assert "acl" == caught.value.setting


def test_full_memory_refuses_what_grows_and_lets_deletes_through_with_a_reader(port, fresh):
    """ATM-3: the feed makes no commit fail that would go through without it, and is told each that does."""
    begin = port.ask(Events()).cursor
    write(port, 0)
    key, other = Key("Site", "n0"), Key("Site", "b")
    before = dump(fresh)
    fill(fresh)

    with pytest.raises(Misconfigured) as caught:
        port.ask(Commit("grows", {other: None}, puts=(site(other),)))
    assert before == dump(fresh)
    assert Receipt("shrinks") == port.ask(Commit("shrinks", {key: Stamp("u-n0", 1)}, deletes=(key,)))
    assert ["t0", "shrinks"] == [event.txid for event in port.ask(Events(begin)).events]
    assert "maxmemory" == caught.value.setting


@pytest.mark.parametrize("options", ["?max_connections=1", "?socket_timeout=0.6", "?socket_timeout=60"])
def test_reader_takes_no_connection_that_others_need(fresh, mode, loop, options):
    """A reader waits beside a pool of one connection, and with a short time-out in short steps."""
    port = Asked(f"{fresh.url}{options}", mode, loop, transport="plain")
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin, wait=timedelta(seconds=1))).events
    write(port, 0)

    assert ["t0"] == [event.txid for event in port.ask(Events(begin, wait=PATIENCE)).events]
    port.close()
