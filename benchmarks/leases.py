"""``python -m benchmarks.leases``: hold many leases for minutes, with a reaper that judges them, and count false ends.

The holders are one process that beats for 1,000 leases at a time, spread over the period, as many processes with 1,000
leases each would. The reaper runs in a process of its own, with the library's own loop. Every lease that it ends is
a false end, because all holders live. Processor time is the server's own account, and that of the two processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from threading import Event, Thread
from time import monotonic, process_time
from typing import Any
from uuid import uuid4 as new_id  # noqa: TID251 - a name for each run, so that none meets the data of another

from benchmarks.beats import cpu_of
from benchmarks.machine import describe
from benchmarks.servers import servers
from emco_store import Reaped, Resource, connect
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseDocument, lease_record
from emco_store.core.origins import NOBODY
from emco_store.core.pulses import Heartbeat
from emco_store.core.records import Record
from emco_store.ports import Backend, Beat, Commit, Port, Receipt

NUMBERS = {"redis": 100_000, "mongo": 10_000}
TTL = timedelta(seconds=15)
PERIOD_S = TTL.total_seconds() / 3
BATCH = 1000
AT_ONCE = 250
"""Leases that one commit takes."""


class Holder(Resource, kind="Holder", lease=TTL):
    """What is leased."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a run has found.

    Attributes:
        number: How many leases were held.
        seconds: For how long.
        beats: How many beats were sent.
        late_s: The longest time between two beats of one lease, in seconds.
        false_ends: How many leases were ended, as the holders were told or the reaper has said.
        server: The share of one core that the server took.
        holders: The share of one core that the holders took.
        reaper: The share of one core that the reaper took.
    """

    number: int
    seconds: float
    beats: int
    late_s: float
    false_ends: int
    server: float
    holders: float
    reaper: float

    def __str__(self) -> str:
        return (
            f"{self.number:,} leases for {self.seconds:,.0f} s, {self.beats:,} beats, up to {self.late_s:.1f} s apart; "
            f"{self.false_ends} false ends; of a core: server {self.server:.0%}, holders {self.holders:.0%}, "
            f"reaper {self.reaper:.0%}"
        )


def reap(url: str, namespace: str, pipe: Connection) -> None:
    """Run a reaper until something comes over the pipe; send back what it has ended and its processor time."""
    ended: list[Key] = []

    def told(reaped: Reaped) -> None:
        ended.extend(reaped.ended)

    with connect(url, namespace=namespace, models=[Holder]) as store:
        reaper = store.reaper(poll=timedelta(seconds=1))
        thread = Thread(target=reaper.run, args=(told,))
        thread.start()
        begin_s = process_time()
        pipe.recv()
        reaper.stop()
        thread.join()
    pipe.send((len(ended), process_time() - begin_s))


def take(port: Port, begin: int, end: int, ttl: timedelta = TTL) -> list[dict[str, Key]]:
    """Take the leases of resources by their numbers; return their keys by uids, in batches."""
    batches: list[dict[str, Key]] = []
    for first in range(begin, end, BATCH):
        batch: dict[str, Key] = {}
        records: list[Record] = []
        for at in range(first, min(first + BATCH, end)):
            resource = Key("Holder", f"h{at:06}")
            document = LeaseDocument(resource=resource.text, token=1, ttl_us=ttl // timedelta(microseconds=1))
            text = b'{"name":"%s"}' % resource.name.encode()
            lease = lease_record(resource, document, uid=new_id().hex, now_us=1, origin=NOBODY)
            records += [Record(resource, new_id().hex, 1, text, (), (), (), 1, 1), lease]
            batch[lease.uid] = lease.key
        port.ask(Beat({uid: Heartbeat(key, 1, ttl) for uid, key in batch.items()}))
        for at in range(0, len(records), 2 * AT_ONCE):
            commit = Commit(f"take-{new_id().hex}", puts=tuple(records[at : at + 2 * AT_ONCE]))
            assert isinstance(port.ask(commit), Receipt)
        batches.append(batch)
    return batches


def hold(port: Port, batches: Sequence[dict[str, Key]], seconds: float) -> tuple[int, float, set[str]]:
    """Beat for all leases for a time; return the number of beats, the longest gap in seconds, and what has lapsed."""
    begin_s = monotonic()
    last_s = [begin_s] * len(batches)
    due_s = [begin_s + PERIOD_S * at / len(batches) for at in range(len(batches))]
    lapsed: set[str] = set()
    beats, late_s, number = 0, 0.0, 1
    while monotonic() < begin_s + seconds:
        number += 1
        for at, batch in enumerate(batches):
            Event().wait(max(0.0, due_s[at] - monotonic()))
            answer = port.ask(Beat({uid: Heartbeat(key, number, TTL, '{"at":1}') for uid, key in batch.items()}))
            now_s = monotonic()
            late_s, last_s[at] = max(late_s, now_s - last_s[at]), now_s
            due_s[at] += PERIOD_S
            lapsed |= answer.lapsed
            beats += len(batch)
    return beats, late_s, lapsed


def measure(name: str, url: str, number: int, seconds: float) -> Found:
    """Hold leases on one server."""
    backend: Backend = RedisBackend(url) if name == "redis" else MongoBackend(url)
    namespace = f"leases-{new_id().hex}"
    port = backend.port(namespace)
    port.open()
    batches = take(port, 0, number)
    context = multiprocessing.get_context("spawn")
    mine, others = context.Pipe()
    reaper = context.Process(target=reap, args=(url, namespace, others))
    reaper.start()
    try:
        with cpu_of(name, url) as spent:
            server_us, own_s, begin_s = spent(), process_time(), monotonic()
            beats, late_s, lapsed = hold(port, batches, seconds)
            took_s = monotonic() - begin_s
            server, holders = (spent() - server_us) / 1e6 / took_s, (process_time() - own_s) / took_s
        mine.send("end")
        found: Any = mine.recv()
    finally:
        if reaper.is_alive():
            reaper.join(10)
            reaper.kill()
        port.close()
    ended, reaper_s = found
    return Found(number, took_s, beats, late_s, max(ended, len(lapsed)), server, holders, reaper_s / took_s)


def main() -> None:
    """Measure the servers that can run here; the exit code is 1 if a lease was ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leases", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--number", type=int, help="of leases; 100,000 on Redis and 10,000 on MongoDB by default")
    parser.add_argument("--only", choices=sorted(NUMBERS))
    options = parser.parse_args()
    print(describe())
    false_ends = 0
    with servers({options.only} if options.only else {*NUMBERS}) as found:
        for name, (url, version) in found.items():
            one = measure(name, url, options.number or NUMBERS[name], options.minutes * 60)
            print(f"{name} {version}: {one}")
            false_ends += one.false_ends
    raise SystemExit(1 if false_ends else 0)


if __name__ == "__main__":
    main()
