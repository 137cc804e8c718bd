"""What a relay sends to a sink: messages of the feed, each with a position that is never given twice."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from typing import Any

from pydantic_core import from_json, to_json

from emco_store.core.consumers import Numbered
from emco_store.core.events import Event
from emco_store.core.messages import checked_topics
from emco_store.core.values import value
from emco_store.errors import InvalidCall


@value(frozen=True, slots=True)
class Position:
    """The place of one message among all that a relay sends.

    Positions grow with the feed, whatever is chosen of it: ``number`` and ``index`` order them. A sink that stores the
    :attr:`text` of the last one beside what it was sent can tell at any time how far it has got.

    Attributes:
        number: The number of the commit, counted along the feed from 1.
        index: The place in the commit: 0 for its changes, 1 and more for its messages.
        txid: The id of the commit; empty where a sink knows the numbers only.
        before: The cursor of the feed that the commit follows; empty where a sink knows the numbers only.
    """

    number: int
    index: int
    txid: str = ""
    before: str = ""

    @property
    def place(self) -> tuple[int, int]:
        """What orders positions."""
        return self.number, self.index

    @property
    def text(self) -> str:
        """All of it as text of printable ASCII."""
        return dumps((self.number, self.index, self.txid, self.before), separators=(",", ":"))

    @classmethod
    def read(cls, text: str | bytes) -> Position:
        """Read a position from its text.

        Raises:
            ValueError: It is no such text.
        """
        found: Any = from_json(text)
        match found:
            case [int(number), int(index), str(txid), str(before)]:
                return cls(number, index, txid, before)
            case _:
                raise ValueError(f"this is no position: {text!r:.80}")


@value(frozen=True, slots=True)
class Delivery:
    """One message on its way to a sink.

    Attributes:
        position: Its place among all that is sent.
        topic: What it is about.
        key: What it concerns; None if nothing was said.
        body: Its content, as plain JSON.
    """

    position: Position
    topic: str
    key: str | None
    body: Any

    @property
    def id(self) -> str:
        """The id of the message: that of its commit and the place in it. The same at each attempt to send it."""
        return f"{self.position.txid}:{self.position.index}"

    @property
    def json(self) -> bytes:
        """The body as JSON text."""
        return to_json(self.body, inf_nan_mode="constants")


def deliveries(one: Numbered, changes: str | None) -> Iterator[Delivery]:
    """Return what a sink gets of one commit, in order.

    Args:
        one: The event, as far as it concerns the relay.
        changes: The topic under which the changes of a commit are sent, as one message; None to send messages only.
    """
    chosen = {id(message) for message in one.event.messages}
    if changes is not None and one.event.changes:
        yield Delivery(Position(one.number, 0, one.event.txid, one.before), changes, None, told(one.event))
    for index, message in enumerate(one.whole.messages, 1):
        if id(message) in chosen:
            position = Position(one.number, index, one.event.txid, one.before)
            yield Delivery(position, message.topic, message.key, message.body)


def told(event: Event) -> dict[str, Any]:
    """Return the changes of an event as plain JSON."""
    return {
        "txid": event.txid,
        **event.origin._asdict(),
        "changes": [
            {
                "action": change.action.value, "key": change.key.text, "uid": change.uid, "version": change.version,
                "aspect": change.aspect.value,
            }
            for change in event.changes
        ],
    }  # fmt: skip


def checked_changes(changes: Any) -> str | None:
    """Return the topic for the changes of a commit.

    Raises:
        InvalidCall: It is no topic.
    """
    if changes is None:
        return None
    if isinstance(changes, str) and not changes.endswith("*"):
        return checked_topics([changes])[0]
    raise InvalidCall(
        f"Cannot send changes={changes!r:.80}.",
        why=["it is no topic"],
        hint='give the topic under which the changes are sent, such as "changes".',
    )


def checked_position(found: Any) -> Position | None:
    """Return what a sink says of where it stands.

    Raises:
        InvalidCall: It is neither a position nor None.
    """
    if found is None or isinstance(found, Position):
        return found
    raise InvalidCall(
        f"Cannot relay to a sink that stands at {found!r:.80}.",
        why=["position() returned neither a Position nor None"],
        hint="return the position of the last message that the sink has, or None if it has none.",
    )


def refuse_sink(sink: Any) -> None:
    """Refuse what is no sink.

    Raises:
        InvalidCall: It lacks one of the two methods.
    """
    lacking = [name for name in ("position", "send") if not callable(getattr(sink, name, None))]
    if lacking:
        raise InvalidCall(
            f"Cannot relay to {sink!r:.80}.",
            why=[f"it has no method {name}()" for name in lacking],
            hint="give a sink: an object with the methods position and send.",
        )
