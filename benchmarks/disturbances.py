"""What happens to the network or the server when a worker dies, for ``python -m benchmarks.detection``.

Beside the worker that dies, others live, whose leases must not end. A reaper judges all of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from time import perf_counter
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import uuid4 as new_id  # noqa: TID251 - a name for each run, so that none meets the data of another

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from redis import Redis

from benchmarks.holders import (
    MODELS,
    TTL,
    Nursery,
    assign,
    is_freed,
    nursery_of,
    reaping,
    until,
    without_lease,
    written,
)
from benchmarks.servers import servers
from emco_store import Reaped, Store, connect
from examples.streams.wire import HOST, Wire
from tests.servers.mongo import replica_set
from tests.servers.redis_nodes import Node, primary_and_replica, replication

OTHERS: Final = 5
"""How many workers live meanwhile."""
TTL_S: Final = TTL.total_seconds()


class Ground(Protocol):
    """Where workers die, and what happens then.

    Attributes:
        url: The server.
        way: The same, as the worker that dies reaches it.
        version: The version of the server.
        is_fenced: Whether the worker goes on meanwhile, and its commits must be refused afterwards.
    """

    url: str
    way: str
    version: str
    is_fenced: bool

    def prepare(self) -> None:
        """Do what must be done before the worker dies; it lives still."""
        ...

    def strike(self, pid: int) -> None:
        """Let the worker die, or cut it off; return when the disturbance is over."""
        ...

    def settle(self) -> None:
        """Make everything as it was, and return when the next worker may be struck."""
        ...


@dataclass(slots=True)
class Found:
    """What a run has found.

    Attributes:
        took_s: The times from each strike until the operators were free, in seconds.
        after_s: The times until then from the end of each disturbance; 0 where they were free before it.
        false_ends: The workers whose leases ended while they lived.
        late: How many entries were written by workers after the end of their leases.
    """

    took_s: list[float] = field(default_factory=list)
    after_s: list[float] = field(default_factory=list)
    false_ends: set[str] = field(default_factory=set)
    late: int = 0

    @property
    def is_right(self) -> bool:
        """Whether no lease of a live holder has ended, and nobody has written after the end of its own."""
        return not self.false_ends and not self.late


def measure(ground: Ground, heartbeat: str, times: int) -> Found:
    """Strike workers, one after another.

    Args:
        ground: What happens.
        heartbeat: What beats for the workers that are struck: ``thread`` or ``process``.
        times: How many are struck.
    """
    namespace, found = f"detect-{new_id().hex}", Found()
    struck: set[str] = set()

    def told(reaped: Reaped) -> None:
        found.false_ends.update({key.name for key in reaped.ended} - struck)

    with (
        connect(ground.url, namespace=namespace, models=MODELS) as store,
        nursery_of(namespace) as nursery,
        reaping(ground.url, namespace, told),
    ):
        others = nursery.start([f"other{at}" for at in range(OTHERS)], "thread", ground.url)
        Event().wait(TTL_S)  # the reaper has kept watch for a TTL from now on
        for at in range(times):
            name = f"w{at}"
            pids = nursery.start([name], heartbeat, ground.way, writes=ground.is_fenced)
            assign(store, name)
            ground.prepare()
            found.false_ends |= without_lease(store) & {*others, name}
            struck.add(name)
            _strike(ground, store, found, name=name, pid=pids[name])
            if ground.is_fenced:
                found.late += _late(ground, store, nursery, name)
                os.kill(pids[name], signal.SIGKILL)
            else:
                ground.settle()
            found.false_ends |= without_lease(store) & {*others}
    return found


def _strike(ground: Ground, store: Store, found: Found, *, name: str, pid: int) -> None:
    def strike() -> float:
        ground.strike(pid)
        return perf_counter()

    with ThreadPoolExecutor(1) as pool:
        begin_s = perf_counter()
        over = pool.submit(strike)
        until(lambda: is_freed(store, name), f"the operators of {name} are free")
        freed_s = perf_counter()
        found.took_s.append(freed_s - begin_s)
        found.after_s.append(max(0.0, freed_s - over.result()))


def _late(ground: Ground, store: Store, nursery: Nursery, name: str) -> int:
    """Let everything be as it was; return how many entries a worker has written since the end of its lease."""
    before = written(store, name)
    ground.settle()
    nursery.wait_for_refusal(name)
    return written(store, name) - before


class Partition:
    """The worker is cut off. What it has sent arrives when the network works again, after the end of its lease.

    Args:
        url: The server.
        version: Its version.
    """

    is_fenced = True

    def __init__(self, url: str, version: str) -> None:
        there = urlsplit(url)
        self.url, self.version = url, version
        self._wire = Wire(there.hostname or HOST, there.port or 0)
        user, at, _ = there.netloc.rpartition("@")
        query = "directConnection=true" if there.scheme == "mongodb" else there.query  # or it would go around the wire
        self.way = there._replace(netloc=f"{user}{at}{HOST}:{self._wire.port}", query=query).geturl()

    def prepare(self) -> None: ...

    def strike(self, pid: int) -> None:
        del pid  # it goes on
        self._wire.cut()

    def settle(self) -> None:
        self._wire.mend()

    def close(self) -> None:
        """End all connections."""
        self._wire.close()


class StepDown:
    """The worker is killed, and the primary steps down at once.

    Args:
        url: A replica set.
        client: A client of it.
    """

    is_fenced = False

    def __init__(self, url: str, client: MongoClient[dict[str, Any]]) -> None:
        self.url = self.way = url
        self.version: str = client.server_info()["version"]
        self._client = client

    def prepare(self) -> None: ...

    def strike(self, pid: int) -> None:
        old = self._client.primary
        os.kill(pid, signal.SIGKILL)
        with suppress(PyMongoError):  # the answer may be lost; whether another one follows is seen below
            self._client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=1, force=True)
        until(lambda: self._client.primary not in {None, old} and self._is_writable(), "there is another primary")

    def settle(self) -> None:
        until(lambda: self._states() == ["PRIMARY", "SECONDARY", "SECONDARY"], "the members follow the primary")

    def _is_writable(self) -> bool:
        try:
            return bool(self._client.admin.command("hello")["isWritablePrimary"])
        except PyMongoError:
            return False

    def _states(self) -> list[str]:
        try:
            members = self._client.admin.command("replSetGetStatus")["members"]
        except PyMongoError:
            return []
        return sorted(member["stateStr"] for member in members)


class _Switch(Wire):
    """A wire that may lead to another server, as an address does that moves to another machine."""

    def lead_to(self, port: int) -> None:
        """Let new connections lead to this port."""
        self._target = (HOST, port)


class Failover:
    """The worker and the primary are killed, and its replica takes over, which has heard the newest beats no more.

    The address of the server moves to the replica; the former primary comes back empty, as the replica of the new one.

    Args:
        primary: The primary.
        replica: Its replica.
        switch: The way to the primary.
        forgets_s: The time before the failover of which the replica knows nothing, in seconds.
        takes_s: How long there is no server, in seconds.
    """

    is_fenced = False

    def __init__(self, primary: Node, replica: Node, switch: _Switch, *, forgets_s: float, takes_s: float) -> None:
        self.url = self.way = f"redis://{HOST}:{switch.port}/0"
        self.version = str(primary.ask("INFO", "server")["redis_version"])
        self._primary, self._replica, self._switch = primary, replica, switch
        self._forgets_s, self._takes_s = forgets_s, takes_s

    def prepare(self) -> None:
        with Redis.from_url(self._primary.url, single_connection_client=True) as client:
            client.set("replicate", "")  # WAIT is about what its own connection has written
            client.wait(1, 0)
        self._replica.ask("REPLICAOF", "NO", "ONE")
        Event().wait(self._forgets_s)

    def strike(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        self._primary.kill()
        Event().wait(self._takes_s)
        self._switch.lead_to(self._replica.port)

    def settle(self) -> None:
        self._primary, self._replica = self._replica, self._primary
        self._primary.ask("CONFIG SET", "repl-diskless-sync-delay", 0)
        self._replica.start()
        self._replica.ask("REPLICAOF", HOST, self._primary.port)
        self._replica.wait_until(lambda: replication(self._replica)["master_link_status"] == "up")


@contextmanager
def partition(server: str) -> Iterator[Ground]:
    """Give a server of one member, to which a wire leads."""
    with servers({server}) as found:
        ground = Partition(*found[server])
        try:
            yield ground
        finally:
            ground.close()


@contextmanager
def step_down() -> Iterator[Ground]:
    """Give a replica set of three members."""
    with replica_set(3) as (url, _), MongoClient[dict[str, Any]](url, heartbeatFrequencyMS=500) as client:
        yield StepDown(url, client)


@contextmanager
def failover(forgets: float, takes: float) -> Iterator[Ground]:
    """Give a primary and its replica.

    Args:
        forgets: The time before the failover of which the replica knows nothing, in TTLs.
        takes: How long there is no server, in TTLs.
    """
    with primary_and_replica() as (primary, replica):
        switch = _Switch(HOST, primary.port)
        try:
            yield Failover(primary, replica, switch, forgets_s=forgets * TTL_S, takes_s=takes * TTL_S)
        finally:
            switch.close()


Grounds = Mapping[str, Callable[[], AbstractContextManager[Ground]]]
GROUNDS: Final[Mapping[str, Grounds]] = {
    "partition": {server: partial(partition, server) for server in ("redis", "mongo")},
    "step-down": {"mongo": step_down},
    "failover": {"redis": partial(failover, 7 / 10, 0)},
    "outage": {"redis": partial(failover, 1, 1)},
}
"""By what happens and by the server. A failover that is over at once forgets the beats of 7 / 10 of a TTL; one after an
outage of a TTL, those of a whole one."""
