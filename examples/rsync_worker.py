"""A worker that plays EMCO's rsync: it carries deployments out, and reports each end with the id of its operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emco_store import Conflict, NotFound, Ref, Store, Transaction, TransitionRefused, no, yes
from emco_store.emco import Cluster, DeploymentIntentGroup, DigLifecycle, DigState, DigStatus

Effect = Callable[[DeploymentIntentGroup, str], Sequence[Ref[Cluster]]]
"""Does to the clusters what an operation asks for, and returns those on which the deployment is placed then.

It raises an ``OSError`` if that fails, and may be repeated.
"""


def work(store: Store, deploy: Effect, remove: Effect) -> int:
    """Carry out all operations that are under way, and return how many ends were reported.

    The store must be opened with ``connect(…, actor=RSYNC)``. The operation was committed before anything happens to a
    cluster, so after a crash the worker is simply run again. A report that comes too late, because somebody has stopped
    the deployment or begun another operation, is refused and changes nothing.
    """
    return sum(
        _carry_out(store, group, effect)
        for state, effect in ((DigState.STARTING, deploy), (DigState.STOPPING, remove))
        for group in store.list(DeploymentIntentGroup, state=state).resources
    )


def _carry_out(store: Store, group: DeploymentIntentGroup, effect: Effect) -> bool:
    record = store.lifecycle(group)
    operation, starts = record.operation, record.state is DigState.STARTING
    if operation is None:
        return False
    step, ready = (DigLifecycle.started, yes("Deployed")) if starts else (DigLifecycle.stopped, no("Terminated"))
    placed: Sequence[Ref[Cluster]] | None = None
    try:
        placed = effect(group, operation)
    except OSError as problem:
        if not starts:
            return False  # tried again in the next round
        step, ready = DigLifecycle.failed, no("Failed", str(problem))

    def report(tx: Transaction) -> None:
        seen = tx.status(group, DigStatus)
        before = [] if seen is None else seen.placed_on
        status = DigStatus(
            parent=group, placed_on=list(before if placed is None else placed), conditions={"Ready": ready}
        )
        tx.set_status(status, observed=group)
        tx.transition(group, step, operation=operation)

    try:
        store.run(report)
    except (TransitionRefused, NotFound, Conflict):
        return False
    return True
