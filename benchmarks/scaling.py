"""Curves: what an operation costs as resources, referrers and writers grow in number."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench
from benchmarks.measure import many_tasks, steady_memory
from benchmarks.model import Link, Network, Site
from benchmarks.worlds import MongoWorld
from emco_store import Key, Ref, StoreError

UNDER_ONE_SITE = 1_000
BATCH = 1_000
SAMPLES = 60
WRITERS = (1, 2, 4, 8, 16, 32, 64)
PLANS = (10, 100, 1_000, 9_000)
Curve = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Growth:
    """One set of curves.

    Attributes:
        name: What ``--only`` takes.
        needs: Servers that must run.
        curve: Measures it.
    """

    name: str
    needs: tuple[str, ...]
    curve: Callable[[Bench], Curve]


def resources(server: str) -> Callable[[Bench], Curve]:
    """Make the curves over the number of resources: 1,000 in each site, and 1,000 referrers to each network."""

    def curve(bench: Bench) -> Curve:
        store = bench.store(server, bench.namespace())
        there = 0
        points: dict[str, list[tuple[int, float]]] = {}
        for size in bench.effort.sizes:
            bench.say(f"filling up to {size:,}")
            _fill(store, there, size)
            there = size
            for name, seconds in _operations(bench, store, size):
                points.setdefault(name, []).append((size, seconds * 1e6))
        return curve_of(f"{server}: cost by number of resources", "resources", "median of one operation, us", points)

    return curve


def _fill(store: Any, begin: int, end: int) -> None:
    for at in range(begin, end, BATCH):
        with store.transaction() as tx:
            for number in range(at, min(at + BATCH, end)):
                site, place = divmod(number, UNDER_ONE_SITE)
                if place == 0:
                    tx.create(Site(name=f"s{site}"))
                    tx.create(Network(name=f"n{site}"))
                tx.create(_link(site, f"l{place}"))


def _link(site: int, name: str) -> Link:
    return Link(parent=Ref(f"Site/s{site}"), name=name, to=Ref(f"Network/n{site}"))


def _operations(bench: Bench, store: Any, size: int) -> Iterator[tuple[str, float]]:
    sites = max(1, size // UNDER_ONE_SITE)
    choose = bench.random.randrange
    made = [_link(choose(sites), f"new-{size}-{number}") for number in range(SAMPLES)]
    there = min(size, UNDER_ONE_SITE)
    reads = [(f"s{choose(sites)}", f"l{choose(there)}") for _ in range(SAMPLES)]
    yield "create", _median(partial(store.create, one) for one in made)
    yield "get", _median(partial(store.get, Link, *one) for one in reads)
    yield (
        "page of 100",
        _median(partial(store.list, Link, parent=Key("Site", one[0]), limit=100) for one in reads),
    )
    yield "delete of a leaf", _median(partial(store.delete, one) for one in made)


def _median(works: Iterable[Callable[[], object]]) -> float:
    """Time each once, after a few that warm up are thrown away."""
    taken: list[float] = []
    todo = list(works)
    with steady_memory():
        for work in todo:
            begun = perf_counter()
            work()
            taken.append(perf_counter() - begun)
    return median(taken[5:] or taken)


def referrers(server: str) -> Callable[[Bench], Curve]:
    """Make the curves over the number of referrers of one target."""

    def curve(bench: Bench) -> Curve:
        store = bench.store(server, bench.namespace())
        store.create(Site(name="s0"))
        target = store.create(Network(name="n0"))
        there = 0
        points: dict[str, list[tuple[int, float]]] = {}
        for size in sorted({1, 10, 100, *bench.effort.sizes}):
            if size > 100_000:
                break
            bench.say(f"filling up to {size:,}")
            for at in range(there, size, BATCH):
                with store.transaction() as tx:
                    for number in range(at, min(at + BATCH, size)):
                        tx.create(_link(0, f"l{number:06}"))
            there = size
            for name, seconds in _around(store, target, size):
                points.setdefault(name, []).append((size, seconds * 1e6))
        return curve_of(
            f"{server}: cost by referrers of one target", "referrers", "median of one operation, us", points
        )

    return curve


def _around(store: Any, target: Any, size: int) -> Iterator[tuple[str, float]]:
    made = [_link(0, f"new-{size}-{number}") for number in range(SAMPLES)]
    yield "create one more", _median(partial(store.create, one) for one in made)
    yield "delete one", _median(partial(store.delete, one) for one in made)
    yield "page of 100 referrers", _median([partial(store.referrers, target, limit=100)] * 20)

    def refused() -> None:
        with suppress(StoreError):
            store.delete(target)

    yield "delete of the target, refused", _median([refused] * 3)


def writers(sites: int) -> Callable[[Bench], Curve]:
    """Make the curves over the number of writers."""

    def curve(bench: Bench) -> Curve:
        world = MongoWorld(bench, sites=sites, networks=bench.effort.scaled(1_000))
        works = {
            "emco_store": world.create_async,
            "raw safe": world.raw_create_async,
            "unguarded insert_one": world.raw_insert_async,
        }
        points: dict[str, list[tuple[int, float]]] = {name: [] for name in works}
        for tasks in WRITERS:
            bench.say(f"{tasks} writers")
            rounds: dict[str, list[float]] = {name: [] for name in works}
            for _ in range(min(3, bench.effort.rounds)):
                for name, work in works.items():
                    with steady_memory():
                        sample = many_tasks(bench.runner, tasks, work)(bench.effort)
                    rounds[name].append(sample.operations / sample.wall_s)
            for name, found in rounds.items():
                points[name].append((tasks, median(found)))
        where = "one hot parent" if sites == 1 else "parents at random"
        return curve_of(f"mongo: creates a second by number of writers, {where}", "tasks", "creates a second", points)

    return curve


def plans(bench: Bench) -> Curve:
    """Measure the memory at its peak while a cascade is planned, beyond the data itself."""
    points: list[tuple[int, float]] = []
    for size in PLANS:
        store = bench.store("memory", bench.namespace())
        with store.transaction() as tx:
            tx.create(Site(name="s0"))
            tx.create(Network(name="n0"))
            for number in range(size):
                tx.create(_link(0, f"l{number}"))
        tracemalloc.start()
        try:
            store.plan_delete(Key("Site", "s0"))
            points.append((size, tracemalloc.get_traced_memory()[1] / 1024))
        finally:
            tracemalloc.stop()
    return curve_of("memory of a cascade plan", "records in the plan", "peak, KiB", {"plan_delete": points})


def checks(bench: Bench) -> Curve:
    """Measure the client's memory at its peak while everything that is stored is checked, page by page."""
    points: list[tuple[int, float]] = []
    store = bench.store("mongo", bench.namespace())
    there = 0
    for size in bench.effort.sizes:
        if size > 100_000:
            break
        bench.say(f"filling up to {size:,}")
        _fill(store, there, size)
        there = size
        tracemalloc.start()
        try:
            page = store.check()
            while page.next:
                assert not page.flaws
                page = store.check(after=page.next)
            points.append((size, tracemalloc.get_traced_memory()[1] / 1024))
        finally:
            tracemalloc.stop()
    return curve_of("mongo: memory of a check, page by page", "resources", "peak of the client, KiB", {"check": points})


def curve_of(title: str, x: str, y: str, points: dict[str, list[tuple[int, float]]]) -> Curve:
    """Return curves as the results file has them."""
    series = [{"name": name, "points": found} for name, found in points.items()]
    return {"title": title, "x": x, "y": y, "series": series}


GROWTHS = (
    Growth("scaling-resources-mongo", ("mongo",), resources("mongo")),
    Growth("scaling-resources-redis", ("redis",), resources("redis")),
    Growth("scaling-resources-memory", (), resources("memory")),
    Growth("scaling-referrers-mongo", ("mongo",), referrers("mongo")),
    Growth("scaling-referrers-redis", ("redis",), referrers("redis")),
    Growth("scaling-writers-hot", ("mongo",), writers(1)),
    Growth("scaling-writers-random", ("mongo",), writers(1_000)),
    Growth("scaling-plans", (), plans),
    Growth("scaling-checks", ("mongo",), checks),
)
