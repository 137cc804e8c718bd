"""The beating process without its surroundings: what it does for the leases of a worker, one step at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from emco_store.beating.cells import EMPTY, LAPSED, STALLED, TICK, Cells
from emco_store.beating.clocks import PERIODS, TRIES
from emco_store.beating.notes import Note
from emco_store.core.leases import LeaseTarget
from emco_store.errors import StoreError, Unavailable, UnknownOutcome
from emco_store.ports import Beat, Port, Unreachable, deadline

_S: Final = 1_000_000
LOOK_S: Final = 0.1
"""Maximum time between two steps, in seconds."""
GONE: Final = "the process of its holder is gone"
End = Callable[[LeaseTarget, str], object]
"""Ends a lease, and does to all that depends on it what its rules say; receives the lease and the reason."""


class Attending:
    """Beats for the leases of a worker, and ends them when it is gone or stands still.

    Args:
        port: What beats go over.
        end: Ends a lease.
        cells: What it shares with the worker.
        clock: The clock that both processes share, in microseconds.

    Rules: HB-4, HB-7.
    """

    def __init__(self, port: Port, end: End, cells: Cells, clock: Callable[[], int]) -> None:
        self._port = port
        self._end = end
        self._cells = cells
        self._clock = clock
        self._notes: dict[int, Note] = {}
        self._sent_us = 0
        self._pause = 0.0  # in TTLs, after the newest beat
        self._random = Random()  # noqa: S311 - so that not all processes beat at once

    def take(self, note: Note) -> None:
        """Take note of what the worker says about a lease."""
        if note.uid:
            self._notes[note.cell] = note
        else:
            self._notes.pop(note.cell, None)
            self._cells[note.cell] = EMPTY  # nothing is written there for this lease any more

    def step(self) -> float:
        """Do what is due.

        Returns:
            When to call it again at the latest, in seconds from now.
        """
        now_us = self._clock()
        self._end_stalled(now_us - self._cells[TICK])
        if not self._notes:
            return LOOK_S
        if now_us >= self._due_us():
            self._sent_us = now_us
            was_heard = self._beat(now_us)
            self._pause = self._random.uniform(0.8, 1.0) / PERIODS if was_heard else 1 / TRIES
        return min(LOOK_S, max(0, self._due_us() - now_us) / _S)

    def leave(self) -> None:
        """End all leases: the worker is gone. What cannot be ended now is left to whoever judges."""
        self._end_all(list(self._notes.values()), GONE)

    def _end_stalled(self, still_us: int) -> None:
        stalled = [note for note in self._notes.values() if still_us >= note.stall_us]
        for note in stalled:
            del self._notes[note.cell]
            self._cells[note.cell] = STALLED
        self._end_all(stalled, f"its holder stood still for {still_us / _S:.1f} s")

    def _end_all(self, notes: Iterable[Note], reason: str) -> None:
        for note in notes:
            try:
                self._end(note.target, reason)
            except (Unavailable, UnknownOutcome):
                return
            except StoreError:
                continue  # it has ended already, or a rule forbids its end

    def _beat(self, now_us: int) -> bool:
        """Beat for all leases in one request; return whether an answer came."""
        beats = {note.uid: note.beat(now_us) for note in self._notes.values()}
        # An answer that takes longer helps nobody, and the worker may be gone meanwhile.
        token = deadline.begin(time.monotonic() + self._shortest_us() / PERIODS / _S)
        try:
            answer = self._port.ask(Beat(beats))
        except (Unreachable, StoreError, OSError):
            return False
        finally:
            deadline.end(token)
        for cell, note in list(self._notes.items()):
            if note.uid in answer.lapsed:
                del self._notes[cell]
                self._cells[cell] = LAPSED
            else:
                self._cells[cell] = now_us
        return True

    def _due_us(self) -> int:
        """Return when to beat next: the first time at once, then once a period, however often leases come and go."""
        return self._sent_us + int(self._pause * self._shortest_us())

    def _shortest_us(self) -> int:
        return min((note.ttl_us for note in self._notes.values()), default=0)
