"""``JetStreamSink``: a stream of NATS JetStream as a sink, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from json import dumps
from typing import Any, Final, cast

from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from emco_store.core.relaying import Delivery, Position
from emco_store.errors import InvalidCall

POSITION: Final = "Emco-Position"
"""The header that holds the position of a message."""
KEY: Final = "Emco-Key"
"""The header that holds the key of a message, as JSON; missing where there is none."""
CHUNK: Final = 100
"""Maximum number of messages that are under way at once."""


class JetStreamSink:
    """A stream of JetStream, as a sink of a relay.

    Each message names the sequence that the stream must have before it, so the stream refuses what another relay has
    sent meanwhile. The position of the last message stands in the header ``Emco-Position``, where a relay that starts
    reads it. The header ``Nats-Msg-Id`` lets the stream recognize a message for a while, and ``Emco-Key`` has the key,
    as JSON.

    Args:
        client: A connected client; it stays open.
        stream: The name of a stream that exists, into which nothing else writes.
        subject: Returns the subject of a message, which must belong to the stream. None: that of the stream's name and
            the topic, such as ``ORDERS.orders.shipped``.
        timeout_s: How long to wait for an answer, in seconds.

    Raises:
        InvalidCall: An argument cannot be right.

    Rules: FEED-15.
    """

    def __init__(
        self,
        client: Client,
        stream: str,
        *,
        subject: Callable[[Delivery], str] | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        if not stream:
            raise InvalidCall(
                "Cannot send to this stream.", why=[f"stream= is {stream!r:.80}"], hint="give the name of a stream."
            )
        self._context: JetStreamContext = client.jetstream(timeout=timeout_s)  # pyright: ignore[reportUnknownMemberType]  # its options are not typed
        self._stream = stream
        self._subject = subject or self._by_topic
        self._last = 0

    async def position(self) -> Position | None:
        """Return the position of the last message; see :class:`emco_store.AsyncSink`.

        A stream that was purged has a sequence and no last message: then what the relay has saved in the store counts.

        Raises:
            ValueError: The last message comes from no relay.
        """
        self._last = (await self._context.stream_info(self._stream)).state.last_seq
        if not self._last:
            return None
        try:
            message = await self._context.get_msg(self._stream, seq=self._last)
        except NotFoundError:
            return None
        text: Any = cast("Any", message).headers and cast("Any", message).headers.get(POSITION)
        if text is None:
            raise ValueError(f"message {self._last} of the stream {self._stream} comes from no relay")
        return Position.read(text)

    async def send(self, batch: Sequence[Delivery]) -> None:
        """Publish messages; see :class:`emco_store.AsyncSink`.

        Raises:
            nats.errors.Error: The server refuses a message or does not answer; those before it are stored.
        """
        left = list(batch)
        while left:
            answers = await asyncio.gather(
                *(self._publish(one, self._last + offset) for offset, one in enumerate(left[:CHUNK])),
                return_exceptions=True,
            )
            stored = 0
            for answer in answers:
                if not isinstance(answer, PubAck) or answer.duplicate:
                    break
                self._last = answer.seq
                stored += 1
            left = left[stored:]
            problem = answers[stored] if stored < len(answers) else None
            if isinstance(problem, PubAck):  # the stream knows this one
                left = await self._after(left[1:])
            elif isinstance(problem, BaseException):
                raise problem

    def _by_topic(self, one: Delivery) -> str:
        return f"{self._stream}.{one.topic}"

    async def _publish(self, one: Delivery, expected: int) -> PubAck:
        """Publish a message if the last one of the stream has a certain sequence."""
        headers = {
            "Nats-Msg-Id": one.id,
            "Nats-Expected-Last-Sequence": str(expected),
            POSITION: one.position.text,
        }
        if one.key is not None:
            headers[KEY] = dumps(one.key)
        return await self._context.publish(self._subject(one), one.json, stream=self._stream, headers=headers)

    async def _after(self, left: list[Delivery]) -> list[Delivery]:
        """Return what the stream does not have, after it has shown to have something of it."""
        position = await self.position()
        return left if position is None else [one for one in left if one.position.place > position.place]
