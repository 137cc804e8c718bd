"""The verb ``relay``: from a store to a stream of Redis or of NATS JetStream."""

from __future__ import annotations

import asyncio
import secrets

import nats
import pytest
from redis import Redis

from emco_store import connect
from emco_store.cli.exits import Exit

PLACE = ("--store", "kept://", "--models", "tests.cli.leased", "--idle", 0)


@pytest.fixture
def messages(kept):
    """Three messages on the server that the commands use."""
    with connect(kept, namespace="default") as store, store.transaction() as tx:
        for number in range(3):
            tx.emit(f"orders.n{number}", number)


@pytest.mark.usefixtures("messages")
def test_relay_fills_a_stream_of_redis(run, redis_server):
    """Each message is there once, however often the command runs; --topic chooses."""
    stream = f"relay-{secrets.token_hex(4)}"
    with Redis.from_url(redis_server.url) as client:
        for _ in range(2):
            ended = run("relay", "--to", f"{redis_server.url}/{stream}", "--name", "r", *PLACE)
            assert Exit.OK == ended.code, ended.err
        found = [fields[b"body"] for _, fields in client.xrange(stream)]
        client.delete(stream)

    assert [b"0", b"1", b"2"] == found


@pytest.mark.usefixtures("messages")
def test_relay_fills_a_stream_of_jetstream(run, nats_server):
    """The same for NATS, with the messages of one topic."""
    stream = f"relay-{secrets.token_hex(4)}"

    async def prepared():
        client = await nats.connect(nats_server.url)
        await client.jetstream().add_stream(name=stream, subjects=[f"{stream}.>"])
        await client.close()

    async def read():
        client = await nats.connect(nats_server.url)
        context = client.jetstream()
        message = await context.get_msg(stream, seq=1)
        count = (await context.stream_info(stream)).state.messages
        await context.delete_stream(stream)
        await client.close()
        return message.subject, message.data, count

    asyncio.run(prepared())
    ended = run("relay", "--to", f"{nats_server.url}/{stream}", "--name", "r", "--topic", "orders.n1", *PLACE)

    assert Exit.OK == ended.code, ended.err
    assert (f"{stream}.orders.n1", b"1", 1) == asyncio.run(read())


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "http://h/s", "nats://h", "orders"])
def test_url_of_no_stream_is_refused(run, url):
    """What names no stream is one clear error, before anything is asked."""
    assert "[INVALID-CALL]" in run("relay", "--to", url, "--name", "r", *PLACE).err
