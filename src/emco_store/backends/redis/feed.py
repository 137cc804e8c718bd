"""The feed on Redis: what is sent, and what the replies mean; pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from emco_store.backends.feeds import TRIMMED, read_changes
from emco_store.backends.redis.commands import Rest
from emco_store.core.events import Event
from emco_store.core.messages import read_messages
from emco_store.core.origins import read_origin
from emco_store.errors import Misconfigured, StoreError
from emco_store.ports import EventPage, Events, feed_gap, no_cursor

_CURSOR: Final = re.compile(r"([0-9]{1,20}-[0-9]{1,20})\.(.+)", re.DOTALL)
STEP = 32
"""How many events ``events.lua`` reads at a time; it stops only after so many, unless there are no more."""
_FIELDS = 5
"""How many values there are of each event in a reply: id, txid, origin, changes, messages."""


def events_args(events: Events) -> Rest:
    """Write the query for events as the arguments of ``events.lua``.

    Raises:
        InvalidCall: What it names as a cursor is none.
    """
    if events.after is None:
        return ("-" if events.oldest else "", f"begun-{secrets.token_hex(8)}", events.limit)
    return (*_parts(events.after), events.limit)


def blocked(feed: str, cursor: str, within_s: float) -> Rest:
    """Return the command that waits until an entry follows the one that a cursor names.

    Args:
        feed: The key of the feed.
        cursor: The cursor.
        within_s: How long it waits, in seconds; at least a millisecond, since Redis takes 0 for ever.
    """
    return ("XREAD", "COUNT", 1, "BLOCK", max(int(within_s * 1000), 1), "STREAMS", feed, _parts(cursor)[0])


def events_reply(events: Events, reply: Sequence[bytes]) -> EventPage:
    """Read the reply of ``events.lua``.

    Raises:
        FeedGap: The event of the cursor is not there.
        Misconfigured: An event is none that a store has written.
    """
    if not reply:
        raise feed_gap(TRIMMED, events.after or "")
    name, txid, *values = reply
    return EventPage(f"{name.decode()}.{txid.decode()}", tuple(_events(values)))


def is_end(events: Events, page: EventPage) -> bool:
    """Return whether nothing followed a page when it was read, so that the reader may wait before it asks again."""
    return len(page.events) < min(events.limit, STEP)


def _parts(cursor: str) -> tuple[str, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise no_cursor(cursor)
    return found[1], found[2]


def _events(values: Sequence[bytes]) -> Iterator[Event]:
    for at in range(0, len(values), _FIELDS):
        name, txid, origin, changes, messages = values[at : at + _FIELDS]
        cursor = f"{name.decode()}.{txid.decode()}"
        try:
            yield Event(
                cursor, txid.decode(), read_changes(changes.decode()), read_origin(origin),
                messages=read_messages(messages),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, StoreError) as problem:
            raise _unreadable(cursor) from problem


def _unreadable(which: str) -> Misconfigured:
    return Misconfigured(
        f"Cannot read the event {which:.80} of the feed.",
        why=["its entry is none that a store has written"],
        hint="see that nobody else writes to the keys of this namespace; deleting the feed's key begins a new one.",
        setting="namespace",
    )
