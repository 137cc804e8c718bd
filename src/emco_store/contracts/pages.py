"""ID-16: a page that is shorter than what was asked for is the last one, so no backend stops before it is full."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record
from emco_store.core.rules import Rule
from emco_store.ports import Commit, Receipt, ReferrerQuery, Scan

NUMBER: Final = 1203
"""More than what servers and drivers put into one reply by themselves: 20, 100, 101, 200, 500, 1000."""
LIMITS: Final = (1, 100, 101, 1000, NUMBER - 1, NUMBER, 5000)
_TARGET: Final = Key("Site", "target")
_BYTES: Final = 1_000_000


class PageRules:
    """The port itself, without a store before it: how many records a reply holds."""

    @rule("ID-16")
    def test_page_of_a_scan_is_full_unless_it_is_the_last(self, lab: Lab) -> None:
        """A scan gives as many records as were asked for, while there are more, by key and by index (ID-16)."""
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
                found = lab.port.ask(replace(scan, limit=limit))
                assert _keys(wanted[:limit]) == _keys(found), (scan, limit)

    @rule("ID-16")
    def test_page_after_any_record_is_full_unless_it_is_the_last(self, lab: Lab) -> None:
        """Wherever a page begins, it holds what was asked for or all that is left (ID-16)."""
        by_key = _fill(lab)
        for start, limit in ((0, 1000), (0, NUMBER - 1), (702, 101), (702, 1000), (NUMBER - 2, 101), (NUMBER - 1, 101)):
            found = lab.port.ask(Scan(kind="Item", after=("", by_key[start].key.text), limit=limit))
            assert _keys(by_key[start + 1 : start + 1 + limit]) == _keys(found), (start, limit)

    @rule("ID-16")
    def test_page_before_a_key_ends_there(self, lab: Lab) -> None:
        """A scan up to a key is full until it comes there, in both directions and after any record (ID-16)."""
        by_key = _fill(lab)
        for prefix in ("", "Item/", "Item/n00"):
            for start, end, limit in ((0, 5, 3), (0, 5, 100), (2, 3, 100), (3, 3, 100), (0, NUMBER, 5000)):
                until = by_key[end].key.text if end < NUMBER else "Item0"
                after = ("", by_key[start].key.text)
                scan = Scan(kind=None, prefix=prefix, after=after, until=until, limit=limit)
                wanted = [one for one in by_key[start + 1 : end] if one.key.text.startswith(prefix)]
                assert _keys(wanted[:limit]) == _keys(lab.port.ask(scan)), scan
        back = Scan(kind="Item", until=by_key[5].key.text, descending=True, limit=3)
        assert _keys([by_key[4], by_key[3], by_key[2]]) == _keys(lab.port.ask(back))
        assert _keys([by_key[1], by_key[0]]) == _keys(lab.port.ask(replace(back, after=("", by_key[2].key.text))))

    @rule("ID-16")
    def test_page_of_referrers_is_full_unless_it_is_the_last(self, lab: Lab) -> None:
        """So is a page of the referrers of one record, and of several (ID-16)."""
        by_key = _fill(lab)
        for limit in LIMITS:
            found = lab.port.ask(ReferrerQuery((_TARGET,), limit=limit)).referrers
            assert _keys(by_key[:limit]) == _keys(found), limit
            query = ReferrerQuery((Key("Site", "none"), _TARGET), after=by_key[150].key.text, limit=limit)
            assert _keys(by_key[151 : 151 + limit]) == _keys(lab.port.ask(query).referrers), limit

    @rule("ID-16")
    def test_page_of_many_bytes_is_full(self, lab: Lab) -> None:
        """Bytes end no page either: not even more of them than a server puts into one reply (ID-16)."""
        document = b'{"text":"%s"}' % (b"x" * _BYTES)
        records = [replace(_record(number), document=document) for number in range(20)]
        for first in range(0, len(records), 5):
            _put(lab, f"large-{first}", records[first : first + 5])

        assert _keys(records) == _keys(lab.port.ask(Scan(kind="Item", limit=20)))
        assert _keys(records) == _keys(lab.port.ask(ReferrerQuery((_TARGET,), limit=20)).referrers)


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


def _keys(records: list[Record] | tuple[Record, ...]) -> list[str]:
    return [record.key.text for record in records]
