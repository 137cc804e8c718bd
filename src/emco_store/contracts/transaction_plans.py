"""OCC-16: what a plan of a transaction shows, and what applying it does."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab, Mode
from emco_store.contracts.models import Cascade, Crate, Item, Parcel, Pilot, Rack, Restrict, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.transaction_plans import TransactionPlan
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    InvalidCall,
    MissingReference,
    StoreError,
    UniqueViolation,
)


def planned(lab: Lab, *calls: tuple[Any, ...], result: Any = None) -> TransactionPlan[Any]:
    """Plan calls of a transaction, each given as its name and its arguments."""
    if lab.bench.mode is Mode.BLOCKING:

        def blocking(tx: Any) -> Any:
            for name, *given in calls:
                getattr(tx, name)(*given)
            return result

        plan: TransactionPlan[Any] = lab.store.plan_transaction(blocking)
        return plan

    async def asyncio(tx: Any) -> Any:
        for name, *given in calls:
            await getattr(tx, name)(*given)
        return result

    other: TransactionPlan[Any] = lab.store.plan_transaction(asyncio)
    return other


async def of_asyncio(_: Any) -> None:
    """Do nothing, in the other colour."""


class TransactionPlanRules:
    """Plans of transactions."""

    @rule("OCC-16")
    def test_plan_shows_everything_and_applying_it_does_that(self, lab: Lab) -> None:
        """Creates, updates with their fields, deletes, cascades and edits are shown, and happen as shown (OCC-16)."""
        a, b = sites(lab, "a", "b")
        lab.store.create(Crate(parent=b, name="c"))
        note = lab.store.create(SetNull(name="n", one=b, note="old"))
        same = lab.store.create(Item(name="same", rank=1))
        before = lab.state()

        plan = planned(
            lab,
            ("create", Crate(parent=a, name="new")),
            ("update", a.model_copy(update={"title": "A"})),
            ("put", Item(name="same", rank=1)),
            ("put", Item(name="other")),
            ("delete", b),
            result="r",
        )

        assert before == lab.state()
        assert {"Crate/a/new", "Item/other"} == {key.text for key in plan.creates}
        assert [("Site/a", ["title"])] == [(one.key.text, [f.place for f in one.fields]) for one in plan.updates]
        assert ["Site/b", "Crate/b/c"] == [one.key.text for one in plan.deletes]
        assert [(note.key, "one")] == [(one.key, one.edge.place) for one in plan.changes]
        assert (None, (), (), ()) == (plan.refusal, plan.unresolved, plan.blockers, plan.problems)
        assert "r" == plan.result == lab.store.apply(plan)
        after = lab.state()
        assert {"Site/a", "Crate/a/new", "Item/same", "Item/other", "SetNull/n"} == after.keys()
        assert (1, "A", None) == (after["Item/same"][0], after["Site/a"][1]["title"], after["SetNull/n"][1]["one"])
        assert same == lab.store.get(same)

    @rule("OCC-16")
    def test_plan_names_everything_that_speaks_against_it(self, lab: Lab) -> None:
        """Taken keys and values, what dangles, what blocks and what has changed are named together (OCC-16)."""
        a, b = sites(lab, "a", "b")
        lab.store.create(Rack(parent=b, name="r"))
        lab.store.create(Item(name="i"))
        lab.store.create(Item(name="k", serial="s"))
        lab.store.update(a.model_copy(update={"title": "theirs"}))
        before = lab.state()

        plan = planned(
            lab,
            ("create", Item(name="i")),
            ("create", Item(name="j", serial="s")),
            ("update", a.model_copy(update={"title": "mine"})),
            ("create", Restrict(name="x", one="Site/none", listed=["Site/gone"])),
            ("create", Pilot(name="p", one="nowhere")),
            ("delete", b),
        )

        assert {("Restrict/x one", "Site/none"), ("Restrict/x listed[0]", "Site/gone")} < {
            (place, target.text) for place, target in plan.unresolved
        }
        assert {"Pilot/p one"} == {place for place, _ in plan.unresolved} - {"Restrict/x one", "Restrict/x listed[0]"}
        assert ["Rack/b/r"] == [blocker.referrer.text for blocker in plan.blockers]
        assert 3 == len(plan.problems)
        assert isinstance(plan.refusal, DeleteRestricted)
        with pytest.raises(DeleteRestricted):
            lab.store.apply(plan)
        assert before == lab.state()

    @rule("OCC-16")
    def test_refusal_is_the_error_of_the_commit(self, lab: Lab) -> None:
        """A plan that one thing speaks against is refused with the error that the commit would raise (OCC-16)."""
        (a,) = sites(lab, "a")
        lab.store.create(Item(name="i", serial="s"))
        lab.store.update(a.model_copy(update={"title": "theirs"}))
        kinds: list[tuple[type[StoreError], tuple[Any, ...]]] = [
            (AlreadyExists, ("create", Item(name="i"))),
            (UniqueViolation, ("create", Item(name="j", serial="s"))),
            (Conflict, ("update", a.model_copy(update={"title": "mine"}))),
            (MissingReference, ("create", Cascade(name="x", one="Site/none"))),
        ]

        for kind, call in kinds:
            plan = planned(lab, call)
            assert kind is type(plan.refusal)
            with pytest.raises(kind):
                lab.store.apply(plan)

    @rule("OCC-16")
    def test_plan_that_rests_on_what_has_changed_is_refused(self, lab: Lab) -> None:
        """After a change of what the function read or would write, nothing of the plan is written (OCC-16)."""
        a, b, c = sites(lab, "a", "b", "c")
        crate = lab.store.create(Crate(parent=a, name="c"))
        reads = planned(lab, ("get", b.key), ("create", Site(name="new")))
        writes = planned(lab, ("put", Site(name="c", title="mine")))
        creates = planned(lab, ("create", Site(name="d")))
        deletes = planned(lab, ("delete", crate))

        lab.store.update(b.model_copy(update={"title": "theirs"}))
        lab.store.update(c.model_copy(update={"title": "theirs"}))
        lab.store.create(Site(name="d", title="theirs"))
        lab.store.create(Parcel(parent=crate, name="p"))
        before = lab.state()

        for plan in (reads, writes, creates, deletes):
            with pytest.raises(Conflict):
                lab.store.apply(plan)
        assert before == lab.state()

    @rule("OCC-16")
    def test_what_cannot_be_planned_is_refused(self, lab: Lab) -> None:
        """A function that commits by itself, or is of the other colour, has written nothing (OCC-16)."""
        with pytest.raises(InvalidCall):
            planned(lab, ("create", Site(name="a")), ("commit",))
        with pytest.raises(InvalidCall):
            lab.store.plan_transaction(of_asyncio if lab.bench.mode is Mode.BLOCKING else (lambda _: 1))

        assert {} == lab.records()
        assert planned(lab).is_empty
        assert lab.store.apply(planned(lab, result=3)) == 3
        assert Key("Site", "a").text not in lab.state()
