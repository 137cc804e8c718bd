"""Watches: what of the feed concerns a watcher, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from emco_store.core.events import Event, keys_of, shown
from emco_store.core.messages import checked_topics
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall
from emco_store.flows import lists
from emco_store.flows.asking import Flow, read, records_at
from emco_store.flows.context import Context
from emco_store.ports import Events

LIMIT = 500
"""Maximum number of events in one request."""


@dataclass(frozen=True, slots=True)
class Watching:
    """What somebody watches.

    Attributes:
        prefixes: For each kind, how the texts of its keys begin; None for all resources.
        topics: The topics of messages; None for all messages.
        load: Whether to read the resources too.
    """

    prefixes: Mapping[str, str] | None
    topics: tuple[str, ...] | None
    load: bool


class Told(NamedTuple):
    """A part of the feed, as far as it concerns a watcher.

    Attributes:
        cursor: Where the next part begins.
        events: The events that concern the watcher.
        is_end: Whether there was nothing to read, for the watcher or for others.
    """

    cursor: str
    events: tuple[Event, ...]
    is_end: bool


def ask(context: Context, *, kinds: Iterable[Any] | None, under: Any, load: Any, topics: Any = None) -> Watching:
    """Check the arguments of a watch. Where only kinds or only topics are named, the other is not told.

    Args:
        context: The store.
        kinds: Models and names of kinds; None for all.
        under: A resource, its key or a reference to it.
        load: Whether to read the resources too.
        topics: Topics of messages; None for all, or for none where kinds are named.

    Raises:
        InvalidCall: They contradict each other, or name what is not there.
    """
    if not isinstance(load, bool):
        raise InvalidCall(
            f"Cannot watch with load={load!r:.40}.", why=["it is neither True nor False"], hint="say which."
        )
    wanted = None if topics is None else checked_topics(topics)
    if kinds is None and under is None:
        return Watching(None if topics is None else {}, wanted, load)
    if kinds is None or isinstance(kinds, str | type) or not isinstance(kinds, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # see Key.parse
        raise InvalidCall(
            f"Cannot watch kinds={kinds!r:.80}.",
            why=["under= needs kinds" if kinds is None else "it is no list of models or names of kinds"],
            hint="give a list, such as kinds=[App].",
        )
    given = tuple(kinds)
    if not given or Resource in given:
        raise InvalidCall(
            "Cannot watch these kinds.",
            why=["the list is empty" if not given else "Resource is the base of all kinds"],
            hint="leave kinds= out to watch all resources.",
        )
    listings = [lists.ask(context, one, under=under) for one in given]
    return Watching({listing.kind or "": listing.prefix for listing in listings}, wanted or (), load)


def end(*, oldest: Any = False) -> Flow[str]:
    """Return the cursor of the end of the feed, or of its beginning.

    Raises:
        InvalidCall: ``oldest`` is neither True nor False.

    Rules: FEED-7, FEED-10.
    """
    if not isinstance(oldest, bool):
        raise InvalidCall(
            f"Cannot look for the end of the feed with oldest={oldest!r:.40}.",
            why=["it is neither True nor False"],
            hint="say which.",
        )
    return (yield from read(Events(oldest=oldest))).cursor


def step(context: Context, watching: Watching, after: str, wait: timedelta) -> Flow[Told]:
    """Read the next part of the feed.

    Args:
        context: The store.
        watching: What concerns the watcher.
        after: The cursor.
        wait: How long to wait if there is nothing yet.

    Raises:
        FeedGap: Something after the cursor is missing.

    Rules: FEED-3, FEED-7, FEED-9, FEED-10.
    """
    page = yield from read(Events(after, LIMIT, wait))
    told = tuple(one for event in page.events if (one := shown(event, watching.prefixes, watching.topics)))
    if watching.load and told:
        records = yield from records_at(keys_of(told))
        told = tuple(
            replace(
                event,
                resources={key: context.value_or_error(records[key]) for key in keys_of((event,)) if key in records},
            )
            for event in told
        )
    return Told(page.cursor, told, not page.events)


def checked_cursor(after: Any) -> str | None:
    """Return a cursor as a caller gives it.

    Raises:
        InvalidCall: It is no text.
    """
    if after is None or isinstance(after, str):
        return after
    raise InvalidCall(
        f"Cannot watch after={after!r:.80}.",
        why=["it is no cursor"],
        hint="give the cursor of an event, or None to begin now.",
    )
