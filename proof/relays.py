"""Relays that die while they send to a real sink: at the end it has each message once, in order.

``python -m proof.relays redis redis://127.0.0.1:6379/0 --events 1000000 --crashes 100``, or with ``nats`` and the URL
of a NATS server with JetStream. The store is in memory, so that what is attacked is the relay and the sink.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Protocol

import nats
import redis.asyncio

from emco_store import AsyncStore, Delivery, MemoryBackend, NotFound, Position, SinkFailed, connect_async
from emco_store.contracts.faults import ClientDied, Faults, FaultyBackend, Moment
from emco_store.core.consumers import seat_of
from emco_store.ports import Commit, Events, Get, Request
from emco_store.sinks.aio_redis import AsyncRedisSink
from emco_store.sinks.jetstream import POSITION, JetStreamSink

NAME = "proof"
PER_COMMIT = 20
ROUND = 1_000


class Inner(Protocol):
    """A sink, and what it has.

    Attributes:
        stream: The name of its stream.
    """

    stream: str

    async def position(self) -> Position | None:
        """See ``AsyncSink``."""
        ...

    async def send(self, batch: Sequence[Delivery]) -> None:
        """See ``AsyncSink``."""
        ...

    async def drain(self) -> list[tuple[Any, Position]]:
        """Return what came since the last call, in order: bodies and positions."""
        ...


@dataclass(slots=True)
class Doomed:
    """A sink whose relay dies around or within a send.

    Attributes:
        inner: The sink.
        dies: How many messages of the next send are stored before the relay dies; None to live.
        die: What ends the relay.
    """

    inner: Inner
    dies: int | None = None
    die: Callable[[], None] = bool  # type: ignore[assignment]  # until it is set

    async def position(self) -> Position | None:
        """See ``AsyncSink``."""
        return await self.inner.position()

    async def send(self, batch: Sequence[Delivery]) -> None:
        """Send, or a part of it and die."""
        if self.dies is None:
            await self.inner.send(batch)
            return
        part = batch[: self.dies % (len(batch) + 1)]
        self.dies = None
        if part:
            await self.inner.send(part)
        self.die()


@dataclass(slots=True)
class Found:
    """What an attack has found.

    Attributes:
        events: How many messages the sink has.
        crashes: How often the relay died.
        problems: What is missing, doubled or out of order.
    """

    events: int = 0
    crashes: int = 0
    problems: list[str] = field(default_factory=list[str])


class OfRedis(AsyncRedisSink):
    """A stream of Redis that can be read."""

    def __init__(self, client: Any, stream: str) -> None:
        super().__init__(client, stream)
        self._reader: Any = client
        self.stream = stream
        self._after = "-"

    async def drain(self) -> list[tuple[Any, Position]]:
        """See :class:`Inner`."""
        found: list[tuple[Any, Position]] = []
        while entries := await self._reader.xrange(self.stream, min=self._after, count=1000):
            self._after = f"({entries[-1][0].decode()}"
            found += [(int(one[b"body"]), Position.read(one[b"position"])) for _, one in entries]
        return found


class OfJetStream(JetStreamSink):
    """A stream of JetStream that can be read."""

    def __init__(self, client: Any, stream: str, subscription: Any) -> None:
        super().__init__(client, stream)
        self.stream = stream
        self._subscription = subscription

    async def drain(self) -> list[tuple[Any, Position]]:
        """See :class:`Inner`."""
        found: list[tuple[Any, Position]] = []
        while (await self._subscription.consumer_info()).num_pending:
            for one in await self._subscription.fetch(1000, timeout=10):
                found.append((int(one.data), Position.read(one.headers[POSITION])))
                await one.ack()
        return found


@asynccontextmanager
async def opened(kind: str, url: str) -> AsyncGenerator[Inner]:
    """Open a sink on a new stream, and remove the stream at the end."""
    stream = f"proof-{secrets.token_hex(4)}"
    if kind == "redis":
        async with redis.asyncio.Redis.from_url(url) as server:
            try:
                yield OfRedis(server, stream)
            finally:
                await server.delete(stream)
        return
    client = await nats.connect(url)
    try:
        context = client.jetstream()
        await context.add_stream(name=stream, subjects=[f"{stream}.>"], duplicate_window=0.1)
        subscription = await context.pull_subscribe(f"{stream}.>", durable="reader")
        yield OfJetStream(client, stream, subscription)
        await context.delete_stream(stream)
    finally:
        await client.close()


async def attack(inner: Inner, *, events: int, crashes: int, seed: int) -> Found:
    """Emit messages in rounds, let relays send them, and kill the relays.

    Args:
        inner: The sink.
        events: How many messages, in all.
        crashes: How often a relay dies.
        seed: Decides everything.
    """
    random, faults, found = Random(seed), Faults(), Found()  # noqa: S311 - repeatable, not secret
    backend = MemoryBackend()
    sink = Doomed(inner)
    rounds = range(0, events, ROUND)
    doomed = sorted(random.choice(rounds) for _ in range(crashes))
    async with connect_async(backend, namespace=NAME) as calm:
        await calm.feed_cursor()
        for begin in rounds:
            end = min(begin + ROUND, events)
            for first in range(begin, end, PER_COMMIT):
                async with calm.transaction() as tx:
                    for number in range(first, min(first + PER_COMMIT, end)):
                        tx.emit("t", number)
            for _ in range(doomed.count(begin)):
                found.crashes += await _killed(backend, calm, sink, faults, random)
            await _relayed(calm, sink)
            _compare(await inner.drain(), begin, end, found)
    return found


async def _killed(backend: MemoryBackend, calm: AsyncStore, sink: Doomed, faults: Faults, random: Random) -> bool:
    """Let a relay die somewhere in the round; return whether it did."""

    def die() -> None:
        faults.do(Request, _die, times=10**6)
        _die()

    faults.clear()
    sink.die, sink.dies = die, None
    kinds: tuple[type[Request[Any]] | None, ...] = (None, Commit, Events, Get)
    kind = random.choice(kinds)
    if kind is None:
        sink.dies = random.randrange(0, 2_000)
    else:
        moment: Moment = random.choice(("before", "after"))
        faults.do(kind, lambda: None, moment=moment, times=random.randrange(3))
        faults.do(kind, die, moment=moment)
    has_died = False
    async with connect_async(FaultyBackend(backend, faults), namespace=NAME) as store:
        try:
            await _relayed(store, sink)
        except ClientDied:
            has_died = True
    sink.dies = None
    with suppress(NotFound):
        await calm.expire(seat_of(NAME).key)
    return has_died


async def _relayed(store: AsyncStore, sink: Doomed) -> None:
    """Let a relay send what there is."""
    relay = store.relay(NAME, sink, batch=20, retry=None)
    async with store.lease(relay.seat) as lease:
        idle = 0
        while idle < 2:
            idle = 0 if await relay.step(lease, wait=timedelta(0)) else idle + 1


def _compare(came: list[tuple[Any, Position]], begin: int, end: int, found: Found) -> None:
    """Note what is missing, doubled or out of order."""
    found.events += len(came)
    bodies = [body for body, _ in came]
    if bodies != list(range(begin, end)):
        found.problems.append(f"of {begin} to {end} came {len(bodies)}, {len(set(bodies))} of them different")
    places = [position.place for _, position in came]
    if places != sorted(places):
        found.problems.append(f"positions of {begin} to {end} do not grow")


def _die() -> None:
    raise ClientDied


def main(given: Sequence[str] | None = None) -> int:
    """Attack one sink, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("redis", "nats"))
    parser.add_argument("url")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--crashes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(given)

    async def run() -> Found:
        async with opened(options.kind, options.url) as sink:
            return await attack(sink, events=options.events, crashes=options.crashes, seed=options.seed)

    try:
        found = asyncio.run(run())
    except SinkFailed as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stdout.write(f"{found.events:,} messages, {found.crashes} crashes, {len(found.problems)} problems\n")
    sys.stdout.write("".join(f"  {problem}\n" for problem in found.problems[:20]))
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
