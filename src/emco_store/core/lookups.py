"""Look-ups in a copy of resources: by key, under an ancestor, and by what functions say of each resource."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar, cast

from sortedcontainers import SortedDict

from emco_store.core.following import Added, News, Removed, Updated
from emco_store.core.keys import Key
from emco_store.errors import InvalidCall

R = TypeVar("R")
Index = Callable[[R], Iterable[Hashable] | Hashable]
"""Says under which values a resource is found: one value, or a list, a tuple or a set of them; None for no value."""


class Lookups(Generic[R]):
    """The resources of a copy, in the order of their keys, with indexes.

    Args:
        indexes: Functions by the names of the indexes.
    """

    def __init__(self, indexes: Mapping[str, Index[R]]) -> None:
        self._indexes = indexes
        self._resources: SortedDict[str, R] = SortedDict()
        self._found: dict[str, dict[Hashable, SortedDict[str, R]]] = {name: {} for name in indexes}
        self._places: dict[str, list[tuple[str, Hashable]]] = {}

    def take(self, news: News[R]) -> None:
        """Do what a follower is told."""
        if isinstance(news, Removed | Updated):
            self._leave(news.key.text)
        if isinstance(news, Added | Updated):
            self._enter(news.key.text, news.resource)

    def __len__(self) -> int:
        return len(self._resources)

    def keys(self) -> list[Key]:
        """Return the keys of all resources."""
        return [_key(resource) for resource in self._resources.values()]

    def get(self, key: Key) -> R | None:
        """Return a resource; None if it is not there."""
        return self._resources.get(key.text)

    def under(self, prefix: str) -> list[R]:
        """Return the resources whose keys have texts that begin so, by key."""
        if not prefix:
            return list(self._resources.values())
        found: list[R] = []
        for text in self._resources.irange(prefix):
            if not text.startswith(prefix):
                break
            found.append(self._resources[text])
        return found

    def by(self, name: str, value: Hashable) -> list[R]:
        """Return the resources that an index finds under a value, by key.

        Raises:
            InvalidCall: There is no such index.
        """
        if name not in self._found:
            raise InvalidCall(
                f"Cannot look up by {name!r:.80}.",
                why=[f"the indexes of this cache are: {', '.join(self._found) or 'none'}"],
                hint="give a function for it: store.follow(Model).cache(index={…}).",
            )
        bucket = self._found[name].get(value)
        return [] if bucket is None else list(bucket.values())

    def _enter(self, text: str, resource: R) -> None:
        places = [(name, value) for name, function in self._indexes.items() for value in _values(function(resource))]
        self._resources[text] = resource
        for name, value in places:
            self._found[name].setdefault(value, SortedDict())[text] = resource
        if places:
            self._places[text] = places

    def _leave(self, text: str) -> None:
        self._resources.pop(text, None)
        for name, value in self._places.pop(text, ()):
            bucket = self._found[name][value]
            del bucket[text]
            if not bucket:
                del self._found[name][value]


def _key(resource: Any) -> Key:
    key: Key = resource.key
    return key


def _values(found: Any) -> Iterable[Hashable]:
    if found is None:
        return ()
    if isinstance(found, list | tuple | set | frozenset):
        return frozenset(cast("Iterable[Hashable]", found))
    return (found,)
