"""References by selection: at least one resource matches in every committed state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from emco_store.contracts.checks import change, checked, take_away
from emco_store.contracts.harness import Lab
from emco_store.contracts.interleavings import check_all
from emco_store.contracts.models import Beacon, Bundle, Course, Crate, Lamp, Mate, Parcel, Pilot, Rack, Site
from emco_store.contracts.rules import rule
from emco_store.contracts.scripts import begin_with_selections, scripts_of_selections
from emco_store.core.flaws import FlawKind, Repair
from emco_store.core.keys import Key
from emco_store.core.plan import Blocker, BlockReason
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, DeleteRestricted, MissingReference, StoreError
from emco_store.ports import Commit, Scan


class SelectionRules:
    """A selection holds one match, and is moved to another one before it could lose it."""

    @rule("REF-14")
    def test_selection_that_nothing_matches_is_refused(self, lab: Lab) -> None:
        """A selection needs a match in a create, a put and an update, wherever it stands (REF-14)."""
        _light(lab, "a/north", "b/south")
        pilot = lab.store.create(Pilot(name="p"))
        before = lab.state()
        wrong: tuple[dict[str, Any], ...] = (
            {"one": "x"}, {"light": "x"}, {"first": "x"}, {"listed": ["north", "x"]}, {"by_use": {"sea": "x"}},
            {"course": Course(site="a", beacon="south")}, {"maybe": "x"},
            {"courses": [Course(site="a", beacon="north"), Course(site="b", beacon="north")]},
        )  # fmt: skip

        for fields in wrong:
            with pytest.raises(MissingReference):
                lab.store.create(Pilot(name="new", **fields))
            with pytest.raises(MissingReference):
                lab.store.put(Pilot(name="p", **fields))
            with pytest.raises(MissingReference):
                lab.store.update(pilot.model_copy(update=fields))

        assert before == lab.state()

    @rule("REF-14", "REF-2")
    def test_selections_and_references_that_resolve_nowhere_are_named_at_once(self, lab: Lab) -> None:
        """One error names every selection without a match, and every other reference that does not resolve (REF-14)."""
        _light(lab, "a/north")

        with pytest.raises(MissingReference) as caught, lab.store.transaction() as tx:
            tx.create(Pilot(name="p", one="x", light="y", listed=["north", "z"]))
            tx.create(Rack(name="r", parent="Site/gone"))

        assert {
            ("Pilot/p one", "Beacon/*/x"),
            ("Pilot/p light", "Beacon/*/y or Lamp/*/y"),
            ("Pilot/p listed[1]", "Beacon/*/z"),
            ("Rack/gone/r parent", "Site/gone"),
        } == {(place, target.text) for place, target in caught.value.missing}

    @rule("REF-14")
    def test_match_may_come_in_the_same_transaction(self, lab: Lab) -> None:
        """The check is made at the commit: a match may be created after the selection (REF-14)."""
        lab.store.create(Site(name="a"))

        with lab.store.transaction() as tx:
            tx.create(Pilot(name="p", one="north"))
            tx.create(Beacon(name="north", parent="Site/a"))

        assert {"Beacon/a/north"} == _held(lab, "Pilot/p")

    @rule("REF-14")
    def test_match_that_goes_in_the_same_transaction_is_none(self, lab: Lab) -> None:
        """A match that the transaction deletes does not count; another one does (REF-14)."""
        _light(lab, "a/north", "b/north")

        with lab.store.transaction() as tx:
            tx.delete(Key("Beacon", "a", "north"))
            tx.create(Pilot(name="p", one="north"))
        with pytest.raises(MissingReference), lab.store.transaction() as tx:
            tx.delete(Pilot(name="p").key)
            tx.delete(Key("Beacon", "b", "north"))
            tx.create(Pilot(name="q", one="north"))

        assert {"Beacon/b/north"} == _held(lab, "Pilot/p")

    @rule("REF-14", "DEL-13")
    def test_match_that_goes_with_an_update_of_its_selection_is_replaced(self, lab: Lab) -> None:
        """A transaction that updates a selection and deletes its match holds another one (REF-14)."""
        _light(lab, "a/north", "b/north")
        lab.store.create(Pilot(name="p", one="north"))

        with lab.store.transaction() as tx:
            tx.update(tx.get(Pilot, "p").model_copy(update={"note": "x"}))
            tx.delete(Key("Beacon", "a", "north"))

        assert {"Beacon/b/north"} == _held(lab, "Pilot/p")

    @rule("REF-14")
    def test_match_is_found_among_many(self, lab: Lab) -> None:
        """A match is found behind any number of others, with an index of its name and without one (REF-14)."""
        lab.store.create(Site(name="a"))
        with lab.store.transaction() as tx:
            for at in range(30):
                tx.create(Lamp(name=f"l{at:02}", parent="Site/a"))
                tx.create(Beacon(name=f"b{at:02}", parent="Site/a"))

        lab.store.create(Pilot(name="p", light="l29", one="b29"))

        assert {"Lamp/a/l29", "Beacon/a/b29"} == _held(lab, "Pilot/p")

    @rule("REF-14")
    def test_match_without_its_index_is_found(self, lab: Lab) -> None:
        """A match that was stored before its name was indexed counts as any other (REF-14)."""
        _light(lab, "a/north")
        change(lab, Key("Beacon", "a", "north"), lambda _: {"index": ()})

        lab.store.create(Pilot(name="p", one="north"))

        assert {"Beacon/a/north"} == _held(lab, "Pilot/p")

    @rule("REF-14", "REF-13")
    def test_update_that_keeps_a_selection_keeps_its_match(self, lab: Lab) -> None:
        """Who selects the same as before asks for no other match, and who selects nothing releases it (REF-14)."""
        _light(lab, "a/north", "b/north")
        made = lab.store.create(Pilot(name="p", one="north"))
        searches = lab.faults.count(Scan)
        assert made.meta.edges == lab.store.update(made).meta.edges == lab.store.get(made).meta.edges
        lab.store.delete(Key("Beacon", "a", "north"))
        assert searches < lab.faults.count(Scan)
        lab.store.create(Beacon(name="north", parent="Site/a"))
        pilot = lab.store.get(Pilot, "p")
        searches = lab.faults.count(Scan)

        stored = lab.store.update(pilot.model_copy(update={"note": "x"}))
        version = lab.store.put(Pilot(name="p", one="north", note="x")).meta.version

        assert (searches, {"Beacon/b/north"}) == (lab.faults.count(Scan), _held(lab, "Pilot/p"))
        assert stored.meta.version == version
        lab.store.update(lab.store.get(Pilot, "p").model_copy(update={"one": None}))
        lab.store.delete(Key("Beacon", "b", "north"), Key("Beacon", "a", "north"))

    @rule("REF-15")
    def test_selection_matches_names_only_where_it_says_so(self, lab: Lab) -> None:
        """Kind and names are compared as a whole: no prefix, no other kind, no other site (REF-15)."""
        _light(lab, "a/north", "a10/east")
        lab.store.create(Lamp(name="west", parent="Site/a"))
        lab.store.create(Site(name="north"))
        for fields in (
            {"one": "nort"}, {"one": "north2"}, {"one": "west"}, {"one": "a"}, {"below": "Site/north"},
            {"course": Course(site="a", beacon="east")}, {"by_use": {"land": "north"}},
        ):  # fmt: skip
            with pytest.raises(MissingReference):
                lab.store.create(Pilot(name="p", **fields))

        with lab.store.transaction() as tx:
            for site, crate in (("a", "c"), ("a10", "d"), ("north", "e")):
                tx.create(Crate(name=crate, parent=f"Site/{site}"))
                tx.create(Parcel(name="p", parent=f"Crate/{site}/{crate}"))
        with pytest.raises(MissingReference):
            lab.store.create(Pilot(name="p", crate="x", parcel="p"))

        lab.store.create(Pilot(name="p", light="west", below="Site/a10", course=Course(site="a10", beacon="east")))
        lab.store.create(Pilot(name="q", crate="d", parcel="p"))

        assert {"Lamp/a/west", "Beacon/a10/east", "Site/a10"} == _held(lab, "Pilot/p")
        assert {"Parcel/a10/d/p"} == _held(lab, "Pilot/q")

    @rule("REF-15")
    def test_selection_takes_names_from_its_own_key(self, lab: Lab) -> None:
        """Names of common ancestors are those of the own key, unless any name will do (REF-15)."""
        _light(lab, "a/north", "b/south")
        lab.store.create(Lamp(name="west", parent="Site/b"))

        with pytest.raises(MissingReference) as caught:
            lab.store.create(Mate(name="m", parent="Site/a", beacon="south"))
        lab.store.create(Mate(name="m", parent="Site/a", beacon="north", lamp="west"))

        assert ((("Mate/a/m beacon", Key("Beacon", "a", "south"))),) == caught.value.missing
        assert {"Site/a", "Beacon/a/north", "Lamp/b/west"} == _held(lab, "Mate/a/m")

    @rule("REF-15", "REF-12")
    def test_selection_is_not_matched_by_itself(self, lab: Lab) -> None:
        """A resource is no match of its own selection (REF-15)."""
        _light(lab, "a/north", "b/south")
        with pytest.raises(MissingReference):
            lab.store.create(Mate(name="m", parent="Site/a", mate="m"))

        with lab.store.transaction() as tx:
            tx.create(Mate(name="m", parent="Site/a", mate="m"))
            tx.create(Mate(name="m", parent="Site/b", mate="m"))

        assert {"Site/a", "Mate/b/m"} == _held(lab, "Mate/a/m")
        lab.store.delete(Key("Mate", "a", "m"), Key("Mate", "b", "m"))

    @rule("REF-16")
    def test_conditional_selection_counts_only_under_its_condition(self, lab: Lab) -> None:
        """Without its condition a selection is text, and so are None and empty text (REF-16)."""
        _light(lab, "a/north")

        lab.store.create(Pilot(name="p", how="land", maybe="x", one="", light=None, by_use={"air": "x", "sea": ""}))
        lab.store.create(Pilot(name="q", how="sea", maybe="north"))

        assert set() == _held(lab, "Pilot/p")
        assert {"Beacon/a/north"} == _held(lab, "Pilot/q")
        lab.store.put(Pilot(name="q", how="land", maybe="north"))
        lab.store.delete(Key("Beacon", "a", "north"))

    @rule("REF-16", "DEL-13")
    def test_selection_that_needs_no_match_holds_one_if_there_is_one(self, lab: Lab) -> None:
        """An optional selection holds nothing where nothing matches, and else is like any other (REF-16)."""
        _light(lab, "a/north")
        with lab.store.transaction() as tx:
            tx.create(Pilot(name="before", maybe_lamp="west", root="any"))
        lab.store.create(Lamp(name="west", parent="Site/a"))
        lab.store.create(Bundle(name="x", version="root", parent="Site/a"))
        unchanged = lab.store.put(Pilot(name="before", maybe_lamp="west", root="any"))

        lab.store.create(Pilot(name="after", maybe_lamp="west", root="any"))

        assert (1, set()) == (unchanged.meta.version, _held(lab, "Pilot/before"))
        assert {"Lamp/a/west", "Bundle/a/x/root"} == _held(lab, "Pilot/after")
        for key in (Key("Lamp", "a", "west"), Key("Bundle", "a", "x", "root")):
            with pytest.raises(DeleteRestricted) as caught:
                lab.open().delete(key)
            assert [Key("Pilot", "after")] == [blocker.referrer for blocker in caught.value.blockers]
        assert [] == checked(lab.store)
        lab.store.put(Pilot(name="after"))
        lab.store.delete(Key("Lamp", "a", "west"))

    @rule("REF-16")
    def test_first_alternative_with_a_match_counts(self, lab: Lab) -> None:
        """Of several selections in one place the first with a match is held, and stays the one (REF-16)."""
        _light(lab, "a/north")
        lab.store.create(Lamp(name="north", parent="Site/a"))
        lab.store.create(Lamp(name="south", parent="Site/a"))

        lab.store.create(Pilot(name="p", first="north"))
        lab.store.create(Pilot(name="q", first="south"))

        assert ({"Beacon/a/north"}, {"Lamp/a/south"}) == (_held(lab, "Pilot/p"), _held(lab, "Pilot/q"))
        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(Key("Beacon", "a", "north"))
        assert ["first"] == [blocker.place for blocker in caught.value.blockers]
        with lab.store.transaction() as tx:
            tx.update(tx.get(Pilot, "p").model_copy(update={"note": "chosen anew"}))
            tx.delete(Key("Beacon", "a", "north"))
        assert {"Lamp/a/north"} == _held(lab, "Pilot/p")

    @rule("DEL-13")
    def test_delete_of_a_match_moves_the_selection(self, lab: Lab) -> None:
        """A selection that loses its match holds another one; its document stays, and its version moves (DEL-13)."""
        _light(lab, "a/north", "b/north", "c/north")
        before = lab.store.create(Pilot(name="p", one="north", listed=["north", "north"]))

        plan = lab.store.plan_delete(Key("Beacon", "a", "north"))
        lab.store.apply(plan)

        after = lab.store.get(before)
        assert (2, before.model_dump()) == (after.meta.version, after.model_dump())
        assert {"Beacon/b/north"} == _held(lab, "Pilot/p")
        assert [
            ("Pilot/p one -> Beacon/b/north (RESELECT)"),
            ("Pilot/p listed[0] -> Beacon/b/north (RESELECT)"),
            ("Pilot/p listed[1] -> Beacon/b/north (RESELECT)"),
        ] == sorted(map(str, plan.updates), key=lambda text: ("one" not in text, text))

    @rule("DEL-13", "DEL-8")
    def test_delete_of_the_last_match_is_refused(self, lab: Lab) -> None:
        """The last match cannot go, alone or with others, and every selection that holds it is named (DEL-13)."""
        _light(lab, "a/north", "b/north")
        lab.store.create(Pilot(name="p", one="north"))
        lab.store.create(Pilot(name="q", listed=["north"]))
        before = lab.state()

        plan = lab.store.plan_delete(Key("Beacon", "a", "north"), Key("Beacon", "b", "north"))
        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(Key("Site", "a"), Key("Beacon", "b", "north"))

        no_match = BlockReason.NO_MATCH, "no other resource matches it"
        blockers = {
            Blocker(Key("Pilot", "p"), "one", Rule.RESELECT, Key("Beacon", "a", "north"), *no_match),
            Blocker(Key("Pilot", "q"), "listed[0]", Rule.RESELECT, Key("Beacon", "a", "north"), *no_match),
        }
        assert (blockers, blockers) == (set(plan.blockers), set(caught.value.blockers))
        assert before == lab.state()

    @rule("DEL-13", "DEL-3")
    def test_cascade_moves_selections(self, lab: Lab) -> None:
        """A match that a cascade reaches is lost as any other (DEL-13)."""
        _light(lab, "a/north", "b/north")
        lab.store.create(Pilot(name="p", one="north", below="Site/b"))

        lab.store.delete(Key("Site", "a"))
        with pytest.raises(DeleteRestricted):
            lab.store.delete(Key("Site", "b"))

        assert {"Beacon/b/north", "Site/b"} == _held(lab, "Pilot/p")

    @rule("DEL-13", "DEL-7")
    def test_selection_goes_with_its_last_match(self, lab: Lab) -> None:
        """A selection that is deleted in the same commit blocks nothing (DEL-13)."""
        _light(lab, "a/north")
        lab.store.create(Pilot(name="p", one="north"))

        lab.store.delete(Key("Beacon", "a", "north"), Key("Pilot", "p"))

        assert ["Site/a"] == sorted(lab.state())

    @rule("DEL-13", "DEL-10")
    def test_last_match_that_is_replaced_does_not_block(self, lab: Lab) -> None:
        """Within a transaction it is judged at the commit: another match may come after the delete (DEL-13)."""
        _light(lab, "a/north", "b/south")
        lab.store.create(Pilot(name="p", one="north", light="north"))

        with lab.store.transaction() as tx:
            tx.delete(Key("Beacon", "a", "north"))
            tx.create(Lamp(name="north", parent="Site/b"))
            tx.create(Beacon(name="north", parent="Site/b"))

        assert {"Beacon/b/north"} == _held(lab, "Pilot/p")
        with lab.store.transaction() as tx:
            tx.delete(Key("Beacon", "b", "north"))
            tx.update(tx.get(Pilot, "p").model_copy(update={"one": "south"}))
        assert {"Beacon/b/south", "Lamp/b/north"} == _held(lab, "Pilot/p")

    @rule("DEL-13", "DEL-9")
    def test_plan_that_moves_a_selection_is_refused_when_the_match_has_gone(self, lab: Lab) -> None:
        """A plan names the match that it moves to; without that one it cannot be applied (DEL-13, DEL-9)."""
        _light(lab, "a/north", "b/north", "c/north")
        lab.store.create(Pilot(name="p", one="north"))
        plan = lab.store.plan_delete(Key("Beacon", "a", "north"))
        lab.store.delete(Key("Beacon", "b", "north"))

        with pytest.raises(Conflict):
            lab.store.apply(plan)

        assert {"Beacon/a/north"} == _held(lab, "Pilot/p")

    @rule("ALL-5")
    def test_store_without_models_moves_selections_and_is_blocked(self, lab: Lab) -> None:
        """What a selection looks for is stored with it, for every form and every condition (ALL-5)."""
        _light(lab, "a/north", "b/north", "b/south")
        lab.store.create(Lamp(name="north", parent="Site/a"))
        lab.store.create(
            Pilot(
                name="p", one="north", light="north", first="north", listed=["north"], by_use={"land": "north"},
                course=Course(site="b", beacon="north"), below="Site/b", how="land", maybe="x",
            )
        )  # fmt: skip
        before = lab.store.get(Pilot, "p").model_dump()

        lab.open().delete(Key("Beacon", "a", "north"))
        with pytest.raises(DeleteRestricted) as caught:
            lab.open().delete(Key("Beacon", "b", "north"))

        assert {"Beacon/b/north", "Lamp/a/north", "Site/b"} == _held(lab, "Pilot/p")
        assert {"one", "first", "listed[0]", "course.beacon"} == {found.place for found in caught.value.blockers}
        assert before == lab.store.get(Pilot, "p").model_dump()

    @rule("OCC-12")
    def test_last_match_that_goes_before_the_commit_refuses_the_selection(self, lab: Lab) -> None:
        """The last match goes between the search and the commit: the search is made again, and finds none (OCC-12)."""
        _light(lab, "a/north")
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.delete(Key("Beacon", "a", "north")))

        with pytest.raises(MissingReference):
            lab.store.create(Pilot(name="p", one="north"))

        assert ["Site/a"] == sorted(lab.state())

    @rule("OCC-12")
    def test_match_that_goes_before_the_commit_is_replaced(self, lab: Lab) -> None:
        """Where another match is left, the selection is made all the same (OCC-12)."""
        _light(lab, "a/north", "b/north")
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.delete(Key("Beacon", "a", "north")))

        lab.store.create(Pilot(name="p", one="north"))

        assert {"Beacon/b/north"} == _held(lab, "Pilot/p")

    @rule("OCC-12")
    def test_selection_that_comes_before_the_commit_blocks_the_delete(self, lab: Lab) -> None:
        """A selection is made between the plan of a delete and its commit: the delete is planned again (OCC-12)."""
        _light(lab, "a/north")
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.create(Pilot(name="p", one="north")))

        with pytest.raises(DeleteRestricted):
            lab.store.delete(Key("Beacon", "a", "north"))

        assert {"Beacon/a/north"} == _held(lab, "Pilot/p")

    @rule("OCC-12")
    def test_match_to_move_to_that_goes_before_the_commit_blocks_the_delete(self, lab: Lab) -> None:
        """Of two deletes of the last two matches one is refused, whichever plans first (OCC-12)."""
        _light(lab, "a/north", "b/north")
        lab.store.create(Pilot(name="p", one="north"))
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.delete(Key("Beacon", "b", "north")))

        with pytest.raises(DeleteRestricted):
            lab.store.delete(Key("Beacon", "a", "north"))

        assert {"Beacon/a/north"} == _held(lab, "Pilot/p")

    @rule("OCC-12")
    def test_crowd_of_deletes_leaves_one_match(self, lab: Lab) -> None:
        """Whoever deletes matches at once, one is left for each selection (OCC-12)."""
        _light(lab, *(f"s{at}/north" for at in range(4)))
        lab.store.create(Pilot(name="p", one="north"))
        keys = [Key("Beacon", f"s{at}", "north") for at in range(4)]

        results = lab.together([_deleting(key) for key in keys] + [_creating(f"q{at}") for at in range(3)])

        left = [text for text in lab.state() if text.startswith("Beacon/")]
        refused = [found for found in results if isinstance(found, StoreError)]
        assert 1 == len(left) == len(refused)
        assert {*left} == {held for text in lab.state() if text.startswith("Pilot/") for held in _held(lab, text)}

    @rule("OCC-12", "OCC-10")
    def test_every_schedule_around_selections_is_serial(self, lab: Lab) -> None:
        """Pairs of transactions around selections and their matches end as in a serial order (OCC-12)."""
        check_all(lab.bench, begin_with_selections, scripts_of_selections())

    @rule("CHK-3")
    def test_selection_without_a_match_is_found_and_gets_one(self, lab: Lab) -> None:
        """A selection that was stored before its model said so is found, and a repair chooses its match (CHK-3)."""
        _light(lab, "a/north")
        lab.store.create(Pilot(name="p", one="north", listed=["north"]))
        change(lab, Key("Pilot", "p"), lambda _: {"edges": ()})

        flaws = checked(lab.store)
        repaired = lab.store.repair(flaws)

        assert [(FlawKind.EDGES, Repair.REWRITE)] == [(flaw.kind, flaw.repair) for flaw in flaws]
        assert (tuple(flaws), ()) == (repaired.done, repaired.skipped)
        assert ({"Beacon/a/north"}, []) == (_held(lab, "Pilot/p"), checked(lab.store))

    @rule("CHK-3")
    def test_match_that_does_not_match_is_found_and_replaced(self, lab: Lab) -> None:
        """A selection that holds what does not match is found, and a repair chooses a match (CHK-3)."""
        _light(lab, "a/north", "a/south")
        lab.store.create(Pilot(name="p", one="north"))
        (edge,) = lab.records()["Pilot/p"].edges
        change(lab, Key("Pilot", "p"), lambda _: {"edges": (replace(edge, target=Key("Beacon", "a", "south")),)})

        flaws = checked(lab.store)
        lab.store.repair(flaws)

        assert [(FlawKind.EDGES, Repair.REWRITE)] == [(flaw.kind, flaw.repair) for flaw in flaws]
        assert ({"Beacon/a/north"}, []) == (_held(lab, "Pilot/p"), checked(lab.store))

    @rule("CHK-7", "CHK-2")
    def test_match_that_is_not_there_is_replaced_or_left_to_a_person(self, lab: Lab) -> None:
        """A repair moves a selection whose match is gone to another one; without one, it leaves it (CHK-7)."""
        _light(lab, "a/north", "b/north", "a/south")
        lab.store.create(Pilot(name="p", one="north"))
        lab.store.create(Pilot(name="q", one="south"))
        take_away(lab, Key("Beacon", "a", "north"), Key("Beacon", "a", "south"))

        lost = [checked(store) for store in (lab.open(), lab.store)]
        skipped = [store.repair(checked(store)).skipped for store in (lab.open(), lab.store)]

        assert 2 * [{("Pilot/p", FlawKind.DANGLING), ("Pilot/q", FlawKind.DANGLING)}] == [
            {(flaw.key, flaw.kind) for flaw in flaws} for flaws in lost
        ]
        assert 2 * [["Pilot/q"]] == [[flaw.key for flaw, _ in found] for found in skipped]
        assert ({"Beacon/b/north"}, ["Pilot/q"]) == (_held(lab, "Pilot/p"), [flaw.key for flaw in checked(lab.store)])


def _light(lab: Lab, *places: str) -> None:
    """Create beacons, given as site and name, with their sites."""
    with lab.store.transaction() as tx:
        for site in dict.fromkeys(place.partition("/")[0] for place in places):
            tx.create(Site(name=site))
        for place in places:
            site, _, name = place.partition("/")
            tx.create(Beacon(name=name, parent=f"Site/{site}"))


def _held(lab: Lab, text: str) -> set[str]:
    """Return the targets of a record, all of which must be there, and match what they are held for."""
    records = lab.records()
    edges = records[text].edges
    assert all(edge.selection is None or edge.selection.matches(edge.target) for edge in edges)
    found = {edge.target.text for edge in edges}
    assert found <= records.keys()
    return found


def _deleting(key: Key) -> Any:
    return lambda store: store.delete(key)


def _creating(name: str) -> Any:
    return lambda store: store.create(Pilot(name=name, listed=["north"]))
