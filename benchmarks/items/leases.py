"""Leases: what a beat costs, and a commit that happens only while the lease of its writer is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

from benchmarks.bench import Bench
from benchmarks.items import Item, redis
from benchmarks.items.lifecycles import TITLES
from benchmarks.items.one_client import NO_OUTCOME
from benchmarks.measure import Contender, one_client
from benchmarks.model import RawService, Service
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.leases import RawMongoLeases, RawRedisLeases
from benchmarks.worlds import World
from emco_store import Key, Resource
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.core.pulses import LEASE, Heartbeat
from emco_store.core.reserved import beside
from emco_store.ports import Beat

TTL = timedelta(minutes=10)
TWICE = "that a beat counts once which arrives twice, or late; progress"
LACKS = {"mongo": NO_OUTCOME, "redis": redis.NO_OUTCOME}


class Worker(Resource, lease=TTL):
    """Who writes."""


def beat(server: str, leases: int) -> Callable[[Bench], Iterator[Contender]]:
    """Make the item of one request that beats for so many leases."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        url, numbers = bench.urls[server], count(1)
        backend = MongoBackend(url) if server == "mongo" else RedisBackend(url)
        port = backend.port(bench.namespace())
        port.open()
        bench.closing(port.close)
        held = {f"{at:032x}": beside(LEASE, Key("Worker", f"w{at}")) for at in range(leases)}

        def ours() -> None:
            number = next(numbers)
            answer = port.ask(Beat({uid: Heartbeat(key, number, TTL, '{"at":1}') for uid, key in held.items()}))
            assert number == 1 or not answer.lapsed

        ours()  # a first beat makes the pulses
        raw = _raw(bench, server)
        owners = {worker: raw.take(worker) for worker in (f"w{at}" for at in range(leases))}
        several = None if leases == 1 else 30
        yield Contender("emco_store", "ours", one_client(ours, operations=several))
        by_hand = one_client(lambda: raw.beat(owners), operations=several)
        yield Contender("raw safe", "raw safe", by_hand, lacks=TWICE)

    return contenders


def commit(server: str) -> Callable[[Bench], Iterator[Contender]]:
    """Make the item of an update that is committed only while the writer holds its lease."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world = World(bench)
        store = bench.store(server, bench.namespace(), models=[Worker])
        world.fill(store, 2)
        lease = bench.enter(store.lease(Worker(name="w0")))
        raw = _raw(bench, server)
        owner = raw.take("w0")
        for one in world.raw_services(1):
            _put(raw, one)
        held = {name: store.get(Service, "s0", name) for name in ("c0", "c1")}
        kept = raw.get("Service/s0/c0")

        def fenced() -> None:
            with store.transaction() as tx:
                tx.require(lease)
                held["c0"] = tx.update(held["c0"].model_copy(update={"weight": held["c0"].weight + 1}))

        def plain() -> None:
            held["c1"] = store.update(held["c1"].model_copy(update={"weight": held["c1"].weight + 1}))

        def by_hand() -> None:
            nonlocal kept
            changed = {**kept.model_dump(by_alias=True), "weight": kept.weight + 1}
            kept = raw.update_held(RawService.model_validate(changed), "w0", owner)

        yield Contender("emco_store", "ours", one_client(fenced))
        yield Contender("emco_store, without the fence", "base", one_client(plain))
        yield Contender("raw safe", "raw safe", one_client(by_hand), lacks=LACKS[server])

    return contenders


def _raw(bench: Bench, server: str) -> RawMongoLeases | RawRedisLeases:
    if server == "mongo":
        return RawMongoLeases(bench.mongo(), bench.namespace())
    client: Any = raw_redis.client(bench.urls["redis"])
    bench.closing(client.close)
    return RawRedisLeases(client, f"bench:{bench.namespace()}")


def _put(raw: RawMongoLeases | RawRedisLeases, one: RawService) -> None:
    """Store a record without looking at its targets."""
    if isinstance(raw, RawMongoLeases):
        raw.records.insert_one(one.model_dump(by_alias=True))
    else:
        raw.client.hset(raw.place(one.id), mapping={"rev": one.rev, "body": one.model_dump_json(by_alias=True)})


def _items(server: str) -> Iterator[Item]:
    needs, title = (server,), TITLES[server]
    yield Item(f"lease-beat-{server}", f"{title}: beat for a lease", needs, beat(server, 1))
    yield Item(f"lease-beats-{server}", f"{title}: beat for 100 leases at once", needs, beat(server, 100))
    yield Item(f"lease-commit-{server}", f"{title}: update that needs a lease", needs, commit(server))


ITEMS = tuple(item for server in ("redis", "mongo") for item in _items(server))
