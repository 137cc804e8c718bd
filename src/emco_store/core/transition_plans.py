"""Plans of transitions: what one would do, or why it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from emco_store.core.applicable import Applicable
from emco_store.core.keys import Key
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.core.lifecycle_parts import Transition
from emco_store.core.objections import Objection, hint_of
from emco_store.core.wording import count
from emco_store.errors import StoreError, shown

S = TypeVar("S", bound=Enum)


@dataclass(frozen=True, slots=True)
class TransitionPlan(Applicable[LifecycleRecord[S]], Generic[S]):
    """What a transition would do, or why it is refused; ``store.apply(plan)`` carries it out.

    Attributes:
        key: The key of the resource.
        step: The transition.
        state: The state in which the resource is.
        members: The keys of the content: the subtree, and the targets that belong to it; empty where the transition
            does not look at the content.
        changes: The keys of what differs from the content that was approved last; empty where nothing was.
        objections: What speaks against it, with what can be done about it; functions of ``check(…)`` are asked when it
            is applied.
        digest: The digest of the content; None where the transition does not look at it.
        basis: What it was made for: the uid of the resource and the version of its lifecycle record.
        operation: The id of the operation that has ended, as it was given.
        note: What is stored with the transition.
        refusal: The error with which ``store.apply(plan)`` refuses it; None where nothing speaks against it.
    """

    key: Key
    step: Transition[S]
    state: S
    members: tuple[Key, ...]
    changes: tuple[Key, ...]
    objections: tuple[Objection, ...]
    digest: str | None
    basis: tuple[str, int] = field(repr=False)
    operation: str | None = None
    note: str = ""
    refusal: StoreError | None = field(default=None, repr=False, compare=False)

    @property
    def refusals(self) -> tuple[str, ...]:
        """The reasons for which it is refused; none if it can be applied."""
        return tuple([one.reason for one in self.objections])

    def __str__(self) -> str:
        verdict = f"refused for {count(len(self.refusals), 'reason')}" if self.objections else "can be applied"
        lines = [f"Plan: {self.step.name} {self.key}, {self.state.value} -> {self.step.to.value}; {verdict}."]
        if self.digest is not None:
            lines.append(f"  content: {count(len(self.members), 'resource')}, {self.digest}")
        lines += [f"  ! {reason}" for reason in shown(self.refusals)]
        lines += [f"  ~ {key}" for key in shown([key.text for key in self.changes])]
        lines += [f"  Hint: {hint_of(self.objections, '')}"] if any(one.hint for one in self.objections) else []
        return "\n".join(lines)
