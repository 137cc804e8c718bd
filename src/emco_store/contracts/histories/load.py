"""Put a backend under load, in threads of this process, and judge the history."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from emco_store._sync.store import Store
from emco_store.connect import connect
from emco_store.contracts.histories import linearizability, serializability
from emco_store.contracts.histories.clients import Client, play
from emco_store.contracts.histories.history import History, Recorder, read
from emco_store.contracts.histories.models import ENTRIES, RELEASES, Journal, ListForm, Register
from emco_store.contracts.histories.workloads import Shift, final_reads, lists, registers, releases
from emco_store.core.resource import Resource
from emco_store.ports import Backend

MAX: Final = sys.maxsize
STORES: Final = 2
"""Stores that the clients share, as two services would."""


def check_transactions(
    backend: Backend,
    namespace: str,
    folder: Path,
    *,
    clients: int = 8,
    seconds: float = 10.0,
    operations: int = MAX,
    seed: int = 0,
) -> serializability.Verdict:
    """Run transactions on lists, read every list at the end, and judge the history for strict serializability.

    Outcomes that a client did not learn are part of the history, so the server may be killed, stopped and cut off
    while this runs. An append that was acknowledged and is gone at the end is a ``lost append``.

    Args:
        backend: The backend.
        namespace: An empty namespace.
        folder: An existing folder. The history is written there, over that of an earlier run with the same seed.
        clients: Number of threads.
        seconds: How long they run.
        operations: Maximum number of transactions of each client.
        seed: What each client does. When it happens is up to the threads.
    """
    path = folder / f"transactions-{seed}.jsonl"
    path.unlink(missing_ok=True)
    with Recorder(path) as recorder:
        shifts = _shifts(recorder, clients, seconds, operations, seed)
        known = _run(backend, namespace, lists, path, shifts)
        _read_finally(backend, namespace, known, recorder, (ENTRIES,))
    return serializability.check(read(path).operations)


def check_releases(
    backend: Backend,
    namespace: str,
    folder: Path,
    *,
    clients: int = 8,
    seconds: float = 10.0,
    operations: int = MAX,
    seed: int = 0,
) -> serializability.Verdict:
    """Run the same transactions as two releases of a service, half of the clients each; see :func:`check_transactions`.

    The newer release has renamed the field of the lists. It reads by its step what the older one writes, and the older
    one reads what it writes. Its clients migrate all lists again and again. At the end, both read every list.
    A list that a migration could not write is ``not migrated``.
    """
    path = folder / f"releases-{seed}.jsonl"
    path.unlink(missing_ok=True)
    with Recorder(path) as recorder:
        shifts = _shifts(recorder, clients, seconds, operations, seed)
        known = _run(backend, namespace, releases, path, shifts, models=[[form.model] for form in RELEASES])
        _read_finally(backend, namespace, known, recorder, RELEASES)
    history = read(path)
    verdict = serializability.check(history.operations)
    if history.counts.get("left"):
        verdict.add("not migrated", f"{history.counts['left']} times a migration left a list as it was")
    return verdict


def check_resources(
    backend: Backend,
    namespace: str,
    folder: Path,
    *,
    clients: int = 8,
    seconds: float = 10.0,
    operations: int = MAX,
    seed: int = 0,
) -> linearizability.Verdict:
    """Run calls on single resources and judge the history for linearizability; see :func:`check_transactions`."""
    path = folder / f"resources-{seed}.jsonl"
    path.unlink(missing_ok=True)
    with Recorder(path) as recorder:
        known = _run(backend, namespace, registers, path, _shifts(recorder, clients, seconds, operations, seed))
    return linearizability.check(known.operations)


def run_in_threads(works: Sequence[Callable[[], Any]]) -> None:
    """Run each function in its own thread, and raise the first error of any of them."""
    problems: list[BaseException] = []

    def guarded(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as problem:  # noqa: BLE001 - it is raised again, in the thread that waits
            problems.append(problem)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def _run(
    backend: Backend, namespace: str, workload: Callable[[Shift], Client], path: Path, shifts: Sequence[Shift],
    *, models: Sequence[Sequence[type[Resource]]] = ((Journal, Register),) * STORES,
) -> History:  # fmt: skip
    with ExitStack() as stack:
        stores = [stack.enter_context(connect(backend, namespace=namespace, models=each)) for each in models]
        run_in_threads(list(_works(workload, shifts, stores)))
    return read(path)


def _read_finally(
    backend: Backend, namespace: str, known: History, recorder: Recorder, forms: Sequence[ListForm]
) -> None:
    names = {step[1] for operation in known.operations for step in operation.steps}
    for number, form in enumerate(forms):
        last = Shift(f"last {number}", 0, _random(0, 0), recorder, lambda _: True)
        with connect(backend, namespace=namespace, models=[form.model]) as store:
            play(final_reads(last, names, form), store)


def _shifts(recorder: Recorder, clients: int, seconds: float, operations: int, seed: int) -> Sequence[Shift]:
    end_s = time.monotonic() + seconds

    def goes_on(done: int) -> bool:
        return done < operations and time.monotonic() < end_s

    return [Shift(f"c{number}", number, _random(seed, number), recorder, goes_on) for number in range(1, clients + 1)]


def _random(seed: int, number: int) -> Random:
    return Random(f"{seed}/{number}")  # noqa: S311 - to be repeated, not to be secret


def _works(
    workload: Callable[[Shift], Client], shifts: Iterable[Shift], stores: Sequence[Store]
) -> Iterable[Callable[[], Any]]:
    return (partial(play, workload(shift), stores[shift.number % len(stores)]) for shift in shifts)
