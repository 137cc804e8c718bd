"""A create or an update by itself: one record in a commit of its own, without a unit of work.

The commit is the one that a unit of work would make. Where more than the resource and its targets takes part, such as
a selection, a lifecycle that may freeze fields, a trail or a segment that waits, a unit of work makes it.
"""

from __future__ import annotations

from typing import TypeVar

from emco_store.core.codec import Draft, draft, with_meta
from emco_store.core.matching import Match
from emco_store.core.meta import Meta
from emco_store.core.records import Stamp
from emco_store.core.resource import Resource
from emco_store.core.specs import ModelSpec
from emco_store.flows import resources
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.outcomes import submit
from emco_store.flows.refusals import stale
from emco_store.flows.unit import Unit
from emco_store.flows.writing import meta_before, refuse_stored, writable
from emco_store.ports import Commit

R = TypeVar("R", bound=Resource)


def create(context: Context, resource: R, only: Match | None) -> Flow[R]:
    """Create a resource; see :meth:`emco_store.flows.writing.Writing.create` and :meth:`.unit.Unit.commit`."""
    refuse_stored(only)
    if not _is_alone(context, writable(context, resource), is_new=True):
        return (yield from resources.create(Unit(context), resource, only))
    return (yield from _written(context, draft(resource, max_bytes=context.limits.max_bytes), None))


def update(context: Context, resource: R, only: Match | None) -> Flow[R]:
    """Update a resource; see :meth:`emco_store.flows.writing.Writing.update` and :meth:`.unit.Unit.commit`."""
    if not _is_alone(context, writable(context, resource), is_new=False):
        return (yield from resources.update(Unit(context), resource, only))
    made = draft(resource, max_bytes=context.limits.max_bytes)
    before = meta_before(resource, made.key)
    if only is not None and not only.admits(before):
        raise stale([made.key])
    return (yield from _written(context, made, before))


def _is_alone(context: Context, spec: ModelSpec, *, is_new: bool) -> bool:
    """Return whether nothing but a resource and its targets takes part in its commit.

    Args:
        context: What surrounds the calls.
        spec: That of its model.
        is_new: Whether it is new: a lifecycle freezes no field of what is not stored yet.
    """
    return not (
        spec.selects
        or (spec.lifecycle is not None and not is_new)
        or spec.trail is not None
        or context.registered.waiting
    )


def _written(context: Context, made: Draft[R], before: Meta | None) -> Flow[R]:
    """Write a record over the state that was read before, or as a new one."""
    is_same = before is not None and before.edges == made.edges
    require = frozenset(() if is_same else [edge.target for edge in made.edges])
    now_us = context.now_us()
    if before is None:
        uid, version, created_us, stamp = context.new_id(), 1, now_us, None
    else:
        uid, version, created_us = before.uid, before.version + 1, before.created_us
        stamp = Stamp(uid, before.version)
        require = require and require.difference([edge.target for edge in before.edges])
    origin = context.actors.origin
    record = made.record(uid=uid, version=version, created_us=created_us, updated_us=now_us, origin=origin)
    value = with_meta(made.resource, record)
    yield from submit(Commit(context.new_id(), {made.key: stamp}, require, puts=(record,), origin=origin))
    return value
