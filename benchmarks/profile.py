"""``python -m benchmarks.profile``: where the time of each operation goes, by layer and by function.

The processor time of one blocking client is divided among layers by cProfile, whose own price is taken out by scaling
to a run without it; what remains to the clock is the server and waiting. Time in C (bson, sockets, pydantic) counts
where it was called from, except for what the layers below name.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks.bench import Bench
from benchmarks.machine import describe
from benchmarks.measure import Effort, steady_memory
from benchmarks.model import Service
from benchmarks.servers import servers
from benchmarks.worlds import World
from emco_store import Key

LAYERS: Sequence[tuple[str, Sequence[str]]] = (
    ("the benchmark", ("/benchmarks/",)),
    ("retries (tenacity)", ("tenacity/",)),
    ("shell", ("emco_store/_sync/", "emco_store/_aio/", "emco_store/connect", "emco_store/queueing/")),
    ("flows", ("emco_store/flows/",)),
    ("core: codec", ("emco_store/core/codec", "emco_store/core/documents")),
    ("core: keys and references", ("emco_store/core/keys", "emco_store/core/refs", "emco_store/core/shapes",
                                   "emco_store/core/records")),
    ("core: models", ("emco_store/core/",)),
    ("backend: commands", ("/commands.py", "/sending.py")),
    ("backend: port", ("emco_store/backends/", "emco_store/ports")),
    ("pydantic", ("pydantic", "Pydantic", "SchemaValidator", "SchemaSerializer", "to_json", "from_json")),
    ("driver: waiting for the server", ("method 'recv", "method 'poll", "method 'send", "select", "recv_into")),
    ("driver: BSON", ("_cbson", "bson/", "bson_to_dict", "encode_to_bson")),
    ("driver", ("pymongo/", "redis/", "hiredis")),
    ("asyncio", ("asyncio",)),
)  # fmt: skip
HEAD = """# Where the time goes, by layer

<!-- Made by `python -m benchmarks.profile --out docs`: do not edit, run it again. -->

Each table shows the microseconds of one operation in the layers of the client, for one blocking client or for 32
asyncio tasks. The difference between `by the clock` and `processor` is the server and the time spent waiting for it.
A profiler measured the shares; its own cost is subtracted.

Measured on: {machine}.
"""
TASKS = 32
TASKS_CREATE = f"create by {TASKS} tasks"
OPERATIONS = {"create": 400, "get": 1_000, "update": 400, "list of 1,000": 8, "delete of a leaf": 200, TASKS_CREATE: 40}


@dataclass(frozen=True, slots=True)
class Shares:
    """What one operation takes, in microseconds.

    Attributes:
        backend: On which backend.
        operation: Which operation.
        wall_us: By the clock.
        cpu_us: Of the client's processor.
        layers: How that is shared among the layers.
    """

    backend: str
    operation: str
    wall_us: float
    cpu_us: float
    layers: Mapping[str, float]


def main(arguments: Sequence[str]) -> int:
    """Profile what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("backends", nargs="*", default=["memory", "redis", "mongo"])
    parser.add_argument("--only", default="", metavar="OPERATION")
    parser.add_argument("--top", type=int, default=14, metavar="N", help="functions shown for each operation")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="write explanation/time-by-layer.md there, e.g. docs"
    )
    known = parser.parse_args(arguments)
    shares: list[Shares] = []
    with servers(set(known.backends) - {"memory"}) as found:
        urls = {name: url for name, (url, _) in found.items()}
        for backend in known.backends:
            with Bench("profile", urls, Effort(), lambda _: None) as bench:
                for name, work in _works(bench, backend):
                    if known.only in name:
                        each = TASKS if name == TASKS_CREATE else 1
                        shares.append(_profile(backend, name, work, each=each, top=known.top))
    if known.out is not None:
        (known.out / "explanation" / "time-by-layer.md").write_text(_page(shares), "utf-8")
    return 0


