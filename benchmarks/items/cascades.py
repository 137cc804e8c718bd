"""MongoDB: deletes that take many along, while nobody else is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.bench import Bench
from benchmarks.items import Item
from benchmarks.items.one_client import NO_OUTCOME
from benchmarks.measure import Contender, one_client, one_task
from benchmarks.model import Rack, Region, Unit, Zone, fields
from benchmarks.worlds import MongoWorld
from emco_store import Key

BRANCHES = 9


def tree(size: int) -> list[tuple[str, ...]]:
    """Return the names on the way to each record of a tree: a root, 9 zones, 9 racks in each, and units in racks."""
    paths: list[tuple[str, ...]] = [("r",)]
    paths += [("r", f"z{zone}") for zone in range(BRANCHES)]
    racks = [("r", f"z{zone}", f"k{rack}") for zone in range(BRANCHES) for rack in range(BRANCHES)]
    paths += racks
    units = size - len(paths)
    return [*paths, *((*racks[at % len(racks)], f"u{at}") for at in range(units))]


def cascade(size: int) -> Callable[[Bench], Iterator[Contender]]:
    """Make the item that deletes so many records in three levels."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        paths = tree(max(200, bench.effort.scaled(size)))
        world = MongoWorld(bench)

        def ours() -> None:
            world.store.delete(Key("Region", "r"))

        async def ours_async() -> None:
            await world.async_store.delete(Key("Region", "r"))

        def raw() -> None:
            assert world.raw.delete("r") == len(paths)

        def fill_raw() -> None:
            world.raw.records.insert_many([_document(path) for path in paths])

        once = one_client(ours, operations=1)
        yield Contender("emco_store", "ours", once, prepare=lambda: _fill(world.store, paths))
        yield Contender("raw safe", "raw safe", one_client(raw, operations=1), prepare=fill_raw, lacks=NO_OUTCOME)
        if size <= 1_000:  # what follows takes minutes for 10,000
            task = one_task(bench.runner, ours_async, operations=1)
            yield Contender(
                "emco_store, asyncio", "ours", task, "async", prepare=lambda: _fill(world.store, paths)
            )  # fmt: skip
            for peer in bench.peers(("beanie", "mongoengine")):
                yield bench.peer(peer, "cascade", paths, operations=1)

    return contenders


def _fill(store: Any, paths: list[tuple[str, ...]]) -> None:
    made: dict[tuple[str, ...], Any] = {}
    for at in range(0, len(paths), 2_000):
        with store.transaction() as tx:
            for path in paths[at : at + 2_000]:
                parent = made.get(path[:-1])
                model: Any = (Region, Zone, Rack, Unit)[len(path) - 1]
                own = fields(path[-1]) if model is Unit else {"name": path[-1]}
                made[path] = tx.create(model(**own, **({"parent": parent.ref} if parent else {})))


def _document(path: tuple[str, ...]) -> dict[str, Any]:
    parent = "/".join(path[:-1])
    links = {"parent": parent or None, "refs": [parent] if parent else []}
    return {"_id": "/".join(path), "rev": 1, **links, **(fields(path[-1]) if len(path) == 4 else {})}


MONGO = ("mongo",)
ITEMS = (
    Item("mongo-cascade-1000", "MongoDB: cascade delete of 1,000 in 3 levels", MONGO, cascade(1_000)),
    Item("mongo-cascade-10000", "MongoDB: cascade delete of 10,000 in 3 levels", MONGO, cascade(10_000)),
)
