"""Following: list resources page by page, then read what the feed says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, cast

from emco_store.core.events import Aspect, shown
from emco_store.core.keys import Key
from emco_store.core.pages import Page
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows import lists
from emco_store.flows.asking import Flow, read, records_at
from emco_store.flows.context import Context
from emco_store.ports import Events

PAGE = 500
"""Resources in one page of the list."""
LIMIT = 500
"""Maximum number of events in one request."""


@dataclass(frozen=True, slots=True)
class Following:
    """What somebody follows.

    Attributes:
        listing: The list of the resources.
        prefixes: For the kind, how the texts of the keys begin.
        aspects: What of a resource the follower is told.
    """

    listing: lists.Listing
    prefixes: Mapping[str, str]
    aspects: frozenset[Aspect]

    def holds(self, value: Any) -> bool:
        """Return whether a resource meets the conditions."""
        return all(condition.holds(value) for condition in self.listing.where)


class Step(NamedTuple):
    """A part of the feed, as far as it concerns a follower.

    Attributes:
        cursor: Where the next part begins.
        touched: The keys of the resources that the events are about, and what of each has changed.
        found: Those that are there, as they were read after the events.
        is_empty: Whether there was nothing to read, for the follower or for others.
        is_end: Whether it reaches to the end of the feed.
    """

    cursor: str
    touched: Mapping[Key, Iterable[Aspect]]
    found: Mapping[Key, Any]
    is_empty: bool
    is_end: bool


def ask(
    context: Context,
    model: Any,
    *,
    under: Any = None,
    where: Any = (),
    aspects: Any = (Aspect.RESOURCE,),
    unreadable: Any = "raise",
) -> Following:
    """Check the arguments of a follower.

    Raises:
        InvalidCall: They contradict each other, or name what is not there.
    """
    if model is Resource:
        raise InvalidCall(
            "Cannot follow all kinds at once.",
            why=["Resource is the base of all kinds"],
            hint="follow one model, or watch all kinds with store.watch().",
        )
    if unreadable not in ("raise", "skip"):
        raise InvalidCall(
            f"Cannot treat unreadable documents as {unreadable!r:.40}.",
            why=["a follower raises or skips them"],
            hint="give unreadable='raise' or 'skip'.",
        )
    listing = lists.ask(context, model, under=under, where=where, limit=PAGE)
    return Following(listing, {listing.kind or "": listing.prefix}, _aspects(aspects))


def _aspects(aspects: Any) -> frozenset[Aspect]:
    given = (
        ()
        if isinstance(aspects, str) or not isinstance(aspects, Iterable)
        else tuple(cast("Iterable[object]", aspects))
    )
    if not given or not all(isinstance(one, Aspect) for one in given):
        raise InvalidCall(
            f"Cannot follow aspects={aspects!r:.80}.",
            why=["it is no list of aspects"],
            hint="give a list, such as [Aspect.RESOURCE, Aspect.STATE].",
        )
    return frozenset(cast("Iterable[Aspect]", given))


def page(context: Context, following: Following, after: str | None) -> Flow[Page[Any]]:
    """Read one page of the list."""
    return (yield from lists.read_page(context, following.listing.after_cursor(after)))


def step(context: Context, following: Following, after: str, wait: timedelta) -> Flow[Step]:
    """Read the next part of the feed, and the resources that it is about.

    Args:
        context: The store.
        following: What is followed.
        after: The cursor.
        wait: How long to wait if there is nothing yet.

    Raises:
        FeedGap: Something after the cursor is missing.

    Rules: FEED-12.
    """
    events = yield from read(Events(after, LIMIT, wait))
    touched: dict[Key, dict[Aspect, None]] = {}
    for event in events.events:
        one = shown(event, following.prefixes, ())
        for change in () if one is None else one.changes:
            if change.aspect in following.aspects:
                touched.setdefault(change.key, {})[change.aspect] = None
    records = yield from records_at(touched)
    found: dict[Key, Any | InvalidResource] = {key: context.value_or_error(record) for key, record in records.items()}
    return Step(events.cursor, touched, found, not events.events, len(events.events) < LIMIT)