def _works(bench: Bench, backend: str) -> Iterator[tuple[str, Callable[[], object]]]:
    world = World(bench)
    store: Any = bench.store(backend, bench.namespace())
    world.fill(store, 1_000)
    made = iter([world.service() for _ in range(5 * OPERATIONS["create"])])
    yield "create", lambda: store.create(next(made))
    yield "get", lambda: store.get(Service, "s0", "c1")
    held = store.get(Service, "s0", "c1")

    def update() -> None:
        nonlocal held
        held = store.update(held.model_copy(update={"weight": held.weight + 1}))

    yield "update", update
    yield "list of 1,000", lambda: store.list(Service, parent=Key("Site", "s0"), limit=1_000)
    gone = iter(range(1_000))
    yield "delete of a leaf", lambda: store.delete(Key("Service", "s0", f"c{next(gone)}"))
    yield from _by_tasks(bench, world, backend)


def _by_tasks(bench: Bench, world: World, backend: str) -> Iterator[tuple[str, Callable[[], object]]]:
    if backend == "memory":  # its asyncio store would have data of its own
        return
    namespace = bench.namespace()
    world.fill(bench.store(backend, namespace))
    store = bench.async_store(backend, namespace)

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            for one in [world.service() for _ in range(TASKS)]:
                group.create_task(store.create(one))

    yield TASKS_CREATE, lambda: bench.run(together())


def _profile(backend: str, operation: str, work: Callable[[], object], *, each: int, top: int) -> Shares:
    operations = OPERATIONS[operation]
    for _ in range(operations // 10 + 1):
        work()
    with steady_memory():
        cpu, begun = process_time(), perf_counter()
        for _ in range(operations):
            work()
        count = operations * each
        wall_us, cpu_us = (1e6 * (end - start) / count for end, start in
                           ((perf_counter(), begun), (process_time(), cpu)))  # fmt: skip
        profile = cProfile.Profile(process_time)
        profile.enable()
        for _ in range(operations):
            work()
        profile.disable()
    table: Any = pstats.Stats(profile)
    total = sum(own for _, _, own, _, _ in table.stats.values()) or 1e-9
    layers: dict[str, float] = defaultdict(float)
    for place, (_, _, own, _, callers) in table.stats.items():
        for layer, part in _share(place, own, callers):
            layers[layer] += part
    scaled = {layer: own / total * cpu_us for layer, own in layers.items()}
    print(f"\n{backend}: {operation}: {wall_us:.0f} us by the clock, {cpu_us:.1f} us of CPU")
    for layer, own_us in sorted(scaled.items(), key=lambda pair: -pair[1]):
        print(f"    {own_us:8.1f} us  {100 * own_us / cpu_us:4.0f} %  {layer}")
    print("  functions, own time, scaled; calls for each operation:")
    for place, (_, calls, own, _, _) in sorted(table.stats.items(), key=lambda pair: -pair[1][2])[:top]:
        print(f"    {own / total * cpu_us:8.1f} us  {calls / count:7.1f} x  {_name(place)}")
    return Shares(backend, operation, wall_us, cpu_us, scaled)


def _page(shares: Sequence[Shares]) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in describe().items())
    parts = [HEAD.format(machine=machine)]
    for backend in dict.fromkeys(one.backend for one in shares):
        columns = [one for one in shares if one.backend == backend]
        layers = [*(layer for layer, _ in LAYERS), "other"]
        rows = [("by the clock", [one.wall_us for one in columns]), ("processor", [one.cpu_us for one in columns])]
        rows += [(layer, [one.layers.get(layer, 0.0) for one in columns]) for layer in layers]
        parts += [
            f"## {backend}\n",
            "| microseconds | " + " | ".join(one.operation for one in columns) + " |",
            "| --- |" + " ---: |" * len(columns),
            *(f"| {name} | " + " | ".join(f"{value:,.0f}" for value in values) + " |"
              for name, values in rows if max(values) >= 1),
            "",
        ]  # fmt: skip
    return "\n".join(parts)


def _share(place: tuple[str, int, str], own: float, callers: Any) -> Iterator[tuple[str, float]]:
    """Return the layer of a function; one that is in no layer, such as a builtin, counts with those who call it."""
    layer = _layer(_name(place))
    if layer or not callers:
        yield layer or "other", own
        return
    for caller, (_, _, part, _) in callers.items():
        yield _layer(_name(caller)) or "other", part


def _layer(name: str) -> str:
    return next((layer for layer, parts in LAYERS if any(part in name for part in parts)), "")


def _name(place: tuple[str, int, str]) -> str:
    file, line, function = place
    if file == "~":
        return function
    for root in ("site-packages/", "/src/", "/lib/python3"):
        file = file.rpartition(root)[2] if root in file else file
    return f"{file}:{line} {function}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
