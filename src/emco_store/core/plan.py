"""Plans: what a delete would delete with it, change, and be blocked by."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from emco_store.core.keys import Key
from emco_store.core.records import Edge
from emco_store.core.rules import Rule
from emco_store.core.wording import count


class BlockReason(StrEnum):
    """Why a reference forbids a delete."""

    RULE = "rule"
    """Its rule is RESTRICT or PROTECT."""
    NO_DEFAULT = "no-default"
    """SET_DEFAULT has nothing to put there: the default does not exist, or is deleted as well."""
    TAKEN = "taken"
    """The field is unique, and another resource has the default already, or would get it too."""
    NO_MATCH = "no-match"
    """No other resource matches the selection."""
    INVALID = "invalid"
    """Without the reference, the resource would not fit its model."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A reference that forbids a delete.

    Attributes:
        referrer: The resource that holds the reference.
        place: Its place in that resource.
        rule: The rule of the reference.
        target: The resource that cannot be deleted.
        reason: Why the reference blocks.
        detail: The same for people, if the rule alone does not say it.
    """

    referrer: Key
    place: str
    rule: Rule
    target: Key
    reason: BlockReason = BlockReason.RULE
    detail: str = ""

    def __str__(self) -> str:
        detail = self.detail and f": {self.detail}"
        return f"{self.referrer} {self.place} -> {self.target} ({self.rule}){detail}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A resource that would be deleted.

    Attributes:
        key: The resource.
        via: The reference through which a cascade reaches it; None if the call named it.
    """

    key: Key
    via: Edge | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A resource that would stay and lose a reference.

    Attributes:
        key: The resource.
        edge: The reference; its rule says what happens to it.
    """

    key: Key
    edge: Edge

    def __str__(self) -> str:
        rule = self.edge.rule
        return f"{self.key} {self.edge.place} -> {rule.becomes(self.edge.default)} ({rule})"


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete did, as numbers of resources by kind.

    Attributes:
        deleted: How many were deleted, those that cascades reached included.
        changed: How many stayed and lost references.
    """

    deleted: Mapping[str, int]
    changed: Mapping[str, int]

    @classmethod
    def of(cls, deletions: Iterable[Deletion], changes: Iterable[Change]) -> Deleted:
        """Count deletions and changes."""
        gone, kept = {deletion.key for deletion in deletions}, {change.key for change in changes}
        return cls(_by_kind(gone), _by_kind(kept))

    def __str__(self) -> str:
        return f"{_figures(self.deleted, 'deleted')}, {_figures(self.changed, 'changed')}"


def _by_kind(keys: Iterable[Key]) -> Mapping[str, int]:
    return dict(sorted(Counter(key.kind for key in keys).items()))


def _figures(numbers: Mapping[str, int], verb: str) -> str:
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in numbers.items())
    return f"{count(sum(numbers.values()), 'resource')} {verb}{f' ({kinds})' if kinds else ''}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a delete would do, as of the moment of planning; ``store.apply(plan)`` carries it out, all or nothing.

    Attributes:
        deletes: The resources that would be deleted: first those that the call names, then level by level.
        updates: The resources that would stay and lose a reference.
        blockers: The references that forbid the delete: all of them, or the first 1,000 if there are more than a commit
            may hold records. A plan with blockers cannot be applied.
        commit: The commit that the backend would get.
        blocker_count: The number of all references that forbid the delete.
    """

    deletes: tuple[Deletion, ...]
    updates: tuple[Change, ...]
    blockers: tuple[Blocker, ...]
    commit: Any = field(repr=False, compare=False)
    blocker_count: int = 0

    @property
    def figures(self) -> Deleted:
        """What ``store.apply(plan)`` returns: how many resources of each kind it would delete and change."""
        return Deleted.of(self.deletes, self.updates)

    def __str__(self) -> str:
        return "\n".join(_describe(self))


def _describe(plan: Plan) -> Iterable[str]:
    gone, kept = len(plan.deletes), len({change.key for change in plan.updates})
    verdict = f"blocked by {count(plan.blocker_count, 'reference')}" if plan.blockers else "can be applied"
    yield f"Plan: {count(gone, 'resource')} would go, {count(kept, 'resource')} would change; {verdict}."
    below: dict[Key | None, list[Deletion]] = defaultdict(list)
    for deletion in plan.deletes:
        below[deletion.via.target if deletion.via else None].append(deletion)
    stack = [(deletion, 0) for deletion in reversed(below[None])]
    while stack:
        deletion, depth = stack.pop()
        via = f"  ({deletion.via.place}, {deletion.via.rule})" if deletion.via else ""
        yield f"  {'  ' * depth}- {deletion.key}{via}"
        stack.extend((inner, depth + 1) for inner in reversed(below[deletion.key]))
    for change in plan.updates:
        yield f"  ~ {change}"
    for blocker in plan.blockers:
        yield f"  ! {blocker}"
    if len(plan.blockers) < plan.blocker_count:
        yield f"  ! … and {plan.blocker_count - len(plan.blockers):,} more"
