"""MongoDB, one client: create, get, list, create many, update."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import MONGO_PEERS, Bench
from benchmarks.items import Item
from benchmarks.measure import Contender, one_client, one_task
from benchmarks.model import RawService, Service
from benchmarks.worlds import MongoWorld
from emco_store import Key

NO_OUTCOME = "an outcome record: if the reply to a commit is lost, nobody learns how it ended"
CHILDREN = 1_000


def create(bench: Bench) -> Iterator[Contender]:
    """Create with parent and two references."""
    world = MongoWorld(bench)
    yield Contender("emco_store", "ours", one_client(world.create))
    yield Contender("raw safe", "raw safe", one_client(world.raw_create), lacks=NO_OUTCOME)
    yield Contender("raw safe, a command a step", "base", one_client(world.raw_create_plainly), lacks=NO_OUTCOME)
    yield Contender("emco_store, asyncio", "ours", one_task(bench.runner, world.create_async), "async")
    yield Contender("raw safe, asyncio", "raw safe", one_task(bench.runner, world.raw_create_async), "async")
    for peer in bench.peers(MONGO_PEERS):
        yield bench.peer(peer, "create")


def get(bench: Bench) -> Iterator[Contender]:
    """Read by key."""
    world = MongoWorld(bench, children=100)

    async def ours() -> object:
        return await world.async_store.get(Service, "s0", world.one())

    async def raw() -> object:
        return await world.async_raw.get(f"Service/s0/{world.one()}")

    yield Contender("emco_store", "ours", one_client(world.get))
    yield Contender("raw safe", "raw safe", one_client(world.raw_get))
    yield Contender("emco_store, asyncio", "ours", one_task(bench.runner, ours), "async")
    yield Contender("raw safe, asyncio", "raw safe", one_task(bench.runner, raw), "async")
    for peer in bench.peers(MONGO_PEERS):
        peer.fill(100)
        yield bench.peer(peer, "get")


def get_followed(bench: Bench) -> Iterator[Contender]:
    """Read by key, and then what one reference points to."""
    world = MongoWorld(bench, children=100)

    async def ours() -> object:
        found = await world.async_store.get(Service, "s0", world.one())
        return await world.async_store.get(found.primary)

    yield Contender("emco_store", "ours", one_client(world.get_followed))
    yield Contender("raw safe", "raw safe", one_client(world.raw_get_followed), lacks="both as of one moment")
    yield Contender("emco_store, asyncio", "ours", one_task(bench.runner, ours), "async")
    for peer in bench.peers(MONGO_PEERS):
        peer.fill(100)
        yield bench.peer(peer, "get_followed")
        if hasattr(peer, "get_all_followed"):
            yield bench.peer(peer, "get_all_followed", name=f"{peer.name}, one request for all links")


def list_children(bench: Bench) -> Iterator[Contender]:
    """Read 1,000 children into models."""
    size = bench.effort.scaled(CHILDREN)
    world = MongoWorld(bench, children=size)

    def ours() -> None:
        page = world.store.list(Service, parent=Key("Site", "s0"), limit=size)
        assert len(page.resources) == size

    async def ours_async() -> None:
        page = await world.async_store.list(Service, parent=Key("Site", "s0"), limit=size)
        assert len(page.resources) == size

    def raw() -> None:
        found = world.raw.records.find({"parent": "Site/s0", "refs": "Site/s0"}).sort("_id")
        assert len([RawService.model_validate(one) for one in found]) == size

    few = 5
    yield Contender("emco_store", "ours", one_client(ours, operations=few))
    yield Contender("raw safe", "raw safe", one_client(raw, operations=few), lacks="the list as of one moment")
    yield Contender("emco_store, asyncio", "ours", one_task(bench.runner, ours_async, operations=few), "async")
    for peer in bench.peers(MONGO_PEERS):
        peer.fill(size)
        yield bench.peer(peer, "list_children", size, operations=1)


def create_many(bench: Bench) -> Iterator[Contender]:
    """Create 1,000 children in one transaction."""
    size = bench.effort.scaled(CHILDREN)
    world = MongoWorld(bench)

    def ours() -> None:
        with world.store.transaction() as tx:
            for _ in range(size):
                tx.create(world.service())

    async def ours_async() -> None:
        async with world.async_store.transaction() as tx:
            for _ in range(size):
                await tx.create(world.service())

    def raw() -> None:
        world.raw.create_many([world.raw_service() for _ in range(size)])

    yield Contender("emco_store", "ours", one_client(ours, operations=1))
    yield Contender("raw safe", "raw safe", one_client(raw, operations=1), lacks=NO_OUTCOME)
    yield Contender("emco_store, asyncio", "ours", one_task(bench.runner, ours_async, operations=1), "async")
    for peer in bench.peers(MONGO_PEERS):
        yield bench.peer(peer, "create_many", size, operations=1)


def update(bench: Bench) -> Iterator[Contender]:
    """Change one record, unless somebody else has changed it since it was read."""
    world = MongoWorld(bench, children=100)
    held = world.store.get(Service, "s0", "c0")
    kept = world.raw.get("Service/s0/c0")
    other = bench.run(world.async_store.get(Service, "s0", "c1"))

    def ours() -> None:
        nonlocal held
        held = world.store.update(held.model_copy(update={"weight": held.weight + 1}))

    async def ours_async() -> None:
        nonlocal other
        other = await world.async_store.update(other.model_copy(update={"weight": other.weight + 1}))

    def raw() -> None:
        nonlocal kept
        changed = {**kept.model_dump(by_alias=True), "weight": kept.weight + 1}
        kept = world.raw.update(RawService.model_validate(changed))

    yield Contender("emco_store", "ours", one_client(ours))
    yield Contender("raw safe", "raw safe", one_client(raw), lacks=NO_OUTCOME)
    yield Contender("emco_store, asyncio", "ours", one_task(bench.runner, ours_async), "async")
    for peer in bench.peers(MONGO_PEERS):
        peer.fill(1)
        yield bench.peer(peer, "update")


MONGO = ("mongo",)
ITEMS = (
    Item("mongo-create", "MongoDB: create with parent and 2 references, 1 client", MONGO, create),
    Item("mongo-get", "MongoDB: get by key", MONGO, get),
    Item("mongo-get-followed", "MongoDB: get with one reference followed", MONGO, get_followed),
    Item("mongo-list", "MongoDB: list 1,000 children into models", MONGO, list_children),
    Item("mongo-create-many", "MongoDB: create 1,000 children in one transaction", MONGO, create_many),
    Item("mongo-update", "MongoDB: conditional update of one record", MONGO, update),
)
