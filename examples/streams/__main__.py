"""``python -m examples.streams``: run the jobs under chaos, and compare the sums with the formula."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit

from rich.console import Console

from emco_store import Store, connect
from examples.streams import stages
from examples.streams.chaos import Chaos, until
from examples.streams.crew import SUPERVISORS, WORKERS, Crew
from examples.streams.models import MODELS, STAGES, ZONES, Checkpoint, Job, Operator, Total
from examples.streams.show import Show, Sum, arithmetic
from examples.streams.supervisor import supervisor_of
from examples.streams.wire import HOST, Wire
from tests.servers.mongo import running_mongo
from tests.servers.redis import running_redis

STARTERS = {"redis": running_redis, "mongo": running_mongo}
DRAW_EVERY_S = 0.25


def main() -> int:
    """Run the example; return 0 if the sums are right, 1 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m examples.streams", description=__doc__)
    parser.add_argument("--backend", choices=sorted(STARTERS), default="redis")
    parser.add_argument("--seconds", type=float, default=60, metavar="N", help="of chaos, at least one round (60)")
    parser.add_argument("--unsafe", action="store_true", help="leave out the fence: the sums come out wrong")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    with STARTERS[options.backend]() as server:
        sums, refused = run(server.url, options.seconds, console, is_unsafe=options.unsafe)
    console.print()
    console.print(arithmetic(sums))
    is_right = all(one.is_right for one in sums)
    console.print(f"\n{refused} late commits were refused." if not options.unsafe else "\nNo commit was fenced.")
    console.print("The sums equal the formula." if is_right else "The sums are wrong.", style="bold")
    return 0 if is_right else 1


def run(url: str, seconds: float, console: Console, *, is_unsafe: bool, namespace: str = "") -> tuple[list[Sum], int]:
    """Run the jobs under chaos on a server; return the sums, and how many late commits were refused."""
    namespace = namespace or f"streams-{secrets.token_hex(4)}"
    there = urlsplit(url)
    wires = {zone: Wire(there.hostname or HOST, there.port or 0) for zone in ZONES}
    with Show(console) as show, connect(url, namespace=namespace, models=MODELS) as store:
        crew = Crew(namespace, lambda zone: _through(url, wires.get(zone)), is_unsafe=is_unsafe, hear=show.hear)
        chaos = Chaos(store, crew, wires, supervisor_of(store).seat)
        create_jobs(store)
        try:
            for name in (*SUPERVISORS, *WORKERS):
                crew.start(name)
            with _drawing(show, store):
                until(chaos.is_all_assigned, "each operator has a worker")
                end_s = monotonic() + seconds
                chaos.go_round()
                while monotonic() < end_s:
                    chaos.go_round()
                return finish(store, is_unsafe=is_unsafe), crew.count("refused")
        finally:
            crew.close()
            for wire in wires.values():
                wire.close()


def create_jobs(store: Store) -> None:
    """Create a job for each zone, with its operators."""
    with store.transaction() as tx:
        for zone in ZONES:
            job = tx.create(Job(name=zone))
            tx.create(Total(parent=job, name="all"))
            for stage in STAGES:
                tx.create(Operator(parent=job, name=stage, zone=zone))


def finish(store: Store, *, is_unsafe: bool) -> list[Sum]:
    """Let the streams end, wait until everything is added up, and return the sums."""
    ends = {zone: _end_of(store, zone) for zone in ZONES}
    for zone, events in ends.items():
        job = store.get(Job, zone)
        store.update(job.model_copy(update={"events": events}))
    until(
        lambda: all(_windows(store, zone, is_unsafe=is_unsafe) >= ends[zone] // stages.WINDOW for zone in ZONES),
        "the end",
    )
    totals = {zone: store.get(Total, zone, "all") for zone in ZONES}
    return [Sum(zone, ends[zone], stages.sum_of(ends[zone]), totals[zone].sum) for zone in ZONES]


def _end_of(store: Store, zone: str) -> int:
    """Return a number of events that fills windows, beyond what there is and what is being written."""
    entries = store.get(Checkpoint, zone, "source", "now").written
    return (entries * stages.IN_ENTRY // stages.WINDOW + 5) * stages.WINDOW


def _windows(store: Store, zone: str, *, is_unsafe: bool) -> int:
    """Return how many windows were added up; without a fence, its checkpoint may have been thrown back."""
    if is_unsafe:
        return store.get(Total, zone, "all").windows
    return store.get(Checkpoint, zone, "sink", "now").read


def _through(url: str, wire: Wire | None) -> str:
    """Return the URL of a server as it is reached over a wire."""
    if wire is None:
        return url
    there = urlsplit(url)
    user, at, _ = there.netloc.rpartition("@")
    query = "directConnection=true" if there.scheme == "mongodb" else there.query  # or it would go around the wire
    return there._replace(netloc=f"{user}{at}{HOST}:{wire.port}", query=query).geturl()


@contextmanager
def _drawing(show: Show, store: Store) -> Iterator[None]:
    """Draw what happens, again and again, while the block runs."""
    is_over = Event()

    def draw() -> None:
        while not is_over.wait(DRAW_EVERY_S):
            show.draw(store)

    thread = Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
