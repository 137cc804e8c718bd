"""Plans of rollbacks and restores: what would be written so that a resource has the content of a revision again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from emco_store.core.applicable import Prepared
from emco_store.core.diffs import DocumentChange
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Approval
from emco_store.core.plan import Blocker, Change, Deletion, by_kind
from emco_store.core.wording import count
from emco_store.errors import MissingReference, StoreError, UniqueViolation


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What a rollback or a restore did, as numbers of resources by kind.

    Attributes:
        created: How many were created.
        updated: How many were updated.
        deleted: How many were deleted, those that cascades reached included.
        changed: How many others stayed and lost references.
        revision: The number of the revision that was recorded; None after a restore, which begins a new history.
    """

    created: Mapping[str, int]
    updated: Mapping[str, int]
    deleted: Mapping[str, int]
    changed: Mapping[str, int]
    revision: int | None

    def __str__(self) -> str:
        figures = ((self.created, "created"), (self.updated, "updated"), (self.deleted, "deleted"))
        text = ", ".join(f"{count(sum(numbers.values()), 'resource')} {verb}" for numbers, verb in figures)
        return text if self.revision is None else f"{text}; revision {self.revision}"


@dataclass(frozen=True, slots=True)
class RollbackPlan(Prepared[RolledBack]):
    """What a rollback or a restore would do, as of the moment of planning; ``store.apply(plan)`` carries it out.

    Attributes:
        key: The key of the resource.
        number: The number of the revision whose content comes back.
        creates: The keys of the resources that would be created.
        updates: The resources that would be updated, with what changes in them.
        deletes: The resources that would be deleted: those that joined since, and what cascades reach.
        changes: The resources that would stay and lose a reference to one that is deleted.
        left_out: The keys that the call left out; these resources stay as they are.
        unresolved: For each reference whose target does not exist, its place and the key of the target.
        problems: What else speaks against it: documents that do not fit their models any more, unique values that other
            resources have, and frozen fields.
        blockers: The references that forbid the deletes.
        outside: The targets outside the subtree that are not as they were then; they stay as they are.
        approval: The approval that comes back with the content; None where none does.
        revision: The number of the revision that would be recorded; None for a restore.
        commit: The commit that the backend would get.
        refusal: The error with which ``store.apply(plan)`` refuses it; None where nothing speaks against it.
    """

    foresees: ClassVar[tuple[type[StoreError], ...]] = (MissingReference, UniqueViolation)
    key: Key
    number: int
    creates: tuple[Key, ...] = ()
    updates: tuple[DocumentChange, ...] = ()
    deletes: tuple[Deletion, ...] = ()
    changes: tuple[Change, ...] = ()
    left_out: tuple[Key, ...] = ()
    unresolved: tuple[tuple[str, Key], ...] = ()
    problems: tuple[str, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    outside: tuple[DocumentChange, ...] = ()
    approval: Approval | None = None
    revision: int | None = None
    commit: Any = field(default=None, repr=False, compare=False)
    refusal: StoreError | None = field(default=None, repr=False, compare=False)

    @property
    def figures(self) -> RolledBack:
        """What ``store.apply(plan)`` returns: how many resources of each kind it would write and delete."""
        return RolledBack(
            by_kind(self.creates), by_kind(change.key for change in self.updates),
            by_kind(deletion.key for deletion in self.deletes), by_kind({change.key for change in self.changes}),
            self.revision,
        )  # fmt: skip

    def __str__(self) -> str:
        return "\n".join(_describe(self))


def _describe(plan: RollbackPlan) -> Iterator[str]:
    verb = "Restore" if plan.revision is None else "Rollback"
    reasons = len(plan.unresolved) + len(plan.problems) + len(plan.blockers)
    verdict = f"refused for {count(reasons, 'reason')}" if plan.refusal is not None else "can be applied"
    written = (len(plan.creates), "created"), (len(plan.updates), "updated"), (len(plan.deletes), "deleted")
    figures = ", ".join(f"{number:,} {done}" for number, done in written)
    yield f"{verb} of {plan.key} to revision {plan.number}: {figures}; {verdict}."
    yield from (f"  + {key}" for key in plan.creates)
    yield from (f"  {line}" for change in plan.updates for line in change.lines)
    for deletion in plan.deletes:
        via = f"  ({deletion.via.place}, {deletion.via.rule})" if deletion.via else ""
        yield f"  - {deletion.key}{via}"
    yield from (f"  ~ {change}" for change in plan.changes)
    yield from (f"  = {key}  (left out)" for key in plan.left_out)
    yield from (f"  ! {place} -> {target}: there is no such resource" for place, target in plan.unresolved)
    yield from (f"  ! {reason}" for reason in plan.problems)
    yield from (f"  ! {blocker}" for blocker in plan.blockers)
    for change in plan.outside:
        yield f"  ? {change.key} is not as it was then, and stays as it is"
        yield from (f"      {one}" for one in change.fields)
    if plan.approval is not None:
        yield f"  The approval of revision {plan.number} comes back with it."
