"""Lifecycles that are broken on purpose, each in one way, as parts to put where the right ones stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from emco_store.core.digests import Content
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import standing_key
from emco_store.core.naming import FREEZE, LIFECYCLE
from emco_store.core.objections import Objection
from emco_store.core.records import Edge
from emco_store.flows import content, transition_objections, transition_writing, transitions
from emco_store.flows.asking import Flow
from emco_store.flows.freezing import Freezing, _freezes
from emco_store.flows.transitions import Begun, Call
from emco_store.flows.unit import Unit
from emco_store.flows.view import View

_begin, _read, _check, _edges, _objections = (
    transitions.begin,
    content.read,
    Freezing.check,
    transition_writing.edges,
    transition_objections.objections,
)


def refuse_for_one_reason(call: Call[Any], state: Any, sight: Any) -> Iterator[Objection]:
    """Name the first reason only."""
    return islice(_objections(call, state, sight), 1)


def begin_in_any_state(call: Call[Any], state: Any, sight: Any) -> Iterator[Objection]:  # noqa: ARG001 - it does not look
    """Make a transition from whatever state there is."""
    return _objections(call, call.step.sources[0], sight)


def rest_on_no_guard(unit: Unit, call: Call[Any]) -> Flow[Begun[Any]]:
    """Judge guards, and let what they have read change before the commit."""
    begun = yield from _begin(unit, call)
    for key in unit.expect.keys() - {call.key, standing_key(call.key)}:
        del unit.expect[key]
    unit.sealed.clear()
    return begun


def let_the_target_go(unit: Unit, call: Call[Any]) -> Flow[Begun[Any]]:
    """Look at the state of what is held, and let it change before the commit."""
    begun = yield from _begin(unit, call)
    for held in begun.holds:
        unit.expect.pop(standing_key(Key.parse(held.target)), None)
    return begun


def confirm_nothing(_: Unit) -> Flow[None]:
    """Refuse by what several reads have shown, of whatever moments they are."""
    yield from ()


def leave_unsealed(unit: Unit, call: Call[Any]) -> Flow[Begun[Any]]:
    """Look for holders, and let others begin to hold before the commit."""
    begun = yield from _begin(unit, call)
    unit.sealed.pop(standing_key(call.key), None)
    return begun


def hold_without_edges(call: Call[Any], after: Any, same: Any) -> tuple[Edge, ...]:
    """Write down what is held, and refer to nothing."""
    return _edges(call, after, same)[:1]


def protect_nothing(call: Call[Any], after: Any, same: Any) -> tuple[Edge, ...]:
    """Let a delete take the resource in any state."""
    first, *others = _edges(call, after, same)
    return (replace(first, rule=transition_writing.CASCADE), *others)


def forbid_by_class(call: Call[Any], after: Any, _: Any) -> tuple[Edge, ...]:
    """Protect what the class at hand protects."""
    return _edges(call, after, None)


def ask_the_class(spec: Any, standing: Any, state: Any) -> bool:
    """Look for the state among those that the class at hand declares."""
    return spec.state_at(Key("Probe", "p"), standing) is state


def know_no_uid(_: object) -> None:
    """Take another resource under the same key for the one that was given."""


def accept_any_report(*_: object) -> Iterator[str]:
    """End whatever operation is under way."""
    return iter(())


def let_anybody(*_: object) -> None:
    """Let anybody make any transition."""


def look_away(*_: object, **__: object) -> Flow[None]:
    """Approve whatever content there is."""
    yield from ()


def refuse_nothing(*_: object) -> Iterator[str]:
    """Find nothing wrong."""
    return iter(())


def freeze_without_expect(freezing: Freezing, view: View, **more: Any) -> Flow[None]:
    """Look at the lifecycle record, and let it change before the commit."""
    yield from _check(freezing, view, **more)
    for key in [key for key in view.expect if key.kind == LIFECYCLE and key not in view.puts]:
        del view.expect[key]


def freeze_by_class(view: View, key: Key) -> bool:
    """Look at the lifecycle record only where the class at hand freezes fields."""
    return _freezes(view, key)


def freeze_without_a_sign(*_: object, **__: object) -> Flow[None]:
    """Write which fields are frozen into the lifecycle record alone."""
    yield from ()


def pass_by_the_freeze(freezing: Freezing, view: View, **more: Any) -> Flow[None]:
    """Take the absence of a freeze for granted."""
    yield from _check(freezing, view, **more)
    for key in [key for key in view.expect if key.kind == FREEZE and key not in view.base]:
        del view.expect[key]


def same_text(_: object) -> str:
    """Find every state under one entry of the index."""
    return "tAny"


def _content(spoil: Callable[[Unit, Content], None]) -> Callable[..., Flow[Content]]:
    def broken(unit: Unit, key: Key, targets: Any = (), **more: Any) -> Flow[Content]:
        found = yield from _read(unit, key, targets, **more)
        spoil(unit, found)
        return found

    return broken


def _unseal(unit: Unit, found: Content) -> None:
    for one in found.members:
        unit.sealed.pop(one.key, None)


def _forget(unit: Unit, found: Content) -> None:
    for one in (*found.members, *found.targets):
        if one.key != found.root.key:
            unit.expect.pop(one.key, None)


read_unsealed = _content(_unseal)
read_without_expect = _content(_forget)
