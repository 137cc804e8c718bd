"""ID-18: a count says how many resources a list has, whoever counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store.contracts.harness import Lab, scanned
from emco_store.contracts.lists import LABELS, PRICES, RANKS
from emco_store.contracts.models import Crate, Item, Rack, Site
from emco_store.contracts.rules import rule
from emco_store.core.query import F
from emco_store.core.resource import Resource
from emco_store.errors import Conflict, InvalidCall
from emco_store.ports import Count, Scan

CONDITIONS: tuple[Any, ...] = (
    F.rank == 3,
    F.rank == 3.0,
    F.rank == 2**53 + 1,
    F.rank == 99,
    F.label == "",
    F.label == "a",
    F.price == None,  # noqa: E711 - a condition, not a comparison
    F.price == 3,
    F.rank != 3,
    F.rank > 0,
    F.plain == 4,
    F.plain.in_([1, 2, 99]),
    (F.rank == 3) | (F.plain == 1),
    (F.rank == 3, F.label == "b"),
)


class CountRules:
    """How many there are."""

    @rule("ID-18")
    def test_count_is_the_number_in_the_list(self, lab: Lab) -> None:
        """A count with the arguments of a list gives the number of its resources, also inside a transaction (ID-18)."""
        for at, (rank, label, price) in enumerate(zip(RANKS, LABELS, PRICES, strict=True)):
            lab.store.create(Item(name=f"i{at}", rank=rank, label=label, price=price, plain=at))
        for name in ("p1", "p10"):
            site = lab.store.create(Site(name=name))
            for at in range(len(name)):
                lab.store.create(Rack(name=f"r{at}", parent=site))
        lab.store.delete(lab.store.get(Rack, "p1", "r0"))

        assert len(RANKS) == lab.store.count(Item) == lab.store.count("Item")
        assert 0 == lab.store.count(Crate)
        assert len(lab.records()) == lab.store.count(Resource)
        assert [1, 3] == [lab.store.count(Rack, parent=lab.store.get(Site, name)) for name in ("p1", "p10")]
        assert [1, 3] == [lab.store.count(Rack, under=lab.store.get(Site, name)) for name in ("p1", "p10")]
        wanted = [len(lab.store.list(Item, where=condition).items) for condition in CONDITIONS]
        assert wanted == [lab.store.count(Item, where=condition) for condition in CONDITIONS]
        with lab.store.transaction() as tx:
            assert wanted == [tx.count(Item, where=condition, stable=False) for condition in CONDITIONS]

    @rule("ID-21", "RES-2")
    def test_kinds_in_use_are_named_once(self, lab: Lab) -> None:
        """The kinds of which there are resources, of any store, and none of the store's own (ID-21, RES-2)."""
        assert () == lab.store.kinds()
        sites = [lab.store.create(Site(name=name)) for name in ("a", "b", "\U0001f642")]
        lab.store.create(Rack(name="r", parent=sites[2]))
        power = lab.store.create(Item(name="i"))
        assert ("Item", "Rack", "Site") == lab.store.kinds() == lab.open(models=[]).kinds()
        assert sorted({key.partition("/")[0] for key in lab.records()}) == list(lab.store.kinds())
        lab.store.delete(power)

        assert ("Rack", "Site") == lab.store.kinds()
        lab.store.create(Crate(name="c", parent=sites[0]))
        assert ("Crate", "Rack", "Site") == lab.store.kinds()

    @rule("ID-18")
    def test_count_that_an_index_answers_reads_no_document(self, lab: Lab) -> None:
        """Without a condition, and with one equality on an indexed field, one request counts (ID-18)."""
        site = lab.store.create(Site(name="p1"))
        lab.store.create(Rack(name="r", parent=site))
        lab.store.create(Item(name="i", rank=3))
        before = lab.faults.count(Count), lab.faults.count(Scan)

        assert [1, 1, 1, 0] == [
            lab.store.count(Item),
            lab.store.count(Rack, parent=site),
            lab.store.count(Item, where=F.rank == 3),
            lab.store.count(Item, where=F.price == 0),
        ]
        assert (before[0] + 4, before[1]) == (lab.faults.count(Count), lab.faults.count(Scan))

    @rule("ID-18")
    def test_count_follows_an_index_below_a_resource(self, lab: Lab) -> None:
        """The records of one indexed value below one key are counted, and none beside them (ID-18)."""
        with lab.store.transaction() as tx:
            for at in range(12):
                tx.create(Item(name=f"{'ab'[at % 2]}{at}", rank=at // 4))
        scans = [
            Scan("Item", prefix, field="rank", equal=text)
            for prefix in ("Item/", "Item/a", "Item/a1")
            for text in _texts(lab)
        ]

        for scan in scans:
            assert len(list(scanned(lab.port, scan))) == lab.port.ask(Count(scan)), scan
        assert [4, 4, 4, 2, 2, 2, 0, 0, 1] == [lab.port.ask(Count(scan)) for scan in scans]

    @rule("ID-18", "OCC-4")
    def test_count_in_a_transaction_holds_at_its_commit(self, lab: Lab) -> None:
        """It includes the transaction's own writes, and nobody joins, leaves or changes unnoticed (ID-18, OCC-4)."""
        site = lab.store.create(Site(name="s"))
        rack = lab.store.create(Rack(name="r1", parent=site))
        other = lab.open(models=[Site, Rack])

        with lab.store.transaction() as tx:
            tx.create(Rack(name="r2", parent=site))
            assert 2 == tx.count(Rack, parent=site)
            tx.delete(rack)
            assert 1 == tx.count(Rack, parent=site)
        changes: tuple[Callable[[], object], ...] = (
            lambda: other.create(Rack(name="late", parent=site)),
            lambda: other.delete(other.get(Rack, "s", "late")),
        )
        for change in changes:
            with pytest.raises(Conflict), lab.store.transaction() as tx:
                tx.count(Rack, parent=site)
                change()
                tx.create(Site(name="decided"))
        with pytest.raises(InvalidCall), lab.store.transaction() as tx:
            tx.count(Rack)


def _texts(lab: Lab) -> list[str]:
    return sorted({dict(record.index)["rank"] for record in scanned(lab.port, Scan("Item"))})
