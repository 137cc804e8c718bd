"""MongoDB, several processes that create under one hot parent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.crowd import Crowd, Work
from benchmarks.items import Item
from benchmarks.items.one_client import NO_OUTCOME
from benchmarks.items.tasks import UNSAFE
from benchmarks.measure import Contender
from benchmarks.worlds import MongoWorld


def crowd(processes: int, tasks: int) -> Callable[[Bench], Iterator[Contender]]:
    """Make the item for so many processes of so many tasks."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        networks = bench.effort.scaled(1_000)
        world = MongoWorld(bench, networks=networks)

        def start(how: str) -> Crowd:
            started = Crowd(Work(bench.urls["mongo"], world.name, how, networks, tasks), processes)
            bench.closing(started.close)
            return started

        yield Contender("emco_store", "ours", start("ours").run, "async")
        yield Contender("raw safe", "raw safe", start("raw safe").run, "async", lacks=NO_OUTCOME)
        yield Contender("unguarded insert_one", "unguarded", start("unguarded").run, "async", lacks=UNSAFE)

    return contenders


MONGO = ("mongo",)
ITEMS = (
    Item("mongo-4x8-hot", "MongoDB: create, 4 processes x 8 tasks, one hot parent", MONGO, crowd(4, 8)),
    Item("mongo-6x1-hot", "MongoDB: create, 6 processes x 1 writer, one hot parent", MONGO, crowd(6, 1)),
)
