"""The feed: how soon a commit is seen by a watcher in another process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median
from time import monotonic, sleep  # noqa: TID251 - a writer that pauses is what is measured
from typing import Any

from benchmarks.bench import Bench
from benchmarks.items import Item
from benchmarks.items.leases import LACKS
from benchmarks.items.lifecycles import TITLES
from benchmarks.measure import Contender, Effort, Sample
from benchmarks.model import RawService, Service
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.feeds import RawRedisFeed
from benchmarks.raw.mongo import RawMongo
from benchmarks.watcher import Watcher
from benchmarks.worlds import World

PAUSE_S = 0.005
BEGINNING = 10
"""Commits of each round that are not counted: the first ones wake a watcher that has waited for the others."""
NOT_ONE = "; actor and reason"
LACKING = {server: f"{lacks}{NOT_ONE}" for server, lacks in LACKS.items()}
LACKING["mongo"] += "; the changes of one transaction as one event"


def event(server: str) -> Callable[[Bench], Iterator[Contender]]:
    """Make the item; a round updates one record again and again, with a pause after each commit."""

    def contenders(bench: Bench) -> Iterator[Contender]:
        world, namespace = World(bench), bench.namespace()
        store = bench.store(server, namespace)
        world.fill(store, 1)
        held = store.get(Service, "s0", "c0")
        kept = world.raw_services(1)[0]
        update_by_hand = _by_hand(bench, server, namespace, kept)

        def ours() -> int:
            nonlocal held
            held = store.update(held.model_copy(update={"weight": held.weight + 1}))
            return held.meta.version

        def raw() -> int:
            nonlocal kept
            changed = {**kept.model_dump(by_alias=True), "weight": kept.weight + 1}
            kept = update_by_hand(RawService.model_validate(changed))
            return kept.rev

        for name, role, work in (("emco_store", "ours", ours), ("raw safe", "raw safe", raw)):
            watcher = bench.enter(Watcher(bench.urls[server], server, namespace, role))
            lacks = "" if role == "ours" else LACKING[server]
            yield Contender(name, role, _round(work, watcher), lacks=lacks)  # type: ignore[arg-type]

    return contenders


def _by_hand(bench: Bench, server: str, name: str, first: RawService) -> Callable[[RawService], RawService]:
    """Store the record, and return the function that updates it."""
    if server == "mongo":
        raw = RawMongo(bench.mongo(), name)
        raw.records.insert_one(first.model_dump(by_alias=True))
        return raw.update
    client: Any = raw_redis.client(bench.urls["redis"])
    bench.closing(client.close)
    feed = RawRedisFeed(client, f"bench:{name}")
    client.hset(feed.place(first.id), mapping={"rev": 0, "body": ""})
    feed.update_told(first.model_copy(update={"rev": 0}))  # the stream has a beginning
    return feed.update_told


def _round(work: Callable[[], int], watcher: Watcher) -> Callable[[Effort], Sample]:
    """Make a round, whose time is the median from the call that commits until the watcher has the event."""

    def run(effort: Effort) -> Sample:
        called: dict[int, float] = {}
        acknowledged: dict[int, float] = {}
        with watcher.watching(BEGINNING + effort.operations) as result:
            for _ in range(BEGINNING + effort.operations):
                begun = monotonic()
                version = work()
                called[version], acknowledged[version] = begun, monotonic()
                sleep(PAUSE_S)
            seen, cpu_s = result()
        counted = list(called)[BEGINNING:]
        late_s = [seen[version] - called[version] for version in counted]
        after_us = 1e6 * median(seen[version] - acknowledged[version] for version in counted)
        notes = {"us after the acknowledgement": after_us}
        return Sample(len(late_s), len(late_s) * median(late_s), cpu_s * len(late_s) / len(called), late_s, notes)

    return run


ITEMS = tuple(
    Item(f"feed-event-{server}", f"{TITLES[server]}: commit, until its event is in another process", (server,),
         event(server))
    for server in ("redis", "mongo")
)  # fmt: skip
