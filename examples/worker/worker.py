"""A worker that carries out what groups of deployments ask for, and reports how it ended, as EMCO's rsync does.

An operation has an id, which stands in the lifecycle record before anything happens outside. So a worker that dies is
followed by another one that begins the same operation again, and a report of an operation that is over is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from emco_store import (
    Lifecycle,
    NotFound,
    Ref,
    Resource,
    Status,
    Store,
    Transaction,
    TransitionRefused,
    no,
    transition,
    yes,
)


class State(StrEnum):
    """The states of a group."""

    CREATED = "Created"
    STARTING = "Instantiating"
    UP = "Instantiated"
    FAILED = "InstantiateFailed"
    STOPPING = "Terminating"
    DOWN = "Terminated"


class Deploying(Lifecycle[State]):
    """The way of a group; only rsync reports how an operation ended."""

    initial = State.CREATED
    instantiate = transition({State.CREATED, State.DOWN}, to=State.STARTING, begins=True)
    started = transition(State.STARTING, to=State.UP, ends=True, writers={"rsync"})
    failed = transition(State.STARTING, to=State.FAILED, ends=True, writers={"rsync"})
    terminate = transition({State.STARTING, State.UP, State.FAILED}, to=State.STOPPING, begins=True)
    stopped = transition(State.STOPPING, to=State.DOWN, ends=True, writers={"rsync"})
    abandon = transition(State.STOPPING, to=State.DOWN)
    deletable = {State.CREATED, State.DOWN}


class Cluster(Resource):
    """Where groups run."""


class Group(Resource, lifecycle=Deploying):
    """What is to run, and where."""

    clusters: list[Ref[Cluster]] = []


class GroupStatus(Status, of=Group, writer="rsync"):
    """What runs; a cluster on which something runs cannot be deleted."""

    placed_on: list[Ref[Cluster]] = []


Effect = Callable[[Group, str], None]
"""What happens outside, once for each operation id, however often it is called; it raises ``OSError`` if it fails."""


def work(store: Store, install: Effect, remove: Effect) -> int:
    """Carry out every operation that is under way, and return how many were reported.

    Args:
        store: A store that acts as ``rsync``.
        install: Makes a group run.
        remove: Stops it, and forgets it.
    """
    return sum(
        carry_out(store, group, effect)
        for state, effect in ((State.STARTING, install), (State.STOPPING, remove))
        for group in store.list(Group, state=state, limit=1000).resources
    )


def carry_out(store: Store, group: Group, effect: Effect) -> bool:
    """Carry out the operation of one group; return whether it was still under way when it was reported."""
    record = store.lifecycle(group)
    operation, starts = record.operation, record.state is State.STARTING
    if operation is None:
        return False
    step = Deploying.started if starts else Deploying.stopped
    status = GroupStatus(parent=group, placed_on=group.clusters if starts else [], conditions={"Ready": yes("Runs")})
    try:
        effect(group, operation)
    except OSError as problem:
        if not starts:
            return False  # try again the next time
        step = Deploying.failed
        status = status.model_copy(update={"conditions": {"Ready": no("Failed", str(problem))}})
    if step is Deploying.stopped:
        status = status.model_copy(update={"conditions": {"Ready": no("Stopped")}})

    def report(tx: Transaction) -> None:
        tx.set_status(status, observed=group)
        tx.transition(group, step, operation=operation)

    try:
        store.run(report)
    except (TransitionRefused, NotFound):
        return False  # somebody has begun another operation, or deleted the group, in the meantime
    return True
