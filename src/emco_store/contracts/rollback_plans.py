"""HIS-1, HIS-6 and HIS-7: whose a rollback is, and that a plan which says yes can be applied."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.recorded import PLANT, Plant, PlantLife, begin, saved, write
from emco_store.contracts.rules import rule
from emco_store.core.indexing import unique
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.core.rules import CASCADE
from emco_store.errors import Conflict, NotFound, UniqueViolation

OTHER = Key("Plant", "g", "q")
SEAT = Key("Seat", "g", "p", "s")


class Seat(Resource, parent=Plant, on_parent_delete=CASCADE):
    """A child with a unique value."""

    number: Annotated[str | None, unique()] = None


class RollbackPlanRules:
    """What a plan knows before it is applied, and what it gets only then."""

    @rule("HIS-1", "WHO-1")
    def test_revision_names_who_applies_the_plan(self, lab: Lab) -> None:
        """The revision of a rollback has the actor and the time of its application, and its own note (HIS-1, WHO-1)."""
        begin(lab.store)
        saved(lab, "a")
        write(lab.store, PLANT, text="b")
        with lab.store.acting(actor="planner"):
            plan = lab.store.plan_rollback(PLANT, 1, note="back")
        now = lab.clock.advance()
        with lab.store.acting(actor="applier", reason="CHG-7"):
            lab.store.apply(plan)

        newest = lab.store.history(PLANT).items[0]
        assert ("applier", now, "back", 1) == (newest.actor, newest.at, newest.note, newest.restores)
        origin = lab.records()[f"emco__Revision/{PLANT.text}/{lab.store.get(PLANT).meta.uid}/0000000002"].origin
        assert ("applier", "CHG-7") == (origin.actor, origin.reason)
        assert lab.store.digest(PLANT) == newest.digest == lab.store.revision(PLANT, 2).revision.digest

    @rule("HIS-5")
    def test_content_of_an_entry_is_one_request(self, lab: Lab) -> None:
        """The content of an entry of the history is one request, that of a number or a tag one more (HIS-5)."""
        begin(lab.store)
        saved(lab, "a", "b")
        lab.store.tag(PLANT, 1, "good")
        entry = lab.store.history(PLANT).items[-1]
        costs: list[int] = []
        for which in (entry, 1, "good", "bad"):
            lab.faults.clear()
            try:
                assert entry.number == lab.store.revision(PLANT, which).revision.number
            except NotFound:
                assert "bad" == which
            costs.append(len(lab.faults.requests))

        assert [1, 2, 2, 1] == costs

    @rule("HIS-6", "HIS-7")
    def test_taken_unique_value_is_shown(self, lab: Lab) -> None:
        """A unique value that another resource has by now is named in the plan, which is refused (HIS-6, HIS-7)."""
        owner = _taken(lab, OTHER)

        for plan in (lab.store.plan_rollback(PLANT, 1), _restore(lab)):
            assert 1 == len(plan.problems)
            assert plan.problems[0].startswith(f"Cannot store {SEAT}")
            before = lab.records()
            with pytest.raises(UniqueViolation) as caught:
                lab.store.apply(plan)
            assert (SEAT, "number", owner) == (caught.value.key, caught.value.field, caught.value.owner)
            assert before == lab.records()
        lab.store.apply(lab.store.plan_restore(PLANT, 1, leave_out=[SEAT]))

    @rule("HIS-6", "HIS-7")
    def test_unique_value_that_the_plan_makes_free_is_not_taken(self, lab: Lab) -> None:
        """A value whose owner is deleted or changed by the same plan is free; one that is left out keeps it (HIS-6)."""
        owner = _taken(lab, PLANT)
        free = lab.store.plan_rollback(PLANT, 1)
        kept = lab.store.plan_rollback(PLANT, 1, leave_out=[owner])

        assert (None, ()) == (free.refusal, free.problems)
        with pytest.raises(UniqueViolation):
            lab.store.apply(kept)
        lab.store.apply(free)
        assert "1" == lab.store.get(SEAT).number
        lab.store.create(Seat(parent=PLANT, name="t", number="2"))
        lab.store.transition(PLANT, PlantLife.save)
        with lab.store.transaction() as tx:
            one, two = tx.get(SEAT), tx.get(owner)
            tx.update(one.model_copy(update={"number": "2"}))
            tx.update(two.model_copy(update={"number": "1"}))
        lab.store.apply(lab.store.plan_rollback(PLANT, 3))
        assert ["1", "2"] == [lab.store.get(key).number for key in (SEAT, owner)]

    @rule("HIS-7")
    def test_unique_value_that_is_taken_after_the_plan_is_noticed(self, lab: Lab) -> None:
        """A value that somebody takes between plan and apply is a Conflict (HIS-7)."""
        begin(lab.store)
        lab.store.create(Seat(parent=PLANT, name="s", number="1"))
        saved(lab, "a")
        lab.store.delete(SEAT)
        plan = lab.store.plan_rollback(PLANT, 1)
        lab.store.create(Plant(parent=Key("Ground", "g"), name="q"))
        lab.store.create(Seat(parent=OTHER, name="t", number="1"))

        with pytest.raises(Conflict):
            lab.store.apply(plan)


def _taken(lab: Lab, by: Key) -> Key:
    """Record a seat and delete it, and give its number to another one."""
    begin(lab.store)
    lab.store.create(Plant(parent=Key("Ground", "g"), name="q"))
    lab.store.create(Seat(parent=PLANT, name="s", number="1"))
    saved(lab, "a")
    lab.store.delete(SEAT)
    owner: Key = lab.store.create(Seat(parent=by, name="t", number="1")).key
    return owner


def _restore(lab: Lab) -> Any:
    lab.store.delete(PLANT)
    return lab.store.plan_restore(PLANT, 1)
