"""Run a workload: threads on a store, tasks on an asyncio store, or several processes of either."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from emco_store.connect import connect, connect_async
from emco_store.contracts.histories import history
from emco_store.contracts.histories.clients import Client, play, play_async
from emco_store.contracts.histories.history import History, Recorder
from emco_store.contracts.histories.load import run_in_threads
from emco_store.contracts.histories.models import Journal, Register
from emco_store.contracts.histories.workloads import Shift, final_reads, lists, registers
from emco_store.core.resource import Resource
from emco_store.flows.context import RetryPolicy
from emco_store.ports import Backend
from proof import deployments
from proof.models import Follower, Hub, Pin, Rim, Spoke, Watcher
from proof.nemesis import ClientFaults, Nemesis, during, seeded
from proof.races import races
from proof.rig import Rig, at_url

MODELS: Final[tuple[type[Resource], ...]] = (
    Journal,
    Register,
    Hub,
    Pin,
    Spoke,
    Rim,
    Follower,
    Watcher,
    *deployments.MODELS,
)
WORKLOADS: Final[dict[str, Callable[[Shift], Client]]] = {
    "lists": lists,
    "registers": registers,
    "races": races,
    "deployments": deployments.deployments,
}
_SWITCH_S: Final = 1e-4
"""The switch interval of threads: with memory as the backend, nothing else makes threads interleave."""


@dataclass(frozen=True, slots=True)
class Load:
    """A workload, and its clients.

    Attributes:
        workload: One of :data:`WORKLOADS`.
        threads: Number of clients in threads that share one blocking store, in each process.
        tasks: Number of clients in tasks that share one asyncio store, in each process.
        processes: Number of processes beside this one; 0 for this process only. If the data is in the memory of this
            process, their threads run here.
        operations: Maximum number of operations of each client.
        seconds: How long; None for no limit.
        retry: How calls that lose races are repeated.
    """

    workload: str
    threads: int = 0
    tasks: int = 0
    processes: int = 0
    operations: int = sys.maxsize
    seconds: float | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def __str__(self) -> str:
        parts = [f"{number} {name}" for name, number in (("threads", self.threads), ("tasks", self.tasks)) if number]
        return f"{self.processes or 1} process{'es' * (self.processes > 1)} of {' and '.join(parts)}"


@dataclass(frozen=True, slots=True)
class _Job:
    """The part of one process, which can be sent to it."""

    load: Load
    url: str
    namespace: str
    first: int
    seed: int
    end_ns: int
    faults: ClientFaults | None
    path: Path


def run(rig: Rig, load: Load, nemesis: Nemesis, *, seed: int, out: Path, namespace: str) -> History:
    """Run the load while the nemesis strikes, and return the history of all processes.

    Args:
        rig: The backend.
        load: The load.
        nemesis: What goes wrong.
        seed: What each client does; when it happens is up to the machine.
        out: A folder for the parts of the history.
        namespace: The namespace.
    """
    end_ns = sys.maxsize if load.seconds is None else time.monotonic_ns() + int(load.seconds * 1e9)
    count = load.processes if rig.url else 0
    job = _Job(load, rig.url, namespace, 1, seed, end_ns, nemesis.client_faults, out / "part-0.jsonl")
    if load.processes and not count:
        job = replace(job, load=replace(load, threads=load.threads * load.processes))
    each = load.threads + load.tasks
    jobs = [replace(job, first=1 + at * each, path=out / f"part-{at}.jsonl") for at in range(count)] or [job]
    with during(nemesis):
        if count:
            _run_elsewhere(jobs)
        else:
            _run_here(job, rig.fresh())
    return history.read(*(one.path for one in jobs))


def read_finally(rig: Rig, namespace: str, known: History, out: Path) -> History:
    """Read every list of a history once more, and return the history with these reads."""
    names = {step[1] for operation in known.operations for step in operation.steps}
    return _finally(rig, namespace, known, out, lambda shift: final_reads(shift, names))


def look_finally(rig: Rig, namespace: str, known: History, out: Path) -> History:
    """Look at every deployment of a history and its revisions, and return the history with what was seen."""
    names = deployments.works_in(known)
    return _finally(rig, namespace, known, out, lambda shift: deployments.last_looks(shift, names))


def _finally(rig: Rig, namespace: str, known: History, out: Path, make: Callable[[Shift], Client]) -> History:
    path = out / "final.jsonl"
    with Recorder(path) as recorder, connect(rig.fresh(), namespace=namespace, models=MODELS) as store:
        play(make(Shift("final", 0, seeded("final"), recorder, lambda _: True)), store)
    return History([*known.operations, *history.read(path).operations], known.counts)


def check_store(rig: Rig, namespace: str) -> tuple[int, list[str]]:
    """Let the store check all its data; return the number of records, and each flaw."""
    records, flaws = 0, list[str]()
    with connect(rig.fresh(), namespace=namespace, models=MODELS) as store:
        after: str | None = None
        while True:
            page = store.check(after=after)
            records += page.records
            flaws += [str(flaw) for flaw in page.flaws]
            after = page.next
            if after is None:
                return records, flaws


def _run_elsewhere(jobs: Sequence[_Job]) -> None:
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=_work, args=(job,), daemon=True) for job in jobs]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
                process.join()
    failed = [process.exitcode for process in processes if process.exitcode]
    if failed:
        message = f"{len(failed)} of {len(processes)} processes of the load ended with {failed}"
        raise RuntimeError(message)


def _work(job: _Job) -> None:
    """Run the part of one process; the main function of a spawned process."""
    _run_here(job, at_url(job.url))


def _run_here(job: _Job, backend: Backend) -> None:
    backend, struck = (job.faults or ClientFaults()).around(backend, job.seed, job.first)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        with Recorder(job.path) as recorder:
            shifts = [_shift(job, recorder, at) for at in range(job.load.threads + job.load.tasks)]
            threads, tasks = shifts[: job.load.threads], shifts[job.load.threads :]
            both = [partial(_run_threads, job, backend, threads), partial(_run_tasks, job, backend, tasks)]
            run_in_threads([one for one, wanted in zip(both, (threads, tasks), strict=True) if wanted])
            recorder.count(struck)
    finally:
        sys.setswitchinterval(interval)


def _shift(job: _Job, recorder: Recorder, at: int) -> Shift:
    number = job.first + at

    def goes_on(done: int) -> bool:
        return done < job.load.operations and time.monotonic_ns() < job.end_ns

    return Shift(f"{os.getpid()}.{number}", number, seeded(job.seed, number), recorder, goes_on)


def _run_threads(job: _Job, backend: Backend, shifts: Sequence[Shift]) -> None:
    make = WORKLOADS[job.load.workload]
    with connect(backend, namespace=job.namespace, models=MODELS, retry=job.load.retry) as store:
        run_in_threads([partial(play, make(shift), store) for shift in shifts])


def _run_tasks(job: _Job, backend: Backend, shifts: Sequence[Shift]) -> None:
    make = WORKLOADS[job.load.workload]

    async def work() -> None:
        async with connect_async(backend, namespace=job.namespace, models=MODELS, retry=job.load.retry) as store:
            await asyncio.gather(*(play_async(make(shift), store) for shift in shifts))

    asyncio.run(work())
