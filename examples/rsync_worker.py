"""A worker that plays EMCO's rsync: it carries deployments out, and reports each end with the id of its operation."""

from __future__ import annotations

from collections.abc import Callable

from emco_store import Conflict, NotFound, Store, Transition, TransitionRefused
from emco_store.emco import DeploymentIntentGroup, DigLifecycle, DigState

Effect = Callable[[DeploymentIntentGroup, str], None]
"""Does to the clusters what an operation asks for; raises an ``OSError`` if that fails, and may be repeated."""


def work(store: Store, deploy: Effect, remove: Effect) -> int:
    """Carry out all operations that are under way, and return how many ends were reported.

    The store must be opened with ``connect(…, actor=RSYNC)``. The operation was committed before anything happens to a
    cluster, so after a crash the worker is simply run again. A report that comes too late, because somebody has stopped
    the deployment or begun another operation, is refused and changes nothing.
    """
    reported = 0
    for state, effect, step in (
        (DigState.STARTING, deploy, DigLifecycle.started),
        (DigState.STOPPING, remove, DigLifecycle.stopped),
    ):
        for group in list(store.list(DeploymentIntentGroup, state=state)):
            operation = store.lifecycle(group).operation
            if operation is None:
                continue
            outcome: Transition[DigState] = step
            try:
                effect(group, operation)
            except OSError:
                if state is DigState.STOPPING:
                    continue  # tried again in the next round
                outcome = DigLifecycle.failed
            try:
                store.transition(group, outcome, operation=operation)
            except (TransitionRefused, NotFound, Conflict):
                continue
            reported += 1
    return reported
