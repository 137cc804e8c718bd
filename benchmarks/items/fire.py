"""MongoDB: a delete of 1,000 children while 16 writers create more of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from time import perf_counter, process_time

from pymongo import monitoring

from benchmarks.bench import Bench
from benchmarks.items import Item
from benchmarks.items.one_client import NO_OUTCOME
from benchmarks.measure import Contender, Effort, Sample
from benchmarks.model import RawService, Service, Site, raw_service, service
from benchmarks.raw.mongo import Missing
from benchmarks.raw.mongo_async import AsyncRawMongo
from benchmarks.worlds import MongoWorld
from emco_store import Conflict, Key, MissingReference, StoreError, Unavailable

WRITERS = 16
HEAD_START_S = 0.2
GIVE_UP_AFTER = 5
"""Times the length of a round."""


class Fire:
    """A site of many services for each round, writers that create more, and somebody else who deletes all of it."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._size = bench.effort.scaled(1_000)
        self._world = MongoWorld(bench)
        self._numbers = count()
        self._counter = Counter()
        client = bench.async_mongo(event_listeners=[self._counter])
        self._deleter = bench.async_store("mongo", self._world.name, target=client)
        self._raw_deleter = AsyncRawMongo(bench.async_mongo(), self._world.name)
        self._site = ""

    def fill(self) -> None:
        """Make the next site, in emco_store."""
        self._site = f"fire{next(self._numbers)}"
        with self._world.store.transaction() as tx:
            tx.create(Site(name=self._site))
            for at in range(self._size):
                tx.create(service(self._site, f"c{at}", "n0", "n1"))

    def fill_raw(self) -> None:
        """Make the next site by hand."""
        self._site = f"fire{next(self._numbers)}"
        made = [raw_service(self._site, f"c{at}", "n0", "n1").model_dump(by_alias=True) for at in range(self._size)]
        self._world.raw.records.insert_many([{"_id": f"Site/{self._site}", "rev": 1}, *made])

    def ours(self, effort: Effort) -> Sample:
        """Do one round."""
        before = self._counter.transactions
        site = Key("Site", self._site)
        sample = self._bench.run(_burn(self._create, lambda: self._deleter.delete(site), effort))
        left = self._bench.run(self._world.async_store.list(Service, parent=site, limit=1))
        assert sample.notes["gave up"] or not left.resources, "orphans"
        return _noted(sample, self._counter.transactions - before)

    def raw(self, effort: Effort) -> Sample:
        """Do one round by hand."""
        self._raw_deleter.attempts = 0
        site = f"Site/{self._site}"
        sample = self._bench.run(_burn(self._create_raw, lambda: self._raw_deleter.delete(site), effort))
        left = self._world.raw.records.count_documents({"parent": site})
        assert sample.notes["gave up"] or not left, "orphans"
        return _noted(sample, self._raw_deleter.attempts)

    async def _create(self) -> bool:
        """Create one service; False when its parent is gone."""
        try:
            await self._world.async_store.create(service(self._site, f"w{next(self._numbers)}", "n0", "n1"))
        except MissingReference:
            return False
        except StoreError as problem:
            if not problem.retryable:
                raise
        return True

    async def _create_raw(self) -> bool:
        made: RawService = raw_service(self._site, f"w{next(self._numbers)}", "n0", "n1")
        try:
            await self._world.async_raw.create(made)
        except Missing:
            return False
        return True


async def _burn(
    create: Callable[[], Awaitable[bool]], delete: Callable[[], Awaitable[object]], effort: Effort
) -> Sample:
    """Delete while writers create; a delete that does not get through in time is given up, and said so."""
    is_over = False

    async def writer() -> None:
        while await create() and not is_over:
            pass

    gave_up = False
    async with asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(writer())
        await asyncio.sleep(HEAD_START_S)
        cpu, begun = process_time(), perf_counter()
        try:
            async with asyncio.timeout(GIVE_UP_AFTER * effort.seconds):
                await delete()
        except (TimeoutError, Conflict, Unavailable):
            gave_up = True
        taken = perf_counter() - begun
        cpu = process_time() - cpu
        is_over = gave_up
    return Sample(1, taken, cpu, [taken], {"gave up": gave_up})


def _noted(sample: Sample, attempts: int) -> Sample:
    sample.notes["attempts"] = attempts
    return sample


class Counter(monitoring.CommandListener):
    """Counts the transactions that a client begins in order to write."""

    def __init__(self) -> None:
        self.transactions = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Count it, if it begins one."""
        if event.command.get("startTransaction") and event.command_name != "find":
            self.transactions += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing is to be done."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing is to be done."""


def under_fire(bench: Bench) -> Iterator[Contender]:
    """Let both delete."""
    fire = Fire(bench)
    yield Contender("emco_store", "ours", fire.ours, "async", prepare=fire.fill)
    lacks = f"{NO_OUTCOME}; that the delete ever succeeds"
    yield Contender("raw safe", "raw safe", fire.raw, "async", prepare=fire.fill_raw, lacks=lacks)


TITLE = "MongoDB: cascade of 1,000 while 16 writers create under the parent"
ITEMS = (Item("mongo-cascade-fire", TITLE, ("mongo",), under_fire),)
