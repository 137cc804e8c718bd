"""What guards judge, and what a guard is: it reads nothing itself, so whatever it judges is in the commit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from emco_store.core.digests import Content
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Standing, read_standing, standing_key
from emco_store.core.objections import Objection, to_enter, to_leave
from emco_store.core.records import Record
from emco_store.core.refs import RefSpec
from emco_store.core.reserved import stated

Model = Any


@dataclass(frozen=True, slots=True)
class Sight:
    """What a guard judges.

    Attributes:
        record: The resource.
        standing: Its lifecycle record; None in the initial state without one.
        content: Its content; None where no guard and no transition needs it.
        referrers: Those who refer to it, of the kinds that guards ask for.
        found: The other records that guards have asked for, as far as they exist.
        model_of: Returns the model of a kind, if one is known.
        value: Returns the resource of a record, or the error that says why it cannot be read.
        changes: The keys of what differs from the approved content, as far as that can be told.
    """

    record: Record
    standing: Standing | None
    content: Content | None
    referrers: Sequence[Record]
    found: Mapping[Key, Record]
    model_of: Callable[[str], Model | None]
    value: Callable[[Record], Any]
    changes: Sequence[Key] = ()

    def members(self, kind: str) -> list[Record]:
        """Return the members of a kind below the resource."""
        found = () if self.content is None else self.content.members
        return [record for record in found if record.key.kind == kind and record.key != self.record.key]

    def state_of(self, key: Key) -> str | None:
        """Return the state of another resource; None for an initial state that is not known here.

        Raises:
            InvalidResource: Its lifecycle record cannot be read.
        """
        record = self.found.get(standing_key(key))
        return initial_of(self.model_of(key.kind)) if record is None else read_standing(record).state

    def outside(self, keys: Iterable[Key], states: Sequence[str]) -> Iterator[Objection]:
        """Yield an objection for each resource that is in none of the states."""
        for key in keys:
            state = self.state_of(key)
            if state not in states:
                yield Objection(
                    f"{key} is {state or 'in its initial state'}, {' or '.join(states)} is needed",
                    to_enter(self.model_of(key.kind), key, state, states),
                )

    def inside(self, keys: Iterable[Key], states: Sequence[str]) -> Iterator[Objection]:
        """Yield an objection for each resource that is in one of the states."""
        for key in keys:
            state = self.state_of(key)
            if state is not None and state in states:
                yield Objection(f"{key} is {state}", to_leave(self.model_of(key.kind), key, state, states))


class Guard(ABC):
    """The base of guards; ``str(guard)`` is its text in refusals and pictures."""

    __slots__ = ()
    reads_content: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}()"

    @property
    def referrer_kind(self) -> str | None:
        """The kind of the referrers that it reads; None where it reads none."""
        return None

    def problems(self, model: Model) -> Iterator[str]:  # noqa: ARG002 - for those that look at it
        """Yield why it cannot work for the resources of a model."""
        return iter(())

    def needs(self, sight: Sight) -> Iterator[Key]:  # noqa: ARG002 - for those that need more
        """Yield the keys of further records that it must see."""
        return iter(())

    @abstractmethod
    def objections(self, sight: Sight) -> Iterator[Objection]:
        """Yield what speaks against the transition, and what can be done about it."""


def initial_of(model: Model | None) -> str | None:
    """Return the initial state of the resources of a model; None if it has no lifecycle, or is not known."""
    lifecycle = None if model is None else model.__emco__.lifecycle
    return None if lifecycle is None else str(lifecycle.spec.initial.value)


def is_at(edge_path: Sequence[str | int], path: Sequence[str]) -> bool:
    """Return whether an edge stands at a declared path, or in a list or map that does."""
    return tuple(step for step in edge_path if isinstance(step, str))[: len(path)] == tuple(path)


def targets_at(record: Record, path: Sequence[str]) -> list[Key]:
    """Return what a record refers to by name at a declared path; what a selection there has found is no part of it."""
    named = [stated(edge.target) for edge in record.edges if edge.selection is None and is_at(edge.path, path)]
    return list(dict.fromkeys(named))


def references_at(model: Model, path: Sequence[str]) -> list[RefSpec]:
    """Return the references that a model has at a declared path."""
    found: list[RefSpec] = []
    stack: list[Any] = [model.__emco__.shape.get(path[0])] if path else []
    for depth in range(1, len(path) + 1):
        following: list[Any] = []
        while stack:
            node = stack.pop()
            if node is None:
                continue
            if depth == len(path) and isinstance(getattr(node, "spec", None), RefSpec):
                found.append(node.spec)
            stack.extend(getattr(node, name, None) for name in ("item", "value", "key"))
            stack.extend(getattr(node, "options", ()))
            fields: Mapping[str, Any] = getattr(node, "fields", {})
            if depth < len(path):
                following.append(fields.get(path[depth]))
        stack = following
    return found
