# Generated from src/emco_store/_aio/iterating.py by `python3 dev.py sync`: do not edit.
"""``Iteration``: goes over all resources of a list, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, Self, TypeVar, cast

from emco_store.core.pages import Page
from emco_store.errors import InvalidResource

T = TypeVar("T")
Unreadable = Literal["raise", "skip", "give"]
"""What an iteration does with the error of a document that cannot be read."""


class Iteration(Generic[T]):
    """The resources of a list, one after the other; made by ``store.iterate``.

    Each page is read when its first resource is asked for. An iteration goes over the list once; after an exception it
    can be continued, and then it goes on after what it gave last.

    Args:
        read: Reads the page after a cursor.
        after: The cursor at which to begin.
        unreadable: What to do with a document that cannot be read.

    Attributes:
        cursor: The cursor after the resource that was given last; the one at which the iteration began before that.

    Rules: ID-17.
    """

    def __init__(self, read: Callable[[str | None], Page[Any]], after: str | None, unreadable: Unreadable) -> None:
        self._read = read
        self._unreadable = unreadable
        self._page: Page[Any] = Page((), after)
        self._position = 0
        self._is_at_end = False
        self.cursor = after

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        while True:
            while self._position < len(self._page.items):
                item: T | InvalidResource = self._page.items[self._position]
                self.cursor = self._page.cursor(self._position)
                self._position += 1
                if self._unreadable == "give" or not isinstance(item, InvalidResource):
                    return cast("T", item)
                if self._unreadable == "raise":
                    raise item
            if self._is_at_end:
                raise StopIteration
            self._page, self._position = self._read(self._page.next), 0
            self._is_at_end = self._page.next is None
