"""Sync states: how what is written of a resource compares with what was approved, carried out and observed of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emco_store.core.keys import Key


@dataclass(frozen=True, slots=True)
class SyncState:
    """What is known of a resource, as four values, and the names of their differences.

    Attributes:
        key: The key of the resource.
        version: Its version, which counts the changes of its own fields.
        digest: The digest of its content now.
        approved: The digest of the content that was approved last; empty where nothing was.
        applied: The digest of the content that was carried out last; empty where nothing was.
        observed: The version that each writer of a status has looked at, by the name of the writer.

    Rules: GEN-6.
    """

    key: Key
    version: int
    digest: str
    approved: str
    applied: str
    observed: Mapping[str, int]

    @property
    def is_modified(self) -> bool:
        """Whether the content is not the one that was approved last; False where nothing was approved."""
        return self.approved not in {"", self.digest}

    @property
    def is_out_of_sync(self) -> bool:
        """Whether the content is not the one that was carried out last; False where nothing was carried out."""
        return self.applied not in {"", self.digest}

    @property
    def is_unobserved(self) -> bool:
        """Whether a writer has not looked at this version yet; True where there is no status at all."""
        return not self.observed or min(self.observed.values()) < self.version

    @property
    def words(self) -> tuple[str, ...]:
        """The differences in words: ``modified``, ``out of sync``, ``unobserved``, as far as they are there."""
        found = {
            "modified": self.is_modified,
            "out of sync": self.is_out_of_sync,
            "unobserved": self.is_unobserved,
        }
        return tuple(word for word, is_so in found.items() if is_so)

    def __str__(self) -> str:
        return f"{self.key}: {', '.join(self.words) or 'in sync'}"
