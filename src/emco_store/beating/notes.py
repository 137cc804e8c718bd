"""What a worker tells the process that beats for it: one line for the opening, then one for each change of a lease."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic_core import to_json

from emco_store.core.keys import Key
from emco_store.core.leases import LeaseTarget, write_progress
from emco_store.core.pulses import Heartbeat


@dataclass(frozen=True, slots=True)
class Opening:
    """How the process opens the store. It comes over a pipe, since it may hold a password.

    Attributes:
        worker: The id of the worker's process.
        options: The arguments of ``connect``.
    """

    worker: int
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """All that the process needs to know about the lease of one cell; it replaces what was said of the cell before.

    Attributes:
        cell: The cell in which the process says how it goes.
        uid: The uid of the lease; empty once the worker does not hold it any more.
        resource: The text of the key of the resource.
        ttl_us: The TTL, in microseconds.
        stall_us: After which time without a tick the lease is ended, in microseconds.
        progress: What the holder has reported.
        reported_us: When it did, by the clock that both processes share.
    """

    cell: int
    uid: str = ""
    resource: str = ""
    ttl_us: int = 0
    stall_us: int = 0
    progress: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reported_us: int = 0

    @property
    def target(self) -> LeaseTarget:
        """The lease."""
        return LeaseTarget(Key.parse(self.resource), self.uid)

    def beat(self, now_us: int) -> Heartbeat:
        """Return a beat for the lease.

        The time is its number: a worker and its process both beat at times, and the later beat must have the greater
        number.
        """
        progress = write_progress(self.progress, now_us - self.reported_us)
        return Heartbeat(self.target.key, now_us, timedelta(microseconds=self.ttl_us), progress)


def written(what: Opening | Note) -> bytes:
    """Write a line. Progress may hold whatever pydantic can write as JSON, such as a time."""
    return to_json(what) + b"\n"


def read_opening(line: bytes) -> Opening:
    """Read the first line."""
    return Opening(**json.loads(line))


class NoteReader:
    """Makes notes of bytes, which arrive in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, data: bytes) -> Iterator[Note]:
        """Yield the notes that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield Note(**json.loads(line))
