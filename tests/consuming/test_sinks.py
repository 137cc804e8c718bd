"""FEED-15 on real servers: streams of Redis and of NATS JetStream as sinks."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import nats
import pytest
from nats.js.errors import APIError
from redis import Redis

from emco_store import Delivery, FeedGap, InvalidCall, MemoryBackend, Position, SinkFailed, connect, connect_async
from emco_store.sinks.jetstream import KEY, JetStreamSink
from emco_store.sinks.sync_redis import RedisSink
from proof.relays import attack, opened

BATCH = [Delivery(Position(number, 1, f"tx{number}", "b"), "orders.made", None, number) for number in range(1, 251)]
QUICK = {"events": 2_000, "crashes": 16}
"""A short form of the proof."""


@pytest.fixture
def stream(redis_server):
    """A client and the key of a stream that is not there."""
    with Redis.from_url(redis_server.url) as client:
        key = f"sink-{secrets.token_hex(4)}"
        yield client, key
        client.delete(key)


@asynccontextmanager
async def jetstream(url):
    """Open a new stream; give the client, its JetStream context and its name."""
    client = await nats.connect(url)
    name = f"sink-{secrets.token_hex(4)}"
    context = client.jetstream()
    try:
        await context.add_stream(name=name, subjects=[f"{name}.>"])
        yield client, context, name
        await context.delete_stream(name)
    finally:
        await client.close()


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_relays_that_die_leave_each_message_once(servers, kind):
    """Wherever relays die, the stream has each message once and in order, beyond the window for duplicates too."""
    url = servers.get(kind).url

    async def run():
        async with opened(kind, url) as sink:
            return await attack(sink, **QUICK, seed=7)

    found = asyncio.run(run())

    assert (QUICK["events"], []) == (found.events, found.problems)
    assert 5 < found.crashes


def test_redis_takes_each_message_once(stream):
    """What is sent again is passed over, in whole and in part; the last position can be read, purged or not."""
    client, key = stream
    sink = RedisSink(client, key)
    assert sink.position() is None

    sink.send(BATCH[:210])
    assert BATCH[209].position == sink.position()
    sink.send(BATCH)
    RedisSink(client, key).send(BATCH[:3])

    assert [str(one.body).encode() for one in BATCH] == [fields[b"body"] for _, fields in client.xrange(key)]
    assert BATCH[-1].position == RedisSink(client, key).position()
    client.xtrim(key, maxlen=0)
    assert Position(250, 1) == sink.position()


def test_redis_keeps_as_many_as_asked_and_the_key(stream):
    """``maxlen`` bounds the stream, about; a key is a field of its own."""
    client, key = stream
    sink = RedisSink(client, key, maxlen=10)
    for begin in range(0, 250, 50):
        sink.send([replace(one, key="App/é") for one in BATCH[begin : begin + 50]])

    assert 10 <= client.xlen(key) < 250
    assert "App/é" == client.xrevrange(key, count=1)[0][1][b"key"].decode()


def test_redis_stream_of_somebody_else_is_refused(stream):
    """A relay neither writes after foreign entries nor takes their ids for positions."""
    client, key = stream
    client.xadd(key, {"a": "b"})
    with connect(MemoryBackend(), namespace="x") as store:
        relay = store.relay("r", RedisSink(client, key), retry=None)
        with store.lease(relay.seat) as lease, pytest.raises(SinkFailed):
            relay.step(lease)
        client.xtrim(key, maxlen=0)
        with store.lease(relay.seat) as lease, pytest.raises(FeedGap):
            relay.step(lease)


@pytest.mark.parametrize(("key", "maxlen"), [("", None), (None, None), ("s", 0), ("s", "9"), ("s", True)])
def test_wrong_stream_is_refused(stream, key, maxlen):
    """A sink that could not work is refused when it is made."""
    with pytest.raises(InvalidCall):
        RedisSink(stream[0], key, maxlen=maxlen)


def test_jetstream_takes_each_message_once(nats_server):
    """A second relay is refused by the sequence, also where the stream does not recognize its messages any more."""

    async def run():
        async with jetstream(nats_server.url) as (client, context, name):
            first, second = JetStreamSink(client, name), JetStreamSink(client, name)
            assert await first.position() is None
            assert await second.position() is None
            await first.send([replace(one, key="a é") for one in BATCH[:150]])
            unknown = [replace(one, position=replace(one.position, txid="beyond the window")) for one in BATCH]
            with pytest.raises(APIError):
                await second.send(unknown[:3])
            await second.position()
            await second.send(BATCH)
            await second.send(BATCH[:5])
            assert BATCH[-1].position == await first.position()
            state = (await context.stream_info(name)).state
            message = await context.get_msg(name, seq=1)
            return state.messages, message.headers[KEY], await bodies(context, name)

    count, key, found = asyncio.run(run())

    assert (len(BATCH), '"a \\u00e9"') == (count, key)
    assert [one.body for one in BATCH] == found


def test_purged_jetstream_gets_what_follows(nats_server):
    """Where the stream has no last message, the cursor in the store counts."""

    async def run():
        async with (
            jetstream(nats_server.url) as (client, context, name),
            connect_async(MemoryBackend(), namespace="x") as store,
        ):
            for begin in (0, 3):
                for number in range(begin, begin + 3):
                    async with store.transaction() as tx:
                        tx.emit("n", number)
                relay = store.relay("r", JetStreamSink(client, name), retry=None)
                await relay.run(idle=timedelta(0))
                found = await bodies(context, name)
                await context.purge_stream(name)
            return found, (await context.stream_info(name)).state.last_seq

    assert ([3, 4, 5], 6) == asyncio.run(run())


def test_jetstream_of_somebody_else_is_refused(nats_server):
    """A relay does not write after foreign messages."""

    async def run():
        async with (
            jetstream(nats_server.url) as (client, context, name),
            connect_async(MemoryBackend(), namespace="x") as store,
        ):
            await context.publish(f"{name}.a", b"foreign")
            with pytest.raises(SinkFailed):
                await store.relay("r", JetStreamSink(client, name), retry=None).run(idle=timedelta(0))
            with pytest.raises(InvalidCall):
                JetStreamSink(client, "")

    asyncio.run(run())


async def bodies(context, name):
    """Return what a stream holds."""
    subscription = await context.pull_subscribe(f"{name}.>", durable=secrets.token_hex(4))
    found = []
    while (await subscription.consumer_info()).num_pending:
        for one in await subscription.fetch(1000, timeout=10):
            found.append(int(one.data))
            await one.ack()
    return found
