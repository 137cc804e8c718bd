"""HIS-6 to HIS-10: a rollback and a restore are plans, which are shown, checked, and applied whole or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.recorded import (
    CHART,
    DESK,
    HALL,
    PLANT,
    Desk,
    Ground,
    Guest,
    Hall,
    PlantLife,
    approve,
    begin,
    saved,
    write,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.core.records import PARENT_PATH, Edge, Record
from emco_store.core.rules import CASCADE, RESTRICT
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    InvalidCall,
    InvalidResource,
    MissingReference,
    NotFound,
    StateForbids,
    TransitionRefused,
)
from emco_store.ports import Commit, Get, Receipt, ReferrerQuery

NEW = Key("Desk", "g", "p", "h", "new")


class RollbackRules:
    """What comes back, what is shown, and what refuses it."""

    @rule("HIS-6", "HIS-10")
    def test_plan_shows_all_and_writes_nothing(self, lab: Lab) -> None:
        """A plan shows what would be created, updated and deleted, and the targets that differ (HIS-6)."""
        _moved_on(lab)
        write(lab.store, CHART, text="second")
        before = lab.records()

        plan = lab.store.plan_rollback(PLANT, 1)

        assert before == lab.records()
        assert ((DESK,), (PLANT,), (NEW,)) == (
            plan.creates, tuple(one.key for one in plan.updates), tuple(one.key for one in plan.deletes)
        )  # fmt: skip
        assert [(("text",), "second", "first")] == [(one.path, one.old, one.new) for one in plan.updates[0].fields]
        assert [CHART] == [one.key for one in plan.outside]
        assert (None, 2) == (plan.refusal, plan.revision)

    @rule("HIS-7", "HIS-10")
    def test_applied_plan_brings_the_content_back(self, lab: Lab) -> None:
        """A rollback is one commit; what is there keeps its uid and its state, and a revision is added (HIS-7)."""
        uids = _moved_on(lab)
        lab.faults.clear()

        done = lab.store.apply(lab.store.plan_rollback(PLANT, 1, note="back"))

        assert 1 == lab.faults.count(Commit)
        assert lab.store.revision(PLANT, 1).revision.digest == lab.store.digest(PLANT)
        assert (uids[PLANT], uids[HALL]) == (lab.store.get(PLANT).meta.uid, lab.store.get(HALL).meta.uid)
        assert uids[DESK] != lab.store.get(DESK).meta.uid
        assert ({"Desk": 1}, {"Plant": 1}, {"Desk": 1}, 2) == (
            done.created, done.updated, done.deleted, done.revision
        )  # fmt: skip
        newest = lab.store.history(PLANT).items[0]
        assert (2, 1, "Approved", "back") == (newest.number, newest.restores, newest.state, newest.note)
        assert "Approved" == lab.store.lifecycle(PLANT).state
        assert [] == lab.dangling()

    @rule("HIS-7")
    def test_plan_is_refused_where_anything_moved(self, lab: Lab) -> None:
        """Every change of what the plan rests on, a new child included, makes it a Conflict (HIS-7)."""
        moves: list[Callable[[Any], Any]] = [
            lambda store: store.create(Desk(parent=HALL, name="late")),
            lambda store: store.create(Hall(parent=PLANT, name="late")),
            lambda store: write(store, PLANT, text="third"),
            lambda store: write(store, HALL, text="third"),
            lambda store: write(store, NEW, text="third"),
            lambda store: write(store, CHART, text="third"),
            lambda store: store.delete(HALL),
            lambda store: store.create(Desk(parent=HALL, name="d")),
            lambda store: store.transition(PLANT, PlantLife.save),
            lambda store: store.create(Guest(name="late", desk=NEW)),
        ]
        for move in moves:
            _moved_on(lab)
            plan = lab.store.plan_rollback(PLANT, 1)
            move(lab.store)
            before = lab.records()
            with pytest.raises(Conflict):
                lab.store.apply(plan)
            assert before == lab.records()
            _cleared(lab)

    @rule("HIS-6", "HIS-7")
    def test_reference_that_resolves_nowhere_is_shown(self, lab: Lab) -> None:
        """A target that is gone is named; the plan is refused as a whole, and nothing is guessed (HIS-6)."""
        begin(lab.store)
        saved(lab, "a")
        write(lab.store, HALL, chart=None)
        lab.store.delete(CHART)

        plan = lab.store.plan_rollback(PLANT, 1)

        assert (("Hall/g/p/h chart", CHART),) == plan.unresolved
        with pytest.raises(MissingReference) as caught:
            lab.store.apply(plan)
        assert plan.unresolved == caught.value.missing
        lab.store.apply(lab.store.plan_rollback(PLANT, 1, leave_out=[HALL]))
        assert lab.store.get(HALL).chart is None

    @rule("HIS-7")
    def test_target_that_goes_after_the_plan_is_noticed(self, lab: Lab) -> None:
        """A target that is deleted between plan and apply never dangles (HIS-7)."""
        begin(lab.store)
        saved(lab, "a")
        write(lab.store, HALL, chart=None)
        plan = lab.store.plan_rollback(PLANT, 1)
        lab.store.delete(CHART)

        with pytest.raises(Conflict):
            lab.store.apply(plan)
        assert [] == lab.dangling()

    @rule("HIS-6", "HIS-7")
    def test_rules_of_references_count(self, lab: Lab) -> None:
        """A new child to which others refer blocks the rollback, as it blocks a delete (HIS-6)."""
        _moved_on(lab)
        lab.store.create(Guest(name="v", desk=NEW))

        plan = lab.store.plan_rollback(PLANT, 1)

        assert [Key("Guest", "v")] == [blocker.referrer for blocker in plan.blockers]
        with pytest.raises(DeleteRestricted):
            lab.store.apply(plan)
        lab.store.apply(lab.store.plan_rollback(PLANT, 1, leave_out=[NEW]))
        assert lab.store.get(NEW).text == "second"

    @rule("HIS-6")
    def test_what_is_left_out_is_named(self, lab: Lab) -> None:
        """What is left out stays as it is; keys that are nowhere, or would lose their parent, are refused (HIS-6)."""
        _moved_on(lab)

        plan = lab.store.plan_rollback(PLANT, 1, leave_out=[DESK, PLANT])

        assert ((), (), (DESK, PLANT)) == (plan.creates, plan.updates, plan.left_out)
        lab.store.apply(plan)
        assert "second" == lab.store.get(PLANT).text
        with pytest.raises(NotFound):
            lab.store.get(DESK)
        hall = lab.store.create(Hall(parent=PLANT, name="late"))
        desk = lab.store.create(Desk(parent=hall, name="late"))
        for wrong in ([CHART], [desk]):
            with pytest.raises(InvalidCall):
                lab.store.plan_rollback(PLANT, 1, leave_out=wrong)

    @rule("HIS-8")
    def test_restore_creates_what_is_gone(self, lab: Lab) -> None:
        """A restore gives new uids and the initial state, and refuses what is there (HIS-8)."""
        uids = _moved_on(lab)
        with pytest.raises(AlreadyExists):
            lab.store.plan_restore(PLANT)
        lab.store.delete(PLANT)

        plan = lab.store.plan_restore(PLANT, 1)
        done = lab.store.apply(plan)

        assert (PLANT, HALL, DESK) == plan.creates
        assert ({"Desk": 1, "Hall": 1, "Plant": 1}, None) == (done.created, done.revision)
        assert uids.keys() == {key for key in uids if lab.store.get(key).meta.uid != uids[key]}
        record = lab.store.lifecycle(PLANT)
        assert ("Draft", 0, None) == (record.state, record.revision, record.approved)
        assert [] == lab.dangling()
        with pytest.raises(Conflict):
            lab.store.apply(plan)

    @rule("HIS-8")
    def test_restore_needs_the_parent(self, lab: Lab) -> None:
        """Without its parent, a resource does not come back (HIS-8)."""
        _moved_on(lab)
        lab.store.delete(Key("Ground", "g"))

        plan = lab.store.plan_restore(PLANT)

        assert (("Plant/g/p parent", Key("Ground", "g")),) == plan.unresolved
        with pytest.raises(MissingReference):
            lab.store.apply(plan)
        lab.store.create(Ground(name="g"))
        lab.store.apply(lab.store.plan_restore(PLANT))
        assert "first" == lab.store.get(PLANT).text

    @rule("HIS-9")
    def test_unknown_kinds_come_back_as_they_were(self, lab: Lab) -> None:
        """An unknown kind returns as it was stored, with its references; a known one by its model (HIS-9)."""
        begin(lab.store)
        edges = (Edge(PLANT, PARENT_PATH, CASCADE), Edge(CHART, ("to",), RESTRICT))
        odd = Record(Key("Odd", "g", "p", "o"), "odd", 1, b'{ "to": "Chart/c" }', edges, (), (("to", "s"),), 0, 0)
        reply = lab.port.ask(Commit("odd", {odd.key: None}, frozenset([PLANT, CHART]), puts=(odd,)))
        assert isinstance(reply, Receipt)
        saved(lab, "a")
        lab.store.delete(odd.key)
        write(lab.store, HALL, text="second")

        lab.store.apply(lab.store.plan_rollback(PLANT, 1))

        back = lab.port.ask(Get((odd.key,)))[odd.key]
        assert (odd.document, odd.edges, odd.index) == (back.document, back.edges, back.index)
        assert ["Hall/g/p/h", "Odd/g/p/o"] == [
            record.key.text for record in lab.port.ask(ReferrerQuery((CHART,))).referrers
        ]
        assert [HALL] == [hall.key for hall in lab.store.list(Hall, where=F.text == "first")]
        assert () == lab.store.check().flaws

    @rule("HIS-9")
    def test_document_that_fits_no_more_is_named(self, lab: Lab) -> None:
        """A document of the revision that its model refuses today is named, and can be left out (HIS-9)."""
        begin(lab.store)
        lab.tamper(DESK, b'{"name":"d","text":[]}')
        saved(lab, "a")
        lab.store.put(Desk(parent=HALL, name="d", text="whole"))

        plan = lab.store.plan_rollback(PLANT, 1)

        assert 1 == len(plan.problems)
        assert plan.problems[0].startswith(DESK.text)
        with pytest.raises(InvalidResource):
            lab.store.apply(plan)
        lab.store.apply(lab.store.plan_rollback(PLANT, 1, leave_out=[DESK]))

    @rule("HIS-10")
    def test_approval_comes_back_with_its_content(self, lab: Lab) -> None:
        """An approved revision brings its approval along, marked with its number, and so it can be run (HIS-10)."""
        _moved_on(lab)
        with pytest.raises(TransitionRefused):
            lab.store.transition(PLANT, PlantLife.run)

        lab.store.apply(lab.store.plan_rollback(PLANT, 1))

        approved = lab.store.lifecycle(PLANT).approved
        assert (1, 2, lab.store.digest(PLANT)) == (approved.via, approved.revision, approved.digest)
        assert approved == lab.store.history(PLANT).items[0].approval
        assert "Running" == lab.store.transition(PLANT, PlantLife.run).state

    @rule("HIS-10")
    def test_approval_is_not_carried_to_other_content(self, lab: Lab) -> None:
        """Where a target differs or something is left out, no approval comes back (HIS-10)."""
        _moved_on(lab)
        left_out = lab.store.plan_rollback(PLANT, 1, leave_out=[DESK])
        write(lab.store, CHART, text="second")
        differs = lab.store.plan_rollback(PLANT, 1)

        assert (None, None) == (left_out.approval, differs.approval)
        lab.store.apply(differs)
        with pytest.raises(TransitionRefused):
            lab.store.transition(PLANT, PlantLife.run)

    @rule("HIS-10", "LIF-7")
    def test_rollback_obeys_frozen_fields(self, lab: Lab) -> None:
        """A rollback that would change a frozen field is StateForbids; the rest of the content comes back (HIS-10)."""
        begin(lab.store)
        saved(lab, "a")
        write(lab.store, PLANT, site="south")
        approve(lab.store)
        lab.store.transition(PLANT, PlantLife.run)

        plan = lab.store.plan_rollback(PLANT, 1)

        with pytest.raises(StateForbids) as caught:
            lab.store.apply(plan)
        assert ("site",) == caught.value.frozen
        write(lab.store, DESK, text="second")
        lab.store.apply(lab.store.plan_rollback(PLANT, 2))
        assert ("first", "Running") == (lab.store.get(DESK).text, lab.store.lifecycle(PLANT).state)

    @rule("HIS-7")
    def test_rollback_takes_few_requests(self, lab: Lab) -> None:
        """A plan takes one request for each level and three more, and one where something is deleted (HIS-7)."""
        begin(lab.store)
        saved(lab, "a", "b")
        lab.faults.clear()
        lab.store.plan_rollback(PLANT, 1)
        assert (2, 3) == (lab.faults.count(Get), lab.faults.count(ReferrerQuery))


def _moved_on(lab: Lab) -> dict[Key, str]:
    """Approve a plant, then change, delete and create in its content; return the uids of before."""
    begin(lab.store)
    uids = {key: lab.store.get(key).meta.uid for key in (PLANT, HALL, DESK)}
    approve(lab.store)
    lab.clock.advance()
    write(lab.store, PLANT, text="second")
    lab.store.delete(DESK)
    lab.store.create(Desk(parent=HALL, name="new", text="second"))
    return uids


def _cleared(lab: Lab) -> None:
    """Delete everything."""
    lab.store.delete(Key("Guest", "late"), missing_ok=True)
    lab.store.delete(Key("Ground", "g"))
    lab.store.delete(CHART)
