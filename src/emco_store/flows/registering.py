"""Registrations: what services declare, changed by one conditional commit of one record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from emco_store.core.keys import key_prefix, name_problem
from emco_store.core.records import Record
from emco_store.core.registry import (
    EMPTY,
    REGISTRY_KEY,
    Change,
    Registry,
    read_registry,
    refused,
    register,
    remove,
    write_registry,
)
from emco_store.core.segments import Readiness, Segment, SegmentState, state_in, states_of
from emco_store.errors import InvalidCall
from emco_store.flows.asking import Flow, read
from emco_store.flows.context import Context
from emco_store.flows.gating import registry_now
from emco_store.flows.unit import Unit
from emco_store.ports import Scan


def checked(segment: Any) -> Segment:
    """Return a segment.

    Raises:
        InvalidCall: It is none.
    """
    if isinstance(segment, Segment):
        return segment
    raise InvalidCall(
        f"Cannot register {segment!r:.80}.",
        why=["it is not a segment"],
        hint='write Segment("placement", models=[Placement, ClusterView]).',
    )


def checked_name(name: Any) -> str:
    """Return the name of a segment.

    Raises:
        InvalidCall: No segment has such a name.
    """
    problem = name_problem(name) if isinstance(name, str) else "a name is a string"
    if problem:
        raise InvalidCall(f"Cannot remove the segment {name!r:.80}.", why=[problem], hint="give the name of a segment.")
    return str(name)


def enter(unit: Unit, segment: Segment) -> Flow[SegmentState]:
    """Register a segment, in a unit of its own.

    Rules: SEG-1 to SEG-6.
    """
    registry = yield from _change(
        unit, segment.name, lambda before: register(before, segment.name, segment.declaration)
    )
    unit.context.registered.segments[segment.name] = segment
    unit.context.registered.note(registry)
    return state_in(registry, segment.name, segment.version)


def leave(unit: Unit, name: str) -> Flow[None]:
    """Remove a segment, in a unit of its own.

    Rules: SEG-7.
    """
    registry = yield from _change(unit, name, lambda before: remove(before, name))
    unit.context.registered.segments.pop(name, None)
    unit.context.registered.note(registry)


def standing() -> Flow[tuple[SegmentState, ...]]:
    """Return where all segments stand."""
    return states_of((yield from registry_now()))


def ready(context: Context) -> Flow[Readiness]:
    """Return whether what this store has registered is active; it asks the backend in any case.

    Rules: SEG-6.
    """
    return context.registered.note((yield from registry_now()))


def _change(unit: Unit, name: str, make: Callable[[Registry], Change]) -> Flow[Registry]:
    found = yield from unit.fetch([REGISTRY_KEY])
    record = found.get(REGISTRY_KEY)
    before = EMPTY if record is None else read_registry(record.document)
    change = make(before)
    if change.registry is before:
        return before
    used = yield from _used(change.dropped)
    if used:
        reasons = [f"{kind}: there are resources of it" for kind in used]
        raise refused(name, reasons, what="remove" if name not in change.registry.active else "register")
    unit.write_record(_record(unit, record, change.registry))
    yield from unit.commit()
    return change.registry


def _used(kinds: Iterable[str]) -> Flow[list[str]]:
    """Return the kinds of which there are resources."""
    used: dict[str, bool] = {}
    for kind in kinds:
        used[kind] = yield from _is_used(kind.partition("/")[0])
    return [kind for kind, is_used in used.items() if is_used]


def _is_used(kind: str) -> Flow[bool]:
    scan = Scan(kind, key_prefix(kind, ()), limit=1)
    while True:
        page = yield from read(scan)
        if page.records or page.next is None:
            return bool(page.records)
        scan = replace(scan, after=page.next)


def _record(unit: Unit, old: Record | None, registry: Registry) -> Record:
    document, now_us = write_registry(registry), unit.now_us
    if old is None:
        return Record(REGISTRY_KEY, unit.context.new_id(), 1, document, (), (), (), now_us, now_us, 0, unit.origin)
    return replace(old, version=old.version + 1, document=document, updated_us=now_us, origin=unit.origin)
