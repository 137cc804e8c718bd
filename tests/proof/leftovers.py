"""What a dead client leaves open on its server: seen, waited for, and ended as the server itself does in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pymongo import MongoClient

from proof.rig import Rig

NAME = "transactionLifetimeLimitSeconds"
SHORT_S = 2
"""A dead client's transaction ends after so many seconds, instead of 60."""
WAIT_S = 180.0
_PAUSE = threading.Event()


@contextmanager
def short_lives(rig: Rig) -> Generator[None]:
    """Let the server end transactions after two seconds while the block runs; MongoDB alone has any."""
    if rig.name != "mongo":
        yield
        return
    with MongoClient[Any](rig.url) as client:
        before = client.admin.command("getParameter", 1, **{NAME: 1})[NAME]
        client.admin.command("setParameter", 1, **{NAME: SHORT_S})
        try:
            yield
        finally:
            client.admin.command("setParameter", 1, **{NAME: before})


def end(rig: Rig) -> None:
    """End at once whatever is open, so that a quick run need not wait for the server."""
    if rig.name == "mongo":
        with MongoClient[Any](rig.url) as client:
            client.admin.command("killAllSessions", [])


def wait_for_quiet(rig: Rig) -> None:
    """Return when nothing that the dead began can still happen."""
    if rig.name != "mongo":
        return  # what Redis was sent it has done before it answers what is asked twice, one after the other
    stages = [{"$currentOp": {"idleSessions": True}}, {"$match": {"transaction": {"$exists": True}}}]
    until = time.monotonic() + WAIT_S
    with MongoClient[Any](rig.url) as client:
        while list(client.admin.aggregate(stages)):
            if time.monotonic() > until:
                message = f"a transaction is open after {WAIT_S:.0f} s"
                raise RuntimeError(message)
            _PAUSE.wait(0.05)
