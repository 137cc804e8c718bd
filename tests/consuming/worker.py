"""A process that consumes: ``python -m tests.consuming.worker URL NAMESPACE BEGIN FOLDER``.

Where the folder holds a file that is named as what an event is about, the process takes the file away and is killed
before the commit.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from emco_store import connect
from emco_store.contracts.consumers import fill
from emco_store.contracts.models import Site

TTL = timedelta(seconds=1)
NAME = "billing"


def main(url, namespace, begin, folder):
    """Consume until killed."""

    def handle(tx, event):
        fill(tx, event)
        trap = Path(folder, event.changes[0].key.name)
        if trap.exists():
            trap.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    with connect(url, namespace=namespace) as store:
        consumer = store.consume(NAME, handle, kinds=[Site], after=begin, seat_ttl=TTL)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        consumer.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
