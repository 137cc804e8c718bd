"""Relays that are killed: processes that send to a real sink, one after the other, each killed (SIGKILL) in the middle.

``python -m proof.killed_relays redis redis://127.0.0.1:6379/0 redis://127.0.0.1:6379/0 --kills 20``: the kind and the
URL of the sink, as for ``proof.relays``, and the URL of the store. At the end the sink has each message once, in order.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any

import nats
import redis.asyncio

from emco_store import NotFound, connect_async
from emco_store.core.consumers import seat_of
from emco_store.sinks.aio_redis import AsyncRedisSink
from emco_store.sinks.jetstream import JetStreamSink
from proof.relays import NAME, Found, Inner, opened

PER_COMMIT = 5
PER_KILL = 400
"""So many messages are there for each relay, which is killed before it has sent all of them."""
POLL_S = 0.002


async def work(kind: str, sink_url: str, url: str, namespace: str, stream: str) -> None:
    """Relay until killed."""
    async with connect_async(url, namespace=namespace) as store:
        if kind == "redis":
            async with redis.asyncio.Redis.from_url(sink_url) as server:
                await store.relay(NAME, AsyncRedisSink(server, stream), batch=2).run()
        else:
            client = await nats.connect(sink_url)
            await store.relay(NAME, JetStreamSink(client, stream), batch=2).run()


async def attack(kind: str, sink_url: str, url: str, *, kills: int, seed: int) -> Found:
    """Kill one relay after the other, and let the last one live.

    Args:
        kind: ``redis`` or ``nats``.
        sink_url: The server of the sink.
        url: The store.
        kills: How many are killed.
        seed: Decides when.
    """
    random, found, namespace = Random(seed), Found(), f"killed-{secrets.token_hex(4)}"  # noqa: S311 - repeatable
    bodies: list[int] = []
    came: list[int] = []
    async with opened(kind, sink_url) as sink, connect_async(url, namespace=namespace) as store:
        await store.feed_cursor()
        for kill in range(kills + 1):
            for _ in range(PER_KILL // PER_COMMIT):
                async with store.transaction() as tx:
                    for _ in range(PER_COMMIT):
                        tx.emit("t", len(bodies))
                        bodies.append(len(bodies))
            wanted = len(bodies) if kill == kills else len(came) + random.randrange(1, PER_KILL // 2)
            command = [sys.executable, "-m", "proof.killed_relays", "--work", kind, sink_url, url, namespace]
            relay = await asyncio.create_subprocess_exec(*command, sink.stream)
            try:
                await _until(sink, came, wanted, relay)
            finally:
                relay.kill()
                await relay.wait()
            found.crashes += kill < kills
            with suppress(NotFound):
                await store.expire(seat_of(NAME).key)
        came += [body for body, _ in await sink.drain()]
    found.events = len(came)
    if came != bodies:
        found.problems.append(f"of {len(bodies)} came {len(came)}, {len(set(came))} of them different")
    return found


async def _until(sink: Inner, came: list[int], wanted: int, relay: Any) -> None:
    """Wait until the sink has so many messages."""
    while len(came) < wanted:
        came += [body for body, _ in await sink.drain()]
        if relay.returncode is not None:
            message = f"the relay has ended by itself with {relay.returncode}"
            raise RuntimeError(message)
        await asyncio.sleep(POLL_S)


def main(given: Sequence[str] | None = None) -> int:
    """Kill relays, and say what was found; or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", choices=("redis", "nats"))
    parser.add_argument("sink", nargs="?")
    parser.add_argument("store", nargs="?")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.work:
        asyncio.run(work(*options.work))
        return 0
    found = asyncio.run(attack(options.kind, options.sink, options.store, kills=options.kills, seed=options.seed))
    sys.stdout.write(f"{found.events:,} messages, {found.crashes} kills, {len(found.problems)} problems\n")
    sys.stdout.write("".join(f"  {problem}\n" for problem in found.problems))
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
