"""DEL-1 to DEL-5 and DEL-7: what each rule does to referrers of a deleted target."""

from __future__ import annotations

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    Cascade,
    Crate,
    NullLeg,
    Parcel,
    Protect,
    Rack,
    Remove,
    Restrict,
    Safe,
    SetDefault,
    SetNull,
    Site,
)
from emco_store.contracts.rules import rule
from emco_store.core.plan import BlockReason
from emco_store.core.query import F
from emco_store.core.rules import Rule
from emco_store.errors import DeleteRestricted, UniqueViolation


def sites(lab: Lab, *names: str) -> list[Site]:
    """Create the targets of a test."""
    return [lab.store.create(Site(name=name)) for name in names]


def blocked(problem: DeleteRestricted) -> set[tuple[str, str, Rule]]:
    """Return what a refusal names: the referrers, the places and the rules."""
    return {(blocker.referrer.text, blocker.place, blocker.rule) for blocker in problem.blockers}


class DeleteRules:
    """RESTRICT, PROTECT, CASCADE, SET_NULL and SET_DEFAULT, and the end of a cascade."""

    @rule("DEL-1")
    def test_restrict_blocks_in_every_form(self, lab: Lab) -> None:
        """A reference under RESTRICT blocks the delete of its target, in any field (DEL-1)."""
        a, b = sites(lab, "a", "b")
        for fields, place in (
            ({"one": a}, "one"),
            ({"listed": [b, a]}, "listed[1]"),
            ({"chosen": [b, a]}, "chosen[0]"),
            ({"row": [a]}, "row[0]"),
            ({"by_name": {"k": a}}, "by_name.k"),
            ({"by_site": {a: "k"}}, "by_site{Site/a}"),
            ({"leg": {"site": b, "spare": [a]}}, "leg.spare[0]"),
            ({"trips": {"k": [{"by_day": {"mon": {"site": a}}}]}}, "trips.k[0].by_day.mon.site"),
            ({"either": a}, "either"),
        ):
            lab.store.put(Restrict(name="r", **fields))
            before = lab.state()
            with pytest.raises(DeleteRestricted) as caught:
                lab.store.delete(a)
            assert {("Restrict/r", place, Rule.RESTRICT)} == blocked(caught.value)
            assert before == lab.state()

    @rule("DEL-1")
    def test_restrict_steps_back_for_a_referrer_that_goes_too(self, lab: Lab) -> None:
        """RESTRICT does not block if the same delete names the referrer or removes it by a cascade (DEL-1)."""
        (a,) = sites(lab, "a")
        lab.store.create(Restrict(name="r", one=a))
        rack = lab.store.create(Rack(name="k", parent=a))
        x = lab.store.create(Cascade(name="x", one=a))
        lab.store.create(Cascade(name="y", before=x, blocked_by=x))

        lab.store.delete(a, rack, lab.store.get(Restrict, "r"))

        assert {} == lab.state()

    @rule("DEL-1")
    def test_restrict_from_a_child_blocks_its_parent(self, lab: Lab) -> None:
        """A parent with a child under RESTRICT cannot be deleted until the child is (DEL-1)."""
        (a,) = sites(lab, "a")
        rack = lab.store.create(Rack(name="k", parent=a))

        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(a)
        lab.store.delete(rack)
        lab.store.delete(a)

        assert {("Rack/a/k", "parent", Rule.RESTRICT)} == blocked(caught.value)
        assert {} == lab.state()

    @rule("DEL-2")
    def test_protect_blocks_even_within_a_cascade(self, lab: Lab) -> None:
        """PROTECT blocks even if a cascade would delete the referrer; naming it lifts the block (DEL-2)."""
        (a,) = sites(lab, "a")
        p = lab.store.create(Protect(name="p", one=a, also=a))

        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(a)
        assert {("Protect/p", "one", Rule.PROTECT)} == blocked(caught.value)
        assert 2 == len(lab.state())

        lab.store.delete(p, a)
        assert {} == lab.state()

    @rule("DEL-2", "DEL-7")
    def test_protect_blocks_a_diamond(self, lab: Lab) -> None:
        """A resource reached by CASCADE and by PROTECT blocks the whole delete (DEL-2, DEL-7)."""
        top, left, right = sites(lab, "top", "left", "right")
        lab.store.create(Crate(name="c", parent=top))
        lab.store.create(Protect(name="p", also=left, one=right))

        for targets in ((left, right), (right, left), (right,)):
            with pytest.raises(DeleteRestricted) as caught:
                lab.store.delete(*targets)
            assert {("Protect/p", "one", Rule.PROTECT)} == blocked(caught.value)
        lab.store.delete(left, right, lab.store.get(Protect, "p"))

        assert ["Crate/top/c", "Site/top"] == sorted(lab.state())

    @rule("DEL-2")
    def test_protect_from_a_child_blocks_until_it_is_named(self, lab: Lab) -> None:
        """A child under PROTECT is deleted with its parent only if it is named (DEL-2)."""
        (a,) = sites(lab, "a")
        safe = lab.store.create(Safe(name="s", parent=a))

        with pytest.raises(DeleteRestricted):
            lab.store.delete(a)
        lab.store.delete(a, safe)

        assert {} == lab.state()

    @rule("DEL-3")
    def test_cascade_takes_referrers_to_any_depth(self, lab: Lab) -> None:
        """CASCADE deletes referrers, their children and their referrers, to any depth, and nothing else (DEL-3)."""
        a, b = sites(lab, "a", "b")
        before = lab.store.create(Cascade(name="c00", one=a))
        for at in range(1, 12):
            before = lab.store.create(Cascade(name=f"c{at:02}", before=before))
        for site in (a, b):
            crate = lab.store.create(Crate(name="k", parent=site))
            lab.store.create(Parcel(name="p", parent=crate))
        lab.store.create(Cascade(name="map", by_site={a: "x", b: "y"}))
        lab.store.create(Cascade(name="other", one=b))

        lab.store.delete(a)

        assert ["Cascade/other", "Crate/b/k", "Parcel/b/k/p", "Site/b"] == sorted(lab.state())

    @rule("DEL-3")
    def test_cascade_takes_more_than_a_page_of_referrers(self, lab: Lab) -> None:
        """All referrers are deleted, even if one request cannot return them all (DEL-3)."""
        (a,) = sites(lab, "a")
        with lab.store.transaction() as tx:
            for at in range(1100):
                tx.create(Crate(name=f"c{at}", parent=a))

        lab.store.delete(a)

        assert {} == lab.state()

    @rule("DEL-4")
    def test_set_null_puts_null_wherever_it_stands(self, lab: Lab) -> None:
        """SET_NULL sets each reference to null, changes nothing else, and adds 1 to the version (DEL-4)."""
        a, b = sites(lab, "a", "b")
        made = lab.store.create(
            SetNull(
                name="n", one=a, only=a, listed=[a, b, None, a], by_name={"x": a, "y": b}, note="kept",
                legs=[NullLeg(site=b.ref, note="1"), NullLeg(site=a.ref, note="2")],
            )
        )  # fmt: skip
        lab.clock.advance()

        lab.store.delete(a)

        left = lab.store.get(made)
        wanted = SetNull(
            name="n", listed=[None, b, None, None], by_name={"x": None, "y": b}, note="kept",
            legs=[NullLeg(site=b.ref, note="1"), NullLeg(note="2")],
        )  # fmt: skip
        assert wanted.model_dump() == left.model_dump()
        assert (made.meta.uid, 2, made.meta.created_at) == (left.meta.uid, left.meta.version, left.meta.created_at)
        assert left.meta.updated_at > made.meta.updated_at
        assert ["listed[1]", "by_name.y", "legs[0].site"] == [edge.place for edge in left.meta.edges]

    @rule("DEL-4", "ID-6")
    def test_set_null_gives_a_unique_value_up(self, lab: Lab) -> None:
        """A unique value that becomes null can be taken by another resource (DEL-4, ID-6)."""
        (a,) = sites(lab, "a")
        lab.store.create(SetNull(name="n", only=a))
        with pytest.raises(UniqueViolation):
            lab.store.create(SetNull(name="m", only=a))

        lab.store.delete(a)
        again = lab.store.create(Site(name="a"))
        lab.store.create(SetNull(name="m", only=again))

        assert {"n": None, "m": "Site/a"} == {n.name: n.only and n.only.text for n in lab.store.list(SetNull).resources}

    @rule("DEL-5")
    def test_set_default_puts_the_default(self, lab: Lab) -> None:
        """SET_DEFAULT replaces the reference by the default, which is then protected itself (DEL-5)."""
        main, a = sites(lab, "main", "a")
        made = lab.store.create(SetDefault(name="d", one=a, note="kept"))

        lab.store.delete(a)

        left = lab.store.get(made)
        assert ("Site/main", "kept", 2) == (left.one.text, left.note, left.meta.version)
        assert ["SetDefault/d"] == [found.key.text for found in lab.store.referrers(main)]
        assert ["SetDefault/d"] == [
            found.key.text for found in lab.store.list(SetDefault, where=F.one == main).resources
        ]

    @rule("DEL-5")
    def test_set_default_blocks_when_the_default_goes(self, lab: Lab) -> None:
        """The default itself, alone or together with the target, cannot be deleted (DEL-5)."""
        main, a = sites(lab, "main", "a")
        lab.store.create(SetDefault(name="d", one=a))
        lab.store.create(SetDefault(name="e", one=main))
        before = lab.state()

        for targets, holders in (((main,), {"e"}), ((main, a), {"d", "e"}), ((a, main), {"d", "e"})):
            with pytest.raises(DeleteRestricted) as caught:
                lab.store.delete(*targets)
            assert {(f"SetDefault/{name}", "one", Rule.SET_DEFAULT) for name in holders} == blocked(caught.value)
        with pytest.raises(DeleteRestricted), lab.store.transaction() as tx:
            tx.delete(a)
            tx.delete(main)

        assert before == lab.state()

    @rule("DEL-5", "REF-2")
    def test_set_default_without_its_default_is_refused(self, lab: Lab) -> None:
        """A default that does not exist blocks, also in a store without models and in a transaction (DEL-5)."""
        (a,) = sites(lab, "a")
        lab.store.create(SetDefault(name="d", one=a))
        before = lab.state()

        for store in (lab.store, lab.open()):
            with pytest.raises(DeleteRestricted) as caught:
                store.delete(a.key)
            with pytest.raises(DeleteRestricted) as in_a_transaction, store.transaction() as tx:
                tx.delete(a.key)
            for problem in (caught.value, in_a_transaction.value):
                assert {("SetDefault/d", "one", Rule.SET_DEFAULT)} == blocked(problem)
                assert [BlockReason.NO_DEFAULT] == [blocker.reason for blocker in problem.blockers]

        assert before == lab.state()

    @rule("DEL-7")
    def test_cycle_goes_as_a_whole(self, lab: Lab) -> None:
        """A cascade around a cycle ends, and deletes each resource once (DEL-7)."""
        with lab.store.transaction() as tx:
            for name, before in (("x", "z"), ("y", "x"), ("z", "y"), ("tail", "x")):
                tx.create(Cascade(name=name, before=before, blocked_by=None if name == "tail" else before))

        plan = lab.store.plan_delete(lab.store.get(Cascade, "y"))
        assert 4 == len({deletion.key for deletion in plan.deletes}) == len(plan.deletes)
        lab.store.delete(lab.store.get(Cascade, "y"))

        assert {} == lab.state()

    @rule("DEL-7")
    def test_diamond_goes_once(self, lab: Lab) -> None:
        """A resource that is reached in several ways is deleted once (DEL-7)."""
        a, b = sites(lab, "a", "b")
        x = lab.store.create(Cascade(name="x", one=a, by_site={b: "", a: ""}))
        lab.store.create(Cascade(name="y", one=a, before=x))

        plan = lab.store.plan_delete(a, b)
        assert sorted(lab.state()) == sorted(deletion.key.text for deletion in plan.deletes)
        lab.store.delete(a, b)

        assert {} == lab.state()

    @rule("DEL-7")
    def test_closure_commits_whole_or_not_at_all(self, lab: Lab) -> None:
        """One blocker deep in a cascade prevents everything, including the changes of other rules (DEL-7)."""
        a, b = sites(lab, "a", "b")
        x = lab.store.create(Cascade(name="x", one=a))
        lab.store.create(SetNull(name="n", one=a))
        lab.store.create(Remove(name="r", listed=[a, b]))
        lab.store.create(Cascade(name="y", blocked_by=x))
        before = lab.state()

        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(a)
        assert {("Cascade/y", "blocked_by", Rule.RESTRICT)} == blocked(caught.value)
        assert before == lab.state()
