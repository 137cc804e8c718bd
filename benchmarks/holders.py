"""Workers that hold leases, and operators that refer to them; ``python -m benchmarks.holders NAMESPACE`` forks workers.

Workers are forked from a process that has loaded everything, so that one is there in a moment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from time import monotonic
from typing import Annotated, Any, Final

from emco_store import (
    SET_NULL,
    Lease,
    LeaseLost,
    Reaped,
    Ref,
    Resource,
    Store,
    Transaction,
    Unavailable,
    UnknownOutcome,
    Verdict,
    connect,
    on_expire,
)
from emco_store.beating.held import state_of

TTL: Final = timedelta(seconds=3)
POLL: Final = timedelta(seconds=0.25)
OPERATORS: Final = 20
PATIENCE_S: Final = 90.0
"""How long to wait for an effect, in seconds: much longer than it takes, even on a busy machine."""
_WAITS, _WRITES = "waits", "writes"
_REFUSED = "refused"


class Worker(Resource, lease=TTL):
    """What is leased."""


class Operator(Resource):
    """What is free after the end of the lease."""

    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None


class Entry(Resource):
    """What a worker writes under its lease."""

    worker: str


MODELS: Final = (Worker, Operator, Entry)


def fork_workers(namespace: str) -> None:
    """Fork a worker for each line, which says its name, its heartbeat, what it does, and where its server is."""
    for line in sys.stdin:
        name, heartbeat, what, url = line.split()
        if os.fork() == 0:
            live(url, namespace, name, heartbeat, what)


def live(url: str, namespace: str, name: str, heartbeat: Any, what: str) -> None:
    """Hold a lease until killed; say the name and the process once it is held."""
    store = connect(url, namespace=namespace, models=MODELS)
    stall_after = TTL if heartbeat == "process" else None
    with store.lease(Worker(name=name), heartbeat=heartbeat, stall_after=stall_after) as lease:
        while heartbeat == "process" and not state_of(lease).is_attended(TTL):
            threading.Event().wait(0.02)
        say(f"{name} {os.getpid()}")
        if what == _WRITES:
            write(store, name, lease)
            say(f"{name} {_REFUSED}")
        threading.Event().wait()


def say(line: str) -> None:
    """Write a line to whoever has started the workers."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write(store: Store, name: str, lease: Lease) -> None:
    """Write entries under a lease until a commit is refused, each in one request, which a network may keep for long."""
    for number in count():

        def step(tx: Transaction, number: int = number) -> None:
            tx.require(lease)
            tx.create(Entry(name=f"{name}-{number}", worker=name))

        try:
            store.run(step)
        except LeaseLost:
            return
        except (Unavailable, UnknownOutcome):
            continue
        threading.Event().wait(0.02)


class Nursery:
    """Starts workers.

    Args:
        process: The process that forks them.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._pids: list[int] = []

    def start(self, names: Sequence[str], heartbeat: str, url: str, *, writes: bool = False) -> dict[str, int]:
        """Start workers; return their processes by their names once all hold their leases.

        Args:
            names: Their names.
            heartbeat: What beats for them: ``thread`` or ``process``.
            url: Their server, as they reach it.
            writes: Whether they write entries until they are refused.
        """
        assert self._process.stdin is not None
        what = _WRITES if writes else _WAITS
        self._process.stdin.write("".join(f"{name} {heartbeat} {what} {url}\n" for name in names))
        self._process.stdin.flush()
        found = {name: int(pid) for name, pid in (self._heard() for _ in names)}
        self._pids += found.values()
        return found

    def wait_for_refusal(self, name: str) -> None:
        """Wait until a commit of a worker that writes was refused."""
        assert self._heard() == (name, _REFUSED)

    def close(self) -> None:
        """Kill all workers, and the process that forked them."""
        for pid in self._pids:  # those that were killed are still there: nobody has waited for them
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()

    def _heard(self) -> tuple[str, str]:
        assert self._process.stdout is not None
        name, word = self._process.stdout.readline().split()
        return name, word


@contextmanager
def nursery_of(namespace: str) -> Iterator[Nursery]:
    """Give what starts workers in a namespace; at the end all of them are killed."""
    command = [sys.executable, "-m", "benchmarks.holders", namespace]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        nursery = Nursery(process)
        try:
            yield nursery
        finally:
            nursery.close()


@contextmanager
def reaping(url: str, namespace: str, told: Callable[[Reaped], object] | None = None) -> Iterator[None]:
    """Let a reaper judge meanwhile, and call ``told`` with what it has done."""
    with connect(url, namespace=namespace, models=MODELS) as store:
        reaper = store.reaper(poll=POLL)
        thread = threading.Thread(target=reaper.run, args=(told,))
        thread.start()
        try:
            yield
        finally:
            reaper.stop()
            thread.join()


def assign(store: Store, name: str) -> None:
    """Give a worker its operators."""

    def step(tx: Transaction) -> None:
        for at in range(OPERATORS):
            tx.create(Operator(name=f"{name}-{at}", worker=Ref(f"Worker/{name}")))

    store.run(step)


def is_freed(store: Store, name: str) -> bool:
    """Return whether the operators of a worker are free; False while nobody can tell."""
    try:
        return store.get(Operator, f"{name}-0").worker is None
    except Unavailable:
        return False


def without_lease(store: Store) -> set[str]:
    """Return the names of the workers whose leases have ended."""
    states = store.leases(Worker, limit=1000).resources
    return {state.resource.name for state in states if state.verdict is Verdict.FREE}


def written(store: Store, name: str) -> int:
    """Return how many entries a worker has written."""
    return sum(entry.worker == name for entry in store.iterate(Entry))


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: It takes longer than :data:`PATIENCE_S`.
    """
    end_s = monotonic() + PATIENCE_S
    while not is_so():
        if monotonic() > end_s:
            raise TimeoutError(f"waited {PATIENCE_S:g} s in vain: {what}")
        threading.Event().wait(0.003)


if __name__ == "__main__":
    fork_workers(sys.argv[1])
