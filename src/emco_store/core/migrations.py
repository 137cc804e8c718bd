"""Migrations: what a migration has done, or would do, to the stored documents of one kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from emco_store.core.diffs import DocumentChange
from emco_store.core.keys import Key
from emco_store.core.wording import count
from emco_store.errors import StoreError

MAX_LEFT: Final = 1_000
"""Resources that a result names with the reason why they stay as they are; it counts all of them."""
MAX_CHANGES: Final = 5
"""Changed documents that a plan shows in full."""


@dataclass(frozen=True, slots=True)
class Unmigrated:
    """One resource that a migration leaves as it is.

    Attributes:
        key: Its key.
        code: The code of the error.
        reason: What was refused and why, on one line.
    """

    key: Key
    code: str
    reason: str

    @classmethod
    def of(cls, key: Key, problem: StoreError) -> Unmigrated:
        """Say why a resource is left."""
        return cls(key, problem.code, problem.line)

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}  [{self.code}]"


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration has done, or one that is under way has done so far.

    Attributes:
        kind: The kind.
        read: How many resources it has read.
        written: How many of them it has written in the newest form.
        left: The first 1,000 that it has left as they were, with the reasons.
        left_count: How many it has left.
        next: The cursor for ``after=`` of a migration that goes on from here; None at the end.
    """

    kind: str
    read: int = 0
    written: int = 0
    left: tuple[Unmigrated, ...] = ()
    left_count: int = 0
    next: str | None = None

    def plus(self, part: Migrated) -> Migrated:
        """Return the figures with those of one more page."""
        return replace(
            part,
            read=self.read + part.read,
            written=self.written + part.written,
            left=(*self.left, *part.left)[:MAX_LEFT],
            left_count=self.left_count + part.left_count,
        )

    def __str__(self) -> str:
        said = f"{self.kind}: {count(self.read, 'resource')} read, {self.written:,} written"
        return f"{said}, {self.left_count:,} left as they were" if self.left_count else said


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What a migration would do, as of the time of planning; other writers may go on.

    Attributes:
        kind: The kind.
        version: The version of the model.
        read: How many resources there are.
        writes: How many of them would be written.
        versions: How many documents need which version of the model at least.
        changes: The first five documents that would change, field by field.
        left: The first 1,000 resources that would be left as they are, with the reasons.
        left_count: How many would be left.
    """

    kind: str
    version: int
    read: int = 0
    writes: int = 0
    versions: Mapping[int, int] = field(default_factory=dict[int, int])
    changes: tuple[DocumentChange, ...] = ()
    left: tuple[Unmigrated, ...] = ()
    left_count: int = 0

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield (
            f"{self.kind}, version {self.version} of the model: {count(self.read, 'resource')}, "
            f"{self.writes:,} to be written, {self.left_count:,} to be left."
        )
        for version in sorted(self.versions):
            yield f"  {self.versions[version]:,} can be read by version {version} and later"
        for change in self.changes:
            yield from (f"  {line}" for line in change.lines)
        if self.writes > len(self.changes):
            yield f"  … {count(self.writes - len(self.changes), 'more document')}"
        yield from (f"  ! {one}" for one in self.left)
        if self.left_count > len(self.left):
            yield f"  ! … and {self.left_count - len(self.left):,} more"


def capped(left: Iterable[Unmigrated]) -> tuple[tuple[Unmigrated, ...], int]:
    """Return the first 1,000 and the number of all."""
    found = tuple(left)
    return found[:MAX_LEFT], len(found)
