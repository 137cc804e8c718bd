"""ID-7 to ID-9: lists are complete, in order, and the same on every page size."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import App, Bundle, Crate, Item, Parcel, Rack, SetDefault, Site
from emco_store.contracts.rules import rule
from emco_store.core.query import F
from emco_store.core.resource import Resource
from emco_store.errors import Conflict, InvalidCall

RANKS = (3, -1, 0, 3, 10, -(2**63), 2**63 - 1, 0, 2**53, 2**53 + 1)
PRICES = (None, 0.5, -2.0, None, 1e300, -1e300, 0.0, 3, 3.5, None)
LABELS = ("b", "a", "", "B", "a/b", "ä", "a b", "b", "🙂", "\uffff")


class ListRules:
    """The contents of a list, its order and its pages."""

    @rule("ID-7")
    def test_list_gives_each_resource_of_the_kind_once(self, lab: Lab) -> None:
        """A list holds all resources of the kind and no others, in the order of keys (ID-7)."""
        sites = [lab.store.create(Site(name=name)) for name in ("b", "a", "c")]
        for site in sites:
            lab.store.create(Rack(name="r", parent=site))
            lab.store.create(Crate(name="c", parent=site))
        lab.store.delete(lab.store.get(Crate, "a", "c"))

        assert ["Site/a", "Site/b", "Site/c"] == _keys(lab.store, Site)
        assert ["Crate/b/c", "Crate/c/c"] == _keys(lab.store, Crate)
        assert [] == _keys(lab.store, Parcel)
        assert sorted(lab.records()) == _keys(lab.store, Resource)

    @rule("ID-7", "ID-8")
    def test_list_is_the_same_on_every_page_size(self, lab: Lab) -> None:
        """Pages of any size, in both directions, make up the whole list (ID-7, ID-8)."""
        _items(lab.store)
        for order in ("key", "rank", "label", "price"):
            for direction in ("", "-"):
                whole = _keys(lab.store, Item, order_by=direction + order)
                assert sorted(whole) == [f"Item/i{at}" for at in range(len(RANKS))]
                for size in range(1, len(RANKS) + 1):
                    assert whole == _keys(lab.store, Item, order_by=direction + order, limit=size)

    @rule("ID-7")
    def test_last_page_says_that_it_is_the_last(self, lab: Lab) -> None:
        """The last page has no cursor, even if it is full (ID-7)."""
        _items(lab.store)

        assert lab.store.list(Item, limit=len(RANKS)).next is None
        assert lab.store.list(Item, limit=len(RANKS) - 1).next is not None
        assert lab.store.list(Rack, limit=1).next is None

    @rule("ID-17")
    def test_iteration_gives_what_the_pages_give(self, lab: Lab) -> None:
        """It goes over the whole list in order, whatever the size of its pages, and ends (ID-17)."""
        _items(lab.store)
        for order in ("key", "-key", "rank", "-label"):
            whole = _keys(lab.store, Item, order_by=order)
            for size in (1, 3, len(RANKS), 1000):
                iteration = lab.store.iterate(Item, order_by=order, page_size=size)
                assert whole == [item.key.text for item in iteration]
                assert next(iteration, None) is None
        assert _keys(lab.store, Item, where=F.rank > 0) == [
            item.key.text for item in lab.store.iterate(Item, where=F.rank > 0, page_size=2)
        ]
        assert [] == list(lab.store.iterate(Rack))
        assert _keys(lab.store, Resource) == [item.key.text for item in lab.store.iterate(Resource, page_size=4)]

    @rule("ID-17")
    def test_iteration_goes_on_from_any_of_its_cursors(self, lab: Lab) -> None:
        """The cursor after a resource leads to the next one, anywhere in a page, if it is gone too (ID-17)."""
        _items(lab.store)
        for order in ("key", "-rank"):
            whole = _keys(lab.store, Item, order_by=order)
            for size in (1, 4, 1000):
                iteration = lab.store.iterate(Item, order_by=order, page_size=size)
                assert iteration.cursor is None
                for at, item in enumerate(iteration, start=1):
                    rest = lab.store.iterate(Item, order_by=order, page_size=3, after=iteration.cursor)
                    assert whole[at - 1] == item.key.text
                    assert whole[at:] == [one.key.text for one in rest], (order, size, at)
        iteration = lab.store.iterate(Item)
        lab.store.delete(next(iteration))

        assert _keys(lab.store, Item) == [one.key.text for one in lab.store.iterate(Item, after=iteration.cursor)]

    @rule("ID-17")
    def test_iteration_misses_nothing_that_stays(self, lab: Lab) -> None:
        """Resources that come and go between its pages neither hide nor repeat those that stay (ID-17)."""
        for size in (1, 2, 3):
            stay = [lab.store.create(Site(name=f"s{at}")) for at in range(8)]
            goes = [lab.store.create(Site(name=f"s{at}x")) for at in range(8)]
            seen: list[str] = []
            for at, site in enumerate(lab.store.iterate(Site, page_size=size)):
                seen.append(site.name)
                if at % 2 == 0 and goes:
                    lab.store.delete(goes.pop())
                    lab.store.create(Site(name=f"s{at % 8}y{at}"))

            assert [site.name for site in stay] == [name for name in seen if name in {one.name for one in stay}]
            assert len(seen) == len(set(seen))
            lab.store.delete(*lab.store.list(Site, limit=1000))

    @rule("ID-2")
    def test_exists_says_whether_there_is_one(self, lab: Lab) -> None:
        """Only the very key counts, and a transaction sees its own writes (ID-2)."""
        site = lab.store.create(Site(name="a"))
        rack = lab.store.create(Rack(name="r", parent=site))

        assert [True, True, True] == [
            lab.store.exists(site),
            lab.store.exists(rack.key),
            lab.store.exists(Rack, "a", "r"),
        ]
        assert [False, False] == [lab.store.exists(Site, "r"), lab.store.exists(Crate, "a", "r")]
        with lab.store.transaction() as tx:
            tx.delete(rack)
            tx.create(Site(name="b"))
            assert [True, False, True] == [tx.exists(site), tx.exists(rack), tx.exists(Site, "b")]

    @rule("OCC-1")
    def test_absence_that_a_transaction_has_seen_is_part_of_it(self, lab: Lab) -> None:
        """What a transaction saw missing must still be missing at its commit (OCC-1)."""
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            assert not tx.exists(Site, "late")
            lab.open(models=[Site]).create(Site(name="late"))
            tx.create(Site(name="other"))
        assert ["Site/late"] == _keys(lab.store, Site)

    @rule("ID-8")
    def test_order_is_that_of_the_values(self, lab: Lab) -> None:
        """Numbers sort as numbers, text as text, null first, and equal values by key, in both directions (ID-8)."""
        items = _items(lab.store)

        for field, rank in (
            ("rank", lambda item: (item.rank, item.name)),
            ("label", lambda item: (item.label, item.name)),
            ("price", lambda item: (item.price is not None, item.price or 0.0, item.name)),
        ):
            wanted = [item.key.text for item in sorted(items, key=rank)]
            assert wanted == _keys(lab.store, Item, order_by=field)
            assert wanted[::-1] == _keys(lab.store, Item, order_by=f"-{field}")

    @rule("ID-8")
    def test_filter_finds_what_the_fields_say(self, lab: Lab) -> None:
        """Conditions on indexed and other fields, combined and negated, hold with pages of any size (ID-8)."""
        items = _items(lab.store)

        for condition, holds in (
            (F.rank == 3, lambda item: item.rank == 3),
            (F.rank == 2**53 + 1, lambda item: item.rank == 2**53 + 1),
            (F.label == "", lambda item: not item.label),
            (F.price == None, lambda item: item.price is None),  # noqa: E711 - a condition, not a comparison
            (F.rank != 3, lambda item: item.rank != 3),
            (F.rank > 0, lambda item: item.rank > 0),
            (F.rank <= 0, lambda item: item.rank <= 0),
            (F.plain >= 5, lambda item: item.plain >= 5),
            (F.plain.in_([1, 2, 99]), lambda item: item.plain in {1, 2}),
            ((F.rank == 3) & (F.label == "B"), lambda item: (item.rank, item.label) == (3, "B")),
            ((F.rank == 3) | (F.plain == 1), lambda item: item.rank == 3 or item.plain == 1),
            (~(F.rank == 3), lambda item: item.rank != 3),
            ((F.rank >= 0, F.label < "b"), lambda item: item.rank >= 0 and item.label < "b"),
        ):
            wanted = [item.key.text for item in items if holds(item)]
            for size in range(1, len(items) + 1):
                assert wanted == _keys(lab.store, Item, where=condition, limit=size)

    @rule("ID-8")
    def test_filter_and_order_go_together(self, lab: Lab) -> None:
        """A filtered list keeps the order of any indexed field (ID-8)."""
        items = _items(lab.store)

        for field in ("rank", "label"):
            for size in (1, 2, 3, 100):
                wanted = sorted(
                    (item for item in items if item.rank == 3), key=lambda item: (getattr(item, field), item.name)
                )
                found = _keys(lab.store, Item, where=F.rank == 3, order_by=f"-{field}", limit=size)
                assert [item.key.text for item in wanted][::-1] == found

    @rule("ID-8")
    def test_index_follows_changes(self, lab: Lab) -> None:
        """An update or a delete rule moves a resource in the order, a delete removes it (ID-8)."""
        items = _items(lab.store)
        lab.store.update(items[0].model_copy(update={"rank": -5, "price": None}))
        lab.store.delete(items[1])
        main, other = (lab.store.create(Site(name=name)) for name in ("main", "other"))
        lab.store.create(SetDefault(name="d", one=other))
        lab.store.delete(other)

        assert ["Item/i5", "Item/i0"] == _keys(lab.store, Item, order_by="rank")[:2]
        assert "Item/i1" not in _keys(lab.store, Item, order_by="rank")
        assert ["SetDefault/d"] == _keys(lab.store, SetDefault, where=F.one == main.ref)
        assert [] == _keys(lab.store, SetDefault, where=F.one == other.ref)

    @rule("ID-8")
    def test_filter_by_reference_takes_what_names_it(self, lab: Lab) -> None:
        """A field that is a reference is compared with a resource, a key or a reference (ID-8)."""
        site = lab.store.create(Site(name="s"))
        lab.store.create(Site(name="main"))
        lab.store.create(SetDefault(name="d", one=site))
        lab.store.create(SetDefault(name="e"))

        for value in (site, site.key, site.ref, "Site/s"):
            assert ["SetDefault/d"] == _keys(lab.store, SetDefault, where=F.one == value)

    @rule("ID-8")
    def test_question_that_cannot_be_answered_is_refused(self, lab: Lab) -> None:
        """Unknown fields, orders without an index, sizes out of range and foreign cursors are errors (ID-8)."""
        _items(lab.store)
        cursor = lab.store.list(Item, order_by="rank", limit=1).next

        for options in (
            {"where": F.nothing == 1},
            {"order_by": "plain"},
            {"order_by": "nothing"},
            {"limit": 0},
            {"limit": 1001},
            {"limit": "1"},
            {"after": "no cursor"},
            {"after": cursor},
            {"after": cursor, "order_by": "-rank"},
            {"after": cursor, "order_by": "label"},
        ):
            with pytest.raises(InvalidCall):
                lab.store.list(Item, **options)

    @rule("ID-9")
    def test_parent_and_under_follow_the_hierarchy(self, lab: Lab) -> None:
        """``p1`` never matches what lies under ``p10``; ``parent=`` is direct, ``under=`` is any depth (ID-9)."""
        for name in ("p1", "p10", "p1.x", "p", "p 1"):
            site = lab.store.create(Site(name=name))
            crate = lab.store.create(Crate(name="c", parent=site))
            lab.store.create(Crate(name="c2", parent=site))
            lab.store.create(Parcel(name="x", parent=crate))
            lab.store.create(Bundle(name="p1", version="p1", parent=site))
            lab.store.create(App(name="a", parent=f"Bundle/{site.key.text.partition('/')[2]}/p1/p1"))

        site = lab.store.get(Site, "p1")
        for size in (1, 2, 100):
            assert ["Crate/p1/c", "Crate/p1/c2"] == _keys(lab.store, Crate, parent=site, limit=size)
            assert ["Crate/p1/c", "Crate/p1/c2"] == _keys(lab.store, Crate, under=site, limit=size)
            assert ["Parcel/p1/c/x"] == _keys(lab.store, Parcel, under=site, limit=size)
        assert ["Parcel/p1/c/x"] == _keys(lab.store, Parcel, parent=lab.store.get(Crate, "p1", "c"))
        assert [] == _keys(lab.store, Parcel, parent=lab.store.get(Crate, "p1", "c2"))
        assert ["App/p1/p1/p1/a"] == _keys(lab.store, App, under=site)
        assert ["Crate/p1/c2", "Crate/p1/c"] == _keys(lab.store, Crate, parent=site, order_by="-name")

    @rule("ID-9")
    def test_order_by_index_stays_under_the_parent(self, lab: Lab) -> None:
        """A filter or an order by an index of the whole kind returns only what lies under the owner (ID-9)."""
        for name in ("p1", "p10"):
            site = lab.store.create(Site(name=name))
            crate = lab.store.create(Crate(name="c", parent=site))
            for weight in (2, 1):
                lab.store.create(Parcel(name=f"x{weight}", parent=crate, weight=weight))
        crate = lab.store.get(Crate, "p1", "c")

        for size in (1, 2, 3):
            found = _keys(lab.store, Parcel, parent=crate, order_by="-weight", limit=size)
            assert ["Parcel/p1/c/x2", "Parcel/p1/c/x1"] == found
            assert ["Parcel/p1/c/x1"] == _keys(lab.store, Parcel, under=crate.parent, where=F.weight == 1, limit=size)

    @rule("ID-9")
    def test_owner_of_the_wrong_kind_is_refused(self, lab: Lab) -> None:
        """An owner that cannot have the kind below it is an error and not an empty list (ID-9)."""
        site = lab.store.create(Site(name="a"))
        rack = lab.store.create(Rack(name="r", parent=site))

        for options in ({"parent": rack}, {"parent": site}, {"under": rack}, {"parent": site, "under": site}):
            with pytest.raises(InvalidCall):
                lab.store.list(Parcel, **options)

    @rule("ID-9")
    def test_children_are_the_direct_ones_of_all_kinds(self, lab: Lab) -> None:
        """``children`` returns the direct children, ``referrers`` all referrers, page by page (ID-9)."""
        for name in ("p1", "p10"):
            site = lab.store.create(Site(name=name))
            crate = lab.store.create(Crate(name="c", parent=site))
            lab.store.create(Parcel(name="x", parent=crate))
            lab.store.create(Rack(name="r", parent=site))
            lab.store.create(SetDefault(name=f"d-{name}", one=site))
        site = lab.store.get(Site, "p1")

        for size in (1, 2, 3, 4):
            assert ["Crate/p1/c", "Rack/p1/r"] == _pages(lambda **options: lab.store.children(site, **options), size)
            assert ["Crate/p1/c", "Rack/p1/r", "SetDefault/d-p1"] == _pages(
                lambda **options: lab.store.referrers(site, **options), size
            )


def _items(store: Any) -> list[Item]:
    return [
        store.create(Item(name=f"i{at}", rank=rank, label=label, price=price, plain=at))
        for at, (rank, label, price) in enumerate(zip(RANKS, LABELS, PRICES, strict=True))
    ]


def _keys(store: Any, model: Any, *, limit: int = 1000, **options: Any) -> list[str]:
    return _pages(lambda **more: store.list(model, **options, **more), limit)


def _pages(ask: Any, size: int) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = ask(limit=size, after=after)
        assert len(page) <= size
        found += [value.key.text for value in page.resources]
        assert after is None or page.next != after, "the cursor stands still"
        assert len(found) == len(set(found))
        after = page.next
        if after is None:
            return found
