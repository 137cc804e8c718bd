"""The feed in memory, and what an event of any backend says of its commit."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from copy import copy
from dataclasses import replace
from itertools import islice
from typing import Final, Protocol

from emco_store.core.events import Action, Event, RecordChange
from emco_store.core.keys import Key
from emco_store.core.messages import read_messages, write_messages
from emco_store.core.records import Record, Stamp
from emco_store.ports import Commit, EventPage, Events, feed_gap, no_cursor

KEPT = 10_000
"""How many of the newest commits the feed of a namespace in memory keeps."""
TRIMMED = "the event that it names is not kept any more, or is none of this feed"
Wake = Callable[[], None]


def changes_of(commit: Commit, stamps: Mapping[Key, Stamp]) -> tuple[RecordChange, ...]:
    """Return what a commit does to records; see :func:`each_change`."""
    return tuple(each_change(commit, stamps))


def each_change(commit: Commit, stamps: Mapping[Key, Stamp | None]) -> Iterator[RecordChange]:
    """Yield what a commit does to records.

    Args:
        commit: The commit.
        stamps: The states of its records before it; those that are not there are missing, or None.
    """
    written = {record.key: record for record in commit.puts}
    for key in (*commit.deletes, *written):
        stamp = stamps.get(key)
        if stamp is not None and (not written or key not in written or written[key].uid != stamp.uid):
            yield RecordChange(Action.DELETED, key, stamp.uid, stamp.version)
    for record in commit.puts:
        yield _written(record, stamps.get(record.key))


def _written(record: Record, before: Stamp | None) -> RecordChange:
    is_same = before is not None and before.uid == record.uid
    return RecordChange(Action.UPDATED if is_same else Action.CREATED, record.key, record.uid, record.version)


_MARKS: Final = {Action.CREATED: "+", Action.UPDATED: "=", Action.DELETED: "-"}
_ACTIONS: Final = {mark: action for action, mark in _MARKS.items()}


def write_changes(changes: Iterable[RecordChange]) -> str:
    """Write changes as the text in which backends keep them; see ``commit.lua``, which writes the same."""
    return "\0".join([f"{_MARKS[one.action]}{one.uid} {one.version} {one.key.text}" for one in changes])


def read_changes(text: str) -> tuple[RecordChange, ...]:
    """Read changes from the text in which they are kept.

    Raises:
        InvalidResource: A key in it is none.
        KeyError: There is no such action.
        ValueError: It is no such text.
    """
    return tuple(map(_change, text.split("\0"))) if text else ()


def _change(text: str) -> RecordChange:
    uid, version, key = text[1:].split(" ", 2)
    return RecordChange(_ACTIONS[text[:1]], Key.parse(key), uid, int(version))


class Ring:
    """The newest commits of one namespace. It keeps nothing until it is first read, or a commit has messages.

    Args:
        kept: How many of them (>= 1).

    Attributes:
        has_begun: Whether it keeps what is added.
        waiting: What to call whenever a commit is added; it must not wait.
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.has_begun = False
        self._last = 0
        self._entries: deque[Event] = deque(maxlen=kept + 1)  # a reader needs the entry that its cursor names, too
        self.waiting: list[Wake] = []

    def copy(self) -> Ring:
        """Return a ring that holds the same, and wakes the same."""
        copied = copy(self)
        copied._entries = self._entries.copy()  # noqa: SLF001 - of the same class
        return copied

    def takes(self, commit: Commit) -> bool:
        """Return whether a commit is to be added."""
        return bool(commit.messages) or (self.has_begun and commit.size > 0)

    def add(self, commit: Commit, stamps: Mapping[Key, Stamp]) -> None:
        """Add a commit, and wake those who wait for one."""
        self._begin()
        self._append(commit.txid, changes_of(commit, stamps), commit)
        for wake in self.waiting:
            wake()

    def page(self, events: Events) -> EventPage:
        """Return the next events, without waiting for one; see :meth:`emco_store.ports.PortBase.events`."""
        self._begin()
        if events.after is None:
            return EventPage(self._entries[0 if events.oldest else -1].cursor)
        begin = number_in(events.after) - self._last + len(self._entries)
        if not 0 < begin <= len(self._entries) or self._entries[begin - 1].cursor != events.after:
            raise feed_gap(TRIMMED, events.after)
        found = tuple(map(_copied, islice(self._entries, begin, begin + events.limit)))
        return EventPage(found[-1].cursor if found else events.after, found)

    @contextmanager
    def waking(self, lock: AbstractContextManager[object], wake: Wake) -> Generator[None]:
        """Have something called whenever a commit is added, until the block is left.

        Args:
            lock: The lock under which commits are added.
            wake: What to call; it must not wait.
        """
        with lock:
            self.waiting.append(wake)
        try:
            yield
        finally:
            with lock:
                if wake in self.waiting:  # a forked process has forgotten it
                    self.waiting.remove(wake)

    def _begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            self._append(f"begun-{secrets.token_hex(8)}", (), Commit(""))

    def _append(self, txid: str, changes: tuple[RecordChange, ...], commit: Commit) -> None:
        self._last += 1
        self._entries.append(Event(f"{self._last}.{txid}", txid, changes, commit.origin, messages=commit.messages))


def _copied(event: Event) -> Event:
    """Return an event whose messages a reader may change."""
    return replace(event, messages=read_messages(write_messages(event.messages))) if event.messages else event


class RingPort(Protocol):
    """A port whose feed is a ring."""

    def events_now(self, events: Events) -> EventPage:
        """Return the next events without waiting for one."""
        ...

    def waking(self, wake: Wake) -> AbstractContextManager[None]:
        """Have something called after each commit that the feed tells, until the block is left."""
        ...


def awaited(port: RingPort, events: Events) -> EventPage:
    """Return the next events of a ring, and wait for one; see :meth:`emco_store.ports.PortBase.events`."""
    until_s = time.monotonic() + events.wait.total_seconds()
    woken = threading.Event()
    with port.waking(woken.set):
        while True:
            woken.clear()
            page = port.events_now(events)
            left_s = until_s - time.monotonic()
            if page.events or events.after is None or left_s <= 0:
                return page
            woken.wait(left_s)


def number_in(cursor: str) -> int:
    """Return the number in a cursor, which a txid follows.

    Raises:
        InvalidCall: It is no such cursor.
    """
    number, point, _ = cursor.partition(".")
    if not point or not number.isascii() or not number.isdigit():
        raise no_cursor(cursor)
    return int(number)
