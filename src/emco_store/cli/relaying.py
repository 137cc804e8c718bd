"""The verb ``relay``: send the messages of the feed to a stream of Redis or of NATS JetStream."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from emco_store import Delivery, InvalidCall, Position, Sink
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.opening import opened
from emco_store.cli.screen import Screen
from emco_store.cli.secrets import masked

T = TypeVar("T")


def relay(options: Options, screen: Screen) -> Exit:
    """Send the messages of the feed to a stream, until the program is interrupted or nothing has come for a while."""
    if options.idle is not None and options.idle < 0:
        raise InvalidCall("Cannot wait.", why=[f"--idle {options.idle}: seconds are 0 or more"], hint="give seconds.")
    server, stream = divided(options.to)
    with _sink(server, stream) as sink, opened(options, screen) as store:
        one = store.relay(
            options.name, sink, topics=options.topic, changes=options.changes, after=options.after,
            on_failure=screen.error,
        )  # fmt: skip
        screen.note(f"relaying to {masked(options.to)} as {options.name}")
        one.run(idle=None if options.idle is None else timedelta(seconds=options.idle))
    return Exit.OK


def divided(url: str) -> tuple[str, str]:
    """Divide the URL of a stream into that of its server and the name of the stream, the last part of its path.

    Raises:
        InvalidCall: It is no such URL.
    """
    parts = urlsplit(url)
    path, _, stream = parts.path.rpartition("/")
    if parts.scheme not in {"redis", "rediss", "nats", "tls"} or not stream:
        raise InvalidCall(
            "Cannot relay to this stream.",
            why=[f"{masked(url)} names no server of Redis or NATS and a stream"],
            hint="give redis://HOST:PORT/DB/STREAM or nats://HOST:PORT/STREAM.",
        )
    return urlunsplit(parts._replace(path=path)), stream


@contextmanager
def _sink(server: str, stream: str) -> Generator[Sink]:
    if server.startswith("redis"):
        from redis import Redis  # noqa: PLC0415 - needed for this sink only

        from emco_store.sinks.sync_redis import RedisSink  # noqa: PLC0415 - as above

        with Redis.from_url(server) as client:  # pyright: ignore[reportUnknownMemberType]  # its options are not typed
            yield RedisSink(client, stream)
        return
    with _Loop() as loop:
        client = loop.call(_connected(server))
        try:
            yield _Driven(client, stream, loop)
        finally:
            loop.call(client.close())


async def _connected(server: str) -> Any:
    import nats  # noqa: PLC0415 - needed for this sink only

    return await nats.connect(server)  # pyright: ignore[reportUnknownMemberType]  # as above


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Driven:
    """A stream of JetStream, for a program without an event loop."""

    def __init__(self, client: Any, stream: str, loop: _Loop) -> None:
        from emco_store.sinks.jetstream import JetStreamSink  # noqa: PLC0415 - needs the driver

        self._sink = JetStreamSink(client, stream)
        self._loop = loop

    def position(self) -> Position | None:
        return self._loop.call(self._sink.position())

    def send(self, batch: Sequence[Delivery]) -> None:
        self._loop.call(self._sink.send(batch))
