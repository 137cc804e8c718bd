"""The feed in an ordered map: rows named by their txids, in the order of the revisions of their writes."""

from __future__ import annotations

import secrets
from typing import Final

from emco_store.backends.codec import Unreadable, read_event, write_event
from emco_store.backends.feeds import TRIMMED, number_in
from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, OrderedMap, Write
from emco_store.backends.keyvalue.rows import Names
from emco_store.core.events import Event
from emco_store.core.origins import NOBODY
from emco_store.errors import Misconfigured
from emco_store.ports import EventPage, Events, feed_gap

KEPT: Final = 10_000
"""How many of the newest commits the feed keeps at least."""
_GREATEST: Final = 2**63 - 1
"""No revision is greater."""


def begun(names: Names) -> Write:
    """Return the write that begins the feed: an event that nobody reads, after which the others come."""
    txid = f"begun-{secrets.token_hex(8)}"
    return Write({names.tip: ABSENT}, {names.tip: txid.encode(), names.event(txid): write_event((), NOBODY, ())})


def page(rows: OrderedMap, names: Names, events: Events) -> EventPage | None:
    """Return the next events, without waiting for one; None if the feed has not begun.

    Raises:
        FeedGap: The event of the cursor is not there.
        InvalidCall: The text is no cursor.
        Misconfigured: An event is none that a store has written.
    """
    if events.after is None:
        return _end(rows, names, is_oldest=events.oldest)
    revision, txid = number_in(events.after), events.after.partition(".")[2]
    if revision > _GREATEST:
        raise feed_gap(TRIMMED, events.after)
    row = names.event(txid)
    begin, tip = _both(rows, row, names.tip)
    found: tuple[Entry, ...] = ()
    if tip is None or tip.revision > revision:  # to look for events may take long where there are many
        found = rows.later(names.feed, revision, events.limit)
        begin, _ = _both(rows, row, names.tip)  # after that: as long as its event is there, those that follow it are
    if begin is None or begin.revision != revision:
        raise feed_gap(TRIMMED, events.after)
    told = tuple([_event(names, entry) for entry in found])
    return EventPage(told[-1].cursor if told else events.after, told)


def _both(rows: OrderedMap, one: bytes, other: bytes) -> tuple[Entry | None, Entry | None]:
    """Return two entries as of one moment."""
    with rows.snapshot() as snapshot:
        found = snapshot.get((one, other))
    return found.get(one), found.get(other)


def _end(rows: OrderedMap, names: Names, *, is_oldest: bool) -> EventPage | None:
    if is_oldest:
        first = rows.later(names.feed, 0, 1)
        return EventPage(_event(names, first[0]).cursor) if first else None
    with rows.snapshot() as snapshot:
        tip = snapshot.get((names.tip,)).get(names.tip)
    return EventPage(f"{tip.revision}.{tip.value.decode()}") if tip else None


def _event(names: Names, entry: Entry) -> Event:
    txid = entry.key.removeprefix(names.feed).decode()
    try:
        return read_event(f"{entry.revision}.{txid}", txid, entry.value)
    except Unreadable as problem:
        raise Misconfigured(
            f"Cannot read the event {entry.revision} of the feed.",
            why=["what is stored in its place was written by no store"],
            hint="see that nobody else writes to this namespace, and restore a backup.",
            setting="namespace",
        ) from problem
