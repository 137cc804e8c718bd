"""Segments as a service gives them, and what it is told of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from emco_store.core.keys import name_problem
from emco_store.core.meanings import foreign, meaning_of, need_of
from emco_store.core.registry import Declaration, Registry, awaited
from emco_store.core.resource import Resource, is_model
from emco_store.errors import InvalidCall, NotReady


@dataclass(frozen=True)
class Segment:
    """What one service declares in a namespace: the kinds that it owns, and by its views what it reads of others.

    Args:
        name: The name of the segment, usually that of the service.
        models: The classes of its kinds, and its views. Parents and targets that are not among them are relied on.
        version: 1 or more; a declaration that means something else needs a higher one.

    Raises:
        InvalidCall: The name, the version or a class cannot be used, or two classes have one kind.

    Rules: SEG-2 to SEG-5.
    """

    name: str
    models: Iterable[type[Resource]]
    version: int = 1
    declaration: Declaration = field(init=False, repr=False)

    def __post_init__(self) -> None:
        given: Any = self.models
        try:
            models: tuple[Any, ...] = tuple(given)
        except TypeError:
            models = ()
        problems = list(_problems(self.name, models, self.version))
        if problems:
            raise InvalidCall(
                f"Cannot declare the segment {self.name!r:.80}.",
                why=problems,
                hint='write Segment("placement", models=[Placement, ClusterView], version=1).',
            )
        object.__setattr__(self, "models", models)
        object.__setattr__(self, "declaration", _declared(models, self.version))


def _problems(name: Any, models: tuple[Any, ...], version: Any) -> Iterable[str]:
    problem = name_problem(name) if isinstance(name, str) else "a name is a string"
    if problem:
        yield f"name={name!r:.80}: {problem}"
    if type(version) is not int or version < 1:
        yield f"version={version!r:.40} is no whole number of 1 or more"
    if not models:
        yield "models= names no class"
    labels: dict[str, Any] = {}
    for model in models:
        if not is_model(model):
            yield f"{model!r:.80} is not the class of a kind"
            continue
        label = model.__emco__.label
        if label in labels:
            yield f"{labels[label].__name__} and {model.__name__} are both of the kind {label}"
        labels[label] = model


def _declared(models: Iterable[type[Resource]], version: int) -> Declaration:
    own = {model.__emco__.label: model for model in models if not model.__emco__.is_view}
    kinds = {kind: meaning_of(model) for kind, model in own.items()}
    needs = {model.__emco__.label: need_of(model) for model in models if model.__emco__.is_view}
    for model in models:
        for kind, other in foreign(model):
            if own.get(kind) is not other or other is None:  # another class of an own kind may contradict it
                needs[kind] = needs.get(kind, {}) | ({} if other is None else need_of(other))
    return Declaration(version=version, kinds=dict(sorted(kinds.items())), needs=dict(sorted(needs.items())))


@dataclass(frozen=True, slots=True)
class SegmentState:
    """Where a segment stands.

    Attributes:
        name: Its name.
        version: The version that is told of.
        is_active: Whether it counts; otherwise it waits.
        kinds: The kinds that it owns.
        awaits: What it waits for, each in a few words.
    """

    name: str
    version: int
    is_active: bool
    kinds: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()

    def __str__(self) -> str:
        state = "active" if self.is_active else f"waits: {'; '.join(self.awaits)}"
        return f"{self.name} {self.version} ({', '.join(self.kinds)}): {state}"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a store may write all that it has registered. It is true if so.

    Attributes:
        segments: The segments that the store has registered.
    """

    segments: tuple[SegmentState, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether none of the segments waits."""
        return all(one.is_active for one in self.segments)

    def __bool__(self) -> bool:
        return self.is_ready

    @property
    def awaits(self) -> tuple[str, ...]:
        """What the segments wait for."""
        return tuple(reason for one in self.segments for reason in one.awaits)


def states_of(registry: Registry) -> tuple[SegmentState, ...]:
    """Return where all segments stand: first the active ones, by name, then those that wait."""
    active = [
        SegmentState(name, one.version, is_active=True, kinds=tuple(one.kinds))
        for name, one in sorted(registry.active.items())
    ]
    waiting = [
        SegmentState(name, one.version, is_active=False, kinds=tuple(one.kinds), awaits=tuple(awaited(registry, name)))
        for name, one in registry.waiting.items()
    ]
    return (*active, *waiting)


def state_in(registry: Registry, name: str, version: int) -> SegmentState:
    """Return where a version of a segment stands; one that is not there any more waits to be registered again."""
    active, waiting = registry.active.get(name), registry.waiting.get(name)
    if active is not None and (active.version >= version or waiting is None):
        return SegmentState(name, active.version, is_active=True, kinds=tuple(active.kinds))
    if waiting is not None:
        awaits = tuple(awaited(registry, name))
        return SegmentState(name, waiting.version, is_active=False, kinds=tuple(waiting.kinds), awaits=awaits)
    return SegmentState(name, version, is_active=False, awaits=(f"{name}: it is not registered any more",))


@dataclass
class Registered:
    """What one store has registered.

    Attributes:
        segments: The segments, by name.
        waiting: For each kind of a segment that waits, as far as was seen last, the name of the segment.
    """

    segments: dict[str, Segment] = field(default_factory=dict[str, Segment])
    waiting: dict[str, str] = field(default_factory=dict[str, str])

    def note(self, registry: Registry) -> Readiness:
        """Take over where the segments of this store stand."""
        states = [state_in(registry, name, one.version) for name, one in sorted(self.segments.items())]
        self.waiting = {
            label.partition("/")[0]: state.name
            for state in states
            if not state.is_active
            for label in self.segments[state.name].declaration.kinds
        }
        return Readiness(tuple(states))


def not_ready(readiness: Readiness, kinds: Iterable[str]) -> NotReady:
    """Build the error for a write of kinds whose segment waits."""
    names = sorted(set(kinds))
    return NotReady(
        f"Cannot write {', '.join(names)} yet.",
        why=[f"{one.name} waits: {reason}" for one in readiness.segments for reason in one.awaits],
        hint="write it again once what is awaited is registered; the segments of the namespace tell.",
        kinds=tuple(names),
        awaits=readiness.awaits,
    )
