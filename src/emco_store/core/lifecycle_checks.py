"""Why a class cannot be a lifecycle, or not that of a model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set as AbstractSet
from enum import Enum
from typing import Any

from emco_store.core.guards import states_of
from emco_store.core.keys import name_problem
from emco_store.core.kinship import find_nearby
from emco_store.core.lifecycle_parts import HoldSpec, LifecycleSpec, Transition, transitions_of
from emco_store.core.query import path_of
from emco_store.core.sights import Guard, references_at

Model = Any


def problems_of_class(cls: Any, base: type, states: type[Enum]) -> Iterator[str]:
    """Yield why a class cannot be a lifecycle.

    Args:
        cls: The class.
        base: The base class of lifecycles.
        states: The enum.

    Rules: LIF-9.
    """
    if any(one is not base and issubclass(one, base) for one in cls.__bases__):
        yield "a lifecycle cannot be derived from another one"
    steps = transitions_of(cls)
    foreign = list(_foreign(cls, states, steps))
    yield from foreign
    for name, step in steps.items():
        yield from _step_problems(cls, name, step)
    for state, paths in cls.frozen.items():
        if not all(path_of(path) for path in paths):
            yield f"frozen: {_text(state)} lists something else than fields, such as F.spec.level"
    for state, holds in cls.holds.items():
        for one in holds:
            yield from _hold_problems(state, one)
    if foreign:
        return
    if cls.initial not in cls.deletable:
        yield f"{_text(cls.initial)} is initial and must be deletable, because no record keeps it"
    for state in {cls.initial} & {*cls.frozen, *cls.holds}:
        yield f"{_text(state)} is initial and can neither freeze nor hold, because it has no record"
    yield from _path_problems(states, cls.initial, cls.deletable, steps.values())


def _foreign(cls: Any, states: type[Enum], steps: Mapping[str, Transition[Any]]) -> Iterator[str]:
    """Yield what is no state of the enum."""
    if not hasattr(cls, "initial"):
        yield "it has no initial state"
    named: list[tuple[str, Iterable[Any]]] = [
        ("initial", [cls.initial] if hasattr(cls, "initial") else []),
        ("deletable", cls.deletable),
        ("frozen", cls.frozen),
        ("holds", cls.holds),
        *((name, (*step.sources, step.to)) for name, step in steps.items()),
    ]
    for where, found in named:
        for one in found:
            if not isinstance(one, states):
                yield f"{where}: {one!r:.80} is no state of {states.__name__}"


def _step_problems(cls: type, name: str, step: Transition[Any]) -> Iterator[str]:
    if step.lifecycle is not cls or step.name != name:
        yield f"{name} is {step} already"
    if not step.sources:
        yield f"{name} begins nowhere"
    if step.begins and step.ends:
        yield f"{name} cannot begin an operation and end one"
    for guard in step.guards:
        if not isinstance(guard, Guard):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller may pass all the same
            yield f"{name}: {guard!r:.80} is no guard"
    for writer in step.writers:
        problem = name_problem(writer)
        if problem:
            yield f"{name}: writer {writer!r:.80}: {problem}"


def _hold_problems(state: Any, one: Any) -> Iterator[str]:
    if not isinstance(one, HoldSpec):
        yield f"holds: {_text(state)} lists {one!r:.80}, which is not hold(…)"
    elif not one.path:
        yield f"holds: {_text(state)} holds something else than a field, such as F.spec.cloud"
    elif not one.needs or not all(isinstance(need, Enum) for need in one.needs):
        yield f"holds: {_text(state)} holds {one.place} without a state that it needs"


def _path_problems(
    states: type[Enum], initial: Enum, deletable: AbstractSet[Enum], steps: Iterable[Transition[Any]]
) -> Iterator[str]:
    """Yield the states that cannot be reached, and those from which nobody can get to where a delete is possible."""
    forward, back = defaultdict[Enum, set[Enum]](set), defaultdict[Enum, set[Enum]](set)
    for step in steps:
        for source in step.sources:
            forward[source].add(step.to)
            if not step.ends:
                back[step.to].add(source)
    reached = _closure({initial}, forward.__getitem__)
    saved = _closure(set(deletable), back.__getitem__)
    for state in states:
        if state not in reached:
            yield f"no transition leads to {_text(state)}"
        if state not in saved:
            yield f"from {_text(state)}, only reports of operations lead to a deletable state; nobody else could help"


def _closure(start: AbstractSet[Enum], following: Callable[[Enum], Iterable[Enum]]) -> set[Enum]:
    found, stack = set(start), list(start)
    while stack:
        for state in following(stack.pop()):
            if state not in found:
                found.add(state)
                stack.append(state)
    return found


# checks against the model


def problems_for_model(spec: LifecycleSpec[Any], model: Model) -> list[str]:
    """List why the resources of a model cannot have a lifecycle, as far as its targets are defined.

    Rules: LIF-9.
    """
    return [*_misplaced_fields(spec, model), *_misplaced_holds(spec, model), *_misplaced_guards(spec, model)]


def _misplaced_fields(spec: LifecycleSpec[Any], model: Model) -> Iterator[str]:
    open_ended = model.model_config.get("extra") == "allow"
    for path in sorted({path for paths in spec.frozen.values() for path in paths}):
        if path.split(".")[0] not in model.model_fields and not open_ended:
            yield f"frozen: {path} is no field"


def _misplaced_holds(spec: LifecycleSpec[Any], model: Model) -> Iterator[str]:
    for one in sorted({one for holds in spec.holds.values() for one in holds}, key=lambda one: one.place):
        references = references_at(model, one.path)
        if not references:
            yield f"hold {one.place}: it is no reference"
        for reference in references:
            for named in reference.targets:
                target = find_nearby(model, named) if isinstance(named, str) else named
                if target is not None:
                    yield from _hold_mismatches(one, target)


def _hold_mismatches(one: HoldSpec, target: Model) -> Iterator[str]:
    lifecycle = target.__emco__.lifecycle
    if lifecycle is None:
        yield f"hold {one.place}: {target.__emco__.kind} has no lifecycle"
        return
    for need in one.needs:
        if not isinstance(need, lifecycle.spec.states):
            yield f"hold {one.place}: {need!r} is no state of {target.__emco__.kind}"
        elif need is lifecycle.spec.initial:
            yield f"hold {one.place}: {_text(need)} is the initial state of {target.__emco__.kind}, which has no record"


def _misplaced_guards(spec: LifecycleSpec[Any], model: Model) -> Iterator[str]:
    for name, step in spec.transitions.items():
        for guard in step.guards:
            for problem in guard.problems(model):
                yield f"{name}: {problem}"


def _text(state: Any) -> str:
    return states_of(state)[0]
