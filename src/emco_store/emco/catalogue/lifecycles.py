"""The lifecycles of EMCO's resources: deployments, logical clouds, the networks of a cluster, and certificates.

A state that ends with "…ing" begins an operation, whose end the controller ``rsync`` reports with the id of the
operation. Every such state can also be left without ``rsync``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from enum import StrEnum
from operator import methodcaller
from typing import Any

from emco_store._aio.block import AsyncBlock
from emco_store.core.guards import approved, check, some
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import content, hold, transition
from emco_store.core.query import F
from emco_store.emco.catalogue.applications import App, AppDependency
from emco_store.emco.steps import Steps, perform, perform_async

RSYNC = "rsync"
"""The actor that reports the ends of operations: ``connect(…, actor=RSYNC)``."""
_PAGE = 1_000


class CloudState(StrEnum):
    """The states of a logical cloud."""

    CREATED = "Created"
    UP = "Instantiated"
    DOWN = "Terminated"


class CloudLifecycle(Lifecycle[CloudState]):
    """A logical cloud: its level and namespace stay while it is instantiated, and deployments hold it.

    Its clusters, quotas and permissions are its content; ``instantiate`` and ``update`` record a revision of it.
    """

    initial = CloudState.CREATED
    instantiate = transition({CloudState.CREATED, CloudState.DOWN}, to=CloudState.UP, records=True)
    update = transition(CloudState.UP, to=CloudState.UP, records=True)
    terminate = transition(CloudState.UP, to=CloudState.DOWN)
    deletable = {CloudState.CREATED, CloudState.DOWN}
    frozen = {CloudState.UP: (F.spec.level, F.spec.namespace)}


class NetworksState(StrEnum):
    """The states of the networks of a cluster."""

    CREATED = "Created"
    APPLIED = "Applied"
    TERMINATED = "Terminated"


class NetworksLifecycle(Lifecycle[NetworksState]):
    """The networks of a cluster, as its content: a cluster whose networks are applied cannot be deleted."""

    initial = NetworksState.CREATED
    apply = transition(set(NetworksState), to=NetworksState.APPLIED, records=True)
    terminate = transition(NetworksState.APPLIED, to=NetworksState.TERMINATED)
    deletable = {NetworksState.CREATED, NetworksState.TERMINATED}


class CertificateState(StrEnum):
    """The states of one phase of a certificate."""

    CREATED = "Created"
    UP = "Instantiated"
    DOWN = "Terminated"


class CertificateLifecycle(Lifecycle[CertificateState]):
    """One phase of a certificate: its enrollment, or its distribution."""

    initial = CertificateState.CREATED
    instantiate = transition({CertificateState.CREATED, CertificateState.DOWN}, to=CertificateState.UP)
    update = transition(CertificateState.UP, to=CertificateState.UP)
    terminate = transition(CertificateState.UP, to=CertificateState.DOWN)
    deletable = {CertificateState.CREATED, CertificateState.DOWN}


class DigState(StrEnum):
    """The states of a deployment intent group."""

    CREATED = "Created"
    APPROVED = "Approved"
    STARTING = "Instantiating"
    UP = "Instantiated"
    FAILED = "InstantiateFailed"
    STOPPING = "Terminating"
    DOWN = "Terminated"


def dependencies_are_acyclic(tx: Any, group: Any) -> str | Awaitable[str | None] | None:
    """Return what speaks against the dependencies between the apps of a deployment; None if nothing does."""
    steps = _judged(group.parent.key)
    return perform_async(steps, tx) if isinstance(tx, AsyncBlock) else perform(steps, tx)


def _judged(composite: Key) -> Steps[str | None]:
    waits: dict[str, set[str]] = {}
    apps = yield from _children(App, composite)
    for app in (found for found in apps if isinstance(found, App)):
        dependencies = yield from _children(AppDependency, app.key)
        if any(isinstance(found, Exception) for found in dependencies):
            return f"a dependency of {app.key} cannot be read"
        waits[app.name] = {found.spec.app.key.name for found in dependencies if found.spec is not None}
    circle = next(_circles(waits), None)
    return None if circle is None else f"apps wait for each other: {', '.join(circle)}"


def _children(model: type[Any], parent: Key) -> Steps[list[Any]]:
    found: list[Any] = []
    after: str | None = None
    while True:
        page = yield methodcaller("list", model, parent=parent, limit=_PAGE, after=after)
        found += page
        after = page.next
        if after is None:
            return found


def _circles(waits: Mapping[str, set[str]]) -> Iterator[list[str]]:
    """Yield the apps that are left when all whose dependencies are met have been taken away."""
    left = dict(waits)
    while met := [app for app, others in left.items() if not others & left.keys()]:
        for app in met:
            del left[app]
    if left:
        yield sorted(left)


_RUNNING = (DigState.STARTING, DigState.UP, DigState.FAILED, DigState.STOPPING)


class DigLifecycle(Lifecycle[DigState]):
    """A deployment: what is instantiated was approved as it stands, and holds its logical cloud.

    Its content is the group with all intents below it, and the apps and profiles that they name.
    """

    initial = DigState.CREATED
    scope = content(targets=("App", "AppProfile", "CompositeProfile"))
    approve = transition({DigState.CREATED, DigState.DOWN, DigState.APPROVED}, to=DigState.APPROVED, approves=True)
    instantiate = transition(
        {DigState.APPROVED, DigState.DOWN}, to=DigState.STARTING, records=True, begins=True,
        guards=[approved(), some("GroupIntent"), check(dependencies_are_acyclic)],
    )  # fmt: skip
    reapprove = transition(DigState.UP, to=DigState.UP, approves=True)
    update = transition(DigState.UP, to=DigState.STARTING, records=True, begins=True, guards=[approved()])
    started = transition(DigState.STARTING, to=DigState.UP, ends=True, writers={RSYNC})
    failed = transition(DigState.STARTING, to=DigState.FAILED, ends=True, writers={RSYNC})
    stop = transition(DigState.STARTING, to=DigState.FAILED)
    terminate = transition(
        {DigState.STARTING, DigState.UP, DigState.FAILED}, to=DigState.STOPPING, begins=True
    )  # fmt: skip
    stopped = transition(DigState.STOPPING, to=DigState.DOWN, ends=True, writers={RSYNC})
    abandon = transition(DigState.STOPPING, to=DigState.DOWN)
    deletable = {DigState.CREATED, DigState.APPROVED, DigState.DOWN}
    holds = {state: [hold(F.spec.logicalCloud, needs=CloudState.UP)] for state in _RUNNING}
