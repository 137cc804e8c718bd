"""What speaks against a transition: who asks for it, the state, guards, holds of its own and holds of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from emco_store.core.keys import Key
from emco_store.core.lifecycle_parts import HoldSpec
from emco_store.core.lifecycle_records import Standing, read_standing, standing_key
from emco_store.core.objections import Objection, to_enter, to_leave
from emco_store.core.reserved import resource_of
from emco_store.core.sights import Sight
from emco_store.errors import InvalidModel, NotPermitted
from emco_store.flows.lifecycles import lifecycle_of
from emco_store.flows.transition_calls import Call, making
from emco_store.flows.unit import Unit

S = TypeVar("S", bound=Enum)


def check_writer(unit: Unit, call: Call[Any]) -> None:
    """Refuse whoever may not make the transition.

    Raises:
        NotPermitted: Only other writers may make it.

    Rules: LIF-12.
    """
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


def objections(call: Call[S], state: S, sight: Sight) -> Iterator[Objection]:
    """Yield what the state, the operation under way and the guards have against a transition.

    Rules: LIF-2, LIF-3.
    """
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


def hold_objections(unit: Unit, sight: Sight, wanted: Sequence[tuple[HoldSpec, Key]]) -> Iterator[Objection]:
    """Yield the targets that are not in the state in which they must be held.

    Rules: LIF-6.
    """
    for one, target in wanted:
        if is_held(sight.standing, one, target):
            continue
        lifecycle = lifecycle_of(unit.context, target)
        if not all(
            isinstance(need, lifecycle.spec.states) and need is not lifecycle.spec.initial for need in one.needs
        ):
            raise InvalidModel(
                f"Cannot hold {target}.",
                why=[f"{', '.join(values_of(one))}: these are no states of {target.kind} beyond the initial one"],
                hint="correct hold(…, needs=…).",
                model=target.kind,
            )
        for found in sight.outside([target], values_of(one)):
            yield Objection(f"hold {one.place}: {found.reason}", found.hint)


def holders(unit: Unit, call: Call[Any]) -> Iterator[Objection]:
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


def is_held(standing: Standing | None, one: HoldSpec, target: Key) -> bool:
    """Return whether the target must stay in these states already, so that nobody needs to look at it."""
    return standing is not None and any(
        held.target == target.text and set(held.needs) <= set(values_of(one)) for held in standing.holds
    )


def values_of(one: HoldSpec) -> tuple[str, ...]:
    """Return the states, as they are stored, of which the target has to be in one."""
    return tuple(str(need.value) for need in one.needs)
