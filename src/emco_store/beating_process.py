"""The program that beats for another process: ``python -m emco_store.beating_process``, which that process starts.

It learns what to do from its standard input, and ends when that ends or when it has another parent. The second counts
where a process that the worker has forked still has the other end of the pipe.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import Final

from emco_store.beating.attending import LOOK_S, Attending
from emco_store.beating.cells import Cells
from emco_store.beating.clocks import own_us
from emco_store.beating.notes import NoteReader, Opening, read_opening
from emco_store.connect import open_to_beat
from emco_store.core.leases import LeaseTarget
from emco_store.errors import StoreError

_INPUT: Final = 0
_PIECE: Final = 1 << 16
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a whole group of processes to end: this one ends with its worker, and not before it."""


def main() -> int:
    """Beat until the worker is gone.

    Returns:
        The exit code: 0, or 1 where the store cannot be opened.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(_INPUT, 1)  # no more than this line: what follows is for the loop below
        if not byte:
            return 0
        first += byte
    opening = read_opening(first)
    try:
        store, port = open_to_beat(opening.options)
    except StoreError as problem:
        sys.stderr.write(f"Cannot beat for process {opening.worker}.\n{problem}\n")
        return 1

    def end(lease: LeaseTarget, reason: str) -> None:
        store.expire(lease, reason=reason)

    with store:
        attend(opening, Attending(port, end, Cells(int(sys.argv[1])), own_us))
    return 0


def attend(opening: Opening, attending: Attending) -> None:
    """Do what is due until the worker is gone, then end its leases."""
    reader, pause_s = NoteReader(), 0.0
    while True:
        if select.select([_INPUT], [], [], pause_s)[0]:
            data = os.read(_INPUT, _PIECE)
            if not data:
                break
            for note in reader.read(data):
                attending.take(note)
        elif os.getppid() != opening.worker:
            break
        pause_s = min(LOOK_S, attending.step())
    attending.leave()


if __name__ == "__main__":
    sys.exit(main())
