"""Transitions: the state of a resource changes in one commit with all that it rests on.

Who performs a transition calls :func:`begin`, which reads and judges, the functions of ``check(…)``, and
:func:`finish`, which refuses or writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from emco_store.core.digests import Content, changed_between
from emco_store.core.guards import Approved, Check
from emco_store.core.keys import Key
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.core.lifecycle_parts import Transition
from emco_store.core.lifecycle_records import (
    HeldTarget,
    Standing,
    freeze_key,
    read_standing,
    standing_key,
)
from emco_store.core.naming import LIFECYCLE
from emco_store.core.objections import Objection
from emco_store.core.records import Record
from emco_store.core.revisions import content_of, revision_key
from emco_store.core.sights import Sight, targets_at
from emco_store.core.transition_plans import TransitionPlan
from emco_store.errors import (
    ContentChanged,
    InvalidResource,
    TransitionRefused,
)
from emco_store.flows import content, transition_objections, transition_writing
from emco_store.flows.asking import Flow
from emco_store.flows.lifecycles import lifecycle_of
from emco_store.flows.refusals import not_found, stale
from emco_store.flows.revisions import beginning_of, parts_of
from emco_store.flows.transition_calls import Call, making, refusal
from emco_store.flows.transition_objections import is_held, values_of
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
    transition_objections.check_writer(unit, call)
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
    new = [standing_key(target) for one, target in wanted if not is_held(standing, one, target)]
    more = yield from unit.fetch([*new, *(key for guard in step.guards for key in guard.needs(sight))])
    changes = yield from _changes(step, found, standing)
    sight = Sight(record, standing, found, referrers, more, context.schema.model_of, context.value_or_error, changes)
    state = call.spec.state_at(call.key, standing)
    begun = Begun(call, state, sight, list(transition_objections.objections(call, state, sight)))
    begun.operation = unit.context.new_id() if step.begins else None
    begun.objections += transition_objections.hold_objections(unit, sight, wanted)
    begun.objections += transition_objections.holders(unit, call)
    begun.holds += [HeldTarget(path=one.place, target=target.text, needs=values_of(one)) for one, target in wanted]
    return begun


def _changes(step: Transition[Any], found: Content | None, standing: Standing | None) -> Flow[tuple[Key, ...]]:
    """Return what differs from the approved content, where that is about to refuse the transition."""
    approval = None if standing is None else standing.approved
    if found is None or approval is None or approval.digest == found.digest or Approved() not in step.guards:
        return ()
    return (yield from changes_since(found, approval.revision))


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
            "holds": (*begun.holds, *(transition_writing.undeclared(call, before.holds) if stays else ())),
        }
    )
    if found is not None and (step.approves or step.records):
        after = content.record(unit, found, after, transition_writing.about(unit, call))
    after = after.model_copy(update=transition_writing.progress(call, begun.operation, after, stays=stays))
    record = transition_writing.write(
        unit, call, old, after, transition_writing.edges(call, after, old if stays else None)
    )
    if call.spec.frozen or before.frozen:
        yield from transition_writing.freeze(unit, call.key, record, is_frozen=bool(after.frozen))
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
