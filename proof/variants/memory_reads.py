# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Variants of the memory backend that read wrongly, or find wrongly."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import replace

from emco_store.backends.memory import MemoryPort
from emco_store.backends.spaces import Space
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Count, Get, RecordPage, ReferrerPage, ReferrerQuery, Scan
from proof.variants.broken import Broken, BrokenPort, Reshaped, of_port, of_space

_EMPTY = "3"
"""The indexed text of an empty text: the digit of its type."""

# single records


class GetsAHundredAtMost(MemoryPort):
    """Reads the first hundred keys of a request, as a driver with a limit for one batch."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        return super().get(Get(request.keys[:100]))


class FindsKeysOfAnyCase(BrokenPort):
    """Finds a record by its key in another case, as a table with a collation that knows no case."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        found = dict(super().get(request))
        folded = {text.lower(): record for text, record in self.space.records.items()}
        others = {key: folded[key.text.lower()] for key in request.keys if key.text.lower() in folded}
        return others | found


class ShortensKeys(BrokenPort):
    """Compares the first 255 bytes of a key, as a column of that length."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        found = dict(super().get(request))
        short = {text[:255]: record for text, record in self.space.records.items()}
        return {key: short[key.text[:255]] for key in request.keys if key.text[:255] in short} | found


class ReadsOneCommitBehind(BrokenPort):
    """Reads from a replica that lacks the newest commit."""

    def __init__(self, backend: Broken, namespace: str) -> None:
        super().__init__(backend, namespace)
        self._before: dict[str, Record] = {}
        self._now: dict[str, Record] = {}

    def get(self, request: Get) -> Mapping[Key, Record]:
        now = dict(self.space.records)
        if now != self._now:
            self._before, self._now = self._now, now
        return {key: self._before[key.text] for key in request.keys if key.text in self._before}


# pages of a scan


class StopsAtTwoHundred(MemoryPort):
    """Says after two hundred records that nothing follows."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(replace(scan, limit=min(scan.limit, 200)))
        return replace(page, next=page.next if scan.limit <= 200 else None)


class StopsAtTwenty(MemoryPort):
    """Says after twenty records that nothing follows."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(replace(scan, limit=min(scan.limit, 20)))
        return replace(page, next=page.next if scan.limit <= 20 else None)


class TakesAFullPageForTheLast(MemoryPort):
    """Says that nothing follows a page that is full."""

    def scan(self, scan: Scan) -> RecordPage:
        return replace(super().scan(scan), next=None)


class NamesTheNextRecord(MemoryPort):
    """Names the first record of the next page where it should name the last one of this page."""

    def scan(self, scan: Scan) -> RecordPage:
        page = super().scan(scan)
        beyond = super().scan(replace(scan, after=page.next, limit=1)) if page.next is not None else None
        if beyond is None or not beyond.records:
            return page
        first = beyond.records[0]
        return replace(page, next=(dict(first.index)[scan.field] if scan.field else "", first.key.text))


class _Whole(MemoryPort):
    """Reads a whole range, and orders and cuts it itself."""

    def whole(self, scan: Scan) -> list[Record]:
        every = super().scan(replace(scan, after=None, limit=sys.maxsize, descending=False))
        return list(every.records)

    def cut(self, scan: Scan, found: list[tuple[tuple[object, object], Record]], after: object) -> RecordPage:
        found.sort(key=lambda pair: pair[0], reverse=scan.descending)  # a place is a pair of what can be compared
        if scan.after is not None:
            at = next((n for n, (place, _) in enumerate(found) if place == after), None)
            found = found[at + 1 :] if at is not None else found
        page = tuple(record for _, record in found[: scan.limit])
        is_full = len(page) == scan.limit
        last = page[-1] if page else None
        place = (dict(last.index)[scan.field] if scan.field else "", last.key.text) if last is not None else None
        return RecordPage(page, place if is_full else None)


class OrdersKeysWithoutCase(_Whole):
    """Orders keys without a look at their case, as most collations do."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.field is not None:
            return super().scan(scan)
        found: list[tuple[tuple[object, object], Record]] = [
            ((one.key.text.lower(), one.key.text), one) for one in self.whole(scan)
        ]
        after = scan.after and (scan.after[1].lower(), scan.after[1])
        return self.cut(scan, found, after)


