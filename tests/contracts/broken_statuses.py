"""Statuses that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from emco_store.core.codec import Draft
from emco_store.core.lifecycle_records import Standing
from emco_store.core.naming import is_status
from emco_store.core.records import Record
from emco_store.core.status import Condition, Report, SeenCondition, Status
from emco_store.core.sync_states import SyncState
from emco_store.flows.asking import Flow
from emco_store.flows.statuses import Observation, report
from emco_store.flows.unit import Unit
from emco_store.flows.view import View

remember, write, load_beside = View.remember, Unit.write, View.load_beside


def let_it_go_back(status: Status, before: Report) -> list[str]:  # noqa: ARG001 - it does not look
    """Take a report of an earlier version for a new one."""
    return []


def rest_on_nothing(view: View, record: Record) -> Record:
    """Rest the first status of a writer on its resource's being there, whichever it is."""
    return record if record.key.kind in {"Pump", "Valve"} else remember(view, record)


def rest_on_all(view: View, keys: Any, others: Any) -> Flow[Any]:
    """Rest each status on the version of its resource."""
    found = yield from load_beside(view, keys, others)
    for record in found.values():
        remember(view, record)
    return found


def write_the_resource_too(unit: Unit, made: Draft[Any], old: Record | None) -> Any:
    """Raise the version of the resource with each status."""
    parent = getattr(made.resource, "parent", None)
    target = None if parent is None or made.key.kind == "Valve" else unit.base.get(parent.key)
    if target is not None:
        unit.expect[target.key] = target.stamp
        unit.puts[target.key] = replace(target, version=target.version + 1)
    return write(unit, made, old)


def always_now(before: SeenCondition | None, condition: Condition, now: datetime) -> datetime:  # noqa: ARG001 - it does not look
    """Move the time of a condition with each report."""
    return now


def keep_the_time(before: SeenCondition | None, condition: Condition, now: datetime) -> datetime:  # noqa: ARG001 - it does not look
    """Keep the time of a condition although its value has changed."""
    return now if before is None or before.since is None else before.since


def trust_old_conditions(said: Condition, version: int) -> Condition:  # noqa: ARG001 - it does not look
    """Take a condition that was observed for an earlier version for one of this version."""
    return said


def forget_who_was_seen(unit: Unit, given: Observation[Any]) -> Flow[Any]:
    """Report on whatever has the name at each attempt."""
    given.uid = ""
    return (yield from report(unit, given))


def trust_the_fastest(state: SyncState) -> bool:
    """Call a resource observed as soon as one writer has looked at it."""
    return max(state.observed.values(), default=0) < state.version


def apply_the_newest(key: Any, uid: str, standing: Standing) -> Flow[str]:  # noqa: ARG001 - it does not look
    """Take the newest revision for the one that was carried out."""
    yield from ()
    return standing.digest


def expect_all(unit: Unit, deletes: Any) -> Any:  # noqa: ARG001 - it does not look
    """Rest a delete on what the statuses that go with it say."""
    return dict(unit.expect)


def expect_no_status(unit: Unit, deletes: Any) -> Any:  # noqa: ARG001 - it does not look
    """Rest a delete on no status, although its transaction has read some."""
    return {key: stamp for key, stamp in unit.expect.items() if not is_status(key.kind)}
