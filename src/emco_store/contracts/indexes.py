"""ID-20: an index over several fields serves what its first fields have in common, in the order of the last one."""

from __future__ import annotations

from typing import Annotated, Any, Final

import pytest

from emco_store.contracts.checks import checked
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Site
from emco_store.contracts.rules import rule
from emco_store.core.conditions import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.errors import InvalidCall
from emco_store.ports import Scan


class Parcels(
    Resource,
    indexes=[
        ("region", "state", "meta.created_at"),
        ("region", "rank"),
        ("at", "region", "name"),
        "meta.updated_at",
    ],
):
    """A root with indexes over several fields and over the times."""

    region: str = ""
    state: str | None = None
    rank: int = 0
    at: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None


REGIONS: Final = ("", "a", "a\0", "a\1", "ab", "\U0010ffff")


class IndexRules:
    """Lists and counts that such an index serves."""

    @rule("ID-20")
    def test_list_has_the_order_of_the_last_field(self, lab: Lab) -> None:
        """With equalities before it, a list is ordered by the last field, on pages of any size (ID-20)."""
        made = _fill(lab)

        for size in (1, 2, 5, 1000):
            for region in REGIONS:
                wanted = sorted((one for one in made if one.region == region), key=lambda one: (one.rank, one.key))
                assert wanted == _all(lab, size, where=F.region == region, order_by="rank")
                assert wanted[::-1] == _all(lab, size, where=F.region == region, order_by="-rank")
                ranked = [one for one in wanted if 0 < one.rank <= 2]
                where = [F.region == region, F.rank > 0, F.rank <= 2]
                assert ranked == _all(lab, size, where=where, order_by="rank")
                assert len(ranked) == lab.store.count(Parcels, where=where)
        newest = sorted(
            (one for one in made if (one.region, one.state) == ("a", None)),
            key=lambda one: (one.meta.created_us, one.key.text),
            reverse=True,
        )
        assert newest == _all(lab, 2, where=[F.region == "a", F.state == None], order_by="-meta.created_at")  # noqa: E711
        with pytest.raises(InvalidCall):
            lab.store.list(Parcels, order_by="rank")
        with pytest.raises(InvalidCall):
            lab.store.list(Parcels, where=F.region == "a", order_by="meta.created_at")

    @rule("ID-20")
    def test_index_is_read_and_nothing_else(self, lab: Lab) -> None:
        """A list and a count that an index serves read no record beyond (ID-20)."""
        made = _fill(lab)
        where = [F.region == "a", F.state == "up", F.rank == 1]
        before = len(lab.faults.asked(Scan))

        found = lab.store.list(Parcels, where=where[:2], order_by="meta.created_at").resources
        counted = lab.store.count(Parcels, where=where[:2])

        assert len(found) == counted == sum((one.region, one.state) == ("a", "up") for one in made)
        (scan,) = lab.faults.asked(Scan)[before:]
        assert "region,state,@created_at" == scan.field
        assert len(found) == len(lab.port.ask(scan).records)

    @rule("ID-20", "CHK-1")
    def test_index_follows_updates_and_delete_rules(self, lab: Lab) -> None:
        """A change of one of its fields, or of a time, moves a resource, whoever makes it (ID-20, CHK-1)."""
        site = lab.store.create(Site(name="s"))
        made: list[Any] = []
        for name, rank in (("z", 1), ("y", 2), ("x", 3)):
            lab.clock.advance()
            made.append(lab.store.create(Parcels(name=name, region="a", rank=rank, at=site)))
        first, second, third = made
        lab.clock.advance()
        assert [first, second, third] == _all(lab, 2, order_by="meta.updated_at")
        first = lab.store.update(first.model_copy(update={"rank": 9}))

        assert [second, third, first] == _all(lab, 2, order_by="meta.updated_at")
        assert [second, third, first] == _all(lab, 2, where=F.region == "a", order_by="rank")
        assert [first] == _all(lab, 2, where=F.meta.updated_at >= first.meta.updated_at, order_by="meta.updated_at")
        lab.clock.advance()
        lab.store.delete(site)
        where = [F.at == None, F.region == "a"]  # noqa: E711 - a condition, not a comparison
        found = _all(lab, 2, where=where, order_by="name")
        assert ["x", "y", "z"] == [one.name for one in found]
        assert found == _all(lab, 2, where=F.meta.updated_at > first.meta.updated_at, order_by="meta.updated_at")
        assert [] == _all(lab, 2, where=[F.at == site, F.region == "a"], order_by="name")
        assert [] == checked(lab.store)

    @rule("ID-20", "OCC-4")
    def test_index_serves_a_transaction_with_its_own_writes(self, lab: Lab) -> None:
        """A list in a transaction has the order of the index, with what the transaction has written (ID-20, OCC-4)."""
        made = _fill(lab)
        mine = [one for one in made if one.region == "a"]
        with lab.store.transaction() as tx:
            tx.delete(mine[0])
            new = tx.create(Parcels(name="new", region="a", rank=-5))
            found = tx.list(Parcels, where=F.region == "a", order_by="rank", stable=False).resources
            assert new.name == found[0].name
            assert sorted([*mine[1:], new], key=lambda one: (one.rank, one.key)) == list(found)


def _fill(lab: Lab) -> list[Any]:
    with lab.store.transaction() as tx:
        for at in range(36):
            state = (None, "up", "down")[at % 3]
            lab.clock.advance()
            tx.create(Parcels(name=f"p{at:02}", region=REGIONS[at % 6], state=state, rank=at // 6 % 4))
    lab.store.create(Parcels(name="later", region="a"))
    return [*lab.store.iterate(Parcels)]


def _all(lab: Lab, size: int, **asked: Any) -> list[Any]:
    return [*lab.store.iterate(Parcels, page_size=size, **asked)]
