"""DEL-14 to DEL-18: rules leave nothing that could not be stored, and a delete says what it did or why it did not."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.deletes import blocked, sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    Cascade,
    Choosy,
    Crate,
    Emigrant,
    Lease,
    Parcel,
    Remove,
    Restrict,
    SetDefault,
    SetNull,
    Site,
    Tally,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.plan import Blocker, BlockReason, Deleted
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, DeleteRestricted, InvalidCall, InvalidResource, NotFound, Unavailable
from emco_store.ports import Commit, ReferrerQuery, Scan

NOTHING = Deleted({}, {})


class EditRules:
    """What rules may do to those who stay, and what a delete returns."""

    @rule("DEL-14")
    def test_edit_that_a_validator_refuses_blocks(self, lab: Lab) -> None:
        """Each rule that edits is blocked where the resource would not fit its model, with the reason (DEL-14)."""
        a, b, _ = sites(lab, "a", "b", "main")
        for made, place, applied, reason in (
            (Choosy(name="x", listed=[a]), "listed[0]", Rule.REMOVE, "must not be empty"),
            (Choosy(name="x", listed=[b], one=a, needs=1), "one", Rule.SET_NULL, "0 references, 1 are needed"),
            (Emigrant(name="x", home=a), "home", Rule.SET_DEFAULT, "must not be at home"),
            (Tally(name="x", one=a), "one", Rule.SET_NULL, "misses"),
        ):
            stored = lab.store.create(made)
            before = lab.state()

            plan = lab.store.plan_delete(a)
            with pytest.raises(DeleteRestricted) as caught:
                lab.store.delete(a)
            with pytest.raises(DeleteRestricted), lab.store.transaction() as tx:
                tx.delete(a)

            assert {(stored.key.text, place, applied)} == blocked(caught.value)
            assert plan.blockers == caught.value.blockers
            assert [BlockReason.INVALID] == [blocker.reason for blocker in plan.blockers]
            assert reason in plan.blockers[0].detail
            assert before == lab.state()
            lab.store.delete(stored)

    @rule("DEL-14")
    def test_edits_of_one_document_are_judged_together(self, lab: Lab) -> None:
        """Two edits that would each be allowed block where both are not, in one call and in several (DEL-14)."""
        a, b, c = sites(lab, "a", "b", "c")
        made = lab.store.create(Choosy(name="x", listed=[a, b], one=a, spare=b, needs=1))
        before = lab.state()
        wanted = {("Choosy/x", place) for place in ("listed[0]", "listed[1]", "one", "spare")}

        assert [(), ()] == [lab.store.plan_delete(site).blockers for site in (a, b)]
        plan = lab.store.plan_delete(a, b)
        with pytest.raises(DeleteRestricted) as caught, lab.store.transaction() as tx:
            tx.delete(a)
            tx.delete(b)

        assert wanted == {(blocker.referrer.text, blocker.place) for blocker in plan.blockers}
        assert {"Choosy/x"} == {blocker.referrer.text for blocker in caught.value.blockers}
        assert {a.key, b.key} == {blocker.target for blocker in caught.value.blockers}
        assert before == lab.state()

        with lab.store.transaction() as tx:
            tx.delete(a)
            tx.delete(b)
            tx.put(Choosy(name="x", listed=[c], one=c, needs=1))
        assert c.ref == lab.store.get(made).one

    @rule("DEL-14")
    def test_edit_in_a_later_level_is_judged_as_well(self, lab: Lab) -> None:
        """A referrer of what a cascade deletes blocks it, unless it is deleted too (DEL-14)."""
        a, b = sites(lab, "a", "b")
        crate = lab.store.create(Crate(name="c", parent=a))
        made = lab.store.create(Choosy(name="x", listed=[b], crates=[crate], needs=1))

        plan = lab.store.plan_delete(a)

        assert [("Choosy/x", "crates[0]", BlockReason.INVALID)] == _reasons(plan.blockers)
        lab.store.delete(a, made)
        assert ["Site/b"] == list(lab.state())

    @rule("DEL-14", "BAD-8")
    def test_document_that_was_unreadable_before_does_not_block(self, lab: Lab) -> None:
        """A rule is not blamed for what was wrong before it (DEL-14, BAD-8)."""
        (a,) = sites(lab, "a")
        made = lab.store.create(Choosy(name="x", listed=[a]))
        lab.tamper(made.key, b'{"name":"x","listed":["Site/a"],"unknown":1}')

        lab.store.delete(a)

        assert (3, {"name": "x", "listed": [], "unknown": 1}) == lab.state()["Choosy/x"]

    @rule("DEL-14", "ALL-2")
    def test_store_without_the_model_cannot_judge(self, lab: Lab) -> None:
        """A store that does not know the model applies the rule, and the model's own store mends it (DEL-14, ALL-2)."""
        a, b = sites(lab, "a", "b")
        made = lab.store.create(Choosy(name="x", listed=[a]))

        lab.open().delete(a.key)

        with pytest.raises(InvalidResource):
            lab.store.get(made)
        lab.store.put(Choosy(name="x", listed=[b]))
        assert [] == lab.dangling()

    @rule("DEL-5", "DEL-15")
    def test_default_that_cannot_be_put_blocks_the_plan(self, lab: Lab) -> None:
        """A default that does not exist, or that is taken in a unique field, blocks the plan (DEL-5, DEL-15)."""
        (a,) = sites(lab, "a")
        lab.store.create(SetDefault(name="d", one=a))
        lab.store.create(Lease(name="x", home=a))
        lab.store.create(Restrict(name="r", one=a))
        absent = lab.store.plan_delete(a)
        lab.store.create(Site(name="main"))
        lab.store.create(Lease(name="owner"))
        taken = lab.store.plan_delete(a)

        assert [
            ("Lease/x", "home", BlockReason.NO_DEFAULT),
            ("Restrict/r", "one", BlockReason.RULE),
            ("SetDefault/d", "one", BlockReason.NO_DEFAULT),
        ] == _reasons(absent.blockers)
        assert [("Lease/x", "home", BlockReason.TAKEN), ("Restrict/r", "one", BlockReason.RULE)] == (
            _reasons(taken.blockers)
        )
        for plan in (absent, taken):
            with pytest.raises(DeleteRestricted) as applied:
                lab.store.apply(plan)
            assert plan.blockers == applied.value.blockers

        lab.store.delete(Key("Restrict", "r"))
        with pytest.raises(DeleteRestricted) as caught:
            lab.store.delete(a)
        assert [("Lease/x", "home", BlockReason.TAKEN)] == _reasons(caught.value.blockers)
        lab.store.delete(a, Key("Lease", "owner"))
        assert ["Lease/x"] == [lease.key.text for lease in lab.store.list(Lease)]

    @rule("DEL-15")
    def test_default_that_two_would_get_blocks_both(self, lab: Lab) -> None:
        """Two referrers cannot get one unique default, nor one that the transaction writes besides (DEL-15)."""
        a, b, main = sites(lab, "a", "b", "main")
        x, y = (lab.store.create(Lease(name=name, home=site)) for name, site in (("x", a), ("y", b)))
        before = lab.state()

        plan = lab.store.plan_delete(a, b)
        with pytest.raises(DeleteRestricted) as in_turn, lab.store.transaction() as tx:
            tx.delete(a)
            tx.delete(b)
        with pytest.raises(DeleteRestricted) as beside, lab.store.transaction() as tx:
            tx.delete(a)
            tx.update(y.model_copy(update={"home": main.ref}))

        both = [("Lease/x", "home", BlockReason.TAKEN), ("Lease/y", "home", BlockReason.TAKEN)]
        assert both == _reasons(plan.blockers) == _reasons(in_turn.value.blockers)
        assert both[:1] == _reasons(beside.value.blockers)
        assert before == lab.state()
        lab.store.delete(a, b, y)
        assert main.ref == lab.store.get(x).home

    @rule("DEL-15")
    def test_default_that_is_lost_in_a_race_refuses_the_commit(self, lab: Lab) -> None:
        """What another client takes or deletes between plan and commit refuses it, with the same reason (DEL-15)."""
        other = lab.inside(lab.open())
        for race, reason in (
            (lambda: other.create(Lease(name="owner")), BlockReason.TAKEN),
            (lambda: other.delete(Key("Site", "main")), BlockReason.NO_DEFAULT),
        ):
            a, _ = (lab.store.put(Site(name=name)) for name in ("a", "main"))
            lab.store.put(Lease(name="x", home=a))
            plan = lab.store.plan_delete(a)
            assert () == plan.blockers
            lab.faults.do(Commit, race)

            with pytest.raises(DeleteRestricted) as caught:
                lab.store.delete(a)
            before = lab.records()
            with pytest.raises(Conflict):
                lab.store.apply(plan)

            assert [("Lease/x", "home", reason)] == _reasons(caught.value.blockers)
            assert before == lab.records()
            lab.store.delete(Key("Lease", "owner"), missing_ok=True)

    @rule("DEL-15")
    def test_default_that_is_free_again_does_not_refuse(self, lab: Lab) -> None:
        """A delete that lost its default, and finds it free when it looks, is repeated (DEL-15)."""
        a, main = sites(lab, "a", "main")
        lab.store.create(Lease(name="x", home=a))
        other = lab.inside(lab.open())
        lab.faults.do(Commit, lambda: other.create(Lease(name="owner")))
        lab.faults.do(Scan, lambda: other.delete(Key("Lease", "owner")))

        lab.store.delete(a)

        assert main.ref == lab.store.get(Lease, "x").home

    @rule("DEL-16")
    def test_more_blockers_than_a_commit_holds_are_counted(self, lab: Lab) -> None:
        """More blockers than a commit may hold records are a refusal with the first 1,000 and their number (DEL-16)."""
        (a,) = sites(lab, "a")
        with lab.store.transaction() as tx:
            tx.create(Crate(name="c", parent=a))
            for at in range(1100):
                tx.create(Restrict(name=f"r{at:04}", one=a))
        before = lab.state()

        for store, named in ((lab.open(max_records=10), 1000), (lab.store, 1100)):
            plan = store.plan_delete(a.key)
            with pytest.raises(DeleteRestricted) as caught:
                store.delete(a.key)
            with pytest.raises(DeleteRestricted) as applied:
                store.apply(plan)

            assert ["Site/a", "Crate/a/c"] == [deletion.key.text for deletion in plan.deletes]
            assert [f"Restrict/r{at:04}" for at in range(named)] == [item.referrer.text for item in plan.blockers]
            for problem in (caught.value, applied.value):
                assert (plan.blockers, 1100) == (problem.blockers, problem.blocker_count)
                assert "1,100" in problem.what
            assert 1100 == plan.blocker_count
        assert before == lab.state()

    @rule("DEL-12", "DEL-16")
    def test_delete_that_is_too_large_and_blocked_names_the_blockers(self, lab: Lab) -> None:
        """A delete that a commit cannot hold is refused for the blockers that it has met (DEL-12, DEL-16)."""
        (a,) = sites(lab, "a")
        for name in ("c1", "c2", "c3"):
            lab.store.create(Crate(name=name, parent=a))
        small = lab.open(max_records=2)
        with pytest.raises(InvalidCall):
            small.plan_delete(a.key)
        lab.store.create(Restrict(name="r", one=a))

        with pytest.raises(DeleteRestricted) as caught:
            small.delete(a.key)

        assert {("Restrict/r", "one", Rule.RESTRICT)} == blocked(caught.value)

    @rule("DEL-17")
    def test_delete_returns_what_it_did(self, lab: Lab) -> None:
        """A delete, a plan and a transaction give the same numbers of resources by kind (DEL-17)."""
        for way in ("delete", "apply", "transaction"):
            a, b = (lab.store.put(Site(name=name)) for name in ("a", "b"))
            lab.store.put(SetNull(name="n", one=a, listed=[a]))
            lab.store.put(Remove(name="r", listed=[a, b]))
            for name in ("c1", "c2"):
                lab.store.create(Crate(name=name, parent=a))
            plan = lab.store.plan_delete(a)

            if way == "delete":
                done = lab.store.delete(a)
            elif way == "apply":
                done = lab.store.apply(plan)
            else:
                with lab.store.transaction() as tx:
                    tx.delete(b)
                    done = tx.delete(a)

            assert Deleted({"Crate": 2, "Site": 1}, {"Remove": 1, "SetNull": 1}) == done == plan.figures
            assert "Crate 2, Site 1" in str(done)

    @rule("DEL-17")
    def test_what_is_missing_can_be_skipped(self, lab: Lab) -> None:
        """With ``missing_ok``, what exists is deleted if it is what was meant, and the rest is skipped (DEL-17)."""
        a, b = sites(lab, "a", "b")
        gone = Key("Site", "gone")

        with pytest.raises(NotFound) as caught:
            lab.store.delete(a, gone)
        assert (gone,) == caught.value.keys
        assert Deleted({"Site": 1}, {}) == lab.store.delete(a, gone, missing_ok=True)
        assert NOTHING == lab.store.delete(a, gone, missing_ok=True)
        assert NOTHING == lab.store.plan_delete(a, missing_ok=True).figures
        with lab.store.transaction() as tx:
            assert NOTHING == tx.delete(gone, missing_ok=True)
            assert Deleted({"Site": 1}, {}) == tx.delete(b, gone, missing_ok=True)
            assert NOTHING == tx.delete(b, missing_ok=True)
        lab.store.create(Site(name="a"))
        with pytest.raises(Conflict):
            lab.store.delete(a, missing_ok=True)

        assert ["Site/a"] == list(lab.state())

    @rule("DEL-17")
    def test_delete_of_nothing_does_nothing(self, lab: Lab) -> None:
        """Without targets, nothing is asked of the backend (DEL-17)."""
        asked = len(lab.faults.requests)

        assert NOTHING == lab.store.delete()
        with lab.store.transaction() as tx:
            assert NOTHING == tx.delete()

        assert asked == len(lab.faults.requests)

    @rule("DEL-18", "REF-13")
    def test_delete_that_is_refused_leaves_the_transaction_alone(self, lab: Lab) -> None:
        """Who catches the refusal of a delete and goes on commits nothing of it (DEL-18, REF-13)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a))
        for at in range(5):
            lab.store.create(Parcel(name=f"p{at}", parent=crate))
        held = lab.store.create(SetNull(name="n", one=a, listed=[a]))
        small = lab.open(max_records=4)
        before = lab.state()

        with small.transaction() as tx:
            with pytest.raises(InvalidCall):
                tx.delete(a.key)
            tx.create(Site(name="mine"))
        with lab.store.transaction() as tx:
            lab.faults.do(ReferrerQuery, lambda: None)
            lab.faults.unreachable(ReferrerQuery)
            with pytest.raises(Unavailable):
                tx.delete(a)
            tx.create(Cascade(name="mine"))
        lab.tamper(held.key, b"7")
        with lab.store.transaction() as tx:
            with pytest.raises(InvalidResource):
                tx.delete(a)
            tx.put(SetNull(name="n", one=a, listed=[a]))

        after = lab.state()
        assert {"Site/mine", "Cascade/mine"} == {key for key in after if key not in before}
        assert before == {key: state for key, state in after.items() if key in before and key != "SetNull/n"} | {
            "SetNull/n": before["SetNull/n"]
        }
        assert [] == lab.dangling()
        assert Deleted({"Crate": 1, "Parcel": 5, "Site": 1}, {"SetNull": 1}) == lab.store.delete(a)


def _reasons(blockers: Any) -> list[tuple[str, str, BlockReason]]:
    """Return who blocks, where and why, in order."""
    items: tuple[Blocker, ...] = blockers
    return sorted((blocker.referrer.text, blocker.place, blocker.reason) for blocker in items)
