"""``python -m benchmarks.detection``: how soon the operators of a worker that is killed or stopped are free again.

A worker holds a lease, and 20 operators refer to it; it is killed (or stopped), and the time until they are free is
taken. Its beats come from a thread, and a reaper judges it; or they come from a process of their own, and nobody else
judges. Workers are forked from a process that has loaded everything, one after another, so that one is dead at a time.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import perf_counter
from typing import Annotated, Any, Final
from uuid import uuid4 as new_id  # noqa: TID251 - a name for each run, so that none meets the data of another

from benchmarks.__main__ import servers
from benchmarks.machine import describe
from emco_store import SET_NULL, Ref, Resource, Store, Transaction, connect, on_expire
from emco_store.beating.held import state_of

TTL: Final = timedelta(seconds=3)
POLL: Final = timedelta(seconds=0.25)
OPERATORS: Final = 20
BATCH: Final = 5
SIGNALS: Final = {"kill -9": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}


class Worker(Resource, lease=TTL):
    """What is leased."""


class Operator(Resource):
    """What is free after the end of the lease."""

    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None


def nursery(url: str, namespace: str) -> None:
    """Fork a worker for each line, ``name heartbeat``; say its name and process when it holds its lease."""
    for line in sys.stdin:
        name, heartbeat = line.split()
        if os.fork() == 0:
            live(url, namespace, name, heartbeat)


def live(url: str, namespace: str, name: str, heartbeat: Any) -> None:
    """Hold a lease until killed."""
    store = connect(url, namespace=namespace, models=[Worker, Operator])
    stall_after = TTL if heartbeat == "process" else None
    with store.lease(Worker(name=name), heartbeat=heartbeat, stall_after=stall_after) as lease:
        while heartbeat == "process" and not state_of(lease).is_attended(TTL):
            threading.Event().wait(0.02)
        sys.stdout.write(f"{name} {os.getpid()}\n")
        sys.stdout.flush()
        threading.Event().wait()


@contextmanager
def workers(url: str, namespace: str) -> Iterator[Callable[[Sequence[str], str], dict[str, int]]]:
    """Give a function that starts workers by their names, and returns their processes once all hold their leases."""
    command = [sys.executable, "-m", "benchmarks.detection", "--nursery", url, namespace]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603

        def start(names: Sequence[str], heartbeat: str) -> dict[str, int]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("".join(f"{name} {heartbeat}\n" for name in names))
            process.stdin.flush()
            found = (process.stdout.readline().split() for _ in names)
            return {name: int(pid) for name, pid in found}

        yield start
        process.kill()


@contextmanager
def reaping(url: str, namespace: str) -> Iterator[None]:
    """Let a reaper judge meanwhile."""
    with connect(url, namespace=namespace, models=[Worker, Operator]) as store:
        reaper = store.reaper(poll=POLL)
        thread = threading.Thread(target=reaper.run)
        thread.start()
        yield
        reaper.stop()
        thread.join()


def assign(store: Store, name: str) -> None:
    """Give a worker its operators."""

    def step(tx: Transaction) -> None:
        for at in range(OPERATORS):
            tx.create(Operator(name=f"{name}-{at}", worker=Ref(f"Worker/{name}")))

    store.run(step)


def struck(store: Store, name: str, pid: int, number: signal.Signals) -> float:
    """Strike a worker; return how long it took until its operators were free, in seconds."""
    assign(store, name)
    begin_s = perf_counter()
    os.kill(pid, number)
    while store.get(Operator, f"{name}-0").worker is not None:
        threading.Event().wait(0.003)
    took_s = perf_counter() - begin_s
    if number != signal.SIGKILL:
        os.kill(pid, signal.SIGKILL)
    return took_s


def measure(url: str, heartbeat: str, number: signal.Signals, times: int) -> list[float]:
    """Strike as many workers; return the times, in seconds."""
    namespace = f"detect-{new_id().hex}"
    found: list[float] = []
    with connect(url, namespace=namespace, models=[Worker, Operator]) as store, workers(url, namespace) as start:
        for first in range(0, times, BATCH):
            alive = start([f"w{at}" for at in range(first, min(first + BATCH, times))], heartbeat)
            if heartbeat == "process":
                found += [struck(store, name, pid, number) for name, pid in alive.items()]
                continue
            with reaping(url, namespace):
                found += [struck(store, name, pid, number) for name, pid in alive.items()]
    return found


def row(values: Sequence[float]) -> str:
    """Write the median, the 95th percentile and the maximum, in milliseconds."""
    ordered = sorted(values)
    median, most = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
    return f"median {median * 1000:7,.0f} ms, 95 % {most * 1000:7,.0f} ms, max {ordered[-1] * 1000:7,.0f} ms"


def main() -> None:
    """Measure the servers that can run here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--only", choices=("redis", "mongo"))
    parser.add_argument("--heartbeat", choices=("thread", "process"))
    parser.add_argument("--nursery", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.nursery:
        nursery(*options.nursery)
        return
    print(f"{describe()}\nTTL {TTL.total_seconds():g} s, looks of the reaper every {POLL.total_seconds():g} s")
    with servers({options.only} if options.only else {"redis", "mongo"}) as found:
        for name, (url, version) in found.items():
            for heartbeat in [options.heartbeat] if options.heartbeat else ["thread", "process"]:
                for how, number in SIGNALS.items():
                    times = options.kills if how == "kill -9" else options.stops
                    values = measure(url, heartbeat, number, times)
                    print(f"{name} {version}: {how}, {heartbeat:7}: {row(values)}  ({times})", flush=True)


if __name__ == "__main__":
    main()
