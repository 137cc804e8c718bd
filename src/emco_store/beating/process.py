"""The process that beats for this one, as this one sees it: started, told what to beat for, replaced when it ends."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, NoReturn, Protocol

from emco_store.beating.cells import EMPTY, LEFT, TICK, Cells, beyond_standard, new_cells
from emco_store.beating.held import Lease, state_of
from emco_store.beating.notes import Note, Opening, written
from emco_store.errors import NotSupported
from emco_store.queueing.forks import Renewed

MODULE: Final = "emco_store.beating_process"
"""The program."""
_US: Final = timedelta(microseconds=1)
_log: Final = logging.getLogger(__name__)
_FIRST_PAUSE_US: Final = 1_000_000
_LONGEST_PAUSE_US: Final = 60_000_000
_LONGEST_END_S: Final = 2.0
"""How long the end of a store waits for the process, which has something to do only where leases are still held."""


class Running(Protocol):
    """A process that beats for this one."""

    def tell(self, data: bytes) -> int:
        """Send as much as can be sent at once; return how many bytes that was."""
        ...

    def is_there(self) -> bool:
        """Return whether it runs."""
        ...

    def end(self) -> None:
        """Let it end, and wait until it has."""
        ...


Launch = Callable[[Cells], Running]
"""Starts a process, which shares the cells."""


def _is_text(entry: object) -> bool:
    """Return whether an entry of ``sys.path`` is one that Python looks at."""
    return isinstance(entry, str)


class Child(Renewed):
    """A process that beats for this one, started apart from it: it shares neither its signals nor its modules.

    It reads from a pipe, and ends when nobody can write there any more, or when it has another parent. The first alone
    would not do: a process that this one forks has the pipe too. The second alone would be seen later.

    Args:
        cells: What both share.

    Raises:
        OSError: It cannot be started.

    Rules: HB-7.
    """

    def __init__(self, cells: Cells) -> None:
        super().__init__()
        reading, self._writing = map(beyond_standard, os.pipe())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-P", "-m", MODULE, str(cells.fd)],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                pass_fds=(cells.fd,),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(_is_text, sys.path))},
                start_new_session=True,  # what a terminal tells this process is not meant for that one
            )
        except BaseException:
            os.close(self._writing)
            raise
        finally:
            os.close(reading)
        os.set_blocking(self._writing, False)

    def tell(self, data: bytes) -> int:
        """See :meth:`Running.tell`."""
        try:
            return os.write(self._writing, data)
        except (BlockingIOError, BrokenPipeError):
            return 0

    def is_there(self) -> bool:
        """See :meth:`Running.is_there`."""
        return self._process.poll() is None

    def end(self) -> None:
        """See :meth:`Running.end`."""
        with suppress(OSError):
            os.close(self._writing)
        try:
            self._process.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _renew(self) -> None:
        """See :meth:`emco_store.queueing.forks.Renewed._renew`."""
        with suppress(OSError):
            os.close(self._writing)
        self._process.returncode = 0  # it is the parent's, and nothing to wait for


def no_process_from() -> NoReturn:
    """Refuse to let a process beat.

    Raises:
        NotSupported: Always: what the store was made from is in this process only.
    """
    raise NotSupported(
        "This store cannot beat from a process of its own.",
        why=["it was made from a client, a backend or data in memory, which no other process can use"],
        hint="make it from a URL, or give connect() heartbeat_url=, the URL of the same server.",
    )


def launcher(options: Mapping[str, Any]) -> Launch:
    """Return what starts a process that opens a store with these arguments of ``connect``.

    Raises:
        NotSupported: This process does not run in an interpreter that could be started again.
    """
    if not sys.executable or hasattr(sys, "frozen"):
        raise NotSupported(
            "This program cannot beat from a process of its own.",
            why=["sys.executable names no Python interpreter that could be started"],
            hint='beat from a thread: heartbeat="thread".',
        )

    def launch(cells: Cells) -> Running:
        child = Child(cells)
        opening = written(Opening(os.getpid(), options))
        if child.tell(opening) != len(opening):
            child.end()
            message = "what opens the store does not fit into a pipe"
            raise OSError(message)
        return child

    return launch


class Attendance:
    """Lets a process beat for leases of this one. One thread uses it.

    Args:
        launch: Starts the process.
        clock: The clock that both share, in microseconds.

    Rules: HB-7, HB-8.
    """

    def __init__(self, launch: Launch, clock: Callable[[], int]) -> None:
        self._launch = launch
        self._clock = clock
        self._cells = new_cells()
        self._fresh = iter(range(TICK + 1, len(self._cells)))
        self._left: deque[int] = deque()
        self._told: dict[int, tuple[str, int]] = {}
        self._unsent = b""
        self._running: Running | None = None
        self._next_start_us = 0
        self._pause_us = _FIRST_PAUSE_US

    def look(self, leases: Iterable[Lease]) -> None:
        """Tick, see that the process is there, and tell it what is new.

        Args:
            leases: Those for which it is to beat.
        """
        now_us = self._cells[TICK] = self._clock()
        attended = {cell: lease for lease in leases if (cell := self._cell_of(lease)) is not None}
        if self._running is not None and not self._running.is_there():
            _log.warning("The process that beats for process %d has ended; a thread beats meanwhile.", os.getpid())
            self._running.end()
            self._running = None
        if self._running is None:
            self._start(now_us, attended)
        elif any(state_of(lease).is_attended(lease.ttl) for lease in attended.values()):
            self._pause_us = _FIRST_PAUSE_US
        if self._running is not None:
            self._unsent = self._unsent or b"".join(self._news(attended))
            self._unsent = self._unsent[self._running.tell(self._unsent) :]

    def close(self) -> None:
        """Let the process end. It ends those of the leases that are still held."""
        if self._running is not None:
            self._running.end()
        self._cells.close()

    def _start(self, now_us: int, attended: Mapping[int, Lease]) -> None:
        """Start the process; where it does not beat, it is started again after pauses that grow."""
        if now_us < self._next_start_us:
            return
        self._next_start_us = now_us + self._pause_us
        self._pause_us = min(2 * self._pause_us, _LONGEST_PAUSE_US)
        self._unsent = b""
        self._left.extend(self._told.keys() - attended.keys())
        self._told.clear()
        for cell in self._left:  # nobody is there who could still write to them
            self._cells[cell] = EMPTY
        try:
            self._running = self._launch(self._cells)
        except OSError as problem:
            _log.warning("The process that is to beat for process %d cannot be started: %s", os.getpid(), problem)

    def _cell_of(self, lease: Lease) -> int | None:
        """Return the cell of a lease; None where all are in use, so that the thread beats for it."""
        state = state_of(lease)
        if state.cell is None:
            # One that was left is written to until the process has emptied it.
            is_free = len(self._left) > 0 and self._cells[self._left[0]] == EMPTY
            cell = self._left.popleft() if is_free else next(self._fresh, None)
            if cell is not None:
                state.attend(self._cells, cell)
        return state.cell

    def _news(self, attended: Mapping[int, Lease]) -> Iterator[bytes]:
        """Write what the process does not know yet."""
        for left in self._told.keys() - attended.keys():
            del self._told[left]
            self._left.append(left)
            self._cells[left] = LEFT
            yield written(Note(left))
        for cell, lease in attended.items():
            state = state_of(lease)
            fields, reported_us = state.reported
            if self._told.get(cell) != (lease.uid, reported_us):
                self._told[cell] = (lease.uid, reported_us)
                ttl_us, stall_us = lease.ttl // _US, (state.stall_after or lease.ttl) // _US
                yield written(Note(cell, lease.uid, lease.resource.text, ttl_us, stall_us, fields, reported_us))
