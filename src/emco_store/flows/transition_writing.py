"""What a transition writes: the lifecycle record with its edges, and the sign of frozen fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Approval, HeldTarget, Standing, freeze_key, freeze_of, standing_key
from emco_store.core.records import Edge, Record
from emco_store.core.revisions import RevisionDocument
from emco_store.core.rules import CASCADE, PROTECT, RESTRICT
from emco_store.flows.asking import Flow
from emco_store.flows.transition_calls import Call
from emco_store.flows.unit import Unit


def about(unit: Unit, call: Call[Any]) -> RevisionDocument:
    """Return what the revision says that the transition records."""
    step, actor, now_us = call.step, unit.origin.actor, unit.now_us
    approval = Approval(digest="", revision=0, actor=actor, at_us=now_us) if step.approves else None
    return RevisionDocument(
        state=str(step.to.value), transition=step.name, actor=actor, note=call.note, at_us=now_us, approval=approval,
        kinds=call.spec.targets,
    )  # fmt: skip


def progress(call: Call[Any], operation: str | None, after: Standing, *, stays: bool) -> dict[str, Any]:
    """Return what becomes of operations; one whose end nobody could report any more is no longer under way.

    Rules: LIF-8.
    """
    step = call.step
    if step.begins:
        return {"operation": operation, "under_way": after.revisions if step.records else None}
    if step.ends:
        applied = after.applied if after.under_way is None else after.under_way
        return {"operation": None, "under_way": None, "applied": applied}
    if stays or call.spec.awaits_end(step.to):
        return {}
    return {"operation": None, "under_way": None}


def undeclared(call: Call[Any], holds: Sequence[HeldTarget]) -> Iterator[HeldTarget]:
    """Yield the holds of references that this class does not hold in the new state.

    Rules: LIF-13.
    """
    declared = {one.place for one in call.spec.holds.get(call.step.to, ())}
    return (held for held in holds if held.path not in declared)


def edges(call: Call[Any], after: Standing, same: Record | None) -> tuple[Edge, ...]:
    """Return the edges of a lifecycle record: to its resource, and to the lifecycle records of what is held.

    Args:
        call: The transition.
        after: What the lifecycle record says.
        same: The lifecycle record as it is stored, if it is of the same state.

    Rules: LIF-5, LIF-6, LIF-13.
    """
    is_kept = same is not None and any(edge.target == call.key and edge.rule is PROTECT for edge in same.edges)
    rule = PROTECT if is_kept or call.step.to not in call.spec.deletable else CASCADE
    held = [standing_key(Key.parse(one.target)) for one in after.holds]
    return (
        Edge(call.key, ("resource",), rule),
        *(Edge(key, ("holds", number), RESTRICT) for number, key in enumerate(held)),
    )


def write(
    unit: Unit, call: Call[Any], old: Record | None, after: Standing, own: tuple[Edge, ...]
) -> Record:  # fmt: skip
    """Put the lifecycle record, whose edges make the rules of the state hold for every program."""
    key = standing_key(call.key)
    record = Record(
        key=key,
        uid=old.uid if old else unit.context.new_id(),
        version=old.version + 1 if old else 1,
        document=after.model_dump_json(exclude_defaults=True).encode(),
        edges=own,
        unique=(),
        index=((call.key.kind, index_text(after.state)),),
        created_us=old.created_us if old else unit.now_us,
        updated_us=unit.now_us,
        origin=unit.origin,
    )
    unit.expect.setdefault(key, None)
    unit.puts[key] = record
    return record


def freeze(unit: Unit, key: Key, standing: Record, *, is_frozen: bool) -> Flow[None]:
    """Make the freeze be there exactly if the new state freezes fields.

    Rules: LIF-7.
    """
    freeze = freeze_key(key)
    yield from unit.load([freeze])
    there = unit.current(freeze) is not None
    if is_frozen and not there:
        unit.write_record(freeze_of(key, standing.uid, unit.now_us))
    elif there and not is_frozen:
        unit.drop(freeze, named=True)
