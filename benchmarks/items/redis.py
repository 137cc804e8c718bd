"""Redis: create, get, list, update, one client and many tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.bench import REDIS_PEERS, Bench
from benchmarks.items import Item
from benchmarks.items.tasks import TASKS
from benchmarks.measure import Contender, many_tasks, one_client, one_task
from benchmarks.model import RawService, RawTarget, Service
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.redis import RawRedis
from benchmarks.worlds import World
from emco_store import Key

NO_OUTCOME = "an outcome record; a full memory may stop the script half-way"


class RedisWorld(World):
    """The world on Redis: emco_store and hand-written scripts."""

    def __init__(self, bench: Bench, *, sites: int = 1, networks: int = 20, children: int = 0) -> None:
        super().__init__(bench, sites=sites, networks=networks)
        name = bench.namespace()
        self.store = bench.store("redis", name)
        self.async_store = bench.async_store("redis", name)
        client = raw_redis.client(bench.urls["redis"])
        bench.closing(client.close)
        tasks = raw_redis.async_client(bench.urls["redis"])
        bench.closing(lambda: bench.run(tasks.aclose()))
        self.raw = RawRedis(client, f"bench:{name}")
        self.async_raw = RawRedis(tasks, f"bench:{name}")
        self.fill(self.store, children)
        for site in self.sites:
            self.raw.add_target(f"Site/{site}")
        for network in self.networks:
            self.raw.add_target(f"Network/{network}")
        for one in self.raw_services(children):
            self.raw.create(one)

    def one(self) -> str:
        """Choose one of the first 100 children."""
        return f"c{self.bench.random.randrange(100)}"


def create(bench: Bench) -> Iterator[Contender]:
    """Create with parent and two references."""
    world = RedisWorld(bench)
    yield Contender("emco_store", "ours", one_client(lambda: world.store.create(world.service())))
    yield Contender("raw safe", "raw safe", one_client(lambda: world.raw.create(world.raw_service())), lacks=NO_OUTCOME)
    ours = one_task(bench.runner, lambda: world.async_store.create(world.service()))
    yield Contender("emco_store, asyncio", "ours", ours, "async")
    for peer in bench.peers(REDIS_PEERS):
        yield bench.peer(peer, "create")


def create_by_tasks(bench: Bench) -> Iterator[Contender]:
    """Create with parent and two references, 32 tasks."""
    world = RedisWorld(bench, sites=bench.effort.scaled(1_000), networks=bench.effort.scaled(1_000))

    async def ours() -> None:
        await world.async_store.create(world.service())

    async def raw() -> None:
        await world.async_raw.create_async(world.raw_service())

    runner = bench.runner
    yield Contender("emco_store", "ours", many_tasks(runner, TASKS, ours), "async")
    yield Contender("raw safe", "raw safe", many_tasks(runner, TASKS, raw), "async", lacks=NO_OUTCOME)
    for peer in bench.peers(REDIS_PEERS):
        work = many_tasks(runner, TASKS, peer.create_async)
        yield Contender(peer.name, "peer", work, "async", lacks=peer.lacks["create"])


def get(bench: Bench) -> Iterator[Contender]:
    """Read by key."""
    world = RedisWorld(bench, children=100)
    yield Contender("emco_store", "ours", one_client(lambda: world.store.get(Service, "s0", world.one())))
    yield Contender("raw safe", "raw safe", one_client(lambda: world.raw.get(f"Service/s0/{world.one()}")))
    for peer in bench.peers(REDIS_PEERS):
        peer.fill(100)
        yield bench.peer(peer, "get")


def get_followed(bench: Bench) -> Iterator[Contender]:
    """Read by key, and then what one reference points to."""
    world = RedisWorld(bench, children=100)

    def ours() -> Any:
        found = world.store.get(Service, "s0", world.one())
        return found, world.store.get(found.primary)

    def raw() -> Any:
        found = world.raw.get(f"Service/s0/{world.one()}")
        return found, RawTarget.model_validate_json(world.raw.read(found.primary)[1])

    yield Contender("emco_store", "ours", one_client(ours))
    yield Contender("raw safe", "raw safe", one_client(raw), lacks="both as of one moment")


def list_children(bench: Bench) -> Iterator[Contender]:
    """Read 1,000 children into models."""
    size = bench.effort.scaled(1_000)
    world = RedisWorld(bench, children=size)

    def ours() -> None:
        assert len(world.store.list(Service, parent=Key("Site", "s0"), limit=size).resources) == size

    def raw() -> None:
        assert len(world.raw.children("Site/s0")) == size

    yield Contender("emco_store", "ours", one_client(ours, operations=5))
    yield Contender("raw safe", "raw safe", one_client(raw, operations=5), lacks="pages")
    for peer in bench.peers(REDIS_PEERS):
        peer.fill(size)
        yield bench.peer(peer, "list_children", size, operations=1)


def update(bench: Bench) -> Iterator[Contender]:
    """Change one record, unless somebody else has changed it since it was read."""
    world = RedisWorld(bench, children=1)
    held = world.store.get(Service, "s0", "c0")
    kept = world.raw.get("Service/s0/c0")

    def ours() -> None:
        nonlocal held
        held = world.store.update(held.model_copy(update={"weight": held.weight + 1}))

    def raw() -> None:
        nonlocal kept
        changed = {**kept.model_dump(by_alias=True), "weight": kept.weight + 1}
        kept = world.raw.update(RawService.model_validate(changed))

    yield Contender("emco_store", "ours", one_client(ours))
    yield Contender("raw safe", "raw safe", one_client(raw), lacks=NO_OUTCOME)
    for peer in bench.peers(REDIS_PEERS):
        peer.fill(1)
        yield bench.peer(peer, "update")


REDIS = ("redis",)
ITEMS = (
    Item("redis-create", "Redis: create with parent and 2 references, 1 client", REDIS, create),
    Item("redis-32-random", "Redis: create, 32 tasks, targets at random", REDIS, create_by_tasks),
    Item("redis-get", "Redis: get by key", REDIS, get),
    Item("redis-get-followed", "Redis: get with one reference followed", REDIS, get_followed),
    Item("redis-list", "Redis: list 1,000 children into models", REDIS, list_children),
    Item("redis-update", "Redis: conditional update of one record", REDIS, update),
)
