"""Plans of runs: what carrying a bundle out would do, as far as the states of its targets tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from emco_store._aio.store import AsyncStore
from emco_store._sync.store import Store
from emco_store.core.keys import Key
from emco_store.core.lifecycle_parts import Transition
from emco_store.core.wording import count
from emco_store.emco.actions import AT_ONCE, REACHED, VERBS, check_action, lifecycle_of, looked_up, successor_of
from emco_store.emco.bundles import Action, Bundle
from emco_store.emco.catalogue.lifecycles import DigState
from emco_store.emco.steps import Steps, perform, perform_async
from emco_store.errors import NotFound


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an action would do with one resource.

    Attributes:
        action: The action.
        target: The resource.
        steps: The transitions that it would make, by name; empty where nothing is left to do, or none is possible.
        state: The state in which the resource would be before it.
        to: The state in which it would be afterwards.
        needed: The states of which it would have to be in one; empty where the action is possible.
    """

    action: Action
    target: Key
    steps: tuple[str, ...]
    state: str
    to: str
    needed: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"{self.action.position}: {self.action.verb} {self.target}"
        if self.needed:
            return f"! {what}: it would be {self.state}, {' or '.join(self.needed)} is needed"
        if not self.steps:
            return f"= {what}: {self.state}, as before"
        by = "" if self.steps == (self.action.verb,) else f" ({', then '.join(self.steps)})"
        return f"> {what}: {self.state} -> {self.to}{by}"


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What carrying a bundle out would do; guards, such as an approval, are judged when that happens.

    Attributes:
        statements: How many resources the bundle states.
        actions: What its actions would do, in the order of the bundle.
    """

    statements: int
    actions: tuple[Foreseen, ...]

    @property
    def refusals(self) -> tuple[Foreseen, ...]:
        """The actions that the states do not allow."""
        return tuple([one for one in self.actions if one.needed])

    def __str__(self) -> str:
        verdict = f"refused for {count(len(self.refusals), 'action')}" if self.refusals else "can be carried out"
        head = f"Plan: {count(self.statements, 'resource')} stated, {count(len(self.actions), 'action')}; {verdict}."
        return "\n".join([head, *(f"  {one}" for one in self.actions)])


def plan_run(store: Store, bundle: Bundle, *, waits: bool = False) -> RunPlan:
    """Return what :func:`run_bundle` would do, as far as the states of the targets tell; nothing is written.

    Args:
        store: The store.
        bundle: The bundle.
        waits: Whether ``run_bundle`` is given a ``wait``. Then each operation is taken as ended well before the next
            action on its resource. Otherwise it is taken as under way until the end of the bundle, and what needs its
            end is shown as refused.

    Raises:
        InvalidCall: An action does not exist for its target, or lacks its spec.
        InvalidResource: A lifecycle record cannot be read.
    """
    return perform(_foreseen(bundle, waits=waits), store)


async def plan_run_async(store: AsyncStore, bundle: Bundle, *, waits: bool = False) -> RunPlan:
    """Do the same as :func:`plan_run`, for asyncio."""
    return await perform_async(_foreseen(bundle, waits=waits), store)


def _foreseen(bundle: Bundle, *, waits: bool) -> Steps[RunPlan]:
    checked = [(action, *check_action(action)) for action in bundle.actions]
    states: dict[Key, str] = {}
    found: list[Foreseen] = []
    for action, target, verb in checked:
        concerned = [target, successor_of(action, target)] if verb == "migrate" else [target]
        for key in concerned:
            if key not in states:
                states[key] = yield from _state_of(key)
        if waits and verb not in AT_ONCE:
            states[target] = _ended_well(target, states[target])
        if verb != "status":
            found += _moved(action, target, verb, states)
    return RunPlan(len(bundle.final), tuple(found))


def _state_of(key: Key) -> Steps[str]:
    """Return the state of a resource; the initial one of a resource that the bundle is about to create."""
    try:
        record = yield from looked_up(key)
    except NotFound:
        return str(lifecycle_of(key).spec.initial.value)
    return str(record.state.value)


def _ended_well(key: Key, state: str) -> str:
    """Return the state after the operation that is under way in a state: its lifecycle declares the good end first."""
    steps: Mapping[str, Transition[Any]] = lifecycle_of(key).spec.transitions
    return next((str(one.to.value) for one in steps.values() if one.ends and state in _values(one)), state)


def _moved(action: Action, target: Key, verb: str, states: dict[Key, str]) -> Iterator[Foreseen]:
    """Yield what an action does, and take it as done."""
    if verb == "migrate":
        successor = successor_of(action, target)
        yield _step(action, successor, VERBS[target.kind]["instantiate"], states)
        yield _step(action, target, VERBS[target.kind]["terminate"], states)
    elif states[target] in REACHED.get(verb, ()) or (verb == "approve" and states[target] == DigState.STARTING):
        yield Foreseen(action, target, (), states[target], states[target])
    else:
        yield _step(action, target, VERBS[target.kind][verb], states)


def _step(
    action: Action, target: Key, ways: tuple[Transition[Any], ...], states: dict[Key, str]
) -> Foreseen:  # fmt: skip
    state = states[target]
    way = next((way for way in ways if state in _values(way)), None)
    if way is None:
        needed: Mapping[str, None] = dict.fromkeys(value for one in ways for value in _values(one))
        return Foreseen(action, target, (), state, state, tuple(needed))
    states[target] = str(way.to.value)
    return Foreseen(action, target, (way.name,), state, states[target])


def _values(way: Transition[Any]) -> list[str]:
    """Return the states in which a transition may begin, in the order of their enum."""
    states: type[Enum] = way.lifecycle.spec.states
    return [str(one.value) for one in states if one in way.sources]
