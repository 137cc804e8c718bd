"""Lifecycles: the states of a kind of resources and the transitions between them, declared as a class and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

from emco_store.core.keys import Key
from emco_store.core.lifecycle_checks import problems_for_model, problems_of_class
from emco_store.core.lifecycle_parts import ContentScope, HoldSpec, LifecycleSpec, transitions_of
from emco_store.core.lifecycle_records import Approval, Standing
from emco_store.core.query import path_of
from emco_store.core.times import moment
from emco_store.errors import InvalidModel

S = TypeVar("S", bound=Enum)
Model = Any


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
            problems = list(problems_of_class(cls, Lifecycle, states))
        if problems or states is None:
            raise InvalidModel(
                f"Cannot define {cls.__name__}.", why=problems, hint="change the class as said.", model=cls.__name__
            )
        own: Any = cls
        cls.spec = LifecycleSpec(
            states=states,
            initial=own.initial,
            transitions=transitions_of(cls),
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
        return problems_for_model(cls.spec, model)


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
