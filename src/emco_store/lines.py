"""Lines: calls of one store that want a record for which one of them has lost a race go one after the other.

A line is a hint, for speed and fairness: every commit is judged as ever, and whoever goes without waiting breaks
nothing. Nobody waits for ever. A call takes its places in all lines that it wants in one step, and gives them up before
it takes others, so the one that stands longest is first wherever it stands. One that is first for long, because its
function waits for something else or its thread is gone, is passed over by those behind it.

Nothing here talks to a server.
"""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from emco_store.core.keys import Key
from emco_store.core.records import Record

LONGEST_TURN_S = 1.0
"""After how many seconds those behind pass over one that is first."""


class Lines:
    """The lines of one store, by key: there is one for a key as long as somebody stands in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Key, OrderedDict[_Place, None]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def waited_for(self, keys: Iterable[Key]) -> tuple[Key, ...]:
        """Give those of the keys for which there is a line."""
        return tuple(key for key in keys if key in self._lines)

    def enter(self, place: _Place, keys: tuple[Key, ...]) -> None:
        """Stand at the end of the line of each key, and no longer where it stood before."""
        with self._lock:
            self._remove(place)
            place.keys = keys
            place.entries += 1
            place.handed = {}
            for key in keys:
                self._lines.setdefault(key, OrderedDict())[place] = None
            self._look_at(place)

    def leave(self, place: _Place) -> None:
        """Stand in no line; the next ones go."""
        with self._lock:
            self._remove(place)

    def going_before(self, place: _Place) -> Collection[_Place]:
        """Give those who are under way, first where the place stands."""
        with self._lock:
            return [first for key in place.keys if (first := self._first(key)).is_first]

    def pass_over(self, places: Collection[_Place]) -> None:
        """Let others go before those who are still first."""
        with self._lock:
            for place in places:
                if place.is_first:
                    self._remove(place)

    def heirs(self, place: _Place) -> Mapping[_Place, int]:
        """Give those who are second where the place is first, each with the number of its entry."""
        with self._lock:
            if not place.is_first:
                return {}
            return {heir: heir.entries for key in place.keys for heir in islice(self._lines[key], 1, 2)}

    def hand_over(self, heirs: Mapping[_Place, int], records: Mapping[Key, Record]) -> None:
        """Give records to those who still wait as they did when they were named."""
        with self._lock:
            for heir, entry in heirs.items():
                if heir.entries == entry:
                    heir.handed = records

    def _first(self, key: Key) -> _Place:
        return next(iter(self._lines[key]))

    def _remove(self, place: _Place) -> None:
        keys, place.keys, place.is_first = place.keys, (), False
        for key in keys:
            line = self._lines[key]
            del line[place]
            if not line:
                del self._lines[key]
        for key in keys:
            if key in self._lines:
                self._look_at(self._first(key))

    def _look_at(self, place: _Place) -> None:
        if not place.is_first and all(self._first(key) is place for key in place.keys):
            place.is_first = True
            place.call()


def _nothing(_: BaseException) -> Iterable[Key]:
    return ()


class _Place(ABC):
    """What both forms share: where one call stands, in several lines at once or in none.

    Args:
        lines: The lines of the store.
        wanted: Tells for which records a call waits in line after an attempt that ended so; for none without it.
        longest_s: How long it may wait before a read, in seconds; it does so once.

    Attributes:
        keys: In whose lines it stands; in an order, so that a run can be repeated.
        is_first: Whether it is first in all of them, so that it goes.
        entries: How often it has taken a place.
        handed: What the one before it has written.
        waited_s: For how long it has waited, in seconds.
    """

    def __init__(
        self, lines: Lines, wanted: Callable[[BaseException], Iterable[Key]] = _nothing, longest_s: float = 0.0
    ) -> None:
        self.keys: tuple[Key, ...] = ()
        self.is_first = False
        self.entries = 0
        self.handed: Mapping[Key, Record] = {}
        self.waited_s: float = 0.0
        self._lines = lines
        self._wanted = wanted
        self._longest_s = longest_s
        self._called: Any = None
        self._guards: dict[Key, int] = {}
        self._txid = ""
        self._heirs: Mapping[_Place, int] = {}

    @abstractmethod
    def call(self) -> None:
        """Say that it is first now."""

    @abstractmethod
    def _make_call(self) -> Any:
        """Make what it waits for."""

    def enter_after(self, problem: BaseException) -> bool:
        """Take a place for what an attempt has lost; False where that is no use, or it was first for all of it."""
        lost = tuple(self._wanted(problem))
        if not lost:
            self.leave()
        stood = self.keys
        if all(key in stood for key in lost):
            return False
        self._enter((*stood, *lost))
        return True

    def leave(self) -> None:
        """Stand in no line."""
        if self.keys:
            self._lines.leave(self)

    def note(self, read: Mapping[Key, Record]) -> Mapping[Key, Record]:
        """Remember the guards of what was read, for those to whom it will be handed over; give the same."""
        if self.keys:
            self._guards |= {key: record.guard for key, record in read.items()}
        return read

    def name_heirs(self, txid: str) -> None:
        """Take note of who waits next before a commit is sent; one that is sent again changes nothing."""
        if txid != self._txid:
            self._txid = txid
            self._heirs = self._lines.heirs(self) if self.is_first else {}

    def hand_over(self, written: Iterable[Record]) -> None:
        """Give what was just written to those who wait to read it next, so that they need not ask for it.

        Their reads had begun before the commit was sent, so this is what they might have shown. A guard may have grown
        since it was read; it never shrinks, so a commit that rests on an old one is refused.
        """
        if self._heirs:
            records = {record.key: record.guarded(self._guards.get(record.key, 0)) for record in written}
            self._lines.hand_over(self._heirs, records)

    def _must_wait(self, keys: Iterable[Key]) -> bool:
        """Take a place where there is a line for what will be read, unless it has had one: its first read waits."""
        if not len(self._lines) or self.entries or not (wanted := self._lines.waited_for(keys)):
            return False
        self._enter(wanted)
        return True

    def _enter(self, keys: Iterable[Key]) -> None:
        self._called = self._make_call()
        self._lines.enter(self, tuple(dict.fromkeys(keys)))

    def _handed(self, keys: Iterable[Key]) -> Mapping[Key, Record] | None:
        """Give what was handed over, if it is all that will be read, as of one moment."""
        handed = self.handed
        return self.note({key: handed[key] for key in keys}) if all(key in handed for key in keys) else None


class Place(_Place):
    """A place for a thread."""

    def call(self) -> None:
        """See :meth:`_Place.call`."""
        self._called.set()

    def before(self, keys: Collection[Key]) -> Mapping[Key, Record] | None:
        """Wait in line before what others wait for is read; give it, where the one before has handed it over."""
        if not self._must_wait(keys):
            return None
        self._wait(self._longest_s)
        return self._handed(keys)

    def pause(self, seconds: float) -> None:
        """Wait for its turn after it has taken a place, but no longer than that; otherwise sleep for so long."""
        if self._called is None:
            time.sleep(seconds)  # noqa: TID251 - the pause between two attempts, as the policy says
        else:
            self._wait(seconds)

    def _make_call(self) -> threading.Event:
        return threading.Event()

    def _wait(self, seconds: float) -> None:
        called: threading.Event = self._called
        begun_s = time.monotonic()
        try:
            while not called.is_set() and (left_s := begun_s + seconds - time.monotonic()) > 0:
                ahead = self._lines.going_before(self)
                if not called.wait(min(left_s, LONGEST_TURN_S)):
                    self._lines.pass_over(ahead)
        except BaseException:
            self.leave()
            raise
        else:
            if not called.is_set():
                self.leave()
        finally:
            self._called = None  # only now, when nobody can call it
            self.waited_s += time.monotonic() - begun_s


class AsyncPlace(_Place):
    """A place for a task."""

    def call(self) -> None:
        """See :meth:`_Place.call`."""
        with suppress(RuntimeError):  # its loop is closed: those behind it pass it over
            self._called.get_loop().call_soon_threadsafe(_note_call, self._called)

    async def before(self, keys: Collection[Key]) -> Mapping[Key, Record] | None:
        """See :meth:`Place.before`."""
        if not self._must_wait(keys):
            return None
        await self._wait(self._longest_s)
        return self._handed(keys)

    async def pause(self, seconds: float) -> None:
        """See :meth:`Place.pause`."""
        if self._called is None:
            await asyncio.sleep(seconds)
        else:
            await self._wait(seconds)

    def _make_call(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    async def _wait(self, seconds: float) -> None:
        called: asyncio.Future[None] = self._called
        clock = asyncio.get_running_loop().time
        begun_s = clock()
        try:
            while not called.done() and (left_s := begun_s + seconds - clock()) > 0:
                ahead = self._lines.going_before(self)
                await asyncio.wait([called], timeout=min(left_s, LONGEST_TURN_S))
                if not called.done():
                    self._lines.pass_over(ahead)
        except BaseException:
            self.leave()
            raise
        else:
            if not called.done():
                self.leave()
        finally:
            self._called = None  # only now, when nobody can call it
            self.waited_s += clock() - begun_s


def _note_call(called: asyncio.Future[None]) -> None:
    if not called.done():
        called.set_result(None)
