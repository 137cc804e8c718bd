"""Plans: what a delete would delete with it, change, and be blocked by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from emco_store.core.applicable import Prepared
from emco_store.core.keys import Key
from emco_store.core.records import Edge
from emco_store.core.reserved import is_reserved, stated
from emco_store.core.rules import Rule
from emco_store.core.wording import count
from emco_store.errors import MissingReference, StoreError, UniqueViolation


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
    LEASED = "leased"
    """A resource is leased, and its lease stays."""
    STATE = "state"
    """A resource is in a state of its lifecycle that forbids the delete."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A reference that forbids a delete, or a state or a lease that does.

    Attributes:
        referrer: The resource that holds the reference, is in the state, or is leased.
        place: Its place in that resource; empty for a state or a lease.
        rule: The rule of the reference.
        target: The resource that cannot be deleted.
        reason: Why the reference blocks.
        detail: The same for people, if the rule alone does not say it.
        writer: The writer of the status that holds the reference; empty where the resource itself holds it.
    """

    referrer: Key
    place: str
    rule: Rule
    target: Key
    reason: BlockReason = BlockReason.RULE
    detail: str = ""
    writer: str = ""

    @property
    def is_reference(self) -> bool:
        """Whether a reference forbids the delete, and not a state or a lease."""
        return self.reason not in {BlockReason.STATE, BlockReason.LEASED}

    @property
    def holder(self) -> str:
        """What is in the way, for people: the resource, or its status."""
        return f"status of {self.referrer} by {self.writer}" if self.writer else str(self.referrer)

    def __str__(self) -> str:
        if not self.is_reference:
            return f"{self.referrer} {self.detail}"
        detail = self.detail and f": {self.detail}"
        return f"{self.holder} {self.place} -> {self.target} ({self.rule}){detail}"


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
        default = self.edge.default and stated(self.edge.default)
        return f"{self.key} {self.edge.place} -> {rule.becomes(default)} ({rule})"


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
        """Count deletions and changes of resources; the store's own records do not count."""
        return cls(_kinds(deletions), _kinds(changes))

    def __str__(self) -> str:
        return f"{_figures(self.deleted, 'deleted')}, {_figures(self.changed, 'changed')}"


E = TypeVar("E", Deletion, Change)


def _of_resources(entries: Iterable[E]) -> Iterator[E]:
    """Yield the entries that are not about the store's own records."""
    return (entry for entry in entries if not is_reserved(entry.key.kind))


def _kinds(entries: Iterable[Deletion | Change]) -> Mapping[str, int]:
    """Count the resources that entries are about, each once, by kind."""
    kinds = {entry.key.text: entry.key.kind for entry in entries}  # texts, because Python hashes them faster
    return {kind: number for kind, number in _counted(kinds.values()).items() if not is_reserved(kind)}


def by_kind(keys: Iterable[Key]) -> Mapping[str, int]:
    """Count keys by kind."""
    return _counted([key.kind for key in keys])


def _counted(kinds: Collection[str]) -> Mapping[str, int]:
    several = list(kinds)  # a Counter takes longer than a small delete in memory
    return {kind: several.count(kind) for kind in sorted(set(several))}


def _figures(numbers: Mapping[str, int], verb: str) -> str:
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in numbers.items())
    return f"{count(sum(numbers.values()), 'resource')} {verb}{f' ({kinds})' if kinds else ''}"


@dataclass(frozen=True, slots=True)
class Plan(Prepared[Deleted]):
    """What a delete would do, as of the moment of planning; ``store.apply(plan)`` carries it out, all or nothing.

    Attributes:
        deletes: The resources that would be deleted: first those that the call names, then level by level.
        updates: The resources that would stay and lose a reference.
        blockers: The references that forbid the delete: all of them, or the first 1,000 if there are more than a commit
            may hold records. A plan with blockers cannot be applied.
        commit: The commit that the backend would get.
        blocker_count: The number of all references that forbid the delete.
        refusal: The error with which ``store.apply(plan)`` refuses it; None where nothing speaks against it.
    """

    foresees: ClassVar[tuple[type[StoreError], ...]] = (MissingReference, UniqueViolation)
    deletes: tuple[Deletion, ...]
    updates: tuple[Change, ...]
    blockers: tuple[Blocker, ...]
    commit: Any = field(repr=False, compare=False)
    blocker_count: int = 0
    refusal: StoreError | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        deletions: Iterable[Deletion],
        changes: Iterable[Change],
        blockers: Sequence[Blocker],
        commit: Any,
        *,
        blocker_count: int,
        refusal: StoreError | None = None,
    ) -> Plan:
        """Build the plan of a commit; it shows resources, and leaves out the store's own records.

        Rules: RES-2.
        """
        return cls(
            tuple(_of_resources(deletions)), tuple(_of_resources(changes)), tuple(blockers), commit, blocker_count,
            refusal,
        )  # fmt: skip

    @property
    def figures(self) -> Deleted:
        """What ``store.apply(plan)`` returns: how many resources of each kind it would delete and change."""
        return Deleted.of(self.deletes, self.updates)

    @property
    def verdict(self) -> str:
        """Whether it can be applied, for people, and how much forbids it."""
        if not self.blockers:
            return "can be applied"
        noun = "reference" if all(blocker.is_reference for blocker in self.blockers) else "blocker"
        return f"blocked by {count(self.blocker_count, noun)}"

    def by_cause(self) -> Mapping[Key | None, Sequence[Deletion]]:
        """Return the deletions by the deletion that causes them; under None stand those that no other one causes.

        What goes with a record of the store's own, such as a lease, stands under None too, because plans do not show
        such records.
        """
        shown = {deletion.key for deletion in self.deletes}
        found: dict[Key | None, list[Deletion]] = defaultdict(list)
        for deletion in self.deletes:
            above = deletion.via.target if deletion.via else None
            found[above if above in shown else None].append(deletion)
        return found

    def __str__(self) -> str:
        return "\n".join(_describe(self))


def _describe(plan: Plan) -> Iterable[str]:
    gone, kept = len(plan.deletes), len({change.key for change in plan.updates})
    yield f"Plan: {count(gone, 'resource')} would go, {count(kept, 'resource')} would change; {plan.verdict}."
    below = plan.by_cause()
    stack = [(deletion, 0) for deletion in reversed(below.get(None, ()))]
    while stack:
        deletion, depth = stack.pop()
        via = f"  ({deletion.via.place}, {deletion.via.rule})" if deletion.via else ""
        yield f"  {'  ' * depth}- {deletion.key}{via}"
        stack.extend((inner, depth + 1) for inner in reversed(below.get(deletion.key, ())))
    for change in plan.updates:
        yield f"  ~ {change}"
    for blocker in plan.blockers:
        yield f"  ! {blocker}"
    if len(plan.blockers) < plan.blocker_count:
        yield f"  ! … and {plan.blocker_count - len(plan.blockers):,} more"
