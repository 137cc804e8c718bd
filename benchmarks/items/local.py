"""What the library itself costs: client time on the memory backend, and its import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.bench import Bench
from benchmarks.items import Item
from benchmarks.measure import Contender, Effort, Sample, one_client
from benchmarks.model import RawService, Service
from benchmarks.worlds import World

OPERATIONS = 2_000


def _world(bench: Bench) -> tuple[World, Any]:
    world, store = World(bench), bench.store("memory", "bench")
    world.fill(store, 100)
    return world, store


def _operations(effort: Effort) -> int:
    return min(OPERATIONS, 10 * effort.operations)


def create(bench: Bench) -> Iterator[Contender]:
    """The call alone; and with the making of the resource from plain values."""
    world, store = _world(bench)

    def alone(effort: Effort) -> Sample:
        made = iter([world.service() for _ in range(_operations(effort))])
        return one_client(lambda: store.create(next(made)), operations=_operations(effort))(effort)

    def whole(effort: Effort) -> Sample:
        return one_client(lambda: store.create(world.service()), operations=_operations(effort))(effort)

    yield Contender("emco_store", "ours", alone)
    yield Contender("emco_store, with the constructor", "base", whole)
    yield Contender("pydantic alone: write and read back", "base", _pydantic(world.raw_service(), writes=True))


def get(bench: Bench) -> Iterator[Contender]:
    """Read by key."""
    world, store = _world(bench)

    def ours(effort: Effort) -> Sample:
        return one_client(lambda: store.get(Service, "s0", "c1"), operations=_operations(effort))(effort)

    yield Contender("emco_store", "ours", ours)
    yield Contender("pydantic alone: read", "base", _pydantic(world.raw_service(), writes=False))


def update(bench: Bench) -> Iterator[Contender]:
    """The call with a changed copy."""
    world, store = _world(bench)
    held = store.get(Service, "s0", "c1")

    def one() -> None:
        nonlocal held
        held = store.update(held.model_copy(update={"weight": held.weight + 1}))

    yield Contender("emco_store", "ours", lambda effort: one_client(one, operations=_operations(effort))(effort))
    yield Contender("pydantic alone: write and read back", "base", _pydantic(world.raw_service(), writes=True))


def _pydantic(value: RawService, *, writes: bool) -> Callable[[Effort], Sample]:
    """Return what nobody can save: pydantic's own serialisation and validation of the same values."""
    model = type(value)
    text = model.__pydantic_serializer__.to_json(value, by_alias=True)

    def one() -> object:
        data = model.__pydantic_serializer__.to_json(value, by_alias=True) if writes else text
        return model.__pydantic_validator__.validate_json(data)

    return lambda effort: one_client(one, operations=_operations(effort))(effort)


SCRIPT = """
import json, time
begun = time.perf_counter()
{imports}
taken = time.perf_counter() - begun
resident = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(json.dumps([taken, int(resident.split()[1]) / 1024]))
"""


def imports(driver: str, backend: str) -> Callable[[Bench], Iterator[Contender]]:
    """Make the item that imports the library with one driver, in a new process each time."""

    def contenders(_: Bench) -> Iterator[Contender]:
        both = f"import {driver}\nimport emco_store, {backend}"
        _importing(both)(Effort())  # so that all is compiled, as it is where pip has installed it
        yield Contender("emco_store and driver", "ours", _importing(both))
        yield Contender("driver alone", "base", _importing(f"import {driver}"))
        yield Contender("driver and pydantic", "base", _importing(f"import {driver}\nimport pydantic.main"))

    return contenders


def _importing(statements: str) -> Callable[[Effort], Sample]:
    def run(_: Effort) -> Sample:
        command = [sys.executable, "-c", SCRIPT.format(imports=statements)]
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
        done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)  # noqa: S603 - our own Python
        seconds, mib = json.loads(done.stdout)
        return Sample(1, seconds, 0, [seconds], {"mib": mib})

    return run


ITEMS = (
    Item("memory-create", "Memory: create, client CPU", (), create),
    Item("memory-get", "Memory: get, client CPU", (), get),
    Item("memory-update", "Memory: update, client CPU", (), update),
    Item("import-mongo", "Import with the MongoDB driver", (), imports("pymongo", "emco_store.backends.mongo.backend")),
    Item("import-redis", "Import with the Redis driver", (),
         imports("redis, redis.asyncio", "emco_store.backends.redis.backend")),
)  # fmt: skip
