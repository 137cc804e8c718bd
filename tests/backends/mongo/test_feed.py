"""The feed on MongoDB: the order of groups, what ends a history, and what becomes of change streams."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from emco_store import FeedGap, Misconfigured, connect
from emco_store.backends import newest
from emco_store.backends.mongo import aio_feed, sync_feed, tails
from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.mongo.feed import after, told
from emco_store.contracts.feed import site
from emco_store.contracts.models import Site
from emco_store.core.keys import Key
from emco_store.core.records import Stamp
from emco_store.errors import InvalidCall
from emco_store.ports import Commit, Events, Get, Receipt
from tests.backends.mongo.members import until
from tests.backends.waiting_readers import first_is_cancelled
from tests.consuming.readers import Readers

pytestmark = pytest.mark.mongo

PATIENCE = timedelta(seconds=20)


@pytest.fixture
def port(url, namespace):
    """A port of the namespace."""
    found = MongoBackend(url).port(namespace)
    found.open()
    yield found
    found.close()


def write(port, number):
    """Commit a new record."""
    key = Key("Site", f"n{number}")
    assert Receipt(f"t{number}") == port.ask(Commit(f"t{number}", {key: None}, puts=(site(key),)))


def read(port, after, count, limit=1000):
    """Read so many events, at most ``limit`` at once, and return their txids."""
    found = []
    while len(found) < count:
        page = port.ask(Events(after, limit=limit, wait=PATIENCE))
        assert page.events
        found += page.events
        after = page.cursor
    assert count == len(found)
    return [event.txid for event in found]


def test_each_commit_of_large_groups_is_told_once_and_versions_ascend(url, namespace, port):
    """Hundreds of commits at once go in groups, of new and of changed records, and no order is lost (FEED-2)."""
    begin = port.ask(Events()).cursor
    keys = [Key("Site", f"s{number}") for number in range(80)]

    async def rounds():
        crowd = MongoBackend(url).async_port(namespace)
        await crowd.open()
        for version in range(1, 5):
            commits = [
                Commit(
                    f"{version}-{key.name}",
                    {key: Stamp(f"u-{key.name}", version - 1) if version > 1 else None},
                    puts=(site(key, version),),
                )
                for key in keys
            ]
            replies = await asyncio.gather(*(crowd.ask(commit) for commit in commits))
            assert [Receipt(commit.txid) for commit in commits] == replies
        await crowd.close()

    asyncio.run(rounds())

    txids = read(port, begin, 4 * len(keys))
    assert len(txids) == len(set(txids))
    for key in keys:
        assert ["1", "2", "3", "4"] == [txid[0] for txid in txids if txid[2:] == key.name]
    for version in range(4):
        assert {str(version + 1)} == {txid[0] for txid in txids[version * len(keys) : (version + 1) * len(keys)]}


@pytest.mark.parametrize("is_sound", [True, False], ids=["sound", "mutant"])
def test_commit_that_is_on_its_way_when_a_reader_begins_is_read_or_told(three, namespace, monkeypatch, is_sound):
    """FEED-7: what a majority does not have yet is neither read nor before the cursor.

    The mutant begins after what the primary has, and this commit is neither read nor told.
    """
    if not is_sound:
        monkeypatch.setattr(sync_feed.MongoFeed, "_now", begin_after_the_primary)
    key = Key("Site", "n1")
    port = MongoBackend(three.url).port(namespace)
    port.open()
    write(port, 0)
    others = [member for member in three.members if member is not three.primary]
    with ThreadPoolExecutor(1) as pool:
        for member in others:
            member.pause()
        try:
            writing = pool.submit(write, port, 1)
            until(lambda: bool(three.client[DATABASE][f"emco.{namespace}"].find_one({"_id": key.text})))
            cursor = port.ask(Events()).cursor
            seen = port.ask(Get((key,)))
        finally:
            for member in others:
                member.resume()
        writing.result()

    write(port, 2)
    assert not seen
    assert (["t1", "t2"] if is_sound else ["t2"]) == read(port, cursor, 1 + is_sound)
    port.close()


def begin_after_the_primary(feed, within_s):
    """Take the newest write of the primary for the newest one that all can read."""
    hello = feed._calls.ask(within_s, lambda: feed._sent({"hello": 1}, None))
    return after(hello["lastWrite"]["opTime"]["ts"])


def test_dropped_collection_is_a_gap_after_what_was_before(port, root, namespace):
    """What was committed before the drop is told, and then a gap; a reader may begin anew (FEED-3)."""
    begin = port.ask(Events()).cursor
    write(port, 0)
    root[DATABASE].drop_collection(f"emco.{namespace}")
    write(port, 1)

    page = port.ask(Events(begin, wait=PATIENCE))
    assert ["t0"] == [event.txid for event in page.events]
    for _ in range(2):
        with pytest.raises(FeedGap):
            port.ask(Events(page.cursor, wait=PATIENCE))
    begin = port.ask(Events()).cursor
    write(port, 2)
    assert ["t2"] == read(port, begin, 1)


@pytest.mark.parametrize("limit", range(1, 7))
def test_end_of_a_history_is_a_gap_wherever_a_page_ends(port, root, namespace, limit):
    """FEED-3: the server tells the drop in two events and then ends the stream, and a page may end before each."""
    begin = port.ask(Events()).cursor
    for number in range(3):
        write(port, number)
    root[DATABASE].drop_collection(f"emco.{namespace}")

    assert ["t0", "t1", "t2"] == read(port, begin, 3, limit)
    for _ in range(2):
        with pytest.raises(FeedGap):
            read(port, begin, 4, limit)


def test_reader_that_waits_while_the_collection_is_dropped_gets_a_gap(port, root, namespace):
    """The end of the history reaches a stream that is open (FEED-3)."""
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    root[DATABASE].drop_collection(f"emco.{namespace}")

    with pytest.raises(FeedGap):
        port.ask(Events(begin, wait=PATIENCE))


@pytest.mark.parametrize("command", ["aggregate", "getMore"])
@pytest.mark.parametrize("code", [280, 286])
def test_place_that_the_oplog_does_not_hold_any_more_is_a_gap(port, fail, command, code):
    """The server says that the history is lost, when a stream is opened or while it is read (FEED-3, FEED-6)."""
    begin = port.ask(Events()).cursor
    write(port, 0)
    port._feed._renew()
    fail(command, errorCode=code)

    with pytest.raises(FeedGap) as caught:
        port.ask(Events(begin, wait=PATIENCE))

    assert code == caught.value.__cause__.code


def test_feed_begins_where_the_oplog_does(port, fail):
    """Where the oplog is shorter than the outcomes are kept, the beginning is sought nearer to now (FEED-10)."""
    write(port, 0)
    fail("getMore", errorCode=286)

    page = port.ask(Events(oldest=True))
    assert ["t0"] == read(port, page.cursor, 1)


def test_feed_of_an_empty_namespace_begins_now(port):
    """Nothing was committed, so the beginning is the end (FEED-10)."""
    page = port.ask(Events(oldest=True))
    write(port, 0)

    assert ["t0"] == read(port, page.cursor, 1)


@pytest.mark.parametrize("command", ["aggregate", "getMore"])
def test_reader_survives_an_election(port, fail, command):
    """A primary that steps down, and a connection that breaks, cost a reader nothing (FEED-3)."""
    begin = port.ask(Events()).cursor
    write(port, 0)
    port._feed._renew()
    for failure in ({"errorCode": 189}, {"errorCode": 43}, {"closeConnection": True}):
        fail(command, **failure)
        assert ["t0"] == read(port, begin, 1)


@pytest.mark.parametrize("place", ["AB", "82", "826B"])
def test_place_that_the_server_cannot_read_is_no_cursor(port, namespace, place):
    """Digits that are no place in an oplog are a wrong call (FEED-4)."""
    with pytest.raises(InvalidCall):
        port.ask(Events(f"{namespace}.{place}"))


def test_stream_that_the_server_has_ended_is_opened_again(port, root):
    """Sessions and cursors that are killed cost a reader nothing (FEED-3)."""
    begin = port.ask(Events()).cursor
    assert () == port.ask(Events(begin)).events
    root.admin.command({"killAllSessions": []})
    write(port, 0)

    assert ["t0"] == read(port, begin, 1)


def test_readers_of_one_place_take_nothing_from_each_other(port):
    """Two readers that stand at one event both get what follows it, in turns, page by page (FEED-3)."""
    begin = port.ask(Events()).cursor
    for number in range(6):
        write(port, number)
    read(port, begin, 6)

    seen = [[], []]
    places = [begin, begin]
    for _ in range(3):
        for reader in (0, 1):
            page = port.ask(Events(places[reader], limit=2, wait=PATIENCE))
            seen[reader] += [event.txid for event in page.events]
            places[reader] = page.cursor

    assert [[f"t{number}" for number in range(6)]] * 2 == seen


def test_streams_that_are_kept_are_bounded(port):
    """Readers that never return leave so many change streams on the server and no more (FEED-6)."""
    begin = port.ask(Events()).cursor
    for number in range(aio_feed.KEPT + 8):
        write(port, number)
    port._feed._common = None
    for number in range(aio_feed.KEPT + 8):
        port.ask(Events(begin, limit=1 + number, wait=PATIENCE))

    assert aio_feed.KEPT == len(port._feed._streams)


def test_outcome_that_no_store_has_written_is_a_typed_error(port, records):
    """An event that cannot be read is named, and is no gap in silence (FEED-3)."""
    begin = port.ask(Events()).cursor
    records.insert_one({"_id": "tx:foreign", "o": "committed", "f": ["what"]})

    with pytest.raises(Misconfigured):
        port.ask(Events(begin, wait=PATIENCE))


def test_what_a_commit_does_not_know_of_a_record_is_left_out():
    """A delete without a word of the state of its record is told without uid and version."""
    key, other = Key("Site", "a"), Key("Site", "b")

    assert ["- 0 Site/a\0=u-b 3 Site/b"] == told(Commit("t", puts=(site(other, 3),), deletes=(key,)))
    assert [] == told(Commit("t", {key: None}))


def test_step_down_costs_readers_nothing(three, namespace):
    """FEED-3, FEED-11, FEED-12: each event once and in order, and no gap, while another member takes over."""
    with connect(f"{three.url}&heartbeatFrequencyMS=500", namespace=namespace) as store:
        readers = Readers(store)
        watch = store.watch(after=readers.begin, kinds=[Site], idle=PATIENCE)
        names = [f"s{number}" for number in range(6)]
        with store.lease(readers.consumer.seat) as lease:
            readers.write(*names[:3])
            readers.consume(lease, names[:3])
            readers.catch_up(names[:3])
            old = three.primary
            three.step_down()
            readers.write(*names[3:])
            three.wait_for_another(old)

            readers.consume(lease, names)
        readers.catch_up(names)
        assert names == [next(watch).changes[0].key.name for _ in names]


# one stream for all


def streams_on(root, namespace):
    """Count the change streams that the server has open on a namespace."""
    shown = [
        {"$currentOp": {"idleCursors": True, "allUsers": True}},
        {"$match": {"ns": f"{DATABASE}.emco.{namespace}", "cursor.cursorId": {"$exists": True}}},
    ]
    return len({one["cursor"]["cursorId"] for one in root.admin.aggregate(shown)})


def opened_streams_on(root, namespace):
    """Count them once there is one: readers of a busy machine may not have asked yet."""
    counts: list[int] = []
    until(lambda: counts.append(streams_on(root, namespace)) or counts[-1])
    return counts[-1]


@pytest.mark.parametrize("count", [2, 16])
def test_readers_of_one_process_have_one_stream(url, namespace, root, count):
    """However many follow the feed, the server has one change stream to feed, and each reader gets everything."""

    async def followed():
        port = MongoBackend(url).async_port(namespace)
        await port.open()
        begin = (await port.ask(Events())).cursor
        streams = []

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
            if number in {5, 11}:
                streams.append(await asyncio.to_thread(opened_streams_on, root, namespace))
        found = await asyncio.gather(*readers)
        await port.close()
        return found, streams, await asyncio.to_thread(streams_on, root, namespace)

    found, streams, left = asyncio.run(followed())
    assert [[f"t{number}" for number in range(12)]] * count == found
    assert [1, 1] == streams
    assert 0 == left


def test_slow_reader_goes_on_by_a_stream_of_its_own_until_it_has_caught_up(port, monkeypatch):
    """What the common stream does not keep any more is read from the oplog, and nothing is left out (FEED-6)."""
    monkeypatch.setattr(newest, "MOST_EVENTS", 3)
    begin = port.ask(Events()).cursor
    fast = begin
    for number in range(9):
        write(port, number)
        page = port.ask(Events(fast, wait=PATIENCE))
        assert [f"t{number}"] == [event.txid for event in page.events]
        fast = page.cursor

    page = port.ask(Events(begin, limit=4, wait=PATIENCE))
    assert 1 == len(port._feed._streams)
    assert [f"t{number}" for number in range(4, 9)] == read(port, page.cursor, 5)
    assert ["t0", "t1", "t2", "t3"] == [event.txid for event in page.events]
    write(port, 9)
    assert ["t9"] == read(port, fast, 1)
    assert {} == port._feed._streams


def test_reader_that_is_cancelled_takes_nothing_from_the_others(url, namespace):
    """The one that reads for all may be cancelled in the middle; the others go on from where they were."""

    async def cancelled():
        port = MongoBackend(url).async_port(namespace)
        await port.open()
        begin = (await port.ask(Events())).cursor
        await first_is_cancelled(port, begin, PATIENCE)

    asyncio.run(cancelled())


def test_stream_that_nobody_reads_gives_way(port, monkeypatch):
    """A reader that has caught up takes the place of one that has left for good."""
    monkeypatch.setattr(aio_feed, "UNREAD_S", 0.0)
    monkeypatch.setattr(sync_feed, "UNREAD_S", 0.0)
    port.ask(Events())
    left = port._feed._common
    write(port, 1)
    begin = port.ask(Events()).cursor
    write(port, 0)

    assert ["t0"] == read(port, begin, 1)
    assert left is not port._feed._common
    assert {} == port._feed._streams


def test_tail_keeps_so_many_events_and_so_much():
    """Places at which the next event is gone are none any more; the newest event is always there."""
    tail = tails.Tail("n", "n.00")

    def add(number, size):
        document = {
            "_id": {"_data": f"{number:02}"}, "operationType": "insert",
            "fullDocument": {"_id": f"tx:{number}", "f": ["", "", f'[["t",null,"{"x" * size}"]]']},
        }  # fmt: skip
        tail.add({"cursor": {"nextBatch": [document], "postBatchResumeToken": document["_id"]}})

    for number in range(1, 6):
        add(number, newest.MOST_CHARACTERS // 4)
    assert [True, False, False] == [tail.admit(cursor) for cursor in ("n.02", "n.01", "n.00")]
    assert ["3", "4", "5"] == [event.txid for event in tail.page(Events("n.02")).events]
    assert None is tail.page(Events("n.01"))
    add(6, 2 * newest.MOST_CHARACTERS)
    assert ["6"] == [event.txid for event in tail.page(Events("n.05")).events]
    assert ((), "n.06") == (tail.page(Events("n.06")).events, tail.page(Events("n.06")).cursor)
    for number in range(7, 99):
        tail.add({"cursor": {"nextBatch": [], "postBatchResumeToken": {"_data": f"{number:02}"}}})
    assert "n.98" == tail.page(Events("n.06")).cursor


def test_reader_that_is_ahead_of_the_tail_is_told_nothing_twice():
    """A place that the server has given is good for the common stream; one that it has not is none (FEED-3, FEED-4)."""
    tail = tails.Tail("n", "n.10")
    assert None is tail.page(Events("n.30"))
    assert tail.admit("n.30")
    batch = [
        {"_id": {"_data": f"{place}"}, "operationType": "insert", "fullDocument": {"_id": f"tx:{place}", "f": [""]}}
        for place in (20, 30, 40)
    ]

    assert ((), "n.30") == (tail.page(Events("n.30")).events, tail.page(Events("n.30")).cursor)
    tail.add({"cursor": {"nextBatch": batch, "postBatchResumeToken": {"_data": "40"}}})
    assert ["40"] == [event.txid for event in tail.page(Events("n.30")).events]
    assert ["20", "30", "40"] == [event.txid for event in tail.page(Events("n.10")).events]


def test_many_watchers_that_begin_now_have_one_stream(port, root, namespace):
    """Each asks where the feed ends, and all go on with the stream of the first one."""
    begins = []
    for number in range(5):
        begins.append(port.ask(Events()).cursor)
        write(port, number)

    for number, begin in enumerate(begins):
        assert [f"t{at}" for at in range(number, 5)] == read(port, begin, 5 - number)
    assert 1 == streams_on(root, namespace)


def test_reader_leaves_a_single_connection_to_commits(url, namespace):
    """With one connection in all, a reader that waits does not hold it for long."""
    port = MongoBackend(url + ("&" if "?" in url else "?") + "maxPoolSize=1").port(namespace)
    port.open()

    assert aio_feed.SHORT_S == port._feed._longest_s
    begin = port.ask(Events()).cursor
    write(port, 0)
    assert ["t0"] == read(port, begin, 1)
    port.close()
