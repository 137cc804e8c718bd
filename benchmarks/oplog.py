"""A reader of a MongoDB server's oplog, in a process of its own; ``python -m benchmarks.oplog URL`` is that process.

A replica set of several members always has such readers: the secondaries. A set of one has none, and its server then
lets an acknowledged write wait up to a millisecond, so that others may join it; whether one has to wait is a matter of
microseconds, and figures from such a server are a mixture of two times.

Source: MongoDB 6.0, ``wiredtiger_oplog_manager.cpp``, the loop that makes the oplog visible.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import CursorType, MongoClient

WAIT_MS = 10_000
READY = "reading"


@contextmanager
def read_along(url: str) -> Iterator[None]:
    """Have the oplog of a server read while the block runs."""
    command = [sys.executable, "-m", "benchmarks.oplog", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        try:
            if process.stdout is None or process.stdout.readline().strip() != READY:
                message = "the oplog of the server cannot be read"
                raise RuntimeError(message)
            yield
        finally:
            process.kill()


def main(url: str) -> None:
    """Wait for entries that never come; the server looks at all others, and sends none."""
    client: MongoClient[dict[str, Any]] = MongoClient(url)
    oplog = client.local["oplog.rs"]
    while newest := oplog.find_one(sort=[("$natural", -1)]):
        print(READY, flush=True)  # each time; it ends seldom, when the server drops the entry at which it stands
        none = {"ts": {"$gt": newest["ts"]}, "ns": "no.such"}
        cursor = oplog.find(none, cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(WAIT_MS)
        while cursor.alive:
            next(cursor, None)


if __name__ == "__main__":
    main(sys.argv[1])
