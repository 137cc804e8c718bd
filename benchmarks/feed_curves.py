"""Curves of the feed: what readers and writers pay as more and more has been committed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count

from benchmarks.beats import written
from benchmarks.bench import Bench
from benchmarks.lease_curves import Works, backend_of, middle
from benchmarks.lifecycle_curves import SERVERS, Points
from benchmarks.scaling import Curve, Growth, curve_of
from emco_store.ports import AsyncPort, Commit, Events, Port, Receipt

TASKS = 64
PORTION = 10_000
"""Commits after which progress is shown."""
PAGE = 100
BEHIND = 5_000
"""So many commits before the end begins a reader that is behind; the least that a backend keeps is twice as many."""
WAIT = timedelta(seconds=1)


def feed(server: str) -> Callable[[Bench], Curve]:
    """Make the curves over the number of commits since the feed began."""

    def curve(bench: Bench) -> Curve:
        backend, namespace = backend_of(bench, server), bench.namespace()
        port, several = backend.port(namespace), backend.async_port(namespace)
        port.open()
        bench.closing(port.close)
        bench.run(several.open())
        bench.closing(lambda: bench.run(several.close()))
        port.ask(Events())  # from here on it is kept
        numbers, there, points = count(), 0, Points()
        for size in bench.effort.sizes:
            for at in range(there, size - BEHIND, PORTION):
                bench.say(f"committed {at:,} of {size:,}")
                bench.run(_fill(several, numbers, min(PORTION, size - BEHIND - at)))
            there = size
            behind = port.ask(Events()).cursor
            bench.run(_fill(several, numbers, BEHIND))
            near = port.ask(Events()).cursor
            works: Works = {
                "commit": partial(_commit, port, numbers),
                f"newest {PAGE} events": partial(_read, port, near),
                f"{PAGE} events, {BEHIND:,} back": partial(_read, port, behind),
                "cursor of the end": partial(port.ask, Events()),
                "cursor of the beginning": partial(port.ask, Events(oldest=True)),
            }
            for name, work in works.items():
                bench.say(f"{size:,} commits: {name}")
                points.setdefault(name, []).append((size, middle(work, PAGE if name == "commit" else 40) * 1e6))
        return curve_of(f"{server}: cost by length of the feed", "commits", "median of one call, us", points)

    return curve


async def _fill(port: AsyncPort, numbers: count[int], number: int) -> None:
    async def task(name: str, commits: int) -> None:
        for _ in range(commits):
            at = next(numbers)
            assert isinstance(await port.ask(Commit(f"fill-{at}", puts=(written(name, at + 1),))), Receipt)

    await asyncio.gather(*(task(f"t{at}", -(-number // TASKS)) for at in range(TASKS)))


def _commit(port: Port, numbers: count[int]) -> None:
    at = next(numbers)
    assert isinstance(port.ask(Commit(f"one-{at}", puts=(written("one", at + 1),))), Receipt)


def _read(port: Port, after: str) -> None:
    """Read a page; where the last commits are not to be seen yet, it takes several requests."""
    found = 0
    while found < PAGE:
        page = port.ask(Events(after=after, limit=PAGE - found, wait=WAIT))
        found, after = found + len(page.events), page.cursor


GROWTHS = tuple(Growth(f"scaling-feed-{one}", needs, feed(one)) for one, needs in SERVERS.items())
