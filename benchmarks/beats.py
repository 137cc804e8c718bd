"""``python -m benchmarks.beats``: what leases cost a server: a beat by the size of its batch, and a fenced commit.

The processor time is the server's own account of it, for everything that it did meanwhile. Rounds with and without a
fence take turns. All figures are ranges over the rounds, because what else runs on the machine is in them.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter
from typing import Any
from uuid import uuid4 as new_id  # noqa: TID251 - a name for each run, so that none meets the data of another

from pymongo import MongoClient
from redis import Redis

from benchmarks.machine import describe
from benchmarks.servers import servers
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE, Heartbeat
from emco_store.core.records import Record
from emco_store.core.reserved import beside
from emco_store.ports import AsyncPort, Backend, Beat, Commit, Port, Receipt

BATCHES = (1, 100, 1000)
TASKS = 32
TTL = timedelta(seconds=15)
LEASED = beside(LEASE, Key("Worker", "w"))
TAKE = Commit("take", puts=(Record(LEASED, "lease", 1, b"{}", (), (), (), 1, 1),))
DOCUMENT = b'{"state":"running","offset":4711,"text":"%s"}' % (b"x" * 200)


@contextmanager
def cpu_of(name: str, url: str) -> Iterator[Callable[[], float]]:
    """Give a function that returns the processor time of a server so far, in microseconds."""
    if name == "redis":
        with Redis.from_url(url) as redis:

            def spent_by_redis() -> float:
                found: Any = redis.info("cpu")
                return float(1e6 * (found["used_cpu_user"] + found["used_cpu_sys"]))

            yield spent_by_redis
        return
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with client:

        def spent_by_mongo() -> float:
            extra = client.admin.command("serverStatus")["extra_info"]
            return float(extra["user_time_us"] + extra["system_time_us"])

        yield spent_by_mongo


def leases(number: int) -> dict[str, Key]:
    """Return the keys of leases by their uids."""
    return {f"{at:032x}": beside(LEASE, Key("Worker", f"zone-{at % 7}", f"w{at}")) for at in range(number)}


def beats(port: Port, spent: Callable[[], float], size: int, rounds: int) -> list[float]:
    """Return the server's time for a beat in each round, in microseconds."""
    held = leases(max(size, 1000))
    batches = [list(held.items())[first : first + size] for first in range(0, len(held), size)]
    for batch in batches:
        port.ask(Beat({uid: Heartbeat(key, 1, TTL) for uid, key in batch}))
    found: list[float] = []
    for number in range(2, rounds + 2):
        before = spent()
        for batch in batches:
            port.ask(Beat({uid: Heartbeat(key, number, TTL, '{"offset":1}') for uid, key in batch}))
        found.append((spent() - before) / len(held))
    return found


def written(name: str, version: int) -> Record:
    """Return a record to write."""
    return Record(Key("State", name), f"u-{name}", version, DOCUMENT, (), (), (), version, version)


def fenced(port: Port, spent: Callable[[], float], rounds: int, commits: int = 1000) -> dict[str, list[float]]:
    """Return the server's time for a commit of one client, in microseconds, without a fence and with one."""
    port.ask(TAKE)
    found: dict[str, list[float]] = {"plain": [], "fenced": []}
    for number in range(rounds):
        for how, times in found.items():
            fence = {LEASED: "lease"} if how == "fenced" else {}
            before = spent()
            for at in range(commits):
                commit = Commit(f"{how}-{number}-{at}", puts=(written(f"{how}-{at % 100}", at + 1),), fenced=fence)
                assert isinstance(port.ask(commit), Receipt)
            times.append((spent() - before) / commits)
    return found


async def together(port: AsyncPort, rounds: int, commits: int = 60) -> dict[str, list[float]]:
    """Return the commits per second of 32 tasks of one holder, without a fence and with one."""
    await port.open()
    await port.ask(TAKE)
    found: dict[str, list[float]] = {"plain": [], "fenced": []}

    async def task(name: str, number: int, how: str) -> None:
        fence = {LEASED: "lease"} if how == "fenced" else {}
        for at in range(commits):
            commit = Commit(f"t-{how}-{number}-{name}-{at}", puts=(written(name, at + 1),), fenced=fence)
            assert isinstance(await port.ask(commit), Receipt)

    for number in range(rounds):
        for how, rates in found.items():
            begin_s = perf_counter()
            await asyncio.gather(*(task(f"{how}-{at}", number, how) for at in range(TASKS)))
            rates.append(TASKS * commits / (perf_counter() - begin_s))
    await port.close()
    return found


def spread(values: Sequence[float]) -> str:
    """Write the median of values and their range."""
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:8,.1f}  ({ordered[0]:,.1f} to {ordered[-1]:,.1f})"


def measure(name: str, url: str, rounds: int) -> None:
    """Measure one server, and print what was found."""
    backend: Backend = RedisBackend(url) if name == "redis" else MongoBackend(url)
    run = new_id().hex
    with cpu_of(name, url) as spent:
        for size in BATCHES:
            port = backend.port(f"beats-{run}-{size}")
            port.open()
            print(f"{name}: beat in batches of {size:>4}, us of the server: {spread(beats(port, spent, size, rounds))}")
            port.close()
        port = backend.port(f"fences-{run}")
        port.open()
        for how, times in fenced(port, spent, rounds).items():
            print(f"{name}: {how} commit, us of the server: {spread(times)}")
        for how, rates in asyncio.run(together(backend.async_port(f"fences-{run}"), rounds)).items():
            print(f"{name}: {how} commits of {TASKS} tasks, per second: {spread(rates)}")
        port.close()


def main() -> None:
    """Measure the servers that can run here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("redis", "mongo"))
    options = parser.parse_args()
    print(describe())
    with servers({options.only} if options.only else {"redis", "mongo"}) as found:
        for name, (url, version) in found.items():
            print(f"{name} {version}")
            measure(name, url, options.rounds)


if __name__ == "__main__":
    main()
