# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends whose scans and referrers are broken, each with the rule that must catch it."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from emco_store.backends.memory import MemoryPort
from emco_store.core.keys import Key
from emco_store.ports import Get, RecordPage, ReferrerPage, ReferrerQuery, Scan


class ScansByText(MemoryPort):
    """Ends the prefix of a hierarchy in the middle of a name."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, prefix=scan.prefix.removesuffix("/")))


class ScansAllKinds(MemoryPort):
    """Gives records of any kind."""

    def scan(self, scan: Scan) -> RecordPage:
        is_plain = scan.field is None and scan.prefix.count("/") < 2
        return super().scan(replace(scan, kind=None, prefix="") if is_plain else scan)


class RepeatsTheCursor(MemoryPort):
    """Begins a page with the last record of the page before."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(scan)
        last = super().get(Get((Key.parse(scan.after[1]),))) if scan.after is not None else {}
        return replace(page, records=(*last.values(), *page.records)[: scan.limit])


class SkipsARecord(MemoryPort):
    """Begins a page one too late."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(scan)
        return replace(page, records=page.records[1:]) if scan.after is not None else page


class ScansForwardOnly(MemoryPort):
    """Takes no notice of the direction."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, descending=False))


class IgnoresBounds(MemoryPort):
    """Filters nothing by an index, and drops what it did not find through it."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.equal is None and scan.low is None:
            return super().scan(scan)
        return RecordPage(super().scan(replace(scan, equal=None, low=None)).records[:1], None)


class ReadsOn(MemoryPort):
    """Takes no notice of where a scan is to end."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, until=""))


class StopsAtAHundred(MemoryPort):
    """Gives a hundred records of a scan at most, as a server that fills no larger page, and says that it is all."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(replace(scan, limit=min(scan.limit, 100)))
        return page if scan.limit <= 100 else replace(page, next=None)


class GoesOnAfterTheNext(MemoryPort):
    """Ends a page early, and begins the next one after a record that it has not given."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(scan)
        return page if scan.limit <= 100 else replace(page, records=page.records[: scan.limit - 1])


class ForgetsTheIndexedText(MemoryPort):
    """Goes on after a key where the order is by an indexed value."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(scan)
        return page if page.next is None else replace(page, next=("", page.next[1]))


class StopsAtSomeBytes(MemoryPort):
    """Ends a page of a scan where it becomes large."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(scan)
        sizes = accumulate(len(record.document) for record in page.records)
        found = tuple(record for record, size in zip(page.records, sizes, strict=True) if size <= 16 << 20)
        return replace(page, records=found)


class StopsAtAThousandReferrers(MemoryPort):
    """Gives a thousand referrers of a query at most."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        page = super().referrers(replace(query, limit=min(query.limit, 1000)))
        return page if query.limit <= 1000 else replace(page, next=None)


class GivesFirstReferrersOnly(MemoryPort):
    """Gives a hundred referrers and no further page."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return replace(super().referrers(replace(query, limit=min(query.limit, 100))), next=None)


class AsksForOneTargetOnly(MemoryPort):
    """Looks for the referrers of the first target."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return super().referrers(replace(query, targets=query.targets[:1]))


BROKEN_SCANS = (
    (ScansByText, "ID-9"),
    (ScansAllKinds, "ID-7"),
    (RepeatsTheCursor, "ID-7"),
    (SkipsARecord, "ID-7"),
    (ScansForwardOnly, "ID-8"),
    (IgnoresBounds, "ID-8"),
    (ReadsOn, "ID-16"),
    (ReadsOn, "RES-2"),
    (StopsAtAHundred, "ID-16"),
    (GoesOnAfterTheNext, "ID-16"),
    (ForgetsTheIndexedText, "ID-16"),
    (StopsAtSomeBytes, "ID-16"),
    (StopsAtAThousandReferrers, "ID-16"),
    (GivesFirstReferrersOnly, "DEL-3"),
    (AsksForOneTargetOnly, "DEL-8"),
)