class OrdersValuesWithoutCase(_Whole):
    """Orders indexed text without a look at its case."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.field is None:
            return super().scan(scan)
        found: list[tuple[tuple[object, object], Record]] = [
            ((dict(one.index)[scan.field].lower(), one.key.text), one) for one in self.whole(scan)
        ]
        return self.cut(scan, found, scan.after and (scan.after[0].lower(), scan.after[1]))


class OrdersValuesByUtf16(_Whole):
    """Orders indexed text by UTF-16 code units, as Java and JavaScript do."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.field is None:
            return super().scan(scan)
        found: list[tuple[tuple[object, object], Record]] = [
            ((dict(one.index)[scan.field].encode("utf-16-be"), one.key.text), one) for one in self.whole(scan)
        ]
        return self.cut(scan, found, scan.after and (scan.after[0].encode("utf-16-be"), scan.after[1]))


class OrdersTiesBackward(_Whole):
    """Orders records of one value by their keys, from the end."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.field is None:
            return super().scan(scan)
        found: list[tuple[tuple[object, object], Record]] = [
            ((dict(one.index)[scan.field], tuple(-ord(c) for c in one.key.text)), one) for one in self.whole(scan)
        ]
        after = scan.after and (scan.after[0], tuple(-ord(c) for c in scan.after[1]))
        return self.cut(scan, found, after)


class ComparesValuesOnly(MemoryPort):
    """Starts after the value of a place, and so skips the rest of those that share it."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.field is not None and scan.after is not None:
            end = "" if scan.descending else "\U0010ffff"
            scan = replace(scan, after=(scan.after[0], end))
        return super().scan(scan)


class TurnsBackAtThePage(MemoryPort):
    """Starts each page of a descending scan at the end."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, after=None) if scan.descending else scan)


class TakesUnderscoreForAnything(MemoryPort):
    """Finds a prefix as LIKE does, to which an underscore is any character."""

    def scan(self, scan: Scan) -> RecordPage:
        pattern = re.compile(re.escape(scan.prefix).replace("_", "."))
        every = super().scan(replace(scan, prefix="", limit=sys.maxsize)).records
        found = [record for record in every if pattern.match(record.key.text)][: scan.limit]
        if not found or len(found) < scan.limit:
            return RecordPage(tuple(found), None)
        value = dict(found[-1].index)[scan.field] if scan.field else ""
        return RecordPage(tuple(found), (value, found[-1].key.text))


class IncludesUntil(MemoryPort):
    """Returns the record at which a scan ends."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, until=f"{scan.until}\0") if scan.until else scan)


class IncludesBelow(MemoryPort):
    """Returns the records at the value below which a scan ends."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, below=f"{scan.below}\0") if scan.below is not None else scan)


class ExcludesLow(MemoryPort):
    """Leaves out the records at the value at which a scan begins."""

    def scan(self, scan: Scan) -> RecordPage:
        return super().scan(replace(scan, low=f"{scan.low}\0") if scan.low is not None else scan)


class FindsEqualByPrefix(MemoryPort):
    """Finds the values that begin with the one that is asked for."""

    def scan(self, scan: Scan) -> RecordPage:
        if scan.equal is None:
            return super().scan(scan)
        return super().scan(replace(scan, equal=None, low=scan.equal, below=f"{scan.equal}\U0010ffff"))


class CountsAThousandAtMost(MemoryPort):
    """Counts what one page holds."""

    def count(self, count: Count) -> int:
        return min(super().count(count), 1000)


class CountsALimit(MemoryPort):
    """Counts as many as the scan might return."""

    def count(self, count: Count) -> int:
        return min(super().count(count), count.scan.limit)


class CountsByTheIndexOnly(BrokenPort):
    """Counts the records that have a value of the field, whichever it is."""

    def count(self, count: Count) -> int:
        scan = count.scan
        return super().count(Count(replace(scan, equal=None, low=None, below=None)) if scan.field else count)


# referrers


class EndsReferrersAtThePage(MemoryPort):
    """Says that nothing follows a page of referrers that is full."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return replace(super().referrers(query), next=None)


