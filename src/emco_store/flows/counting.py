"""Counts: by the server where the order of keys or an index says it, otherwise by reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from emco_store.core.naming import PREFIX
from emco_store.core.pages import Page
from emco_store.core.query import MAX_PAGE
from emco_store.core.reserved import BEHIND, is_reserved
from emco_store.flows import lists
from emco_store.flows.asking import Flow, read
from emco_store.flows.context import Context
from emco_store.flows.filling import scanned
from emco_store.flows.lists import Listing
from emco_store.flows.unit import Unit
from emco_store.ports import Count, Scan

_BEYOND = "\U0010ffff"
Pages = Callable[[Listing], Flow[Page[Any]]]


def count(context: Context, listing: Listing) -> Flow[int]:
    """Return how many resources a list has, outside a transaction.

    Raises:
        InvalidResource: A document that must be read to judge it cannot be read.

    Rules: ID-18.
    """
    if listing.kind is None and not listing.where:  # what sorts before the store's own records, and what sorts after
        before = yield from read(Count(Scan(None, until=PREFIX)))
        return before + (yield from read(Count(Scan(None, after=("", BEHIND)))))
    scan = lists.counted(context, listing)
    if scan is not None:
        return (yield from read(Count(scan)))
    pages: Pages = lambda rest: lists.read_page(context, rest)  # noqa: E731 - two closures of one call
    return (yield from _counted(lists.in_any_order(context, listing), pages))


def count_in(unit: Unit, listing: Listing, *, stable: bool) -> Flow[int]:
    """Return the same inside a unit of work, including its own writes; it rests on all that it has read.

    Raises:
        InvalidCall: There is no owner, and the count is to be stable.
        InvalidResource: A document that must be read to judge it cannot be read.

    Rules: ID-18, OCC-4.
    """
    # A page with conditions reads the whole list, so that the conditions are judged here.
    pages: Pages = lambda rest: lists.read_page_in(unit, replace(rest, where=()), stable=stable)  # noqa: E731 - see above
    return (yield from _counted(listing, pages))


def _counted(listing: Listing, pages: Pages) -> Flow[int]:
    """Read all pages; an unreadable document counts only where no condition asks what it holds."""
    rest = replace(listing, limit=MAX_PAGE)
    found = 0
    while True:
        page = yield from pages(rest)
        found += sum(lists.holds(listing.where, item) for item in page) if listing.where else len(page.items)
        if page.next is None:
            return found
        rest = rest.after_cursor(page.next)


def kinds() -> Flow[tuple[str, ...]]:
    """Return the kinds of which there are resources, in the order of their names; one request for each.

    Rules: ID-21, RES-2.
    """
    found: list[str] = []
    after = ""
    while True:
        records = yield from scanned(Scan(None, after=("", after), limit=1))
        if not records:
            return tuple(found)
        kind = records[0].key.kind
        if is_reserved(kind):
            after = BEHIND
        else:
            found.append(kind)
            after = f"{kind}/{_BEYOND}"
