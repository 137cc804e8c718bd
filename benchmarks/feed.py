"""``python -m benchmarks.feed``: what watchers cost a server, how soon they learn of a commit, and their memory.

One client updates a small resource again and again, while watchers in another process read the feed: none, some that
share a store, or each with a store of its own. All these take turns, round by round, and the ratios are those of
medians. Processor time is the server's own account; the rest contains whatever else runs on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, sleep  # noqa: TID251 - a writer that pauses is what is measured
from typing import Any, NamedTuple
from uuid import uuid4 as new_id  # noqa: TID251 - a name for each run, so that none meets the data of another

from benchmarks.beats import cpu_of, spread
from benchmarks.machine import describe
from benchmarks.servers import servers
from emco_store import AsyncStore, Resource, connect, connect_async

READY = "watching"
ROUNDS = 5
COMMITS = 300


class State(Resource):
    """What is updated."""

    offset: int = 0
    text: str = ""


class Variant(NamedTuple):
    """So many watchers.

    Attributes:
        watchers: How many.
        apart: Whether each has a store of its own.
        is_begun: Whether the feed has been read before.
    """

    watchers: int
    apart: bool = False
    is_begun: bool = True

    def __str__(self) -> str:
        if not self.watchers:
            return "no watcher" if self.is_begun else "no watcher, never read"
        return f"{self.watchers} watchers{', stores of their own' if self.apart else ''}"


VARIANTS = (
    Variant(0, is_begun=False), Variant(0), Variant(1), Variant(4), Variant(16), Variant(4, apart=True),
    Variant(16, apart=True),
)  # fmt: skip


class Measured(NamedTuple):
    """One round of one variant.

    Attributes:
        cpu_us: Of the server, for each commit.
        wall_us: Of the writer, for each commit.
        late_ms: For each commit, from its acknowledgement to the last watcher.
        rss_kib: Of the process of the watchers, at the end.
    """

    cpu_us: float
    wall_us: float
    late_ms: list[float]
    rss_kib: int


def measure(name: str, url: str, variant: Variant, pause_s: float) -> Measured:
    """Measure one round."""
    namespace = f"feed-{new_id().hex}"
    with connect(url, namespace=namespace, models=[State]) as store, cpu_of(name, url) as spent:
        state = store.create(State(name="s", text="x" * 200))
        for number in range(20):
            state = store.update(state.model_copy(update={"offset": -number}))
        if variant.is_begun:
            store.feed_cursor()
        with watchers(url, namespace, variant, state.meta.version + COMMITS) as result:
            acknowledged: dict[int, float] = {}
            before, begin_s = spent(), monotonic()
            for number in range(COMMITS):
                state = store.update(state.model_copy(update={"offset": number}))
                acknowledged[state.meta.version] = monotonic()
                sleep(pause_s)
            wall_us, cpu_us = 1e6 * (monotonic() - begin_s - COMMITS * pause_s), spent() - before
            told: dict[str, Any] = result()
        late_ms = [
            1e3 * (max(each[str(version)] for each in told["seen"]) - when) for version, when in acknowledged.items()
        ] if told["seen"] else []  # fmt: skip
    return Measured(cpu_us / COMMITS, wall_us / COMMITS, late_ms, told["rss_kib"])


@contextmanager
def watchers(url: str, namespace: str, variant: Variant, last: int) -> Iterator[Any]:
    """Have a process watch while the block runs; give a function that waits for what it has seen."""
    if not variant.watchers:
        yield lambda: {"seen": [], "rss_kib": 0}
        return
    command = [sys.executable, "-m", "benchmarks.feed", "--watch", url, namespace]
    command += [str(variant.watchers), str(int(variant.apart)), str(last)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            if process.stdout is None or process.stdout.readline().strip() != READY:
                message = "the watchers have not begun"
                raise RuntimeError(message)
            yield lambda: json.loads(process.communicate(timeout=60)[0])
        finally:
            process.kill()


async def watch(url: str, namespace: str, count: int, apart: int, last: int) -> None:
    """Watch until a version has been seen by all, then print when each has seen what."""
    seen: list[dict[int, float]] = [{} for _ in range(count)]

    async def follow(store: AsyncStore, cursor: str, times: dict[int, float]) -> None:
        async for event in store.watch(after=cursor, kinds=[State]):
            version = event.changes[0].version
            times[version] = monotonic()
            if version == last:
                return

    async with AsyncExitStack() as opened:
        made = [connect_async(url, namespace=namespace, models=[State]) for _ in range(count if apart else 1)]
        stores = [await opened.enter_async_context(store) for store in made]
        cursors = [await stores[at % len(stores)].feed_cursor() for at in range(count)]
        tasks = [
            asyncio.create_task(follow(stores[at % len(stores)], cursor, seen[at])) for at, cursor in enumerate(cursors)
        ]
        await asyncio.sleep(0.5)  # each has its stream or connection by then
        print(READY, flush=True)
        await asyncio.gather(*tasks)
    print(json.dumps({"seen": seen, "rss_kib": rss_kib()}), flush=True)


def rss_kib() -> int:
    """Return the memory of this process."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def report(name: str, url: str, rounds: int, pause_s: float) -> None:
    """Measure a server, and print what was found."""
    found: dict[Variant, list[Measured]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant, measured in found.items():
            measured.append(measure(name, url, variant, pause_s))
    base = found[VARIANTS[0]]
    for variant, measured in found.items():
        cpu = median(one.cpu_us for one in measured) / median(one.cpu_us for one in base)
        wall = median(one.wall_us for one in measured) / median(one.wall_us for one in base)
        print(f"{name}: {variant}")
        print(f"  us of the server for a commit: {spread([one.cpu_us for one in measured])}, {cpu:.2f} times")
        print(f"  us for a commit:               {spread([one.wall_us for one in measured])}, {wall:.2f} times")
        late_ms = sorted(late for one in measured for late in one.late_ms)
        if late_ms:
            print(f"  ms until the last has it:      {spread(late_ms)}")
            print(f"  memory of the process, MiB:    {median(one.rss_kib for one in measured) / 1024:8,.1f}")


def main() -> None:
    """Measure the servers that can run here, or be the process of the watchers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--pause-ms", type=float, default=0.0, help="how long the writer pauses after each commit")
    parser.add_argument("--only", choices=("redis", "mongo"))
    parser.add_argument("--watch", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.watch:
        url, namespace, count, apart, last = asked.watch
        asyncio.run(watch(url, namespace, int(count), int(apart), int(last)))
        return
    for what, is_so in describe().items():
        print(f"{what}: {is_so}")
    with servers({asked.only} if asked.only else {"redis", "mongo"}) as found:
        for name, (url, version) in found.items():
            print(f"{name} {version}")
            report(name, url, asked.rounds, asked.pause_ms / 1000)


if __name__ == "__main__":
    main()
