"""Full pages: a port may end a page early; whoever asks here gets whole pages, of which only the last is shorter."""

from __future__ import annotations

from dataclasses import replace

from emco_store.core.records import Record
from emco_store.flows.asking import Flow, read
from emco_store.ports import PulsePage, Pulses, ReferrerPage, ReferrerQuery, Scan


def scanned(scan: Scan) -> Flow[tuple[Record, ...]]:
    """Return the next ``scan.limit`` records of an order, or all that are left; one request if the port fills pages.

    Raises:
        Unavailable: The backend cannot be reached.

    Rules: ID-16.
    """
    page = yield from read(scan)
    found = page.records
    while page.next is not None and len(found) < scan.limit:
        page = yield from read(replace(scan, after=page.next, limit=scan.limit - len(found)))
        found += page.records
    return found


def referring(query: ReferrerQuery) -> Flow[ReferrerPage]:
    """Return the next ``query.limit`` referrers, or all that are left, and the records to load, which come first.

    Raises:
        Unavailable: The backend cannot be reached.

    Rules: ID-16.
    """
    first = page = yield from read(query)
    found = page.referrers
    while page.next is not None and len(found) < query.limit:
        rest = replace(query, load=(), after=page.next, limit=query.limit - len(found))
        page = yield from read(rest)
        found += page.referrers
    return first if page is first else ReferrerPage(first.records, found, page.next)


def pulsing(query: Pulses) -> Flow[PulsePage]:
    """Return the next ``query.limit`` pulses, or all that are left, as of the time of the first page.

    The server is that of the last page: if another answered meanwhile, it may have forgotten beats.

    Raises:
        Unavailable: The backend cannot be reached.

    Rules: PUL-6.
    """
    first = page = yield from read(query)
    found = page.pulses
    while page.next is not None and len(found) < query.limit:
        page = yield from read(replace(query, after=page.next, limit=query.limit - len(found)))
        found += page.pulses
    return first if page is first else PulsePage(first.at_us, found, page.server, page.next)
