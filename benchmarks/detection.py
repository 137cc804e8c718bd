"""``python -m benchmarks.detection``: how soon the operators of a worker that dies are free again.

A worker holds a lease, and 20 operators refer to it; it is struck, and the time until they are free is taken.

``kill`` and ``stop``: its beats come from a thread, and a reaper judges it; or they come from a process of their own,
and nobody else judges. Workers are struck one after another, so that one is dead at a time.

``partition``: it is cut off from the server. The time until its operators are free is taken, and what it had sent must
be refused when the network works again. ``step-down``: it is killed, and the primary of three members of MongoDB steps
down. ``failover``: it and the primary of Redis are killed, and the replica takes over at once, which has heard nothing
for seven tenths of a TTL. ``outage``: the same, but the replica has heard nothing for a TTL, and takes over after
another one. In all of these, a reaper judges, and five others live, whose leases must not end.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Final
from uuid import uuid4 as new_id  # noqa: TID251 - a name for each run, so that none meets the data of another

from benchmarks import disturbances
from benchmarks.disturbances import GROUNDS
from benchmarks.holders import MODELS, POLL, TTL, assign, is_freed, nursery_of, reaping, until
from benchmarks.machine import describe
from benchmarks.servers import servers
from emco_store import Store, connect
from tests.servers.process import ServerMissing

BATCH: Final = 5
SERVERS: Final = ("redis", "mongo")
HEARTBEATS: Final = ("thread", "process")
SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
TIMES: Final = {"kill": 100}
"""How often each is done; others 20 times."""


def struck(store: Store, name: str, pid: int, number: signal.Signals) -> float:
    """Strike a worker; return how long it took until its operators were free, in seconds."""
    assign(store, name)
    begin_s = perf_counter()
    os.kill(pid, number)
    until(lambda: is_freed(store, name), f"the operators of {name} are free")
    took_s = perf_counter() - begin_s
    if number != signal.SIGKILL:
        os.kill(pid, signal.SIGKILL)
    return took_s


def measure(url: str, heartbeat: str, number: signal.Signals, times: int) -> list[float]:
    """Strike as many workers; return the times, in seconds."""
    namespace = f"detect-{new_id().hex}"
    found: list[float] = []
    with connect(url, namespace=namespace, models=MODELS) as store, nursery_of(namespace) as nursery:
        for first in range(0, times, BATCH):
            names = [f"w{at}" for at in range(first, min(first + BATCH, times))]
            with ExitStack() as stack:
                alive = nursery.start(names, heartbeat, url)
                if heartbeat == "thread":
                    stack.enter_context(reaping(url, namespace))
                found += [struck(store, name, pid, number) for name, pid in alive.items()]
    return found


def row(values: Sequence[float]) -> str:
    """Write the median, the 95th percentile and the maximum, in milliseconds."""
    ordered = sorted(values)
    median, most = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
    return f"median {median * 1000:7,.0f} ms, 95 % {most * 1000:7,.0f} ms, max {ordered[-1] * 1000:7,.0f} ms"


def show_struck(server: str, what: str, heartbeats: Sequence[str], times: int) -> None:
    """Measure what happens to workers alone, and print it."""
    with servers({server}) as found:
        for url, version in found.values():
            for heartbeat in heartbeats:
                values = measure(url, heartbeat, SIGNALS[what], times)
                print(f"{server} {version}: {what}, {heartbeat:7}: {row(values)}  ({times})", flush=True)


def show_disturbed(server: str, what: str, heartbeats: Sequence[str], times: int) -> bool:
    """Measure what happens to a server or its network too, and print it; return whether nothing wrong has happened."""
    is_right = True
    try:
        with GROUNDS[what][server]() as ground:
            for heartbeat in heartbeats:
                found = disturbances.measure(ground, heartbeat, times)
                is_right &= found.is_right
                rest = f"{len(found.false_ends)} false ends"
                rest += f", {found.late} late writes" if ground.is_fenced else f"; after its end {row(found.after_s)}"
                load = f"load {os.getloadavg()[0]:.1f}"
                print(
                    f"{server} {ground.version}: {what}, {heartbeat:7}: {row(found.took_s)}  ({times}); {rest}; {load}",
                    flush=True,
                )
    except ServerMissing as problem:
        print(f"{server} is not measured: {problem}")
    return is_right


def main(arguments: Sequence[str]) -> int:
    """Measure the servers that can run here; return 1 if a lease ended whose holder lived, or a dead one wrote."""
    what = [*SIGNALS, *GROUNDS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detection", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--what", nargs="+", choices=what, default=what, help="what happens (all)")
    parser.add_argument("--times", type=int, metavar="N", help="how often; 100 times kill, 20 times all others")
    parser.add_argument("--only", choices=SERVERS, help="one server (all)")
    parser.add_argument("--heartbeat", choices=HEARTBEATS, help="what beats for the workers that die (both)")
    options = parser.parse_args(arguments)
    print(f"{describe()}\nTTL {TTL.total_seconds():g} s, looks of the reaper every {POLL.total_seconds():g} s")
    heartbeats = [options.heartbeat] if options.heartbeat else HEARTBEATS
    is_right = True
    for one in options.what:
        times = options.times or TIMES.get(one, 20)
        for server in [options.only] if options.only else SERVERS:
            if one in SIGNALS:
                show_struck(server, one, heartbeats, times)
            elif server in GROUNDS[one]:
                is_right &= show_disturbed(server, one, heartbeats, times)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
