"""``python -m examples.streams``: run the jobs under chaos, and compare the sums with the formula."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit

from rich.console import Console

from emco_store import Store, connect
from examples.streams import stages
from examples.streams.chaos import HARM, Chaos, until
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
    parser.add_argument("--harm", nargs="+", choices=HARM, default=HARM, help="what to do (all of it)")
    parser.add_argument("--heartbeat", choices=("thread", "process"), default="thread", help="what beats (thread)")
    parser.add_argument("--unsafe", action="store_true", help="leave out the fence: the sums come out wrong")
    options = parser.parse_args()
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    with STARTERS[options.backend]() as server:
        workers = ["--heartbeat", options.heartbeat, *(["--unsafe"] if options.unsafe else [])]
        sums, refused = run(server.url, console, seconds=options.seconds, harm=options.harm, workers=workers)
    console.print()
    console.print(arithmetic(sums))
    is_right = all(one.is_right for one in sums)
    console.print("\nNo commit was fenced." if options.unsafe else f"\nLate commits refused: {refused}.")
    console.print("The sums equal the formula." if is_right else "The sums are wrong.", style="bold")
    return 0 if is_right else 1


def run(
    url: str,
    console: Console,
    *,
    seconds: float = 0,
    harm: Collection[str] = HARM,
    workers: Sequence[str] = (),
    namespace: str = "",
) -> tuple[list[Sum], int]:
    """Run the jobs under chaos on a server; return the sums, and how many late commits were refused.

    Args:
        url: The server.
        console: Where to show what happens.
        seconds: How long to do harm; at least one round.
        harm: Which kinds of harm to do.
        workers: More options for each worker, such as ``--unsafe``.
        namespace: The namespace; default: a new one.
    """
    namespace = namespace or f"streams-{secrets.token_hex(4)}"
    there = urlsplit(url)
    wires = {zone: Wire(there.hostname or HOST, there.port or 0) for zone in ZONES}
    with Show(console) as show, connect(url, namespace=namespace, models=MODELS) as store:
        crew = Crew(namespace, lambda zone: _through(url, wires.get(zone)), options=workers, hear=show.hear)
        chaos = Chaos(store, crew, wires, supervisor_of(store).seat)
        create_jobs(store)
        try:
            for name in (*SUPERVISORS, *WORKERS):
                crew.start(name)
            with _drawing(show, store):
                until(lambda: all(chaos.read(zone) for zone in ZONES), "each job runs")
                end_s = monotonic() + seconds
                chaos.go_round(harm)
                while monotonic() < end_s:
                    chaos.go_round(harm)
                return finish(store), crew.count("refused")
        finally:
            crew.close()
            if "process" in workers:
                chaos.wait_for_the_rest()
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


def finish(store: Store) -> list[Sum]:
    """Let the streams end, wait until everything is added up, and return the sums."""
    ends = {zone: _end_of(store, zone) for zone in ZONES}
    for zone, events in ends.items():
        job = store.get(Job, zone)
        store.update(job.model_copy(update={"events": events}))
    until(
        lambda: all(
            store.get(Checkpoint, zone, "sink", "now").read >= end // stages.WINDOW for zone, end in ends.items()
        ),
        "the sinks reach the end",
    )
    totals = {zone: store.get(Total, zone, "all") for zone in ZONES}
    return [Sum(zone, ends[zone], stages.sum_of(ends[zone]), totals[zone].sum) for zone in ZONES]


def _end_of(store: Store, zone: str) -> int:
    """Return a number of events that fills windows, beyond what there is and what is being written."""
    entries = store.get(Checkpoint, zone, "source", "now").written
    return (entries * stages.IN_ENTRY // stages.WINDOW + 5) * stages.WINDOW


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
