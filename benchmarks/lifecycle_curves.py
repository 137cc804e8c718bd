"""Curves of lifecycles: approvals by the number of members, histories by the number of revisions."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.bench import Bench
from benchmarks.lifecycle_model import GroupLifecycle, LifecycleWorld, Member, record_revisions
from benchmarks.measure import steady_memory
from benchmarks.scaling import Curve, Growth, curve_of
from emco_store import Resource
from emco_store.backends.mongo.commands import collection
from emco_store.core.digests import _known
from emco_store.core.query import Order, write_cursor
from emco_store.core.revisions import revision_key

MEMBERS = (10, 100, 1_000, 9_999)
"""Below one root: a content has at most 10,000 resources, the root included."""
FIRST_REVISIONS = (10, 100)
"""Where the curves over revisions begin, before the sizes that all curves have."""
STORED = (1_000, 3_000, 10_000)
FEW = 3
"""Members of a group whose history grows."""
ROUNDS, SAMPLES = 5, 40
PAGE = 20
Works = Mapping[str, Callable[[], object]]
Points = dict[str, list[tuple[int, float]]]


def approvals(server: str) -> Callable[[Bench], Curve]:
    """Make the curves over the number of members of 1 KB."""

    def curve(bench: Bench) -> Curve:
        world, points = LifecycleWorld(bench, server), Points()
        for size in MEMBERS:
            bench.say(f"filling up to {size:,}")
            world.grow(size)
            _approve(world)
            for name, (wall, cpu) in _by_turns(_approving(world)).items():
                points.setdefault(name, []).append((size, wall * 1e3))
                if name == "approve":
                    points.setdefault("approve, client CPU", []).append((size, cpu * 1e3))
        return curve_of(f"{server}: approvals by number of members", "members", "median of one call, ms", points)

    return curve


def _approving(world: LifecycleWorld) -> Works:
    store, group = world.store, world.group
    digest = store.digest(group)

    def for_the_first_time() -> None:
        _known.clear()
        store.digest(group)

    return {
        "digest, first time": for_the_first_time,
        "digest": lambda: store.digest(group),
        "approve": lambda: store.transition(group, GroupLifecycle.approve, digest=digest),
        "that needs approval": lambda: store.transition(group, GroupLifecycle.deploy),
        "read of the members": world.read_members,
    }


def _approve(world: LifecycleWorld) -> None:
    world.store.transition(world.group, GroupLifecycle.approve, digest=world.store.digest(world.group))


def _by_turns(works: Works, rounds: int = ROUNDS) -> dict[str, tuple[float, float]]:
    """Return the median seconds, and seconds of processor time, of each; they take turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    with steady_memory():
        for _ in range(rounds):
            for name, work in works.items():
                cpu, begun = process_time(), perf_counter()
                work()
                taken[name].append((perf_counter() - begun, process_time() - cpu))
    return {name: (median(wall for wall, _ in found), median(cpu for _, cpu in found)) for name, found in taken.items()}


def histories(server: str) -> Callable[[Bench], Curve]:
    """Make the curves over the number of revisions of one resource."""

    def curve(bench: Bench) -> Curve:
        world, points, there = LifecycleWorld(bench, server, FEW), Points(), 1
        _approve(world)
        for size in (*FIRST_REVISIONS, *bench.effort.sizes):
            bench.say(f"recording up to {size:,}")
            record_revisions(world, there, size)
            there = size
            for name, (wall, _) in _by_turns(_around(world, size), SAMPLES).items():
                points.setdefault(name, []).append((size, wall * 1e6))
            there += SAMPLES
        title = f"{server}: cost by number of revisions of one resource"
        return curve_of(title, "revisions", "median of one call, us", points)

    return curve


def _around(world: LifecycleWorld, size: int) -> Works:
    store, group = world.store, world.group
    root = store.get(group)
    query = f"history of {group}"
    middle = revision_key(group, root.meta.uid, max(size // 2, 1))
    after = write_cursor(query, Order(descending=True), ("", middle.text))
    digest, member = store.digest(group), store.get(world.member(0).key)

    def update() -> None:
        nonlocal member
        member = store.update(member.model_copy(update={"weight": 1 - member.weight}))
        member = store.update(member.model_copy(update={"weight": 1 - member.weight}))

    return {
        "newest 20 revisions": lambda: store.history(group, limit=PAGE),
        "20 from the middle": lambda: store.history(group, limit=PAGE, after=after),
        "approve": lambda: store.transition(group, GroupLifecycle.approve, digest=digest),
        "2 updates of a member": update,
        "children": lambda: store.list(Member, parent=group, limit=PAGE),
        "all kinds, 1 page": lambda: store.list(Resource, limit=100),
    }


def peaks(bench: Bench) -> Curve:
    """Measure the memory at its peak while contents are read and approved, beyond the data itself."""
    world, points = LifecycleWorld(bench, "memory"), Points()
    for size in MEMBERS:
        world.grow(size)
        _approve(world)
        for name, work in _approving(world).items():
            if name != "read of the members":
                points.setdefault(name, []).append((size, _peak(work) / 1024))
    return curve_of("memory of an approval, members of 1 KB", "members", "peak, KiB", points)


def _peak(work: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sizes(bench: Bench) -> Curve:
    """Measure what revisions of a group of three members of 1 KB take where they are stored."""
    points = Points()
    for server, stored in _stored(bench):
        world, there = LifecycleWorld(bench, server, FEW), 1
        _approve(world)
        before = stored(world)
        for size in STORED:
            bench.say(f"{server}: recording up to {size:,}")
            record_revisions(world, there, size)
            there = size
            points.setdefault(server, []).append((size, (stored(world) - before) / 1024))
    return curve_of("what revisions of 4 resources take", "revisions", "KiB stored", points)


def _stored(bench: Bench) -> Iterator[tuple[str, Callable[[LifecycleWorld], float]]]:
    """Yield the backends, and how to ask for the bytes that they use."""

    def traced(_: LifecycleWorld) -> float:
        gc.collect()
        return float(tracemalloc.get_traced_memory()[0])

    def used(_: LifecycleWorld) -> float:
        return float(client.info("memory")["used_memory"])

    def in_collection(world: LifecycleWorld) -> float:
        found: Any = mongo["emco"].command("collStats", collection(world.name))
        return float(found["size"] + found["totalIndexSize"])

    tracemalloc.start()
    yield "memory", traced
    tracemalloc.stop()
    client = bench.redis()
    yield "redis", used
    mongo = bench.mongo()
    yield "mongo", in_collection


SERVERS: Mapping[str, tuple[str, ...]] = {"memory": (), "redis": ("redis",), "mongo": ("mongo",)}
GROWTHS = (
    *(Growth(f"scaling-lifecycle-members-{one}", needs, approvals(one)) for one, needs in SERVERS.items()),
    *(Growth(f"scaling-lifecycle-revisions-{one}", needs, histories(one)) for one, needs in SERVERS.items()),
    Growth("scaling-lifecycle-peaks", (), peaks),
    Growth("scaling-lifecycle-sizes", ("redis", "mongo"), sizes),
)
