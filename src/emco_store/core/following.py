"""Following: the copy of some resources that a follower keeps, and what it is told when the copy changes.

A follower takes a cursor of the feed, lists the resources, and then reads the feed after the cursor. Both the pages of
the list and what the events are about go through a :class:`Copy`, which tells what is new in it and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from emco_store.core.events import Aspect
from emco_store.core.keys import Key
from emco_store.errors import InvalidResource

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Added(Generic[R]):
    """A resource that the follower has not been told of, or has been told is gone.

    Attributes:
        resource: The resource.
    """

    resource: R

    @property
    def key(self) -> Key:
        """Its key."""
        return _key(self.resource)


@dataclass(frozen=True, slots=True)
class Updated(Generic[R]):
    """A resource that has changed.

    Attributes:
        resource: The resource as it is now.
        old: The resource as the follower was told of it last.
        aspect: What of it has changed; for all but the resource itself, ``old`` is the same as ``resource``.
    """

    resource: R
    old: R
    aspect: Aspect = Aspect.RESOURCE

    @property
    def key(self) -> Key:
        """Its key."""
        return _key(self.resource)


@dataclass(frozen=True, slots=True)
class Removed(Generic[R]):
    """A resource that is gone, or is no longer one of those that are followed.

    Attributes:
        old: The resource as the follower was told of it last.
    """

    old: R

    @property
    def key(self) -> Key:
        """Its key."""
        return _key(self.old)


@dataclass(frozen=True, slots=True)
class Resynced:
    """The resources were listed from the first to the last, and all that this has shown was told.

    It comes after the first list, and again after each gap of the feed. What happened in a gap is told as the
    difference between the state before and the state after it; what came and went in between is not told.

    Attributes:
        gone: The keys of the resources that were there before and are not any more, each told as ``Removed`` too.
        cursor: Where the feed stood when the list began.
    """

    gone: tuple[Key, ...]
    cursor: str


News = Added[R] | Updated[R] | Removed[R] | Resynced
"""What a follower is told."""


class Copy(Generic[R]):
    """The resources that a follower has been told of.

    Args:
        holds: Returns whether a resource is one of those that are followed.

    Attributes:
        resources: The resources by key.
        unreadable: The errors of documents that cannot be read, by key. Such a resource counts as gone.

    Rules: FEED-12.
    """

    def __init__(self, holds: Callable[[R], bool]) -> None:
        self._holds = holds
        self._unseen: set[Key] = set()
        self.resources: dict[Key, R] = {}
        self.unreadable: dict[Key, InvalidResource] = {}

    def begin(self) -> None:
        """Begin a list: what it does not show is gone."""
        self._unseen = {*self.resources, *self.unreadable}

    def listed(self, items: Iterable[R | InvalidResource]) -> list[News[R] | InvalidResource]:
        """Take a page of the list; return what is new."""
        told: list[News[R] | InvalidResource] = []
        for item in items:
            key = _key(item)
            self._unseen.discard(key)
            told += self._take(key, item)
        return told

    def end(self, cursor: str) -> list[News[R] | InvalidResource]:
        """End the list; return what is gone, and that the list is complete."""
        told = [one for key in sorted(self._unseen) for one in self._take(key, None)]
        self._unseen = set()
        return [*told, Resynced(tuple(one.key for one in told if isinstance(one, Removed)), cursor)]

    def changed(
        self, touched: Mapping[Key, Iterable[Aspect]], found: Mapping[Key, R | InvalidResource]
    ) -> list[News[R] | InvalidResource]:
        """Take what events are about; return what is new.

        Args:
            touched: The keys, and what of each resource has changed.
            found: The resources of these keys that are there, as they were read after the events.
        """
        told: list[News[R] | InvalidResource] = []
        for key, aspects in touched.items():
            told += self._take(key, found.get(key))
            if (there := self.resources.get(key)) is not None:
                told += [Updated(there, there, aspect) for aspect in aspects if aspect is not Aspect.RESOURCE]
        return told

    def _take(self, key: Key, item: R | InvalidResource | None) -> Iterator[News[R] | InvalidResource]:
        """Take the state of one resource; yield what is new."""
        old = self.resources.get(key)
        self.unreadable.pop(key, None)
        if item is None or isinstance(item, InvalidResource) or not self._holds(item):
            if old is not None:
                del self.resources[key]
                yield Removed(old)
            if isinstance(item, InvalidResource):
                self.unreadable[key] = item
                yield item
            return
        self.resources[key] = item
        if old is None:
            yield Added(item)
        elif _uid(old) != _uid(item):
            yield Removed(old)
            yield Added(item)
        elif _state(old) != _state(item):
            yield Updated(item, old)


def _key(value: Any) -> Key:
    key: Key = value.key
    return key


def _uid(value: Any) -> str:
    uid: str = value.meta.uid
    return uid


def _state(value: Any) -> tuple[int, int]:
    """Return what tells two states of one resource apart, even where a failover has forgotten a version."""
    return value.meta.version, value.meta.updated_us
