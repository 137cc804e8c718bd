"""The clock that every process on this machine shares and nobody sets, how often one beats by it, and who one is."""

from __future__ import annotations

import os
import socket
import time
from typing import Final

_OWN_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that also counts while the machine is suspended, where there is one."""
PERIODS: Final = 3
"""Beats in a TTL."""
TRIES: Final = 15
"""How often a beat that failed is tried again in a TTL."""


def own_us() -> int:
    """Return the time of this process's own clock, which nobody sets, in microseconds."""
    return time.clock_gettime_ns(_OWN_CLOCK) // 1000


def this_process() -> str:
    """Return the name of this process, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"
