"""Lifecycles: the states of a kind of resources and the transitions between them, declared as a class and checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args, get_origin

from emco_store.core.guards import Guard, references_at, states_of
from emco_store.core.keys import Key, name_problem
from emco_store.core.kinship import find_nearby, is_kind
from emco_store.core.lifecycle_records import Approval, Standing
from emco_store.core.query import path_of
from emco_store.core.times import moment
from emco_store.errors import InvalidModel, InvalidResource

S = TypeVar("S", bound=Enum)
Model = Any


@dataclass(frozen=True, slots=True)
class ContentScope:
    """What belongs to the content of a resource besides its subtree.

    Attributes:
        targets: The kinds of the targets that belong to it, one step outside the subtree.
    """

    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HoldSpec:
    """A reference whose target must stay in certain states.

    Attributes:
        path: The names of the fields that lead to it.
        needs: The states, as members of the enum of the target's lifecycle.
    """

    path: tuple[str, ...]
    needs: tuple[Any, ...]

    @property
    def place(self) -> str:
        """The path for people and for the lifecycle record."""
        return ".".join(self.path)


def content(*, targets: Iterable[type | str] = ()) -> ContentScope:
    """Say which targets belong to the content of a resource; its subtree always does.

    Args:
        targets: Classes, or the names of kinds whose classes are defined later.
    """
    return ContentScope(tuple(cast("Any", one).__emco__.kind if is_kind(one) else str(one) for one in targets))


def hold(path: Any, *, needs: Any) -> HoldSpec:
    """Keep what ``F.path`` refers to in one of some states, as long as the resource is in the state that says so.

    Args:
        path: The field, such as ``F.spec.logicalCloud``.
        needs: One state of the target's lifecycle, or several.

    Rules: LIF-6.
    """
    several = cast("Iterable[Any]", needs) if isinstance(needs, set | frozenset | list | tuple) else (needs,)
    return HoldSpec(path_of(path), tuple(several))


@dataclass(frozen=True, slots=True, eq=False)
class Transition(Generic[S]):
    """One way from states of a lifecycle to another; made by :func:`transition`.

    Attributes:
        sources: The states in which it may begin.
        to: The state in which it ends.
        guards: What must be true besides.
        approves: Whether it approves the content.
        records: Whether it records a revision of the content.
        begins: Whether it begins an operation.
        ends: Whether it reports the end of an operation.
        writers: Who alone may make it; empty where everybody may.
        name: Its name in the class.
        lifecycle: The class.
    """

    sources: tuple[S, ...]
    to: S
    guards: tuple[Guard, ...] = ()
    approves: bool = False
    records: bool = False
    begins: bool = False
    ends: bool = False
    writers: frozenset[str] = frozenset()
    name: str = ""
    lifecycle: Any = field(default=None, repr=False)

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.name:
            object.__setattr__(self, "name", name)
            object.__setattr__(self, "lifecycle", owner)

    def __str__(self) -> str:
        return f"{getattr(self.lifecycle, '__name__', '')}.{self.name}"

    @property
    def reads_content(self) -> bool:
        """Whether the content must be read before it."""
        return self.approves or self.records or any(guard.reads_content for guard in self.guards)


def transition(
    sources: S | AbstractSet[S],
    *,
    to: S,
    guards: Sequence[Guard] = (),
    approves: bool = False,
    records: bool = False,
    begins: bool = False,
    ends: bool = False,
    writers: AbstractSet[str] = frozenset(),
) -> Transition[S]:
    """Declare a transition; the class of the lifecycle checks it.

    Args:
        sources: The state in which it may begin, or a set of states.
        to: The state in which it ends; it may be one of the sources.
        guards: What must be true besides: ``approved()``, ``some(…)`` and so on.
        approves: Approve the content, whose digest the caller must bring, and record a revision of it.
        records: Record a revision of the content.
        begins: Begin an operation: the record returns its id.
        ends: Report the end of an operation, whose id the caller must bring.
        writers: The actors who alone may make it. This protects from mistakes, not from attackers.

    Rules: LIF-2, LIF-8, LIF-10, LIF-12.
    """
    several = tuple(sources) if isinstance(sources, AbstractSet) else (sources,)
    return Transition(several, to, tuple(guards), approves, records, begins, ends, frozenset(writers))


@dataclass(frozen=True, slots=True)
class LifecycleSpec(Generic[S]):
    """What is known of a lifecycle once its class was checked.

    Attributes:
        states: The enum.
        initial: The state of a resource without a lifecycle record.
        transitions: By name.
        deletable: The states in which the resource may be deleted.
        frozen: The paths of the fields that may not change, by state.
        holds: The targets that must stay in certain states, by state.
        targets: The kinds of the targets that belong to the content.
    """

    states: type[S]
    initial: S
    transitions: Mapping[str, Transition[S]]
    deletable: frozenset[S]
    frozen: Mapping[S, tuple[str, ...]]
    holds: Mapping[S, tuple[HoldSpec, ...]]
    targets: tuple[str, ...]

    def state_at(self, key: Key, standing: Standing | None) -> S:
        """Return the state of a resource.

        Raises:
            InvalidResource: The lifecycle record names a state that is not declared.
        """
        if standing is None:
            return self.initial
        try:
            return self.states(standing.state)
        except ValueError:
            reason = f"{standing.state!r:.80} is no state of {self.states.__name__}"
            raise InvalidResource(
                f"Cannot tell the state of {key}.",
                why=[reason],
                hint="a newer program may have written it; check() names such records.",
                key=key,
                problems=(reason,),
            ) from None

    def leaving(self, state: S) -> tuple[str, ...]:
        """Return the names of the transitions that leave a state."""
        return tuple(name for name, step in self.transitions.items() if state in step.sources)

    def awaits_end(self, state: S) -> bool:
        """Return whether the end of an operation can be reported in a state."""
        return any(step.ends and state in step.sources for step in self.transitions.values())


class Lifecycle(Generic[S]):
    """The base class of lifecycles: ``class DigLifecycle(Lifecycle[DigState])``; it has no instances.

    ``Resource(…, lifecycle=DigLifecycle)`` gives the resources of a kind this lifecycle.

    Attributes:
        initial: The state in which each resource begins; it must be deletable.
        deletable: The states in which the resource may be deleted.
        frozen: For a state, the fields that may not change in it.
        holds: For a state, the targets that must stay in certain states meanwhile.
        scope: What belongs to the content besides the subtree.

    Raises:
        InvalidModel: The class cannot work; raised when it is defined. The error names all reasons.

    Rules: LIF-1 to LIF-12.
    """

    initial: S
    deletable: AbstractSet[S] = frozenset()
    frozen: Mapping[S, Sequence[Any]] = {}
    holds: Mapping[S, Sequence[HoldSpec]] = {}
    scope: ContentScope = ContentScope()
    spec: ClassVar[LifecycleSpec[Any]]

    def __init_subclass__(cls) -> None:
        """Check the class."""
        super().__init_subclass__()
        states = _states_of(cls)
        if states is None:
            problems = ["it states no enum of texts: write class … (Lifecycle[States])"]
        else:
            problems = list(_problems(cls, states))
        if problems or states is None:
            raise InvalidModel(
                f"Cannot define {cls.__name__}.", why=problems, hint="change the class as said.", model=cls.__name__
            )
        own: Any = cls
        cls.spec = LifecycleSpec(
            states=states,
            initial=own.initial,
            transitions=_transitions(cls),
            deletable=frozenset(own.deletable),
            frozen={state: tuple(".".join(path_of(path)) for path in paths) for state, paths in own.frozen.items()},
            holds={state: tuple(holds) for state, holds in own.holds.items()},
            targets=own.scope.targets,
        )

    @classmethod
    def problems_of(cls, model: Model) -> list[str]:
        """List why the resources of a model cannot have this lifecycle, as far as its targets are defined.

        Rules: LIF-9.
        """
        return [*_misplaced_fields(cls.spec, model), *_misplaced_holds(cls.spec, model), *_misplaced_guards(cls, model)]


@dataclass(frozen=True, slots=True)
class LifecycleRecord(Generic[S]):
    """Where a resource is in its lifecycle.

    Attributes:
        key: The key of the resource.
        state: Its state.
        version: How many transitions and other changes the lifecycle has had; 0 if there was none.
        since: When it came into this state, in UTC, by the clock of the client that did it; None if it never left the
            initial state.
        actor: Who made the last transition.
        note: What the actor said about it.
        revision: The number of the newest revision; 0 if there is none.
        approved: What was approved last; None if nothing was.
        applied: The number of the revision that the operation that ended last worked on; None if there is none.
        operation: The id of the operation that is under way; None if there is none.
        tags: The numbers of revisions that have a name.
    """

    key: Key
    state: S
    version: int = 0
    since: datetime | None = None
    actor: str = ""
    note: str = ""
    revision: int = 0
    approved: Approval | None = None
    applied: int | None = None
    operation: str | None = None
    tags: Mapping[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def of(cls, key: Key, state: Any, standing: Standing | None, version: int) -> LifecycleRecord[Any]:
        """Build it from what is stored.

        Args:
            key: The key of the resource.
            state: Its state.
            standing: The document of its lifecycle record; None if it has none.
            version: The version of that record; 0 if it has none.
        """
        if standing is None:
            return LifecycleRecord(key, state)
        since = moment(standing.since_us)
        return LifecycleRecord(
            key, state, version, since, standing.actor, standing.note, standing.revisions, standing.approved,
            standing.applied, standing.operation, dict(standing.tags),
        )  # fmt: skip


# checks of a class


def _states_of(cls: type) -> type[Any] | None:
    for base in getattr(cls, "__orig_bases__", ()):
        if get_origin(base) is Lifecycle:
            (found,) = get_args(base)
            if isinstance(found, type) and issubclass(found, Enum) and all(isinstance(one.value, str) for one in found):
                return found
    return None


def _transitions(cls: type) -> dict[str, Transition[Any]]:
    return {name: step for name, step in vars(cls).items() if isinstance(step, Transition)}


def _problems(cls: Any, states: type[Enum]) -> Iterator[str]:
    """Yield why a class cannot be a lifecycle.

    Rules: LIF-9.
    """
    if any(base is not Lifecycle and issubclass(base, Lifecycle) for base in cls.__bases__):
        yield "a lifecycle cannot be derived from another one"
    steps = _transitions(cls)
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


def _misplaced_guards(cls: type[Lifecycle[Any]], model: Model) -> Iterator[str]:
    for name, step in cls.spec.transitions.items():
        for guard in step.guards:
            for problem in guard.problems(model):
                yield f"{name}: {problem}"


def _text(state: Any) -> str:
    return states_of(state)[0]
