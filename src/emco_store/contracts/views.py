"""VIEW-1 to VIEW-5: what a program sees of a kind that another one owns, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from emco_store.contracts.checks import checked
from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.events import Action
from emco_store.core.flaws import FlawKind
from emco_store.core.following import Added, Resynced, Updated
from emco_store.core.indexing import indexed, unique
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.views import View
from emco_store.errors import DeleteRestricted, InvalidCall, InvalidResource, MissingReference, NotFound

_PATIENCE = timedelta(seconds=10)
"""How long a reader waits for what will come; no test that passes waits so long."""


class Harbour(Resource):
    """A root, of the owner."""

    town: str = ""


class Tug(Resource):
    """What berths refer to, of the owner."""


class Crane(BaseModel, extra="forbid"):
    """A nested model of the owner."""

    tons: int
    maker: str = ""


class Berth(Resource, parent=Harbour, key=("name", "side")):
    """What the views look at: a key of two names, nested values, references, values that must be unique."""

    side: str
    depth: Annotated[int, indexed()] = 0
    code: Annotated[str, unique()]
    crane: Crane = Crane(tons=1)
    tug: Annotated[Ref[Tug] | None, on_delete(Rule.SET_NULL)] = None
    note: str = "n"


class CraneView(BaseModel, extra="ignore"):
    """A part of the nested model."""

    tons: int


class BerthView(View, of="Berth"):
    """Reads berths wherever they lie."""

    depth: int
    crane: CraneView


class HarbourView(View, of="Harbour", parent=None):
    """A view of a root."""


class TugView(View, of="Tug", parent=None):
    """Another one."""


class PlacedBerth(View, of="Berth", parent=HarbourView, key=("name", "side")):
    """Says where berths lie, and needs a reference that the owner does not need."""

    side: str
    depth: int = 0
    tug: Ref[TugView] | None


class StrictBerth(View, of="Berth"):
    """Needs what the owner may take away."""

    tug: Ref[TugView]


class Ship(Resource):
    """Refers to a berth that is seen in part."""

    berth: Ref[BerthView]
    spare: Annotated[list[Ref[BerthView]], on_delete(Rule.REMOVE)] = []


class Buoy(Resource, parent=HarbourView, on_parent_delete=Rule.CASCADE):
    """Lies under what another program owns."""


def _filled(lab: Lab) -> list[Berth]:
    """Create a harbour with three berths, of which one has a tug."""
    with lab.store.transaction() as tx:
        harbour, tug = tx.create(Harbour(name="h", town="t")), tx.create(Tug(name="t"))
        return [
            tx.create(
                Berth(name=f"b{at}", side="left", parent=harbour, depth=at, code=f"c{at}", tug=None if at else tug)
            )
            for at in range(3)
        ]


class ViewRules:
    """Views of kinds that another program owns."""

    @rule("VIEW-1")
    def test_view_reads_the_fields_that_it_declares(self, lab: Lab) -> None:
        """By key, in lists and iterations, with conditions, of all that its owner has written (VIEW-1)."""
        berths = _filled(lab)
        for view in (BerthView, PlacedBerth):
            self._check_reads(lab.open(models=[view]), view, berths)

    @staticmethod
    def _check_reads(other: Any, view: Any, berths: list[Berth]) -> None:
        keys = [berth.key for berth in berths]
        seen = other.get(view, "h", "b1", "left")
        assert (berths[1].key, 1, berths[1].meta.version, berths[1].parent) == (
            seen.key, seen.depth, seen.meta.version, seen.parent,
        )  # fmt: skip
        assert not hasattr(seen, "note")
        assert seen == other.get(keys[1]) == other.get(seen) == other.get(seen.ref)
        assert keys == [one.key for one in other.get_many(keys)]
        assert keys == [one.key for one in other.list(view)] == [one.key for one in other.iterate(view, page_size=1)]
        assert keys[1:] == [one.key for one in other.list(view, where=F.depth >= 1)]
        assert (3, 1) == (other.count(view), other.count(view, where=F.depth == 2))
        assert {view} == {type(one) for one in other.children(Key("Harbour", "h"))}
        with other.transaction() as tx:
            assert seen == tx.get(view, "h", "b1", "left")
        with pytest.raises(NotFound):
            other.get(view, "h", "b9", "left")

    @rule("VIEW-1")
    def test_view_ignores_what_its_owner_adds(self, lab: Lab) -> None:
        """Fields that are not declared are ignored at any depth, so an owner may add them (VIEW-1)."""
        (berth, *_), other = _filled(lab), lab.open()
        document = b'{"name":"b0","side":"left","depth":5,"crane":{"tons":2,"maker":"m","new":{"x":1}},"new":[1]}'
        lab.tamper(berth.key, document)

        assert (5, CraneView(tons=2)) == ((seen := other.get(BerthView, *berth.key.segments)).depth, seen.crane)

    @rule("VIEW-1")
    def test_list_of_a_placed_view_follows_the_hierarchy(self, lab: Lab) -> None:
        """A view that says where its resources lie lists them under their ancestors; another one refuses (VIEW-1)."""
        _filled(lab)
        other = lab.open()
        lab.store.create(Berth(name="x", side="left", parent=lab.store.create(Harbour(name="h2")), code="x"))

        assert ["b0", "b1", "b2"] == [one.name for one in other.list(PlacedBerth, parent=Key("Harbour", "h"))]
        assert 1 == other.count(PlacedBerth, under=Key("Harbour", "h2"))
        with pytest.raises(InvalidCall):
            lab.open().list(BerthView, parent=Key("Harbour", "h"))
        with pytest.raises(InvalidCall):
            other.get(PlacedBerth, "h", "b0")

    @rule("VIEW-2")
    def test_view_is_a_target_of_references(self, lab: Lab) -> None:
        """References to it hold their targets, and their rules are obeyed by the owner (VIEW-2)."""
        (first, second, third), other = _filled(lab), lab.open()
        seen = other.get(BerthView, *first.key.segments)
        ship = other.create(Ship(name="s", berth=seen, spare=[second.key.text]))

        assert seen == other.get(ship.berth)
        assert [ship.key] == [one.key for one in other.referrers(seen)]
        with pytest.raises(DeleteRestricted):
            lab.store.delete(first)
        lab.store.delete(second)
        assert [] == other.get(Ship, "s").spare
        with pytest.raises(MissingReference):
            other.create(Ship(name="t", berth=second.key))
        for wrong in ("b2/left", Key("Harbour", "h")):
            with pytest.raises(InvalidResource):
                Ship(name="t", berth=wrong)
        assert third.key == Ship(name="t", berth=third).berth.key

    @rule("VIEW-2")
    def test_view_is_a_parent(self, lab: Lab) -> None:
        """Kinds can lie under it, and go with it as their rule says (VIEW-2)."""
        harbour, other = lab.store.create(Harbour(name="h")), lab.open()
        buoy = other.create(Buoy(name="b", parent=other.get(HarbourView, "h")))

        assert Key("Buoy", "h", "b") == buoy.key
        with pytest.raises(MissingReference):
            other.create(Buoy(name="b", parent=Key("Harbour", "i")))
        assert {"Harbour": 1, "Buoy": 1} == lab.store.delete(harbour).deleted

    @rule("VIEW-3")
    def test_write_of_a_view_is_refused_before_anything_is_asked(self, lab: Lab) -> None:
        """No call creates, changes or deletes through a view, nor by the key of a kind known by one (VIEW-3)."""
        (berth, *_), other = _filled(lab), lab.open(models=[PlacedBerth])
        seen = other.get(PlacedBerth, *berth.key.segments)
        asked = len(lab.faults.requests)
        new = PlacedBerth(name="n", side="left", parent=Key("Harbour", "h"), tug=None)

        calls: tuple[Callable[[], Any], ...] = (
            lambda: other.create(new),
            lambda: other.put(seen),
            lambda: other.update(seen.model_copy(update={"depth": 7})),
            lambda: other.patch(seen, {"depth": 7}),
            lambda: other.patch(berth.key, {"depth": 7}),
            lambda: other.delete(seen),
            lambda: other.delete(berth.key),
            lambda: other.plan_delete(berth.key),
            lambda: other.run(lambda tx: tx.create(new)),
        )
        for call in calls:
            with pytest.raises(InvalidCall):
                call()
        assert asked == len(lab.faults.requests)
        assert berth == lab.store.get(berth)

    @rule("VIEW-4")
    def test_fields_beyond_a_view_survive(self, lab: Lab) -> None:
        """An edit by a rule, an import and a repair take nothing from a document that a view shows in part (VIEW-4)."""
        (berth, *_) = _filled(lab)
        lab.open(models=[StrictBerth, Tug]).delete(Key("Tug", "t"))

        left = lab.store.get(berth)
        assert berth.model_copy(update={"tug": None}).model_dump() == left.model_dump()
        exported = lab.store.export()
        with lab.bench.lab() as empty:
            empty.open(models=[BerthView]).import_(exported)
            assert left.model_dump() == empty.store.get(Berth, *berth.key.segments).model_dump()
            viewing = empty.open(models=[BerthView])
            assert [] == checked(viewing)
            assert [left.key] == [one.key for one in empty.store.list(Berth, where=F.depth == 0)]

    @rule("VIEW-5")
    def test_document_that_a_view_cannot_read_is_an_error_in_its_place(self, lab: Lab) -> None:
        """A list goes on around it, the owner is not disturbed, and a check with the view names it (VIEW-5)."""
        berths, other = _filled(lab), lab.open(models=[StrictBerth, TugView])

        page = other.list(StrictBerth)
        assert [berths[0].key] == [one.key for one in page.resources]
        assert [berth.key for berth in berths[1:]] == [error.key for error in page.errors]
        flaws = checked(other)
        assert [(FlawKind.INVALID, berth.key.text, None) for berth in berths[1:]] == [
            (flaw.kind, flaw.key, flaw.repair) for flaw in flaws
        ]
        assert [] == checked(lab.store)

    @rule("VIEW-5")
    def test_views_are_watched_and_followed(self, lab: Lab) -> None:
        """A watch and a follower tell what the owner does, as the view shows it (VIEW-5)."""
        (berth, *_), other = _filled(lab), lab.open()
        watch = other.watch(kinds=[BerthView], after=other.feed_cursor(), load=True, idle=_PATIENCE)
        follow = other.follow(BerthView, idle=_PATIENCE)
        told = [next(follow) for _ in range(4)]
        assert [Added, Added, Added, Resynced] == [type(one) for one in told]

        lab.store.patch(berth, {"depth": 9})
        event = next(watch)
        assert [(Action.UPDATED, berth.key)] == [(one.action, one.key) for one in event.changes]
        assert 9 == event.resources[berth.key].depth
        news = next(follow)
        assert isinstance(news, Updated)
        assert (BerthView, 9) == (type(news.resource), news.resource.depth)
