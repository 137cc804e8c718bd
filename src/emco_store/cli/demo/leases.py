"""The step of the demonstration about leases: a worker falls silent, its work is freed, and it can write no more."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread
from typing import Annotated

from rich.text import Text

from emco_store import (
    SET_NULL,
    Lease,
    LeaseLost,
    MemoryBackend,
    MissingReference,
    Reaped,
    Ref,
    Resource,
    Store,
    Transaction,
    connect,
    on_expire,
)
from emco_store.cli.demo.stage import Stage, source_of
from emco_store.cli.leases import state_table
from emco_store.ports import Beat

NAMESPACE = "workers"
PATIENCE_S = 20.0
"""How long to wait for the reaper, in seconds; it takes a second or two."""


class Worker(Resource, lease=timedelta(seconds=1)):
    """A process that works as long as it holds the lease of its worker."""

    zone: str = "eu"


class Task(Resource):
    """Work, which is free when the lease of its worker is over."""

    done: int = 0
    worker: Annotated[Ref[Worker] | None, on_expire(SET_NULL)] = None


class _Network:
    """What carries the beats of one lease, and can be cut."""

    def __init__(self) -> None:
        self.whole = Event()
        self.whole.set()
        self.uid = ""

    def __call__(self, _: str, moment: str, request: object) -> None:
        if moment == "before" and isinstance(request, Beat) and self.uid in request.beats:
            self.whole.wait()


def lose_a_worker(stage: Stage) -> None:
    """Cut off a worker that holds its lease, let a reaper end the lease, and let the worker try to write after that."""
    network = _Network()
    backend = MemoryBackend(hook=network)
    with (
        connect(backend, namespace=NAMESPACE, models=[Task]) as store,
        connect(backend, namespace=NAMESPACE, models=[Task]) as others,
    ):
        stage.step(
            "A worker that dies, and wakes up",
            "A worker holds a lease, and a thread beats for it. Work refers to a worker; when the lease ends, the rule "
            "says what becomes of it.",
        )
        stage.code(f"{source_of(Worker)}\n\n{source_of(Task)}".rstrip())
        stage.code(
            'with store.lease(Worker(name="w1")) as lease:\n'
            '    store.create(Task(name="index", worker="Worker/w1"))\n'
            "    store.run(one_step)   # which begins with tx.require(lease)"
        )
        try:
            with store.lease(Worker(name="w1")) as lease:
                network.uid = lease.uid
                _work(stage, store, lease)
                _fall_silent(stage, others, network)
                _write_late(stage, store, others, lease)
        finally:
            network.whole.set()


def _work(stage: Stage, store: Store, lease: Lease) -> None:
    store.create(Task(name="index", worker="Worker/w1"))
    _step(store, lease)
    stage.show(state_table(store, store.leases(Worker)))
    stage.gap()


def _fall_silent(stage: Stage, others: Store, network: _Network) -> None:
    stage.code("others.reaper().run(print)   # in another process; meanwhile no beat of w1 arrives any more")
    network.whole.clear()
    reaper, is_ended = others.reaper(), Event()
    found: list[Reaped] = []

    def told(reaped: Reaped) -> None:
        found.append(reaped)
        if reaped.ended:
            is_ended.set()

    thread = Thread(target=reaper.run, args=(told,))
    thread.start()
    try:
        is_ended.wait(PATIENCE_S)
    finally:
        reaper.stop()
        thread.join()
    for reaped in found:
        stage.show(Text(f"ended: {', '.join(map(str, reaped.ended))}"))
    task = others.get(Task, "index")
    stage.show(Text(f"{task.key}  worker: {task.worker}   because: {task.meta.reason}"))
    stage.gap()


def _write_late(stage: Stage, store: Store, others: Store, lease: Lease) -> None:
    stage.code("store.run(one_step)   # w1 is back, and believes that no time has passed")
    try:
        _step(store, lease)
    except LeaseLost as problem:
        stage.error(problem)
        stage.gap()
    stage.code('others.update(task.model_copy(update={"worker": "Worker/w1"}))   # give the work back to it')
    task = others.get(Task, "index")
    try:
        others.update(task.model_copy(update={"worker": Ref("Worker/w1")}))
    except MissingReference as problem:
        stage.error(problem)
    done = others.get(Task, "index").done
    stage.verdict(f"the task was free in the same commit in which the lease ended, and counts {done} step, not 2")


def _step(store: Store, lease: Lease) -> None:
    def one_step(tx: Transaction) -> None:
        tx.require(lease)
        task = tx.get(Task, "index")
        tx.update(task.model_copy(update={"done": task.done + 1}))

    store.run(one_step)
