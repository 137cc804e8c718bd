"""The parts of which a lifecycle is declared: transitions, holds, and what belongs to the content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar, cast

from emco_store.core.keys import Key
from emco_store.core.kinship import is_kind
from emco_store.core.lifecycle_records import Standing
from emco_store.core.query import path_of
from emco_store.core.sights import Guard
from emco_store.errors import InvalidResource

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


def transitions_of(cls: type) -> dict[str, Transition[Any]]:
    """Return the transitions that a class declares, by name."""
    return {name: step for name, step in vars(cls).items() if isinstance(step, Transition)}
