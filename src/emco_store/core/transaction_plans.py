"""Plans of transactions: what a function would create, change and delete, shown before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from emco_store.core.applicable import Prepared
from emco_store.core.diffs import DocumentChange
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.plan import Blocker, Change, Deletion
from emco_store.core.wording import count
from emco_store.errors import AlreadyExists, MissingReference, StoreError, UniqueViolation

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class TransactionPlan(Prepared[T_co]):
    """What a transaction would do, as of the moment of planning; ``store.apply(plan)`` carries it out, all or nothing.

    Attributes:
        result: What the function returned. Resources in it have the ``meta`` that they would have had then.
        creates: The keys of the resources that would be created.
        updates: The resources that would be updated, with the fields that change.
        deletes: The resources that would be deleted: those that the function names, then level by level.
        changes: The resources that would stay and lose a reference to one that is deleted.
        unresolved: For each reference whose target does not exist, its place and the key of the target.
        blockers: The references that forbid the deletes.
        problems: What else speaks against it: keys that are taken, unique values that other resources have, frozen
            fields, and values that were changed since they were read.
        messages: What the feed would tell beside the changes.
        commit: The commit that the backend would get.
        refusal: The error with which ``store.apply(plan)`` refuses it; None where nothing speaks against it.
    """

    foresees: ClassVar[tuple[type[StoreError], ...]] = (AlreadyExists, MissingReference, UniqueViolation)
    result: T_co
    creates: tuple[Key, ...] = ()
    updates: tuple[DocumentChange, ...] = ()
    deletes: tuple[Deletion, ...] = ()
    changes: tuple[Change, ...] = ()
    unresolved: tuple[tuple[str, Key], ...] = ()
    blockers: tuple[Blocker, ...] = ()
    problems: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    commit: Any = field(default=None, repr=False, compare=False)
    refusal: StoreError | None = field(default=None, repr=False, compare=False)

    @property
    def figures(self) -> T_co:
        """What ``store.apply(plan)`` returns: what the function returned when the plan was made."""
        return self.result

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be written."""
        return not (self.creates or self.updates or self.deletes or self.changes or self.messages)

    def __str__(self) -> str:
        return "\n".join(_describe(self))


def _describe(plan: TransactionPlan[Any]) -> Iterator[str]:
    changed = len({change.key for change in plan.changes})
    figures = f"{count(len(plan.creates), 'resource')} to create, {len(plan.updates):,} to update"
    figures += f", {len(plan.deletes):,} to delete" if plan.deletes else ""
    figures += f", {changed:,} to lose references" if changed else ""
    figures += f", {count(len(plan.messages), 'message')} to emit" if plan.messages else ""
    reasons = len(plan.unresolved) + len(plan.blockers) + len(plan.problems)
    verdict = "can be applied" if plan.refusal is None else f"refused for {count(reasons, 'reason')}"
    yield f"Plan: {figures}; {verdict}."
    yield from (f"  + {key}" for key in plan.creates)
    yield from (f"  {line}" for change in plan.updates for line in change.lines)
    for deletion in plan.deletes:
        via = f"  ({deletion.via.place}, {deletion.via.rule})" if deletion.via else ""
        yield f"  - {deletion.key}{via}"
    yield from (f"  ~ {change}" for change in plan.changes)
    yield from (f"  > {one.topic}{'' if one.key is None else f' {one.key}'}" for one in plan.messages)
    yield from (f"  ! {place} -> {target}: there is no such resource" for place, target in plan.unresolved)
    yield from (f"  ! {blocker}" for blocker in plan.blockers)
    yield from (f"  ! {problem}" for problem in plan.problems)
