"""The calls of a store as flows. A transaction runs the same flows on its unit of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeVar

from emco_store.core.applicable import Applicable, Prepared
from emco_store.core.keys import Key
from emco_store.core.matching import Match
from emco_store.core.pages import Page
from emco_store.core.plan import Deleted, Plan
from emco_store.core.query import Order, check_limit, read_cursor, write_cursor
from emco_store.core.records import Record
from emco_store.core.reserved import BEHIND, is_reserved
from emco_store.core.resource import Resource
from emco_store.core.signing import signed
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows.asking import Flow, read
from emco_store.flows.context import Context
from emco_store.flows.filling import referring
from emco_store.flows.gating import refuse_waiting
from emco_store.flows.outcomes import submit
from emco_store.flows.refusals import moved, not_found, stale, too_large
from emco_store.flows.unit import Unit
from emco_store.ports import Get, ReferrerQuery

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
NOTHING: Mapping[Key, Match] = MappingProxyType({})
"""What a read of several resources demands of none of them."""


def look_up(context: Context, key: Key, only: Match | None) -> Flow[Any]:
    """Read one resource outside a transaction."""
    record = (yield from read(Get((key,)))).get(key)
    if record is None:
        raise not_found([key])
    if only is not None and not only.admits(record):
        raise stale([key])
    return context.value(record)


def is_there(key: Key) -> Flow[bool]:
    """Return whether a record exists, outside a transaction."""
    return key in (yield from read(Get((key,))))


def look_up_many(
    context: Context, keys: Sequence[Key], only: Mapping[Key, Match], *, missing_ok: bool
) -> Flow[tuple[Any, ...]]:
    """Read several resources outside a transaction, in one request; see :func:`get_many`."""
    records: Mapping[Key, Record] = (yield from read(Get(tuple(dict.fromkeys(keys))))) if keys else {}
    return _values(context, keys, records, only, missing_ok=missing_ok)


def get(unit: Unit, key: Key, only: Match | None = None) -> Flow[Any]:
    """Read one resource."""
    (value,) = yield from get_many(unit, [key], {} if only is None else {key: only})
    return value


def get_many(
    unit: Unit, keys: Sequence[Key], only: Mapping[Key, Match] = NOTHING, *, missing_ok: bool = False
) -> Flow[tuple[Any, ...]]:
    """Read several resources in one request, in the order of the targets; None for one that is missing and may be."""
    records = yield from unit.fetch(keys)
    return _values(unit.context, keys, records, only, missing_ok=missing_ok)


def _values(
    context: Context, keys: Sequence[Key], records: Mapping[Key, Record], only: Mapping[Key, Match], *, missing_ok: bool
) -> tuple[Any, ...]:
    absent = [key for key in keys if key not in records]
    if absent and not missing_ok:
        raise not_found(absent)
    moved = [key for key, wanted in only.items() if not wanted.admits(records.get(key))]
    if moved:
        raise stale(moved)
    return tuple(context.value(records[key]) if key in records else None for key in keys)


def create(unit: Unit, resource: R, only: Match | None) -> Flow[R]:
    """Create in a unit of its own."""
    made = unit.create(resource, only)
    yield from unit.commit()
    return made


def update(unit: Unit, resource: R, only: Match | None) -> Flow[R]:
    """Update in a unit of its own."""
    made = unit.update(resource, only)
    yield from unit.commit()
    return made


def put(unit: Unit, resource: R, only: Match | None) -> Flow[R]:
    """Create or replace in a unit of its own."""
    made = yield from unit.put(resource, only)
    yield from unit.commit()
    return made


def delete(unit: Unit, targets: Sequence[Any], only: Match | None, *, missing_ok: bool) -> Flow[Deleted]:
    """Plan and apply a delete in a unit of its own."""
    deleted = yield from unit.delete(targets, only, missing_ok=missing_ok)
    yield from unit.commit()
    return deleted


def plan_delete(unit: Unit, targets: Sequence[Any], *, missing_ok: bool) -> Flow[Plan]:
    """Plan a delete."""
    if not targets:
        raise InvalidCall(
            "Cannot plan a delete of nothing.", why=["no target was given"], hint="give resources, keys or references."
        )
    yield from unit.delete(targets, missing_ok=missing_ok)
    return (yield from unit.plan())


def refuse_plan(plan: Any) -> None:
    """Refuse what is no plan, and a plan that something speaks against.

    Raises:
        InvalidCall: It is no plan.
        StoreError: ``plan.refusal``.
    """
    if not isinstance(plan, Applicable):
        raise InvalidCall(
            f"Cannot apply {plan!r:.80}.", why=["it is not a plan"], hint="pass what a plan_… call returned."
        )
    if plan.refusal is not None:
        raise copy(plan.refusal)


def apply_plan(context: Context, plan: Prepared[T]) -> Flow[T]:
    """Send the commit of a plan, unless something that it rests on has changed.

    What it writes has the time and the origin of this call: a plan that was made is no change yet.

    Rules: DEL-9, HIS-7, WHO-1.
    """
    if context.registered.waiting:
        yield from refuse_waiting(context, [record.key.kind for record in plan.commit.puts])
    try:
        txid, now_us, origin = context.new_id(), context.now_us(), context.actors.origin
        puts = tuple([signed(record, txid, now_us, origin) for record in plan.commit.puts])
        yield from submit(replace(plan.commit, txid=txid, puts=puts), plan.commit.expect.keys())
    except plan.foresees as problem:
        raise moved([record.key for record in plan.commit.puts]) from problem
    return plan.figures


def related(
    context: Context, target: Key, wanted: Callable[[Record], bool], *, limit: int, after: str | None
) -> Flow[Page[Any]]:
    """Read one page of the referrers of a resource, in the order of their keys; the store's own records are none.

    Rules: RES-2.
    """
    check_limit(limit)
    found: list[Record] = []
    position = _position(target, after)
    while len(found) <= limit:
        batch = (yield from referring(ReferrerQuery((target,), (), position, limit + 1))).referrers
        found += [record for record in batch if is_resource(record) and wanted(record)]
        if len(batch) <= limit:
            break
        position = BEHIND if is_reserved(batch[-1].key.kind) else batch[-1].key.text
    return _page(context, target, found, limit)


def related_in(
    unit: Unit, target: Key, wanted: Callable[[Record], bool], *, limit: int, after: str | None
) -> Flow[Page[Any]]:
    """Read one page of referrers inside a unit of work; the commit fails if a referrer has joined since.

    The store's own records are left out, and the commit does not rest on them.

    Rules: OCC-4, RES-2.
    """
    check_limit(limit)
    position = _position(target, after)
    records, following = yield from unit.referrers_of([target], wanted=is_resource)
    if following and is_reserved(following.partition("/")[0]):
        further, following = yield from unit.referrers_of([target], after=BEHIND, wanted=is_resource)
        records = sorted((*records, *further), key=attrgetter("key.text"))
    most = unit.context.limits.max_records
    if following or len(records) > most:
        raise too_large("the records that refer to it", len(records), most)
    found = [
        record
        for record in records
        if record.key.text > position and unit.current(record.key) is record and is_resource(record) and wanted(record)
    ]
    return _page(unit.context, target, found, limit)


def is_resource(record: Record) -> bool:
    """Return whether a record is a resource, and not one of the store's own."""
    return not is_reserved(record.key.kind)


def is_child_of(target: Key) -> Callable[[Record], bool]:
    """Return a predicate: is the target the parent of a record?"""
    return lambda record: any(edge.is_parent and edge.target == target for edge in record.edges)


def is_referrer(_: Record) -> bool:
    """Accept every record: each refers to the target."""
    return True


def _position(target: Key, after: str | None) -> str:
    """Return the text of the key after which a page of referrers starts."""
    return "" if after is None else read_cursor(after, target.text, Order())[1]


def _page(context: Context, target: Key, found: Sequence[Record], limit: int) -> Page[Any]:
    shown: list[Any | InvalidResource] = [context.value_or_error(record) for record in found[:limit]]
    more = len(found) > limit
    return Page(tuple(shown), write_cursor(target.text, Order(), ("", found[limit - 1].key.text)) if more else None)
