"""A dictionary that does what an ordered map should."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emco_store.backends.keyvalue.ordered_map import Span, Write


@dataclass
class MapModel:
    """The entries, and a number for each write in their order.

    Attributes:
        entries: The value and the number of the write of each key.
        writes: The writes so far.
    """

    entries: dict[bytes, tuple[bytes, int]] = field(default_factory=dict[bytes, tuple[bytes, int]])
    writes: int = 0

    def write(self, write: Write, revisions: Mapping[int, int]) -> bool:
        """Write as a map should; ``revisions`` leads from the map's revisions to the own numbers."""
        for key, revision in write.when.items():
            number = self.entries[key][1] if key in self.entries else 0
            if revisions.get(revision, -1) != number:
                return False
        self.writes += 1
        for key in write.deletes:
            self.entries.pop(key, None)
        self.entries |= {key: (value, self.writes) for key, value in write.puts.items()}
        return True

    def within(self, span: Span) -> list[bytes]:
        """Return the keys of a span."""
        return sorted((key for key in self.entries if span.low <= key < span.below), reverse=span.descending)

    def later(self, prefix: bytes, number: int) -> list[tuple[int, bytes]]:
        """Return the entries under a prefix that were put later than a write, the oldest first."""
        written = sorted((at, key) for key, (_, at) in self.entries.items() if key.startswith(prefix))
        return [(at, key) for at, key in written if at > number]
