"""What the benchmark calls safe by hand is safe: creates and deletes at the same time leave nothing that dangles."""

from __future__ import annotations

import asyncio

import pytest
from pymongo import AsyncMongoClient, MongoClient

from benchmarks.model import raw_service, service
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.approvals import ROOT, RawApprovals
from benchmarks.raw.mongo import DATABASE, Missing, RawMongo, Restricted, Stale
from benchmarks.raw.mongo_async import AsyncRawMongo
from benchmarks.raw.redis import RawRedis

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
        yield RawApprovals(client, "approvals", [service("s0", f"m{number}", "n0", "n1") for number in range(3)])
        client.drop_database(DATABASE)


def test_hand_written_approval_refuses_other_content(approvals):
    """What was looked at is approved and recorded; after a change of a member it is not."""
    seen = approvals.digest()
    approvals.approve(seen)
    approvals.records.update_one({"_id": f"{ROOT}/1"}, {"$set": {"body.weight": 9}})

    with pytest.raises(Stale):
        approvals.approve(seen)
    assert (seen, 1) == (
        approvals.records.find_one("Revision/1")["digest"],
        approvals.records.find_one(ROOT)["revisions"],
    )


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
    assert approvals.records.find_one("Revision/1") is None


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
