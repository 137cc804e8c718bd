"""The phase that lets a feed forget: readers beside a workload, while history is trimmed, dropped, rolled over or lost.

What was acknowledged may be lost here, so only the feed is judged: each reader is told what is stored at the end, or of
a gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, Final

from bson.timestamp import Timestamp
from pymongo import MongoClient
from redis import Redis

from emco_store import MemoryBackend
from emco_store.backends.mongo.backend import DATABASE, MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.connect import connect
from emco_store.ports import Durability
from proof.feeds import WAIT, Told
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig
from tests.proof.faults.grounds import Fault, Ground, pause
from tests.proof.faults.redis_grounds import promote
from tests.proof.faults.server_faults import Size, let_work
from tests.proof.faults.striking import Series, Watch
from tests.proof.faults.wire import wired
from tests.servers.mongo import replica_set
from tests.servers.process import HOST
from tests.servers.redis_nodes import own_redis, replica_of, replication

_FORGOTTEN: Final = 20
"""So many acknowledged commits are unknown to the server that takes over."""
_KEPT: Final = 5
"""So many events are left in a feed that was trimmed."""
_BLOCK_MB: Final = 8
_STRIKES: Final = 5
_READERS: Final = (2, 4, 16)
_HEARTBEAT: Final = "heartbeatFrequencyMS=500"


@contextmanager
def memory() -> Iterator[Ground]:
    """A feed in memory that keeps a handful of events."""
    rig = Rig("memory", MemoryBackend(feed_kept=_KEPT))
    yield Ground(Durability.VOLATILE, {"short feed": Fault(lambda _, __: None, rig)})


@contextmanager
def redis() -> Iterator[Ground]:
    """A primary without a file and its replica, for which commits do not wait, behind an address."""
    with own_redis() as first, replica_of(first) as second, wired(first.port) as wire:
        nodes = [first, second]
        rig = Rig("redis", RedisBackend(wire.url), wire.url)

        def fail_over(random: Random, watch: Watch) -> None:
            primary, replica = nodes
            replica.ask("REPLICAOF", "NO", "ONE")
            watch.until_more(_FORGOTTEN, "ok")
            primary.kill()
            pause(random, 0.3)
            promote(replica, wire)
            nodes.reverse()
            follow()

        def restart(_: Random, watch: Watch) -> None:
            watch.until_more(_FORGOTTEN, "ok")
            nodes[1].ask("REPLICAOF", "NO", "ONE")
            nodes[0].kill()
            nodes[0].begin("--replicaof", "no", "one")  # it may have been a replica when it was first started
            nodes[0].wait_until(nodes[0].answers)
            follow()

        def follow() -> None:
            primary, replica = nodes
            if not replica.answers():
                replica.start()
            primary.ask("CONFIG SET", "repl-diskless-sync-delay", 0)
            replica.ask("REPLICAOF", HOST, primary.port)
            replica.wait_until(lambda: "up" == replication(replica)["master_link_status"])

        def trim(_: Random, watch: Watch) -> None:
            watch.until_more(_FORGOTTEN, "ok")
            with nodes[0].admin() as client:
                for feed in client.scan_iter("*:feed"):
                    client.xtrim(feed, maxlen=_KEPT, approximate=False)

        def cut(_: Random, __: Watch) -> None:
            with Redis.from_url(nodes[0].url) as client:
                client.client_kill_filter(_type="normal", skipme=True)

        faults = {
            "failover that forgets": Fault(fail_over, rig),
            "restart without data": Fault(restart, rig),
            "trimmed feed": Fault(trim, rig, is_missed=True),
            "connections that are ended": Fault(cut, rig),
        }
        yield Ground(Durability.VOLATILE, faults)


@contextmanager
def mongo() -> Iterator[Ground]:
    """A set of one member, whose oplog is short."""
    with replica_set(1, "--syncdelay=1") as (url, _), MongoClient[Any](url) as client:
        rig = Rig("mongo", MongoBackend(f"{url}&{_HEARTBEAT}"), f"{url}&{_HEARTBEAT}")

        def drop(_: Random, watch: Watch) -> None:
            watch.until_more(_FORGOTTEN, "ok")
            for name in client[DATABASE].list_collection_names():
                client[DATABASE].drop_collection(name)
                with connect(rig.fresh(), namespace=name.removeprefix("emco.")):  # makes its indexes again
                    pass

        def roll(_: Random, __: Watch) -> None:
            Event().wait(2 * WAIT.total_seconds())  # until those who stand still have the answer to their last question
            block = bytes(_BLOCK_MB * 1_000_000)
            newest = _end(client, -1)
            while _end(client, 1) <= newest:
                client["filler"]["blocks"].insert_one({"block": block})
            client.drop_database("filler")

        faults = {
            "dropped collection": Fault(drop, rig),
            "oplog that is rolled over": Fault(roll, rig, is_missed=True),
        }
        yield Ground(Durability.MAJORITY, faults)


def _end(client: MongoClient[Any], way: int) -> Timestamp:
    """Return the time of the oldest (1) or the newest (-1) entry of the oplog."""
    found: dict[str, Any] = client["local"]["oplog.rs"].find_one({}, {"ts": 1}, sort=[("$natural", way)]) or {}
    time: Timestamp = found["ts"]
    return time


GROUNDS: Final[Mapping[str, Callable[[], AbstractContextManager[Ground]]]] = {
    "memory": memory,
    "redis": redis,
    "mongo": mongo,
}


def feed_round(ground: Ground, name: str, *, series: Series, seed: int, out: Path, size: Size | None = None) -> Told:
    """Let readers read while a fault strikes at what they read; return what they were told.

    Args:
        ground: The servers.
        name: The fault.
        series: How often to strike.
        seed: What clients do, and what is drawn by the fault.
        out: A folder for the history.
        size: How many clients and readers.
    """
    worked = let_work(ground, name, "lists", series=series, seed=seed, out=out, size=size or Size())
    return worked.audience.told(gaps=True)


def feed_faults(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:
    """Strike at what the feed keeps, on servers of the same kind as the rig, one round after the other."""
    result = PhaseResult("feed", rig.name, seed)
    end_s = None if budget.seconds is None else time.monotonic() + budget.seconds
    with GROUNDS[rig.name]() as ground:
        names = [*ground.faults]
        for number in count():
            if number >= len(names) and (end_s is None or time.monotonic() > end_s):
                break
            name = names[number % len(names)]
            folder = out / f"{number}-{name.replace(' ', '-')}"
            folder.mkdir(parents=True)
            series = Series(budget.operations or _STRIKES)
            size = Size(readers=_READERS[number // len(names) % len(_READERS)])
            told = feed_round(ground, name, series=series, seed=seed * 10_000 + number, out=folder, size=size)
            result.add(rounds=1, strikes=series.strikes or 0, events_told=told.events, gaps=told.gaps)
            result.add(**{f"gaps, {name}": told.gaps})
            result.most(readers=told.readers)
            result.struck({name: series.strikes or 0})
            result.violated([f"{name}, seed {seed * 10_000 + number}: {text}" for text in told.violations])
    return result


PHASE: Final = Phase(
    "feed",
    "Readers are told what is stored, or of a gap, while the history of the feed is trimmed, dropped, rolled over or "
    "lost.",
    ("memory", "redis", "mongo"),
    feed_faults,
)