class RepeatsReferrers(BrokenPort):
    """Begins a page of referrers with the last one of the page before."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        page = super().referrers(replace(query, limit=max(1, query.limit - 1)))
        last = self.space.records.get(query.after)
        return replace(page, referrers=(last, *page.referrers)) if last is not None else page


class TurnsReferrersRound(MemoryPort):
    """Returns the referrers of a page from the last to the first."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        page = super().referrers(query)
        return replace(page, referrers=page.referrers[::-1])


class AsksForTenTargetsAtMost(MemoryPort):
    """Looks for the referrers of the first ten targets."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return super().referrers(replace(query, targets=query.targets[:10]))


class LoadsTenAtMost(MemoryPort):
    """Loads the first ten records that are asked for along with referrers."""

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return super().referrers(replace(query, load=query.load[:10]))


class LoadsOneCommitBehind(ReadsOneCommitBehind):
    """Loads the records beside referrers as they were one commit ago."""

    def get(self, request: Get) -> Mapping[Key, Record]:
        return MemoryPort.get(self, request)

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        return replace(super().referrers(query), records=ReadsOneCommitBehind.get(self, Get(query.load)))


# indexes


class IndexesSixteenReferences(Reshaped):
    """Finds a record by the first sixteen of its references."""

    def entered(self, record: Record) -> Record:
        return replace(record, edges=record.edges[:16])


class FindsNoChildren(Reshaped):
    """Does not find a record by its parent."""

    def entered(self, record: Record) -> Record:
        return replace(record, edges=tuple(edge for edge in record.edges if not edge.is_parent))


class ShortensValues(Reshaped):
    """Orders by the first hundred characters of a value."""

    def entered(self, record: Record) -> Record:
        return replace(record, index=tuple((name, value[:100]) for name, value in record.index))


class EndsValuesAtNul(Reshaped):
    """Ends an indexed text at its first NUL, as C does."""

    def entered(self, record: Record) -> Record:
        return replace(record, index=tuple((name, value.partition("\0")[0]) for name, value in record.index))


class TrimsValues(Reshaped):
    """Leaves out the spaces at the end of an indexed text."""

    def entered(self, record: Record) -> Record:
        return replace(record, index=tuple((name, value.rstrip(" ")) for name, value in record.index))


class IndexesNoEmptyText(Reshaped):
    """Takes an empty text for no value."""

    def entered(self, record: Record) -> Record:
        return replace(record, index=tuple((name, value) for name, value in record.index if value != _EMPTY))


class LosesSharedTargets(Space):
    """Removes the old entries of a record after it has added the new ones, and with them those that stay."""

    def __init__(self) -> None:
        super().__init__()
        self._old: dict[str, set[str]] = {}

    def add(self, record: Record) -> None:
        super().add(record)
        text = record.key.text
        for target in self._old.pop(text, ()):
            self.referrers[target].discard(text)

    def drop(self, key: Key) -> None:
        old = self.records.get(key.text)
        super().drop(key)
        if old is not None:
            self._old[key.text] = {edge.target.text for edge in old.edges}


BROKEN = (
    *map(
        of_port,
        (
            GetsAHundredAtMost,
            FindsKeysOfAnyCase,
            ShortensKeys,
            ReadsOneCommitBehind,
            StopsAtTwoHundred,
            StopsAtTwenty,
            TakesAFullPageForTheLast,
            NamesTheNextRecord,
            OrdersKeysWithoutCase,
            OrdersValuesWithoutCase,
            OrdersValuesByUtf16,
            OrdersTiesBackward,
            ComparesValuesOnly,
            TurnsBackAtThePage,
            TakesUnderscoreForAnything,
            IncludesUntil,
            IncludesBelow,
            ExcludesLow,
            FindsEqualByPrefix,
            CountsAThousandAtMost,
            CountsALimit,
            CountsByTheIndexOnly,
            EndsReferrersAtThePage,
            RepeatsReferrers,
            TurnsReferrersRound,
            AsksForTenTargetsAtMost,
            LoadsTenAtMost,
            LoadsOneCommitBehind,
        ),
    ),
    *map(
        of_space,
        (
            IndexesSixteenReferences,
            FindsNoChildren,
            ShortensValues,
            EndsValuesAtNul,
            TrimsValues,
            IndexesNoEmptyText,
            LosesSharedTargets,
        ),
    ),
)
