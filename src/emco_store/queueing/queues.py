"""The queues of one store, one for each key that several calls want.

A queue is a hint, for speed and fairness. Every commit is judged as before, and a call that does not wait breaks
nothing. No call waits for ever: it joins all queues that it needs in one step and leaves them before it joins others,
so the call that has waited longest is first in each of its queues. A call that stays first for long, because its
function waits for something else or its thread is gone, is passed over by those after it.

Nothing here talks to a server.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import islice
from typing import Any

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.queueing.forks import Renewed


class Queues(Renewed):
    """The queues of one store. A key has a queue as long as a call waits or runs in it."""

    def __init__(self) -> None:
        super().__init__()
        self._renew()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        self._lock = threading.Lock()
        self._queues: dict[Key, OrderedDict[BaseWaiter, None]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def queued(self, keys: Iterable[Key]) -> tuple[Key, ...]:
        """Return those of the keys that have a queue."""
        return tuple(key for key in keys if key in self._queues)

    def join(self, waiter: BaseWaiter, keys: tuple[Key, ...]) -> None:
        """Leave all queues, then join the end of the queue of each key, in one step."""
        with self._lock:
            self._remove(waiter)
            waiter.keys = keys
            waiter.entries += 1
            waiter.handed = {}
            for key in keys:
                self._queues.setdefault(key, OrderedDict())[waiter] = None
            self._promote(waiter)

    def leave(self, waiter: BaseWaiter) -> None:
        """Leave all queues and wake those that are first now."""
        with self._lock:
            self._remove(waiter)

    def running_before(self, waiter: BaseWaiter) -> Collection[BaseWaiter]:
        """Return the running waiters at the head of the queues that this one is in."""
        with self._lock:
            return [head for key in waiter.keys if (head := self._head(key)).is_first]

    def pass_over(self, waiters: Collection[BaseWaiter]) -> None:
        """Remove those of the waiters that are still first, so that others run."""
        with self._lock:
            for waiter in waiters:
                if waiter.is_first:
                    self._remove(waiter)

    def successors(self, waiter: BaseWaiter) -> Mapping[BaseWaiter, int]:
        """Return the second waiter of each queue in which this one is first, with the number of its entry."""
        with self._lock:
            if not waiter.is_first:
                return {}
            return {second: second.entries for key in waiter.keys for second in islice(self._queues[key], 1, 2)}

    def hand_over(self, successors: Mapping[BaseWaiter, int], records: Mapping[Key, Record]) -> None:
        """Hand records to those successors that have not left their queues since they were named."""
        with self._lock:
            for waiter, entry in successors.items():
                if waiter.entries == entry:
                    waiter.handed = records

    def _head(self, key: Key) -> BaseWaiter:
        return next(iter(self._queues[key]))

    def _remove(self, waiter: BaseWaiter) -> None:
        keys, waiter.keys, waiter.is_first = waiter.keys, (), False
        for key in keys:
            queue = self._queues[key]
            del queue[waiter]
            if not queue:
                del self._queues[key]
        for key in keys:
            if key in self._queues:
                self._promote(self._head(key))

    def _promote(self, waiter: BaseWaiter) -> None:
        """Wake a waiter that has become first in all of its queues."""
        if not waiter.is_first and all(self._head(key) is waiter for key in waiter.keys):
            waiter.is_first = True
            waiter.wake()


def _nothing(_: BaseException) -> Iterable[Key]:
    return ()


class BaseWaiter(ABC):
    """One call, in several queues at once or in none; what the forms for threads and tasks share.

    Args:
        queues: The queues of the store.
        wanted: Returns the keys that a call queues for after an attempt that ended in this error. Default: none.
        longest_s: Maximum number of seconds to wait before a read; a call does so once.

    Attributes:
        keys: The keys in whose queues it is, in a fixed order, so that a run can be repeated.
        is_first: Whether it is first in all of its queues, so that it runs.
        entries: How often it has joined queues.
        handed: What the waiter before it has written.
        waited_s: Seconds that it has waited in total.
    """

    def __init__(
        self, queues: Queues, wanted: Callable[[BaseException], Iterable[Key]] = _nothing, longest_s: float = 0.0
    ) -> None:
        self.keys: tuple[Key, ...] = ()
        self.is_first = False
        self.entries = 0
        self.handed: Mapping[Key, Record] = {}
        self.waited_s: float = 0.0
        self._queues = queues
        self._wanted = wanted
        self._longest_s = longest_s
        self._woken: Any = None
        self._guards: dict[Key, int] = {}
        self._txid = ""
        self._successors: Mapping[BaseWaiter, int] = {}

    @abstractmethod
    def wake(self) -> None:
        """Signal that it is first now."""

    @abstractmethod
    def _make_signal(self) -> Any:
        """Build what it waits for."""

    def join_after(self, problem: BaseException) -> bool:
        """Join the queues of what an attempt has lost.

        Returns:
            False if queueing does not help, or if it was first for all of it already.
        """
        lost = tuple(self._wanted(problem))
        if not lost:
            self.leave()
        before = self.keys
        if all(key in before for key in lost):
            return False
        self._join((*before, *lost))
        return True

    def leave(self) -> None:
        """Leave all queues."""
        if self.keys:
            self._queues.leave(self)

    def note(self, read: Mapping[Key, Record]) -> Mapping[Key, Record]:
        """Remember the guards of what was read, for successors that receive it; return the same records."""
        if self.keys:
            self._guards |= {key: record.guard for key, record in read.items()}
        return read

    def note_successors(self, txid: str) -> None:
        """Remember who waits next, before a commit is sent; a commit that is sent again changes nothing."""
        if txid != self._txid:
            self._txid = txid
            self._successors = self._queues.successors(self) if self.is_first else {}

    def hand_over(self, written: Iterable[Record]) -> None:
        """Hand what was just written to the successors, so that they need not read it.

        Their reads began before the commit was sent, so this is what they might have returned. A guard may have grown
        since it was read. It never shrinks, so a commit that rests on an old guard is refused.
        """
        if self._successors:
            records = {record.key: record.guarded(self._guards.get(record.key, 0)) for record in written}
            self._queues.hand_over(self._successors, records)

    def _must_wait(self, keys: Iterable[Key]) -> bool:
        """Join the queues of what will be read, if there are any and this is the first read of the call."""
        if not len(self._queues) or self.entries or not (wanted := self._queues.queued(keys)):
            return False
        self._join(wanted)
        return True

    def _join(self, keys: Iterable[Key]) -> None:
        self._woken = self._make_signal()
        self._queues.join(self, tuple(dict.fromkeys(keys)))

    def _handed(self, keys: Iterable[Key]) -> Mapping[Key, Record] | None:
        """Return what was handed over, if it is all that will be read, as of one moment."""
        handed = self.handed
        return self.note({key: handed[key] for key in keys}) if all(key in handed for key in keys) else None
