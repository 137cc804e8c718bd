"""Notices: what EMCO's services send each other by remote calls, read from the feed instead.

In EMCO a service may be told that all went well although its message was lost. Here an event is part of the commit that
it tells of, and a service that was away continues after its cursor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from emco_store.core.events import Action, Aspect, Event, RecordChange
from emco_store.core.keys import Key
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.emco.actions import VERBS, looked_up
from emco_store.emco.catalogue.clusters import Cluster
from emco_store.emco.steps import Steps, perform, perform_async
from emco_store.errors import NotFound

NOTICED: tuple[str, ...] = tuple(VERBS)
"""The kinds of which notices tell: give them to ``store.watch(kinds=…)``."""


class Subject(StrEnum):
    """What a notice is about."""

    CLUSTER_ADDED = "cluster added"
    """In EMCO a call of ``clm`` to each of its controllers."""
    CLUSTER_REMOVED = "cluster removed"
    """The same."""
    WORK_READY = "work ready"
    """An operation has begun, which ``rsync`` is to carry out and to report: EMCO's "app context is ready"."""
    STATE_CHANGED = "state changed"
    """A deployment, a logical cloud, the networks of a cluster or a phase of a certificate is in another state."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a service is told.

    Attributes:
        subject: What it is about.
        key: The resource.
        uid: The uid of a cluster that was added or removed; empty otherwise.
        record: Where the resource is in its lifecycle; None for clusters that were added or removed. With
            ``WORK_READY``, ``record.operation`` names the operation for the report.
    """

    subject: Subject
    key: Key
    uid: str = ""
    record: LifecycleRecord[Any] | None = None


def notices(on: Any, event: Event) -> tuple[Notice, ...]:
    """Return what an event means to EMCO's services.

    A state is read when the event is. One that another change has overtaken gives no notice, because the event of that
    change does; nor does one of a resource that is gone.

    Args:
        on: A store, or a transaction in which the service does its work.
        event: An event of ``store.watch(kinds=NOTICED)``, or of any other watch.

    Raises:
        StoreError: A lifecycle record cannot be read.
    """
    return perform(_notices(event), on)


async def notices_async(on: Any, event: Event) -> tuple[Notice, ...]:
    """Do the same as :func:`notices`, for asyncio."""
    return await perform_async(_notices(event), on)


def _notices(event: Event) -> Steps[tuple[Notice, ...]]:
    found = [*_of_clusters(event)]
    for change in event.changes:
        if change.aspect is Aspect.STATE and change.action is not Action.DELETED and change.key.kind in NOTICED:
            record = yield from _record(change)
            if record is not None:
                subject = Subject.STATE_CHANGED if record.operation is None else Subject.WORK_READY
                found.append(Notice(subject, change.key, record=record))
    return tuple(found)


def _of_clusters(event: Event) -> Iterator[Notice]:
    subjects = {Action.CREATED: Subject.CLUSTER_ADDED, Action.DELETED: Subject.CLUSTER_REMOVED}
    for change in event.changes:
        if change.key.kind == Cluster.__emco__.kind and change.aspect is Aspect.RESOURCE and change.action in subjects:
            yield Notice(subjects[change.action], change.key, change.uid)


def _record(change: RecordChange) -> Steps[LifecycleRecord[Any] | None]:
    """Read the lifecycle record that a change has left; None where a later change has overtaken it."""
    try:
        record = yield from looked_up(change.key)
    except NotFound:
        return None
    return record if record.version == change.version else None
