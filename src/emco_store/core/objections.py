"""Objections: what speaks against a transition, and what can be done about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from emco_store.core.keys import Key

MAX_HINTS = 5
"""Hints in one text; the rest is counted."""
Model = Any


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that speaks against a transition.

    Attributes:
        reason: What it is.
        hint: What can be done about it; empty where that is not known.
    """

    reason: str
    hint: str = ""


def steps_between(model: Model | None, state: str | None, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the shortest way from a state to one of some others, as names of transitions.

    Args:
        model: The model of the resource; None where it is not known.
        state: The state in which the resource is; None where it is not known.
        wanted: The states of which one is to be reached.

    Returns:
        The names in order; nothing if there is no way, or it is not known.
    """
    lifecycle = None if model is None else model.__emco__.lifecycle
    if lifecycle is None or state is None:
        return ()
    ways: dict[str, tuple[str, ...]] = {state: ()}
    queue = deque([state])
    while queue:
        at = queue.popleft()
        if at in wanted:
            return ways[at]
        for name, step in lifecycle.spec.transitions.items():
            to = str(step.to.value)
            if to not in ways and any(str(source.value) == at for source in step.sources):
                ways[to] = (*ways[at], name)
                queue.append(to)
    return ()


def to_enter(model: Model | None, key: Key, state: str | None, wanted: Sequence[str]) -> str:
    """Say how a resource comes to one of some states."""
    return f"bring {key} to {' or '.join(wanted)}{_by(steps_between(model, state, wanted))}"


def to_leave(model: Model | None, key: Key, state: str, unwanted: Collection[str]) -> str:
    """Say how a resource comes to a state that is none of some."""
    lifecycle = None if model is None else model.__emco__.lifecycle
    states = () if lifecycle is None else [str(one.value) for one in lifecycle.spec.states]
    others = [one for one in states if one not in unwanted]
    return f"bring {key} out of {state}{_by(steps_between(model, state, others))}"


def hint_of(objections: Sequence[Objection], otherwise: str) -> str:
    """Return one hint for several objections, each said once.

    Args:
        objections: The objections.
        otherwise: What to say if none of them has a hint.
    """
    hints = list(dict.fromkeys(one.hint for one in objections if one.hint))
    hidden = len(hints) - MAX_HINTS
    more = [f"and so on for {hidden:,} more"] if hidden > 0 else []
    return "; ".join([*hints[:MAX_HINTS], *more] or [otherwise]) + "."


def _by(steps: Sequence[str]) -> str:
    return f" ({', then '.join(steps)})" if steps else ""
