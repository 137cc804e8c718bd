# Generated from src/emco_store/sinks/aio_redis.py by `python3 dev.py sync`: do not edit.
"""``RedisSink``: a stream of Redis as a sink."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from emco_store.core.relaying import Delivery, Position
from emco_store.sinks.redis_entries import SCRIPT, RedisClient, calls, checked_stream, last_position


class RedisSink:
    """A stream of Redis, as a sink of a relay.

    The id of an entry is made of the position of its message, and the stream takes no entry whose id is not above the
    last one. So each message is there once and in order, whoever sends it again and however much later. An entry has
    the fields ``topic``, ``body`` (JSON), ``position`` and, if the message has one, ``key``.

    Args:
        client: The client; it stays open.
        stream: The key of the stream, into which nothing else writes.
        maxlen: How many entries the stream keeps, about; None for all.

    Raises:
        InvalidCall: An argument cannot be right.

    Rules: FEED-15.
    """

    def __init__(self, client: RedisClient, stream: str, *, maxlen: int | None = None) -> None:
        checked_stream(stream, maxlen)
        self._client: Any = client
        self._stream = stream
        self._maxlen = maxlen

    def position(self) -> Position | None:
        """Return the position of the last entry; see :class:`emco_store.Sink`."""
        try:
            info = self._client.xinfo_stream(self._stream)
        except ResponseError as problem:
            if "no such key" in str(problem):
                return None
            raise
        entries = self._client.xrevrange(self._stream, count=1)
        return last_position(entries, info["last-generated-id"])

    def send(self, batch: Sequence[Delivery]) -> None:
        """Add entries that are not there; see :class:`emco_store.Sink`."""
        for arguments in calls(batch, self._maxlen):
            self._client.eval(SCRIPT, 1, self._stream, *arguments)
