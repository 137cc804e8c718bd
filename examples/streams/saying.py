"""How the processes of the example talk to the one that has started them, and end with it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from threading import Thread

_SET_DEATH_SIGNAL = 1


def say(**event: object) -> None:
    """Write an event to the standard output, as a line of JSON."""
    print(json.dumps(event), flush=True)


def end_with_parent() -> None:
    """End this process when the one that has started it ends, however that ends."""
    if sys.platform == "linux":  # prctl(2): the kernel kills it then, even where it is stopped
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    sys.stdin.read()
    os._exit(0)
