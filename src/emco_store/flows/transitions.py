"""Transitions: the state of a resource changes in one commit with all that it rests on.

Who performs a transition calls :func:`called`, which checks the call, :func:`begin`, which reads and judges, the
functions of ``check(…)``, and :func:`finish`, which refuses or writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from emco_store.core.codec import Untyped
from emco_store.core.digests import Content
from emco_store.core.guards import Check, Guard, Sight, targets_at
from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.lifecycle import HoldSpec, LifecycleRecord, LifecycleSpec, Transition
from emco_store.core.lifecycle_records import HeldTarget, Standing, read_standing, standing_key
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import LIFECYCLE, resource_of
from emco_store.core.resource import Resource
from emco_store.core.rules import CASCADE, PROTECT, RESTRICT
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, InvalidModel, NotPermitted, TransitionRefused
from emco_store.flows import content
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.refusals import not_found, stale
from emco_store.flows.unit import Unit

S = TypeVar("S", bound=Enum)
MAX_NOTE = 1_000
"""Characters of a note."""


@dataclass(frozen=True, slots=True)
class Call(Generic[S]):
    """A transition that was asked for, as far as it can be checked without reading.

    Attributes:
        key: The key of the resource.
        uid: The uid that it must have; None where the caller gave no resource.
        step: The transition.
        spec: The lifecycle.
        digest: The digest of the content that the caller has looked at; None if none was given.
        operation: The id of the operation that has ended; None if none was given.
        note: What the caller says about it.
    """

    key: Key
    uid: str | None
    step: Transition[S]
    spec: LifecycleSpec[S]
    digest: str | None = None
    operation: str | None = None
    note: str = ""


@dataclass(slots=True)
class Begun(Generic[S]):
    """A transition whose guards were judged, except for functions.

    Attributes:
        call: What was asked for.
        state: The state in which the resource is.
        sight: What was read.
        reasons: What speaks against it.
        holds: The targets that it holds in the new state.
    """

    call: Call[S]
    state: S
    sight: Sight
    reasons: list[str]
    holds: list[HeldTarget] = field(default_factory=list[HeldTarget])

    @property
    def checks(self) -> list[Check]:
        """The functions that are still to be asked."""
        return [guard for guard in self.call.step.guards if isinstance(guard, Check)]

    @property
    def resource(self) -> Any:
        """The resource, or the error that says why it cannot be read."""
        return self.sight.value(self.sight.record)


def lifecycle_of(context: Context, key: Key) -> Any:
    """Return the lifecycle of the resources of a kind.

    Raises:
        InvalidCall: They have none, or their model is not known here.
    """
    model = context.schema.model_of(key.kind)
    if model is None or model.__emco__.lifecycle is None:
        reason = f"{key.kind} has no lifecycle" if model else f"this store does not know the model of {key.kind}"
        raise InvalidCall(
            f"Cannot tell the state of {key}.",
            why=[reason],
            hint="declare it with Resource(…, lifecycle=…), or open the store with models=[…].",
        )
    return model.__emco__.lifecycle


def uid_of(target: Any) -> str | None:
    """Return the uid that a target has where it is the value of a resource; None for a key or a reference."""
    is_value = isinstance(target, Untyped) or (isinstance(target, Resource) and target.is_stored)
    return target.meta.uid if is_value else None


def called(
    context: Context, target: Any, step: Transition[S], *, digest: Any = None, operation: Any = None, note: Any = ""
) -> Call[S]:
    """Check a call for a transition.

    Raises:
        InvalidCall: It is no transition of the lifecycle of the resource, or what it needs is missing or malformed.
    """
    key = context.address(target)
    lifecycle = lifecycle_of(context, key)
    reasons: list[str] = []
    if not isinstance(step, Transition):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller may pass all the same
        reasons.append(f"{step!r:.80} is no transition; give {lifecycle.__name__}.… itself")
    elif step.lifecycle is not lifecycle:
        reasons.append(f"it is no transition of {lifecycle.__name__}, the lifecycle of {key.kind}")
    else:
        reasons += _wanted("digest", digest, needed=step.approves, what="approve")
        reasons += _wanted("operation", operation, needed=step.ends, what="end an operation")
    if not isinstance(note, str) or len(note) > MAX_NOTE:
        reasons.append(f"note= is a text of at most {MAX_NOTE:,} characters")
    if reasons:
        raise InvalidCall(
            f"Cannot make the transition {step!s:.80} of {key}.",
            why=reasons,
            hint="plan_transition() shows what it would do, and the digest to give.",
        )
    return Call(key, uid_of(target), step, lifecycle.spec, digest, operation, note)


def _wanted(name: str, value: Any, *, needed: bool, what: str) -> Iterator[str]:
    if value is None and needed:
        yield f"{name}= is missing, and only with it can the transition {what}"
    elif value is not None and not needed:
        yield f"{name}= has no meaning: the transition does not {what}"
    elif value is not None and (not isinstance(value, str) or not value):
        yield f"{name}={value!r:.40} is not a text that the store gave"


def begin(unit: Unit, call: Call[S]) -> Flow[Begun[S]]:
    """Read all that the transition rests on, and judge its guards.

    Without content, this takes one request, and another one if guards or holds look at other resources. With content,
    it takes one for each level of the subtree and one more.

    Raises:
        NotFound: There is no such resource.
        Conflict: The caller gave the resource as a value, and another one has its key now.
        NotPermitted: Only other writers may make this transition.
        InvalidResource: A lifecycle record that it rests on cannot be read.

    Rules: LIF-2, LIF-3, LIF-12.
    """
    _check_writer(unit, call)
    own, step = standing_key(call.key), call.step
    found: Content | None = None
    if step.reads_content:
        found = yield from content.read(unit, call.key, call.spec.targets, also=[own])
    else:
        yield from unit.fetch([call.key, own])
    record = unit.current(call.key)
    if record is None:
        raise not_found([call.key])
    if call.uid is not None and record.uid != call.uid:
        raise stale([call.key])
    kinds = frozenset(kind for guard in step.guards if (kind := guard.referrer_kind) is not None)
    referrers = (yield from _referrers(unit, call.key, kinds)) if kinds else []
    stored = unit.current(own)
    standing = None if stored is None else read_standing(stored)
    context = unit.context
    sight = Sight(record, standing, found, referrers, {}, context.schema.model_of, context.value_or_error)
    wanted = [(one, target) for one in call.spec.holds.get(step.to, ()) for target in targets_at(record, one.path)]
    new = [standing_key(target) for one, target in wanted if not _is_held(standing, one, target)]
    more = yield from unit.fetch([*new, *(key for guard in step.guards for key in guard.needs(sight))])
    sight = Sight(record, standing, found, referrers, more, context.schema.model_of, context.value_or_error)
    state = call.spec.state_at(call.key, standing)
    begun = Begun(call, state, sight, list(_refusals(call, state, sight)))
    begun.reasons += _hold_refusals(unit, sight, wanted)
    begun.reasons += yield from _holders(unit, call, stored)
    begun.holds += [HeldTarget(path=one.place, target=target.text, needs=_values(one)) for one, target in wanted]
    return begun


def actor_of(unit: Unit) -> str:  # noqa: ARG001 - until origins have landed
    """Return who acts."""
    return ""


def _check_writer(unit: Unit, call: Call[Any]) -> None:
    writers, actor = call.step.writers, actor_of(unit)
    if writers and actor not in writers:
        raise NotPermitted(
            f"Cannot {call.step.name} {call.key}.",
            why=[f"only {', '.join(sorted(writers))} may, and this store acts as {actor or 'nobody'}"],
            hint="open the store of that program with connect(…, actor=…).",
            key=call.key,
            actor=actor,
            writers=tuple(sorted(writers)),
        )


def _referrers(unit: Unit, key: Key, kinds: frozenset[str]) -> Flow[list[Record]]:
    """Return the referrers of some kinds; nobody else joins them until the commit."""
    found: list[Record] = []
    after: str | None = ""
    while after is not None:
        page = yield from unit.referrers_of([key], after=after, wanted=lambda record: record.key.kind in kinds)
        found += [record for record in page.records if unit.current(record.key) is record]
        after = page.next or None
    return found


def _refusals(call: Call[S], state: S, sight: Sight) -> Iterator[str]:
    step, standing = call.step, sight.standing
    if state not in step.sources:
        yield f"it is {state.value}, {' or '.join(str(source.value) for source in step.sources)} is needed"
    if step.ends and (standing is None or standing.operation != call.operation):
        under_way = None if standing is None else standing.operation
        reason = f"{under_way} is" if under_way else "none is"
        yield f"operation {call.operation} is not under way: {reason}"
    for guard in step.guards:
        for reason in guard.refusals(sight):
            yield f"{guard}: {reason}"


def _values(one: HoldSpec) -> tuple[str, ...]:
    return tuple(str(need.value) for need in one.needs)


def _is_held(standing: Standing | None, one: HoldSpec, target: Key) -> bool:
    """Return whether the target must stay in these states already, so that nobody needs to look at it."""
    return standing is not None and any(
        held.target == target.text and set(held.needs) <= set(_values(one)) for held in standing.holds
    )


def _hold_refusals(unit: Unit, sight: Sight, wanted: Sequence[tuple[HoldSpec, Key]]) -> Iterator[str]:
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
        for reason in sight.outside([target], _values(one)):
            yield f"hold {one.place}: {reason}"


def _holders(unit: Unit, call: Call[Any], stored: Record | None) -> Flow[list[str]]:
    """Return who holds the resource in states of which the new one is none; nobody else begins to before the commit.

    What they need stands in their lifecycle records, so their models need not be known. Where nobody ever referred to
    the lifecycle record, nothing has to be read.

    Rules: LIF-6.
    """
    if stored is None:
        return []
    key, new = stored.key, str(call.step.to.value)
    unit.seal(key)
    if stored.guard or any(record.edges_to({key}) for record in unit.puts.values()):
        holders = yield from _referrers(unit, key, frozenset({LIFECYCLE}))
    else:
        holders = []
    return [
        f"{resource_of(holder.key)} holds it in {held.path}: it must stay {' or '.join(held.needs)}"
        for holder in holders
        for held in read_standing(holder).holds
        if held.target == call.key.text and new not in held.needs
    ]


def finish(unit: Unit, begun: Begun[S], reasons: Sequence[str] = ()) -> Flow[LifecycleRecord[S]]:
    """Write the new state, or refuse it with every reason.

    Args:
        unit: The transaction.
        begun: What was judged.
        reasons: What functions have said against it.

    Raises:
        TransitionRefused: Something speaks against it.

    Rules: LIF-2, LIF-4, LIF-5.
    """
    against = [*begun.reasons, *reasons]
    if against:
        raise refused(begun, against)
    call, step = begun.call, begun.call.step
    old = unit.current(standing_key(call.key))
    before = begun.sight.standing or Standing(state=str(begun.state.value))
    after = before.model_copy(
        update={
            "state": str(step.to.value),
            "transition": step.name,
            "since_us": unit.now_us,
            "actor": actor_of(unit),
            "note": call.note,
            "frozen": call.spec.frozen.get(step.to, ()),
            "holds": tuple(begun.holds),
            "operation": _operation(unit, begun),
        }
    )
    yield from ()
    record = _write(unit, begun, old, after)
    return LifecycleRecord.of(call.key, step.to, after, record.version)


def _operation(unit: Unit, begun: Begun[Any]) -> str | None:
    """Return the operation that is under way afterwards; one whose end nobody could report any more is not."""
    step, standing = begun.call.step, begun.sight.standing
    if step.begins:
        return unit.context.new_id()
    if step.ends or standing is None or not begun.call.spec.awaits_end(step.to):
        return None
    return standing.operation


def _write(unit: Unit, begun: Begun[Any], old: Record | None, after: Standing) -> Record:
    """Put the lifecycle record, whose edges make the rules of the state hold for every program."""
    call = begun.call
    rule = CASCADE if call.step.to in call.spec.deletable else PROTECT
    edges = [Edge(call.key, ("resource",), rule)]
    for number, held in enumerate(after.holds):
        edges.append(Edge(standing_key(Key.parse(held.target)), ("holds", number), RESTRICT))
    key = standing_key(call.key)
    record = Record(
        key=key,
        uid=old.uid if old else unit.context.new_id(),
        version=old.version + 1 if old else 1,
        document=after.model_dump_json(exclude_defaults=True).encode(),
        edges=tuple(edges),
        unique=(),
        index=((call.key.kind, index_text(after.state)),),
        created_us=old.created_us if old else unit.now_us,
        updated_us=unit.now_us,
    )
    unit.expect.setdefault(key, None)
    unit.puts[key] = record
    return record


def refused(begun: Begun[Any], reasons: Sequence[str]) -> TransitionRefused:
    """Build the error for a transition that something speaks against."""
    call = begun.call
    allowed = call.spec.leaving(begun.state)
    hint = f"transitions from {begun.state.value}: {', '.join(allowed) or 'none'}."
    return TransitionRefused(
        f"Cannot {call.step.name} {call.key}, which is {begun.state.value}: {count(len(reasons), 'reason')}.",
        why=reasons,
        hint=hint,
        key=call.key,
        transition=call.step.name,
        state=str(begun.state.value),
        reasons=tuple(reasons),
        allowed=allowed,
    )


def refused_by(guard: Guard, answer: Any) -> list[str]:
    """Return what a function has said against a transition.

    Raises:
        InvalidCall: It returned something else than a text or None.
    """
    if answer is None:
        return []
    if isinstance(answer, str) and answer:
        return [f"{guard}: {answer}"]
    raise InvalidCall(
        f"Cannot go on with what {guard} returned.",
        why=[f"{answer!r:.80} is neither None nor a text"],
        hint="return None where nothing speaks against the transition, or the reason as text.",
    )


def written(unit: Unit) -> tuple[dict[Key, Record], dict[Key, bool]]:
    """Return what a transaction would write, to compare it later."""
    return dict(unit.puts), dict(unit.gone)


def refuse_writes(guard: Guard, before: object, unit: Unit, *, has_ended: bool) -> None:
    """Refuse a function of a guard that has written something, or has ended the transaction.

    Raises:
        InvalidCall: It has.
    """
    if has_ended or before != written(unit):
        raise InvalidCall(
            f"Cannot go on after {guard}.",
            why=["it has ended the transaction" if has_ended else "it has written something through tx"],
            hint="a guard may read only; write before the transition or after it.",
        )


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
