"""ID-16: a page says where the next one begins, or that nothing follows; nothing is lost between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record
from emco_store.core.rules import Rule
from emco_store.ports import Commit, Receipt, ReferrerQuery, Scan

NUMBER: Final = 1203
"""More than what servers and drivers put into one reply by themselves: 20, 100, 101, 200, 500, 1000."""
FEW: Final = 3
"""The number of pages to look at where there are many small ones."""
LIMITS: Final = (1, 100, 101, 1000, NUMBER - 1, NUMBER, 5000)
_TARGET: Final = Key("Site", "target")
_BYTES: Final = 1_000_000


class PageRules:
    """The port itself, without a store before it: how many records a reply holds."""

    @rule("ID-16")
    def test_pages_of_a_scan_lose_nothing(self, lab: Lab) -> None:
        """Page after page, a scan gives all records, by key and by index, and ends when nothing is left (ID-16)."""
        by_key = _fill(lab)
        by_rank = sorted(by_key, key=lambda record: (record.index, record.key.text))
        scans = (
            (Scan(kind="Item"), by_key, LIMITS),
            (Scan(kind=None, prefix="Item/"), by_key, (101, 5000)),
            (Scan(kind="Item", descending=True), by_key[::-1], (101, 5000)),
            (Scan(kind="Item", field="rank"), by_rank, (101, NUMBER, 5000)),
            (Scan(kind="Item", field="rank", descending=True), by_rank[::-1], (101, 5000)),
        )
        for scan, wanted, limits in scans:
            for limit in limits:
                walk(lab, replace(scan, limit=limit), wanted)

    @rule("ID-16")
    def test_pages_after_any_record_lose_nothing(self, lab: Lab) -> None:
        """Wherever a page begins, it and those after it hold all that is left (ID-16)."""
        by_key = _fill(lab)
        for start, limit in ((0, 1000), (0, NUMBER - 1), (702, 101), (702, 1000), (NUMBER - 2, 101), (NUMBER - 1, 101)):
            walk(lab, Scan("Item", after=("", by_key[start].key.text), limit=limit), by_key[start + 1 :])

    @rule("ID-16")
    def test_page_before_a_key_ends_there(self, lab: Lab) -> None:
        """A scan up to a key gives all that comes before it, in both directions and after any record (ID-16)."""
        by_key = _fill(lab)
        for prefix in ("", "Item/", "Item/n00"):
            for start, end, limit in ((0, 5, 3), (0, 5, 100), (2, 3, 100), (3, 3, 100), (0, NUMBER, 5000)):
                until = by_key[end].key.text if end < NUMBER else "Item0"
                after = ("", by_key[start].key.text)
                scan = Scan(kind=None, prefix=prefix, after=after, until=until, limit=limit)
                wanted = [one for one in by_key[start + 1 : end] if one.key.text.startswith(prefix)]
                walk(lab, scan, wanted)
        back = Scan(kind="Item", until=by_key[5].key.text, descending=True, limit=3)
        walk(lab, back, by_key[4::-1])
        walk(lab, replace(back, after=("", by_key[2].key.text)), by_key[1::-1])

    @rule("ID-16")
    def test_pages_of_referrers_lose_nothing(self, lab: Lab) -> None:
        """Nor do pages of the referrers of one record, and of several (ID-16)."""
        by_key = _fill(lab)
        for limit in LIMITS:
            walk(lab, ReferrerQuery((_TARGET,), limit=limit), by_key)
            query = ReferrerQuery((Key("Site", "none"), _TARGET), after=by_key[150].key.text, limit=limit)
            walk(lab, query, by_key[151:])

    @rule("ID-16")
    def test_pages_of_many_bytes_lose_nothing(self, lab: Lab) -> None:
        """Nor are records lost that hold more bytes than a server puts into one reply (ID-16)."""
        document = b'{"text":"%s"}' % (b"x" * _BYTES)
        records = [replace(_record(number), document=document) for number in range(20)]
        for first in range(0, len(records), 5):
            _put(lab, f"large-{first}", records[first : first + 5])

        walk(lab, Scan("Item", limit=20), records)
        walk(lab, ReferrerQuery((_TARGET,), limit=20), records)


def _fill(lab: Lab) -> list[Record]:
    """Store many records, and return them in the order of their keys."""
    records = [_record(number) for number in range(NUMBER)]
    _put(lab, "fill", records)
    return records


def _put(lab: Lab, txid: str, records: list[Record]) -> None:
    absent = dict.fromkeys([record.key for record in records])
    assert Receipt(txid) == lab.port.ask(Commit(txid, absent, puts=tuple(records)))


def _record(number: int) -> Record:
    key = Key("Item", f"n{number:05}")
    edges = (Edge(_TARGET, ("one",), Rule.RESTRICT),)
    return Record(key, f"uid-{number}", 1, b"{}", edges, (), (("rank", f"{number * 7 % 10}"),), 1, 1)


def walk(lab: Lab, query: Scan | ReferrerQuery, wanted: Sequence[Record], *, pages: int = FEW) -> None:
    """Read page after page, and compare them with what they must hold.

    Args:
        lab: The lab.
        query: What the first page is asked for with.
        wanted: The records of all pages.
        pages: How many pages to look at; all, where they are large.
    """
    step: Any = query
    read = looked = 0
    while looked < pages or query.limit >= NUMBER // FEW:
        page: Any = lab.port.ask(step)
        found = page.records if isinstance(query, Scan) else page.referrers
        assert len(found) <= step.limit, query
        assert _keys(wanted[read : read + len(found)]) == _keys(found), query
        read, looked = read + len(found), looked + 1
        if page.next is None:
            assert len(wanted) == read, query
            return
        assert page.next != step.after, query
        step = replace(step, after=page.next)


def _keys(records: Sequence[Record]) -> list[str]:
    return [record.key.text for record in records]
