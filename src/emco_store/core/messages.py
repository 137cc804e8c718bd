"""Messages: what a transaction says to others beside the resources that it changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from typing import Any, Final, cast

from pydantic_core import from_json, to_json

from emco_store.core.values import value
from emco_store.core.wording import count
from emco_store.errors import InvalidCall

MAX_TOPIC: Final = 200
"""Maximum number of characters of a topic."""
MAX_KEY: Final = 2_000
"""Maximum number of characters of the key of a message."""
MAX_BODY_BYTES: Final = 64 * 1024
"""Maximum size of a body as JSON, in bytes."""
MAX_MESSAGES: Final = 1_000
"""Maximum number of messages of one transaction."""
MAX_BYTES: Final = 2**20
"""Maximum size of all messages of one transaction, in bytes."""
_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]+(?:[.:/][A-Za-z0-9_-]+)*")
_FILTER: Final = re.compile(rf"\*|{_TOPIC.pattern}(?:[.:/]\*)?")


@value(frozen=True, slots=True)
class Message:
    """One message of a commit, as ``tx.emit`` was given it.

    Attributes:
        topic: What it is about, such as ``orders.shipped``.
        key: What it concerns, such as the key of a resource; None if nothing was said.
        body: Its content, as plain JSON: None, a boolean, a number, a text, a list or a dictionary.
    """

    topic: str
    key: str | None = None
    body: Any = field(default=None, hash=False)


class Outbox:
    """The messages of one transaction, in the order in which they were emitted."""

    __slots__ = ("_size_bytes", "messages")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._size_bytes = 0

    def add(self, topic: Any, key: str | None, body: Any) -> None:
        """Add a message.

        Args:
            topic: 1 to 200 characters: words of ASCII letters, digits, ``_`` and ``-``, joined by ``.``, ``:``
                or ``/``.
            key: 1 to 2,000 printable characters; None for no key.
            body: What pydantic can turn into JSON, at most 64 KiB of it.

        Raises:
            InvalidCall: One of them is something else, or the transaction has too many or too large messages.

        Rules: FEED-10.
        """
        if not isinstance(topic, str) or len(topic) > MAX_TOPIC or not _TOPIC.fullmatch(topic):
            raise _refused(f"to topic={topic!r:.80}", "it is no topic", _TOPIC_HINT)
        name = str.__str__(topic)  # of an enum: its value
        if key is not None and not (0 < len(key) <= MAX_KEY and key.isprintable()):
            why = f"it has {count(len(key), 'character')}" if key.isprintable() else "it cannot be printed"
            raise _refused(f"with key={key!r:.80}", why, f"a key has 1 to {MAX_KEY:,} printable characters.")
        size_bytes, plain = _plain(name, body)
        size_bytes += self._size_bytes + len(name) + len((key or "").encode())
        if len(self.messages) == MAX_MESSAGES or size_bytes > MAX_BYTES:
            raise _refused(
                f"to {name}",
                f"a transaction has at most {MAX_MESSAGES:,} messages, and {MAX_BYTES // 1024:,} KiB of them",
                "divide it into several transactions, or put the data into resources and name those in the message.",
            )
        self._size_bytes = size_bytes
        self.messages.append(Message(name, key, plain))


def _plain(topic: str, body: Any) -> tuple[int, Any]:
    """Return the size of a body as JSON, in bytes, and what a reader makes of it: a copy, which nobody changes.

    Raises:
        InvalidCall: It is no JSON, or too large.
    """
    try:
        text = to_json(body, inf_nan_mode="constants")
        plain = from_json(text, allow_inf_nan=False)
    except (ValueError, TypeError, RecursionError) as problem:
        raise _refused(
            f"to {topic}", f"its body cannot be written as JSON: {problem!s:.200}", "give what JSON has, or a model."
        ) from problem
    if len(text) > MAX_BODY_BYTES:
        raise _refused(
            f"to {topic}",
            f"its body has {count(len(text), 'byte')} as JSON, and may have {MAX_BODY_BYTES:,}",
            "put the data into a resource, and name that in the message.",
        )
    return len(text), plain


_TOPIC_HINT: Final = (
    f"a topic has 1 to {MAX_TOPIC} characters: words of ASCII letters, digits, _ and -, joined by dots, colons or "
    "slashes, such as orders.shipped."
)


def _refused(what: str, why: str, hint: str) -> InvalidCall:
    return InvalidCall(f"Cannot emit a message {what}.", why=[why], hint=hint)


def write_messages(messages: Iterable[Message]) -> bytes:
    """Write messages as the JSON text in which backends keep them; nothing for none."""
    parts = [(one.topic, one.key, one.body) for one in messages]
    return to_json(parts) if parts else b""


def read_messages(text: bytes | str) -> tuple[Message, ...]:
    """Read messages from the text in which they are kept.

    Raises:
        TypeError: It holds something else.
        ValueError: It is no such text.
    """
    return tuple([Message(topic, key, body) for topic, key, body in from_json(text)]) if text else ()


def checked_topics(topics: Any) -> tuple[str, ...]:
    """Return the topics that a watcher names; one that ends with ``*`` stands for all that begin so.

    Raises:
        InvalidCall: It is no list of topics, or an empty one.
    """
    is_list = isinstance(topics, Iterable) and not isinstance(topics, str)
    given = tuple(cast("Iterable[Any]", topics)) if is_list else ()
    wrong = [one for one in given if not isinstance(one, str) or not _FILTER.fullmatch(one)]
    if not given or wrong:
        raise InvalidCall(
            f"Cannot watch topics={topics!r:.80}.",
            why=[f"{wrong[0]!r:.80} is no topic" if wrong else "it is no list of topics, or an empty one"],
            hint='give a list, such as topics=["orders.shipped", "stock.*"]; ["*"] stands for all.',
        )
    return tuple([str.__str__(one) for one in given])


def is_about(message: Message, topics: tuple[str, ...] | None) -> bool:
    """Return whether a message has one of these topics; None stands for all."""
    return topics is None or any(
        message.topic.startswith(one[:-1]) if one.endswith("*") else message.topic == one for one in topics
    )
