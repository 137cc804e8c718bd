"""What a stream of Redis holds of a relay: entries, whose ids are made of their positions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from redis import Redis as RedisClient
from redis.asyncio import Redis as AsyncRedisClient

from emco_store.core.relaying import Delivery, Position
from emco_store.errors import InvalidCall

__all__ = ["AsyncRedisClient", "RedisClient", "calls", "checked_stream", "last_position"]
CHUNK: Final = 200
"""Maximum number of entries in one call of the script."""
SCRIPT: Final = files("emco_store.sinks").joinpath("relay.lua").read_text("utf-8")


def checked_stream(stream: Any, maxlen: Any) -> None:
    """Check how a sink for a stream is made.

    Raises:
        InvalidCall: The name of the stream is no text or empty, or ``maxlen`` is no number above 0.
    """
    why = [] if isinstance(stream, str) and stream else [f"stream= is {stream!r:.80}, and no name of a stream"]
    if maxlen is not None and (not isinstance(maxlen, int) or isinstance(maxlen, bool) or maxlen < 1):
        why.append(f"maxlen= is {maxlen!r:.40}, and no number of entries")
    if why:
        raise InvalidCall(
            "Cannot send to this stream.",
            why=why,
            hint="give the key of a stream, and how many entries it keeps, or None.",
        )


def calls(batch: Sequence[Delivery], maxlen: int | None) -> Iterator[list[str | bytes]]:
    """Return the arguments of the script, call by call."""
    for begin in range(0, len(batch), CHUNK):
        arguments: list[str | bytes] = [str(maxlen or 0)]
        for one in batch[begin : begin + CHUNK]:
            position = one.position
            arguments += [f"{position.number}-{position.index}", one.topic, one.key or "", one.json, position.text]
        yield arguments


def last_position(entries: Sequence[tuple[Any, Mapping[Any, Any]]], last_id: Any) -> Position | None:
    """Return the position of the last entry of a stream.

    Args:
        entries: The last entry; none where there are none.
        last_id: The last id that the stream has ever had; ``0-0`` for a stream that is not there.

    Raises:
        ValueError: The last entry comes from no relay.
    """
    number, _, index = _text(last_id).partition("-")
    for entry_id, fields in entries:
        if _text(entry_id) == _text(last_id):
            found = {_text(name): value for name, value in fields.items()}
            if "position" not in found:
                raise ValueError(f"the last entry of the stream, {_text(entry_id)}, comes from no relay")
            return Position.read(found["position"])
    return Position(int(number), int(index)) if int(number) else None


def _text(given: Any) -> str:
    return given.decode() if isinstance(given, bytes) else str(given)
