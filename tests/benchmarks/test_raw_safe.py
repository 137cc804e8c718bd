"""What the benchmark calls safe by hand is safe: nothing dangles, nothing is written late, nothing is missed."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest
from pymongo import AsyncMongoClient, MongoClient

from benchmarks.model import raw_service, service
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.approvals import ROOT, RawApprovals
from benchmarks.raw.feeds import Gap, RawRedisFeed, mongo_updates
from benchmarks.raw.leases import Held, Over, RawMongoLeases, RawRedisLeases
from benchmarks.raw.mongo import DATABASE, Missing, RawMongo, Restricted, Stale
from benchmarks.raw.mongo_async import AsyncRawMongo
from benchmarks.raw.redis import RawRedis
from benchmarks.raw.redis_approvals import RawRedisApprovals

ROUNDS = 12
WRITERS = 6
EACH = 4


@pytest.fixture
def mongo(mongo_server):
    """Records of a name of their own, with two networks."""
    with MongoClient(mongo_server.url) as client:
        client[DATABASE].drop_collection("safe")
        raw = RawMongo(client, "safe")
        raw.records.insert_many([{"_id": "Network/n0"}, {"_id": "Network/n1"}])
        yield raw
        client.drop_database(DATABASE)


@pytest.fixture
def redis(redis_server):
    """Records under a prefix of their own, with two networks."""
    client = raw_redis.client(redis_server.url)
    raw = RawRedis(client, "bench:safe")
    raw.add_target("Network/n0")
    raw.add_target("Network/n1")
    yield raw
    for key in list(client.scan_iter("bench:safe:*")):
        client.delete(key)
    client.close()


def test_creates_and_deletes_on_mongodb_leave_no_orphan(mongo, mongo_server):
    """Whoever creates under a parent that goes at the same time is refused, or goes along."""

    async def race() -> None:
        async with AsyncMongoClient(mongo_server.url) as client:
            raw = AsyncRawMongo(client, "safe")
            for number in range(ROUNDS):
                await raw.records.insert_one({"_id": f"Site/s{number}"})
                await _race(raw.create, lambda at=number: raw.delete(f"Site/s{at}"), f"s{number}")

    asyncio.run(race())

    assert [] == _dangling(mongo)
    assert 0 == mongo.records.count_documents({"_id": {"$regex": "^Site/"}})


def test_creates_and_deletes_on_redis_leave_no_orphan(redis, redis_server):
    """The same holds for the scripts."""

    async def race() -> None:
        client = raw_redis.async_client(redis_server.url)
        raw = RawRedis(client, "bench:safe")
        for number in range(ROUNDS):
            redis.add_target(f"Site/s{number}")

            async def delete(at: int = number) -> None:
                await asyncio.to_thread(redis.delete, f"Site/s{at}")

            await _race(raw.create_async, delete, f"s{number}")
        await client.aclose()

    asyncio.run(race())

    assert [] == list(redis.client.scan_iter("bench:safe:Service/*"))


def test_the_look_for_orphans_finds_one(mongo):
    """A record that is inserted unguarded after its parent has gone is found."""
    made = raw_service("gone", "orphan", "n0", "n1")

    mongo.records.insert_one(made.model_dump(by_alias=True))

    assert [("Service/gone/orphan", "Site/gone")] == _dangling(mongo)


@pytest.mark.parametrize("backend", ["mongo", "redis"])
def test_hand_written_code_refuses_what_it_must(backend, request):
    """A missing target, a delete of what is referred to and a stale update are refused."""
    raw = request.getfixturevalue(backend)
    if backend == "mongo":
        raw.records.insert_one({"_id": "Site/s0"})
    else:
        raw.add_target("Site/s0")
    raw.create(raw_service("s0", "a", "n0", "n1"))
    read = raw.get("Service/s0/a")
    raw.update(read)

    with pytest.raises(Missing):
        raw.create(raw_service("s0", "b", "n0", "absent"))
    with pytest.raises(Restricted):
        raw.delete("Network/n0")
    with pytest.raises(Stale):
        raw.update(read)
    assert 2 == raw.delete("Site/s0")


@pytest.fixture
def approvals(mongo_server):
    """A group of three members."""
    with MongoClient(mongo_server.url) as client:
        client[DATABASE].drop_collection("approvals")
        yield RawApprovals(client, "approvals", members())
        client.drop_database(DATABASE)


@pytest.fixture
def redis_approvals(redis):
    """The same on Redis."""
    return RawRedisApprovals(redis.client, "bench:safe:approvals", members())


def members():
    """Make three members of a group."""
    return [service("s0", f"m{number}", "n0", "n1") for number in range(3)]


def test_hand_written_approval_refuses_other_content(approvals):
    """What was looked at is approved and recorded; after a change of a member it is not."""
    seen = approvals.digest()
    approvals.approve(seen)
    approvals.records.update_one({"_id": f"{ROOT}/1"}, {"$set": {"body.weight": 9}})

    with pytest.raises(Stale):
        approvals.approve(seen)
    assert [(1, seen)] == [(one.number, one.digest) for one in approvals.history(20)]
    assert 1 == approvals.records.find_one(ROOT)["revisions"]


@pytest.mark.parametrize("change", ["body", "new", "gone"])
def test_hand_written_approval_on_redis_refuses_other_content(redis_approvals, change):
    """What was looked at is approved and recorded; after a change of a member, or of who is one, it is not."""
    raw, member = redis_approvals, redis_approvals.place(f"{ROOT}/1")
    seen = raw.digest()
    raw.approve(seen)
    if change == "body":
        raw.client.hset(member, "body", "{}")
    else:
        {"new": raw.client.sadd, "gone": raw.client.srem}[change](
            f"{raw.place(ROOT)}:referrers", raw.place("Network/n0") if change == "new" else member
        )

    with pytest.raises(Stale):
        raw.approve(seen)
    assert [(1, seen)] == [(one.number, one.digest) for one in raw.history(20)]


@pytest.mark.parametrize("backend", ["approvals", "redis_approvals"])
def test_hand_written_history_has_each_revision_once(backend, request):
    """The pages of a history, one after the other, hold all revisions, the newest first; moves come from one state."""
    raw = request.getfixturevalue(backend)
    raw.record(0, 5)
    pages = [raw.history(2)]
    while pages[-1]:
        pages.append(raw.history(2, before=pages[-1][-1].number))

    assert [[5, 4], [3, 2], [1], []] == [[one.number for one in page] for page in pages]
    raw.approve(raw.digest())
    assert [6] == [one.number for one in raw.history(1)]
    raw.move("Approved", "Up")
    with pytest.raises(Restricted):
        raw.move("Approved", "Up")


@pytest.fixture(params=["mongo", "redis"])
def leases(request, mongo_server):
    """Leases beside a record, and the record."""
    one = raw_service("s0", "held", "n0", "n1")
    if request.param == "redis":
        raw = RawRedisLeases(request.getfixturevalue("redis").client, "bench:safe:leases")
        raw.client.hset(raw.place(one.id), mapping={"rev": 1, "body": one.model_dump_json(by_alias=True)})
        yield raw, one
        return
    with MongoClient(mongo_server.url) as client:
        raw = RawMongoLeases(client, "leases")
        raw.records.insert_one(one.model_dump(by_alias=True))
        yield raw, one
        client.drop_database(DATABASE)


def test_hand_written_lease_has_one_holder_who_beats_and_writes(leases):
    """While it is held, its owner beats and writes, and nobody takes it; once it is over, neither is possible."""
    raw, one = leases
    owners = {"w": raw.take("w"), "v": raw.take("v")}
    with pytest.raises(Held):
        raw.take("w")
    raw.beat(owners)
    raw.beat({"w": owners["w"]})
    one = raw.update_held(one, "w", owners["w"])

    raw.end("w", owners["w"])

    for beats in (owners, {"w": owners["w"]}):
        with pytest.raises(Over):
            raw.beat(beats)
    with pytest.raises((Over, Stale)):
        raw.update_held(one, "w", owners["w"])
    with pytest.raises(Over):
        raw.end("w", owners["w"])
    assert 2 == raw.get(one.id).rev
    raw.update_held(one, "w", raw.take("w"))


def test_hand_written_lease_that_has_ended_lets_nothing_through(leases):
    """Whoever writes while the lease is ended is refused from then on, and has written all that was acknowledged."""
    raw, one = leases
    owner = raw.take("w")
    ended = []

    def end():
        raw.end("w", owner)
        ended.append("w")

    thread = Thread(target=end)
    try:
        while True:
            was_over = bool(ended)
            one = raw.update_held(one, "w", owner)
            assert not was_over
            if thread.ident is None:
                thread.start()
    except (Over, Stale):
        thread.join()

    assert ["w"] == ended
    assert raw.get(one.id).rev == one.rev > 1


def test_hand_written_approval_loses_to_a_change_at_the_same_time(approvals, monkeypatch):
    """A member that changes between the read and the commit makes the approval begin again, and be refused."""
    seen, lock = approvals.digest(), approvals.records.update_many

    def change_first(*arguments, **options):
        monkeypatch.undo()
        approvals.records.update_one({"_id": f"{ROOT}/1"}, {"$set": {"body.weight": 9}})
        return lock(*arguments, **options)

    monkeypatch.setattr(approvals.records, "update_many", change_first)

    with pytest.raises(Stale):
        approvals.approve(seen)
    assert [] == approvals.history(20)


def test_hand_written_feeds_tell_each_update(mongo, redis):
    """A reader is told of all updates after it has begun, in order."""
    first = raw_service("s0", "told", "n0", "n1")
    mongo.records.insert_one(first.model_dump(by_alias=True))
    feed = RawRedisFeed(redis.client, "bench:safe:feed")
    redis.client.hset(feed.place(first.id), mapping={"rev": 0, "body": ""})
    feed.update_told(first.model_copy(update={"rev": 0}))

    def twice(update):
        return lambda: update(update(first))

    for told in (mongo_updates(mongo, twice(mongo.update)), feed.updates(twice(feed.update_told))):
        assert [2, 3] == [next(told), next(told)]
        told.close()


def test_hand_written_feed_on_redis_notices_a_gap(redis):
    """Where the entry of the cursor is gone, what came after it may be gone, too: nothing more is told."""
    first = raw_service("s0", "told", "n0", "n1")
    feed = RawRedisFeed(redis.client, "bench:safe:feed")
    redis.client.hset(feed.place(first.id), mapping={"rev": 0, "body": ""})
    feed.update_told(first.model_copy(update={"rev": 0}))

    def trimmed():
        feed.update_told(feed.update_told(first))
        redis.client.xtrim(feed.place("feed"), maxlen=1, approximate=False)

    with pytest.raises(Gap):
        next(feed.updates(trimmed))


async def _race(create, delete, site):
    """Let writers create while somebody deletes; each stops after some, so that the delete comes to its end."""

    async def writer(number: int) -> None:
        for at in range(EACH):
            try:
                await create(raw_service(site, f"w{number}-{at}", "n0", "n1"))
            except Missing:
                return

    async def deleter() -> None:
        await asyncio.sleep(0)
        await delete()

    await asyncio.gather(deleter(), *(writer(number) for number in range(WRITERS)))


def _dangling(mongo):
    there = {one["_id"]: one.get("refs", ()) for one in mongo.records.find()}
    return [(key, target) for key, refs in there.items() for target in refs if target not in there]
