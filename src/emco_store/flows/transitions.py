"""Transitions: the state of a resource changes in one commit with all that it rests on.

Who performs a transition calls :func:`begin`, which reads and judges, the functions of ``check(…)``, and
:func:`finish`, which refuses or writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from emco_store.core.digests import Content, changed_between
from emco_store.core.guards import Approved, Check, Sight, targets_at
from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.lifecycle import HoldSpec, LifecycleRecord, Transition
from emco_store.core.lifecycle_records import (
    Approval,
    HeldTarget,
    Standing,
    freeze_key,
    freeze_of,
    read_standing,
    standing_key,
)
from emco_store.core.naming import LIFECYCLE
from emco_store.core.objections import Objection, to_enter, to_leave
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import resource_of
from emco_store.core.revisions import RevisionDocument, content_of, revision_key
from emco_store.core.rules import CASCADE, PROTECT, RESTRICT
from emco_store.core.transition_plans import TransitionPlan
from emco_store.errors import (
    ContentChanged,
    InvalidModel,
    InvalidResource,
    NotPermitted,
    TransitionRefused,
)
from emco_store.flows import content
from emco_store.flows.asking import Flow
from emco_store.flows.lifecycles import lifecycle_of
from emco_store.flows.refusals import not_found, stale
from emco_store.flows.revisions import beginning_of, parts_of
from emco_store.flows.transition_calls import Call, making, refusal
from emco_store.flows.unit import Unit

S = TypeVar("S", bound=Enum)


@dataclass(slots=True)
class Begun(Generic[S]):
    """A transition whose guards were judged, except for functions.

    Attributes:
        call: What was asked for.
        state: The state in which the resource is.
        sight: What was read.
        objections: What speaks against it.
        holds: The targets that it holds in the new state.
        operation: The id of the operation that it would begin; None where it begins none.
    """

    call: Call[S]
    state: S
    sight: Sight
    objections: list[Objection]
    holds: list[HeldTarget] = field(default_factory=list[HeldTarget])
    operation: str | None = None

    @property
    def checks(self) -> list[Check]:
        """The functions that are still to be asked."""
        return [guard for guard in self.call.step.guards if isinstance(guard, Check)]

    @property
    def resource(self) -> Any:
        """The resource, or the error that says why it cannot be read."""
        return self.sight.value(self.sight.record)


def begin(unit: Unit, call: Call[S]) -> Flow[Begun[S]]:
    """Read all that the transition rests on, and judge its guards.

    Without content, this takes one request, and another one if guards or holds look at other resources. With content,
    it takes one for each level of the subtree and one more. Who refers to the lifecycle record is read with it: its
    guard alone would not tell, because it does not count a reference that was committed together with it.

    Raises:
        NotFound: There is no such resource.
        Conflict: The caller gave the resource as a value, and another one has its key now.
        NotPermitted: Only other writers may make this transition.
        InvalidResource: A lifecycle record that it rests on cannot be read.

    Rules: LIF-2, LIF-3, LIF-12.
    """
    _check_writer(unit, call)
    own, step = standing_key(call.key), call.step
    freeze = [freeze_key(call.key)] if call.spec.frozen else []
    found: Content | None = None
    if step.reads_content:
        found = yield from content.read(unit, call.key, call.spec.targets, beside=[own], also=freeze)
    else:
        yield from _referrers(unit, own, frozenset({LIFECYCLE}), also=[call.key, *freeze])
    record = unit.current(call.key)
    if record is None:
        raise not_found([call.key])
    if call.uid is not None and record.uid != call.uid:
        raise stale([call.key])
    kinds = frozenset(kind for guard in step.guards if (kind := guard.referrer_kind) is not None)
    referrers = (yield from _referrers(unit, call.key, kinds)) if kinds else []
    stored = unit.current(own)
    if call.version is not None and call.version != (stored.version if stored else 0):
        raise stale([call.key])
    standing = None if stored is None else read_standing(stored)
    context = unit.context
    sight = Sight(record, standing, found, referrers, {}, context.schema.model_of, context.value_or_error)
    wanted = [(one, target) for one in call.spec.holds.get(step.to, ()) for target in targets_at(record, one.path)]
    new = [standing_key(target) for one, target in wanted if not _is_held(standing, one, target)]
    more = yield from unit.fetch([*new, *(key for guard in step.guards for key in guard.needs(sight))])
    changes = yield from _changes(step, found, standing)
    sight = Sight(record, standing, found, referrers, more, context.schema.model_of, context.value_or_error, changes)
    state = call.spec.state_at(call.key, standing)
    begun = Begun(call, state, sight, list(_objections(call, state, sight)))
    begun.operation = unit.context.new_id() if step.begins else None
    begun.objections += _hold_objections(unit, sight, wanted)
    begun.objections += _holders(unit, call)
    begun.holds += [HeldTarget(path=one.place, target=target.text, needs=_values(one)) for one, target in wanted]
    return begun


def _changes(step: Transition[Any], found: Content | None, standing: Standing | None) -> Flow[tuple[Key, ...]]:
    """Return what differs from the approved content, where that is about to refuse the transition."""
    approval = None if standing is None else standing.approved
    if found is None or approval is None or approval.digest == found.digest or Approved() not in step.guards:
        return ()
    return (yield from changes_since(found, approval.revision))


def _check_writer(unit: Unit, call: Call[Any]) -> None:
    writers, actor = call.step.writers, unit.origin.actor
    if writers and actor not in writers:
        raise NotPermitted(
            f"Cannot {making(call.step)} {call.key}.",
            why=[f"only {' or '.join(sorted(writers))} may, and this store acts as {actor or 'nobody'}"],
            hint="if this is that program, say so with connect(…, actor=…) or store.acting(actor=…).",
            key=call.key,
            actor=actor,
            writers=tuple(sorted(writers)),
        )


def _referrers(unit: Unit, key: Key, kinds: frozenset[str], *, also: Sequence[Key] = ()) -> Flow[list[Record]]:
    """Return the referrers of some kinds; nobody else joins them until the commit.

    Args:
        unit: The transaction.
        key: What they refer to.
        kinds: Their kinds.
        also: Other records to load along.
    """
    found: list[Record] = []
    after: str | None = ""
    while after is not None:
        page = yield from unit.referrers_of(
            [key], after=after, also=also, wanted=lambda record: record.key.kind in kinds
        )
        found += [record for record in page.records if unit.current(record.key) is record]
        after = page.next or None
    return found


def _objections(call: Call[S], state: S, sight: Sight) -> Iterator[Objection]:
    step, standing = call.step, sight.standing
    if state not in step.sources:
        needed = [str(one.value) for one in call.spec.states if one in step.sources]
        model, allowed = sight.model_of(call.key.kind), call.spec.leaving(state)
        yield Objection(
            f"it is {state.value}, {' or '.join(needed)} is needed",
            f"{to_enter(model, call.key, str(state.value), needed)}; "
            f"transitions from {state.value}: {', '.join(allowed) or 'none'}",
        )
    yield from _wrong_report(call, standing)
    for guard in step.guards:
        for one in guard.objections(sight):
            yield Objection(f"{guard}: {one.reason}", one.hint)


def _wrong_report(call: Call[Any], standing: Standing | None) -> Iterator[Objection]:
    """Yield why the end of an operation cannot be reported.

    Rules: LIF-8.
    """
    under_way = None if standing is None else standing.operation
    if call.step.ends and (under_way is None or under_way != call.operation):
        is_under_way = f"{under_way} is" if under_way else "none is"
        yield Objection(
            f"operation {call.operation} is not under way: {is_under_way}",
            "drop the report of an operation that is over; store.lifecycle(key).operation is the one that is under way",
        )


def _values(one: HoldSpec) -> tuple[str, ...]:
    return tuple(str(need.value) for need in one.needs)


def _is_held(standing: Standing | None, one: HoldSpec, target: Key) -> bool:
    """Return whether the target must stay in these states already, so that nobody needs to look at it."""
    return standing is not None and any(
        held.target == target.text and set(held.needs) <= set(_values(one)) for held in standing.holds
    )


def _hold_objections(unit: Unit, sight: Sight, wanted: Sequence[tuple[HoldSpec, Key]]) -> Iterator[Objection]:
    """Yield the targets that are not in the state in which they must be held.

    Rules: LIF-6.
    """
    for one, target in wanted:
        if _is_held(sight.standing, one, target):
            continue
        lifecycle = lifecycle_of(unit.context, target)
        if not all(
            isinstance(need, lifecycle.spec.states) and need is not lifecycle.spec.initial for need in one.needs
        ):
            raise InvalidModel(
                f"Cannot hold {target}.",
                why=[f"{', '.join(_values(one))}: these are no states of {target.kind} beyond the initial one"],
                hint="correct hold(…, needs=…).",
                model=target.kind,
            )
        for found in sight.outside([target], _values(one)):
            yield Objection(f"hold {one.place}: {found.reason}", found.hint)


def _holders(unit: Unit, call: Call[Any]) -> Iterator[Objection]:
    """Yield who holds the resource in states of which the new one is none; nobody else begins to before the commit.

    All that refer to the lifecycle record were read with it. What they need stands in their own lifecycle records, so
    their models need not be known.

    Rules: LIF-6.
    """
    key, new = standing_key(call.key), str(call.step.to.value)
    for holder in {**unit.base, **unit.puts}.values():
        if holder is None or not holder.refers_to((key.text,)) or unit.current(holder.key) is not holder:
            continue
        standing, owner = read_standing(holder), resource_of(holder.key)
        for held in standing.holds:
            if held.target == call.key.text and new not in held.needs:
                model = unit.context.schema.model_of(owner.kind)
                yield Objection(
                    f"{owner} holds it in {held.path}: it must stay {' or '.join(held.needs)}",
                    to_leave(model, owner, standing.state, _holding(model, held.path)),
                )


def _holding(model: Any, path: str) -> frozenset[str]:
    """Return the states of a model that hold what a field refers to."""
    lifecycle = None if model is None else model.__emco__.lifecycle
    holds: Mapping[Enum, Sequence[HoldSpec]] = {} if lifecycle is None else lifecycle.spec.holds
    return frozenset(str(state.value) for state, several in holds.items() if any(one.place == path for one in several))


def finish(unit: Unit, begun: Begun[S], objections: Sequence[Objection] = ()) -> Flow[LifecycleRecord[S]]:
    """Write the new state, or refuse it with every reason.

    Args:
        unit: The transaction.
        begun: What was judged.
        objections: What functions have said against it.

    Raises:
        TransitionRefused: Something speaks against it.

    Rules: LIF-2, LIF-4, LIF-5.
    """
    against = [*begun.objections, *objections]
    if against:
        yield from unit.confirm()
        raise refused(begun, against)
    call, step, found = begun.call, begun.call.step, begun.sight.content
    if found is not None:
        yield from _check_digest(unit, begun, found)
        unit.before_commit.append(lambda: content.check_still(unit, found))
    old = unit.current(standing_key(call.key))
    before = begun.sight.standing or Standing(state=str(begun.state.value))
    stays = old is not None and step.to is begun.state
    after = before.model_copy(
        update={
            "state": str(step.to.value),
            "transition": step.name,
            "since_us": unit.now_us,
            "actor": unit.origin.actor,
            "note": call.note,
            "frozen": tuple(dict.fromkeys([*call.spec.frozen.get(step.to, ()), *(before.frozen if stays else ())])),
            "holds": (*begun.holds, *(_undeclared(call, before.holds) if stays else ())),
        }
    )
    if found is not None and (step.approves or step.records):
        after = content.record(unit, found, after, _about(unit, call))
    after = after.model_copy(update=_progress(begun, after, stays=stays))
    record = _write(unit, begun, old, after, _edges(call, after, old if stays else None))
    if call.spec.frozen or before.frozen:
        yield from _freeze(unit, call.key, record, is_frozen=bool(after.frozen))
    return LifecycleRecord.of(call.key, step.to, after, record.version)


def _check_digest(unit: Unit, begun: Begun[Any], found: Content) -> Flow[None]:
    """Refuse content that the caller has not looked at.

    Rules: LIF-10.
    """
    digest, standing = begun.call.digest, begun.sight.standing
    if digest is None or digest == found.digest:
        return
    yield from unit.confirm()
    known = standing.revisions if standing is not None and standing.digest == digest else 0
    changed = (yield from changes_since(found, known)) if known else ()
    raise ContentChanged(
        f"Cannot {making(begun.call.step)} {begun.call.key}: its content is not the one that was looked at.",
        why=[f"{digest} was looked at, {found.digest} is stored", *(f"{key} differs" for key in changed)],
        hint="look at it again: plan_transition() shows the content and its digest.",
        key=begun.call.key,
        digest=digest,
        found=found.digest,
        changed=changed,
    )


def changes_since(now: Content, number: int) -> Flow[tuple[Key, ...]]:
    """Return what differs from the content of a revision; nothing if that cannot be read.

    The commit does not rest on it, because it is for people.
    """
    key = revision_key(now.root.key, now.root.uid, number)
    try:
        found = yield from beginning_of(key)
        if key not in found:
            return ()
        before = content_of(found[key], (yield from parts_of(found[key], found))).prints
    except InvalidResource:
        return ()
    return changed_between(before, now.prints)


def _about(unit: Unit, call: Call[Any]) -> RevisionDocument:
    step, actor, now_us = call.step, unit.origin.actor, unit.now_us
    approval = Approval(digest="", revision=0, actor=actor, at_us=now_us) if step.approves else None
    return RevisionDocument(
        state=str(step.to.value), transition=step.name, actor=actor, note=call.note, at_us=now_us, approval=approval,
        kinds=call.spec.targets,
    )  # fmt: skip


def _progress(begun: Begun[Any], after: Standing, *, stays: bool) -> dict[str, Any]:
    """Return what becomes of operations; one whose end nobody could report any more is no longer under way.

    Rules: LIF-8.
    """
    step = begun.call.step
    if step.begins:
        return {"operation": begun.operation, "under_way": after.revisions if step.records else None}
    if step.ends:
        applied = after.applied if after.under_way is None else after.under_way
        return {"operation": None, "under_way": None, "applied": applied}
    if stays or begun.call.spec.awaits_end(step.to):
        return {}
    return {"operation": None, "under_way": None}


def _undeclared(call: Call[Any], holds: Sequence[HeldTarget]) -> Iterator[HeldTarget]:
    """Yield the holds of references that this class does not hold in the new state.

    Rules: LIF-13.
    """
    declared = {one.place for one in call.spec.holds.get(call.step.to, ())}
    return (held for held in holds if held.path not in declared)


def _edges(call: Call[Any], after: Standing, same: Record | None) -> tuple[Edge, ...]:
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


def _write(
    unit: Unit, begun: Begun[Any], old: Record | None, after: Standing, edges: tuple[Edge, ...]
) -> Record:  # fmt: skip
    """Put the lifecycle record, whose edges make the rules of the state hold for every program."""
    call = begun.call
    key = standing_key(call.key)
    record = Record(
        key=key,
        uid=old.uid if old else unit.context.new_id(),
        version=old.version + 1 if old else 1,
        document=after.model_dump_json(exclude_defaults=True).encode(),
        edges=edges,
        unique=(),
        index=((call.key.kind, index_text(after.state)),),
        created_us=old.created_us if old else unit.now_us,
        updated_us=unit.now_us,
        origin=unit.origin,
    )
    unit.expect.setdefault(key, None)
    unit.puts[key] = record
    return record


def _freeze(unit: Unit, key: Key, standing: Record, *, is_frozen: bool) -> Flow[None]:
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


def planning(unit: Unit, call: Call[S]) -> Flow[TransitionPlan[S]]:
    """Return what a transition would do.

    Rules: LIF-10.
    """
    begun = yield from begin(unit, call)
    sight = begun.sight
    found, approval = sight.content, sight.standing and sight.standing.approved
    changes: tuple[Key, ...] = ()
    if found is not None and approval and approval.digest != found.digest:
        changes = yield from changes_since(found, approval.revision)
    own = unit.current(standing_key(call.key))
    return TransitionPlan(
        key=call.key,
        step=call.step,
        state=begun.state,
        members=() if found is None else tuple(sorted(found.keys)),
        changes=changes,
        objections=tuple(begun.objections),
        digest=None if found is None else found.digest,
        basis=(sight.record.uid, own.version if own else 0),
        operation=call.operation,
        note=call.note,
        refusal=refused(begun, begun.objections) if begun.objections else None,
    )


def refused(begun: Begun[Any], objections: Sequence[Objection]) -> TransitionRefused:
    """Build the error for a transition that something speaks against."""
    return refusal(begun.call.key, begun.call.step, begun.state, objections)


def look(unit: Unit, key: Key, uid: str | None) -> Flow[LifecycleRecord[Any]]:
    """Read where a resource is in its lifecycle.

    Raises:
        NotFound: There is no such resource.

    Rules: LIF-1.
    """
    lifecycle = lifecycle_of(unit.context, key)
    own = standing_key(key)
    found = yield from unit.fetch([key, own])
    if key not in found:
        raise not_found([key])
    if uid is not None and found[key].uid != uid:
        raise stale([key])
    stored = found.get(own)
    standing = None if stored is None else read_standing(stored)
    state = lifecycle.spec.state_at(key, standing)
    return LifecycleRecord.of(key, state, standing, stored.version if stored else 0)
