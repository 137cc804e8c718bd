"""Open and close stores with a process that beats: ``python -m tests.beating.starts 100``, on a Redis of its own."""

from __future__ import annotations

import sys

from emco_store import connect
from tests.beating.rig import is_gone, until
from tests.beating.worker import beating_process, wait_until_attended
from tests.servers.redis import running_redis


def leave_nothing(url, namespace, starts):
    """Open a store, take a lease, and close it, while the process is still starting or when it beats.

    Returns:
        The ids of the processes, all of which have ended.
    """
    processes = []
    for number in range(starts):
        with connect(url, namespace=namespace) as store, store.lease(f"seat{number}", heartbeat="process") as lease:
            until(lambda store=store: beating_process(store) is not None, "it is started")
            processes.append(beating_process(store) if number % 4 else wait_until_attended(store, lease))
    until(lambda: all(map(is_gone, processes)), "all have ended")
    return processes


if __name__ == "__main__":
    with running_redis() as server:
        ended = leave_nothing(server.url, "starts", int(sys.argv[1]))
    sys.stdout.write(f"{len(ended)} processes started, all have ended\n")
