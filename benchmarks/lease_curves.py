"""Curves of leases: what beats, looks and fenced commits cost as more of them are held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench
from benchmarks.leases import BATCH, Holder, take
from benchmarks.lifecycle_curves import SERVERS, Points
from benchmarks.measure import steady_memory
from benchmarks.scaling import Curve, Growth, curve_of
from emco_store import Key, MemoryBackend, connect
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.core.definition import MAX_TTL
from emco_store.core.pulses import Heartbeat
from emco_store.ports import Backend, Beat, Port, Pulses

SAMPLES = 40
DUE = 10
"""Leases whose holders are dead, and whom nobody has ended."""
SHORT = timedelta(milliseconds=1)
Works = dict[str, Callable[[], object]]


def leases(server: str) -> Callable[[Bench], Curve]:
    """Make the curves over the number of leases that are held."""

    def curve(bench: Bench) -> Curve:
        backend, namespace = backend_of(bench, server), bench.namespace()
        store = bench.enter(connect(backend, namespace=namespace, models=[Holder]))
        port = backend.port(namespace)
        port.open()
        bench.closing(port.close)
        take(port, 10**7, 10**7 + DUE, ttl=SHORT)
        own, there, points = bench.enter(store.lease(Holder(name="own"))), 0, Points()
        for size in bench.effort.sizes:
            held: list[dict[str, Key]] = []
            for at in range(there, size, BATCH):
                bench.say(f"taken {at:,} of {size:,}")
                held += take(port, at, min(at + BATCH, size), ttl=MAX_TTL)
            there = size
            for name, work in _around(store, port, held[0], own).items():
                bench.say(f"{size:,} leases: {name}")
                points.setdefault(name, []).append((size, middle(work, SAMPLES) * 1e6))
        return curve_of(f"{server}: cost by number of leases", "leases held", "median of one call, us", points)

    return curve


def backend_of(bench: Bench, server: str) -> Backend:
    """Return a backend, which is empty in memory."""
    if server == "memory":
        return MemoryBackend()
    return MongoBackend(bench.urls[server]) if server == "mongo" else RedisBackend(bench.urls[server])


def _around(store: Any, port: Port, held: dict[str, Key], own: Any) -> Works:
    numbers = count(2)
    first = dict([*held.items()][:1])

    def beat(some: dict[str, Key]) -> None:
        number = next(numbers)
        assert not port.ask(Beat({uid: Heartbeat(key, number, MAX_TTL) for uid, key in some.items()})).lapsed

    def look() -> None:
        assert len(port.ask(Pulses(due=True)).pulses) == DUE

    def take_and_release() -> None:
        with store.lease(Key("Holder", "one more")):
            pass

    def fenced() -> None:
        with store.transaction() as tx:
            tx.require(own)
            tx.put(Holder(name="written"))

    with store.transaction() as tx:
        tx.put(Holder(name="one more"))
    return {
        "beat": partial(beat, first),
        "beat for 100": partial(beat, dict([*held.items()][:100])),
        f"look for the dead, {DUE} there": look,
        "take and release": take_and_release,
        "update that needs a lease": fenced,
        "page of 100 leases": lambda: store.leases(limit=100),
    }


def middle(work: Callable[[], object], samples: int) -> float:
    """Return the median seconds of a call, after some that warm up."""
    taken: list[float] = []
    with steady_memory():
        for _ in range(samples):
            begun = perf_counter()
            work()
            taken.append(perf_counter() - begun)
    return median(taken[5:])


GROWTHS = tuple(Growth(f"scaling-leases-{one}", needs, leases(one)) for one, needs in SERVERS.items())
