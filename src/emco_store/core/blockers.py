"""Blockers in words of the resource: where one of the store's own records forbids a delete, people are told why."""

from __future__ import annotations

from dataclasses import replace

from emco_store.core.lifecycle_records import read_standing
from emco_store.core.naming import LEASE, LIFECYCLE, STATUS
from emco_store.core.plan import Blocker, BlockReason
from emco_store.core.records import Record
from emco_store.core.reserved import resource_of, stated, status_resource
from emco_store.errors import InvalidResource


def by_resource(blocker: Blocker, record: Record | None) -> Blocker:
    """Return a blocker that names resources alone, and none of the store's own records.

    Args:
        blocker: The blocker as the rules find it.
        record: The record that holds the reference; None where it is not known.

    Rules: RES-3.
    """
    referrer = blocker.referrer
    if referrer.kind.startswith(STATUS):
        return replace(blocker, referrer=status_resource(referrer), writer=referrer.name)
    if referrer.kind == LEASE:
        return replace(blocker, referrer=blocker.target, place="", reason=BlockReason.LEASED, detail="is leased")
    if referrer.kind != LIFECYCLE:
        return blocker if blocker.target.kind != LEASE else replace(blocker, target=stated(blocker.target))
    resource = resource_of(referrer)
    is_hold = blocker.target.kind == LIFECYCLE
    target = resource_of(blocker.target) if is_hold else blocker.target
    detail = f"{_state(record)} and holds {target}" if is_hold else _state(record)
    return replace(blocker, referrer=resource, target=target, place="", reason=BlockReason.STATE, detail=detail)


def _state(record: Record | None) -> str:
    try:
        return "is in a state that cannot be read" if record is None else f"is {read_standing(record).state}"
    except InvalidResource:
        return "is in a state that cannot be read"
