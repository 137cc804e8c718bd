"""The feed on Redis: what is sent, and what the replies mean; pure."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from emco_store.backends.feeds import TRIMMED, read_changes
from emco_store.backends.redis.commands import Names, Rest
from emco_store.core.events import Event
from emco_store.core.messages import read_messages
from emco_store.core.origins import read_origin
from emco_store.errors import Misconfigured, StoreError
from emco_store.ports import EventPage, Events, feed_gap, no_cursor

_CURSOR: Final = re.compile(r"([0-9]{1,20})-([0-9]{1,20})\.(.+)", re.DOTALL)
STEP = 32
"""How many events ``events.lua`` reads at a time; it stops only after so many, unless there are no more."""
LOOK = 3
"""How many commands :func:`looking` has."""
_FIELDS = 5
"""How many values there are of each event in a reply."""
Entry = Sequence[bytes]
"""An event in a reply: its id, its txid, its origin, its changes and its messages."""


class Place(NamedTuple):
    """Where an entry stands, and whose it is.

    Attributes:
        milliseconds: The first part of its id.
        number: The second part.
        txid: The txid of the commit.
    """

    milliseconds: int
    number: int
    txid: str


def events_args(events: Events) -> Rest:
    """Write the query for events as the arguments of ``events.lua``.

    Raises:
        InvalidCall: What it names as a cursor is none.
    """
    if events.after is None:
        return ("-" if events.oldest else "", f"begun-{secrets.token_hex(8)}", events.limit)
    return after_args(place_of(events.after), events.limit)


def after_args(place: Place, limit: int) -> Rest:
    """Write the query for the entries after a place as the arguments of ``events.lua``."""
    return (_id(place), place.txid, limit)


def reading(names: Names, place: Place, within_s: float) -> tuple[Rest, ...]:
    """Return the commands that wait until an entry follows a place, and then read it.

    The second one removes nothing. It is there because a replica refuses it, as it refuses a script.

    Args:
        names: The keys of the namespace.
        place: The place.
        within_s: How long the first one waits, in seconds; it is left out if that is less than a millisecond.
    """
    begin, wait_ms = _id(place), int(within_s * 1000)
    waits = (("XREAD", "COUNT", 1, "BLOCK", wait_ms, "STREAMS", names.feed, begin),) if wait_ms else ()
    return (*waits, ("ZREM", names.keys, ""), ("XRANGE", names.feed, begin, "+", "COUNT", STEP + 1))


def looking(names: Names, within_s: float) -> tuple[Rest, ...]:
    """Return the commands that wait for an entry that does not exist yet, and then read the newest two.

    They may be sent before it is known which entry is the last one by then; see :func:`reading`.
    """
    return (
        ("XREAD", "COUNT", 1, "BLOCK", max(int(within_s * 1000), 1), "STREAMS", names.feed, "$"),
        ("ZREM", names.keys, ""),
        ("XREVRANGE", names.feed, "+", "-", "COUNT", 2),
    )


def followers(place: Place, found: Sequence[tuple[bytes, Sequence[bytes]]]) -> Sequence[Entry] | None:
    """Return the entries that follow a place, from the reply to the last command of :func:`reading` or :func:`looking`.

    Returns:
        None where only the script can say what follows: the entry of the place is not there, or more follow than fit.
    """
    known = [(name, *_padded(fields[1::2])) for name, fields in found]
    places = [place_in(entry) for entry in known]
    if len(known) > STEP or place not in places:
        return None
    return [entry for entry, at in zip(known, places, strict=True) if at > place]


def _padded(values: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the values of an entry, where what it does not have is empty."""
    return (*values, b"", b"", b"", b"")[: _FIELDS - 1]


def entries(cursor: str, reply: Sequence[bytes]) -> tuple[Place, Sequence[Entry]]:
    """Read the reply of ``events.lua``: where the page ends, and its entries.

    Raises:
        FeedGap: The event of the cursor is not there.
    """
    if not reply:
        raise feed_gap(TRIMMED, cursor)
    found = [tuple(reply[at : at + _FIELDS]) for at in range(2, len(reply), _FIELDS)]
    return place_in(reply), found


def page(place: Place, found: Sequence[Entry]) -> EventPage:
    """Return the page of the entries that follow a place.

    Raises:
        Misconfigured: An event is none that a store has written.
    """
    events = tuple(map(_event, found))
    return EventPage(events[-1].cursor if events else cursor_at(place), events)


def is_end(events: Events, found: Sequence[Entry]) -> bool:
    """Return whether nothing followed a page when it was read, so that the reader may wait before it asks again."""
    return len(found) < min(events.limit, STEP)


def place_of(cursor: str) -> Place:
    """Return the place that a cursor names.

    Raises:
        InvalidCall: It is no cursor.
    """
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise no_cursor(cursor)
    return Place(int(found[1]), int(found[2]), found[3])


def place_in(entry: Entry) -> Place:
    """Return the place of an entry."""
    milliseconds, _, number = entry[0].partition(b"-")
    return Place(int(milliseconds), int(number), entry[1].decode())


def cursor_at(place: Place) -> str:
    """Return the cursor that names a place."""
    return f"{_id(place)}.{place.txid}"


def _id(place: Place) -> str:
    return f"{place.milliseconds}-{place.number}"


def _event(entry: Entry) -> Event:
    name, txid, origin, changes, messages = entry
    cursor = f"{name.decode()}.{txid.decode()}"
    try:
        return Event(
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
