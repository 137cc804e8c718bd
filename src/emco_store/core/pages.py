"""Pages: what a list returns, a part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from emco_store.core.wording import count
from emco_store.errors import InvalidResource

T = TypeVar("T")
_MAX_SHOWN = 3


@dataclass(frozen=True, slots=True, repr=False)
class Page(Generic[T]):
    """One page of a list.

    To iterate over it gives the resources, and raises the error of one that cannot be read where its turn comes.
    ``resources`` leaves such ones out, and ``items`` holds the errors in their places.

    Attributes:
        items: The resources in order; for a document that cannot be read, an ``InvalidResource`` in its place.
        next: The cursor for ``after=``; None at the end.
    """

    items: tuple[T | InvalidResource, ...]
    next: str | None = None
    _cursor: Callable[[int], str | None] | None = field(default=None, compare=False)

    def __iter__(self) -> Iterator[T]:
        for item in self.items:
            if isinstance(item, InvalidResource):
                raise item
            yield item

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        shown = [str(getattr(item, "key", item)) for item in self.items[:_MAX_SHOWN]]
        shown += ["…"] * (len(self.items) > _MAX_SHOWN)
        rest = "the last page" if self.next is None else "more follow"
        return f"<Page of {count(len(self.items), 'item')}, {rest}: {', '.join(shown)}>"

    @property
    def resources(self) -> tuple[T, ...]:
        """The readable resources."""
        return tuple(item for item in self.items if not isinstance(item, InvalidResource))

    @property
    def errors(self) -> tuple[InvalidResource, ...]:
        """The errors of documents that cannot be read."""
        return tuple(item for item in self.items if isinstance(item, InvalidResource))

    def cursor(self, position: int) -> str | None:
        """Return the cursor after one of the items, as ``next`` is the one after the last.

        Args:
            position: The position of the item in ``items``.
        """
        return self.next if self._cursor is None else self._cursor(position)
