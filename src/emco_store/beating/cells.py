"""Numbers that two processes share: each is written and read as a whole, and nobody waits for anybody.

So the holder of a lease knows of the newest beat that a process has sent for it, although its own threads have stood
still, and a process that stands still delays nobody.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from typing import Final

TICK: Final = 0
"""The cell that the worker writes: when it was last seen at work, by the clock that both processes share."""
EMPTY: Final = 0
"""What the cell of a lease says before the first beat for it."""
LAPSED: Final = -1
"""The lease has been ended by somebody else."""
STALLED: Final = -2
"""The process that beats has ended the lease, because the worker stood still."""
LEFT: Final = -3
"""The worker does not hold the lease any more. The process empties the cell once it knows, and then leaves it alone."""
_WIDTH: Final = 8
_LAST_STANDARD: Final = 2
_NUMBER: Final = 1 << 16
"""Cells. A page of memory is used when a cell of it is, so that most of them cost nothing."""


class Cells:
    """Cells for the tick of a worker and the leases that it holds.

    Args:
        fd: The file that holds them, which both processes map.

    Attributes:
        fd: The file.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        # A number that is aligned and as wide as a word is written and read in one step.
        self._numbers = memoryview(mmap.mmap(fd, _NUMBER * _WIDTH)).cast("q")

    def __getitem__(self, cell: int) -> int:
        return self._numbers[cell]

    def __setitem__(self, cell: int, number: int) -> None:
        self._numbers[cell] = number

    def __len__(self) -> int:
        return _NUMBER

    def close(self) -> None:
        """Close the file. What it holds can still be read here, by whoever has a lease of a closed store."""
        os.close(self.fd)


def new_cells() -> Cells:
    """Return cells that are all empty, in a file without a name."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("emco-store-beats")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    fd = beyond_standard(fd)
    os.truncate(fd, _NUMBER * _WIDTH)
    return Cells(fd)


def beyond_standard(fd: int) -> int:
    """Return a number for an open file, in place of the given one, that is not one of standard input, output and error.

    A process that was started without these gets their numbers for the files that it opens first, and whatever then
    writes an error message writes to those.
    """
    if fd > _LAST_STANDARD:
        return fd
    found = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LAST_STANDARD + 1)
    os.close(fd)
    return found
