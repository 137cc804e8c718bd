"""MongoDB, 32 tasks in one process: creates at random and under one hot parent, one hot record, and gets."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.items import Item
from benchmarks.items.one_client import NO_OUTCOME
from benchmarks.measure import Contender, many_tasks
from benchmarks.model import RawService, RawTarget, Service
from benchmarks.worlds import MongoWorld
from emco_store import AsyncTransaction

TASKS = 32
CHILDREN = 1_000
UNSAFE = "anything: parent and targets may not exist"


def at_random(bench: Bench) -> Iterator[Contender]:
    """Create under 1,000 sites with references to 1,000 networks."""
    yield from _creators(bench, sites=bench.effort.scaled(1_000))


def hot_parent(bench: Bench) -> Iterator[Contender]:
    """Create under one site with references to 1,000 networks."""
    yield from _creators(bench, sites=1)


def _creators(bench: Bench, *, sites: int) -> Iterator[Contender]:
    world = MongoWorld(bench, sites=sites, networks=bench.effort.scaled(1_000))
    runner = bench.runner
    yield Contender("emco_store", "ours", many_tasks(runner, TASKS, world.create_async), "async")
    yield Contender(
        "raw safe", "raw safe", many_tasks(runner, TASKS, world.raw_create_async), "async", lacks=NO_OUTCOME
    )
    yield Contender(
        "unguarded insert_one", "unguarded", many_tasks(runner, TASKS, world.raw_insert_async), "async", lacks=UNSAFE
    )
    for peer in bench.peers(("beanie",)):
        yield Contender(
            peer.name, "peer", many_tasks(runner, TASKS, peer.create), "async", lacks=peer.lacks["create"]
        )  # fmt: skip


def hot_record(bench: Bench) -> Iterator[Contender]:
    """Read, change and write one record; nobody's change may be lost."""
    world = MongoWorld(bench, children=100)

    async def step(tx: AsyncTransaction) -> None:
        found = await tx.get(Service, "s0", "c0")
        await tx.update(found.model_copy(update={"weight": found.weight + 1}))

    async def ours() -> None:
        await world.async_store.run(step)

    async def raw() -> None:
        await world.async_raw.increment("Service/s0/c0")

    runner = bench.runner
    yield Contender("emco_store", "ours", many_tasks(runner, TASKS, ours), "async")
    yield Contender("raw safe", "raw safe", many_tasks(runner, TASKS, raw), "async", lacks=NO_OUTCOME)
    for peer in bench.peers(("beanie",)):
        peer.fill(1)
        yield Contender(
            peer.name, "peer", many_tasks(runner, TASKS, peer.increment), "async", lacks=peer.lacks["increment"]
        )  # fmt: skip


def gets(bench: Bench) -> Iterator[Contender]:
    """Read by key."""
    world = MongoWorld(bench, children=CHILDREN)

    async def ours() -> Service:
        return await world.async_store.get(Service, "s0", _one(bench))

    async def raw() -> RawService:
        return await world.async_raw.get(f"Service/s0/{_one(bench)}")

    yield Contender("emco_store", "ours", many_tasks(bench.runner, TASKS, ours), "async")
    yield Contender("raw safe", "raw safe", many_tasks(bench.runner, TASKS, raw), "async")
    for peer in bench.peers(("beanie",)):
        peer.fill(CHILDREN)
        yield Contender(peer.name, "peer", many_tasks(bench.runner, TASKS, peer.get), "async")


def gets_followed(bench: Bench) -> Iterator[Contender]:
    """Read by key, and then what one reference points to."""
    world = MongoWorld(bench, children=CHILDREN)

    async def ours() -> None:
        found = await world.async_store.get(Service, "s0", _one(bench))
        await world.async_store.get(found.primary)

    async def raw() -> None:
        found = await world.async_raw.get(f"Service/s0/{_one(bench)}")
        RawTarget.model_validate(await world.async_raw.records.find_one({"_id": found.primary}))

    yield Contender("emco_store", "ours", many_tasks(bench.runner, TASKS, ours), "async")
    yield Contender("raw safe", "raw safe", many_tasks(bench.runner, TASKS, raw), "async")
    for peer in bench.peers(("beanie",)):
        peer.fill(CHILDREN)
        yield Contender(peer.name, "peer", many_tasks(bench.runner, TASKS, peer.get_followed), "async")


def _one(bench: Bench) -> str:
    return f"c{bench.random.randrange(CHILDREN)}"


MONGO = ("mongo",)
ITEMS = (
    Item("mongo-32-random", "MongoDB: create, 32 tasks, targets at random", MONGO, at_random),
    Item("mongo-32-hot", "MongoDB: create, 32 tasks under one hot parent", MONGO, hot_parent),
    Item("mongo-hot-record", "MongoDB: 32 tasks incrementing one hot record", MONGO, hot_record),
    Item("mongo-32-get", "MongoDB: get by key, 32 tasks", MONGO, gets),
    Item("mongo-32-get-followed", "MongoDB: get by key with a reference followed, 32 tasks", MONGO, gets_followed),
)
