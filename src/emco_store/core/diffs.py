"""Diffs: what differs between two contents, resource by resource and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from emco_store.core.digests import changed_between, fingerprint
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.trails import FieldChange, differences

MAX_LINE: Final = 160
"""Characters of one changed field in the text of a diff."""


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """One resource whose document differs.

    Attributes:
        key: The key of the resource.
        fields: The fields that differ, in the order of the document.
    """

    key: Key
    fields: tuple[FieldChange, ...]

    @property
    def lines(self) -> Iterator[str]:
        """The lines that show it."""
        yield f"~ {self.key}"
        for field in self.fields:
            text = str(field)
            yield f"    {text if len(text) <= MAX_LINE else f'{text[:MAX_LINE]}…'}"


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between two contents of a resource.

    Attributes:
        key: The key of the resource.
        before: The number of the earlier revision; None stands for the content now.
        after: The number of the later revision; None stands for the content now.
        added: The keys of resources that only the later content has.
        removed: The keys of resources that only the earlier content has.
        changed: The resources whose documents differ.
    """

    key: Key
    before: int | None
    after: int | None
    added: tuple[Key, ...]
    removed: tuple[Key, ...]
    changed: tuple[DocumentChange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    def __str__(self) -> str:
        sides = " -> ".join("now" if side is None else f"revision {side}" for side in (self.before, self.after))
        if not self:
            return f"{self.key}, {sides}: no difference."
        figures = f"{len(self.added):,} added, {len(self.removed):,} removed, {len(self.changed):,} changed"
        lines = [f"{self.key}, {sides}: {figures}."]
        lines += [f"  + {key}" for key in self.added]
        lines += [f"  - {key}" for key in self.removed]
        lines += [f"  {line}" for change in self.changed for line in change.lines]
        return "\n".join(lines)


def compare(
    before: Mapping[Key, bytes], after: Mapping[Key, bytes]
) -> tuple[list[Key], list[Key], list[DocumentChange]]:
    """Compare documents by key; return what was added, removed and changed.

    Args:
        before: The documents of the earlier content.
        after: The documents of the later content.
    """
    prints = [{key.text: fingerprint(document) for key, document in side.items()} for side in (before, after)]
    keys = changed_between(*prints)
    changed = [document_change(key, before[key], after[key]) for key in keys if key in before and key in after]
    return [key for key in keys if key not in before], [key for key in keys if key not in after], changed


def document_change(key: Key, before: bytes, after: bytes) -> DocumentChange:
    """Compare two documents of a resource, field by field; one that cannot be read differs as a whole."""
    try:
        sides = decode(before), decode(after)
    except ValueError:
        sides = before.decode("utf-8", "replace"), after.decode("utf-8", "replace")
    return DocumentChange(key, tuple(differences(*sides)))
