"""LIF-6 to LIF-8 and LIF-12: holds between resources, frozen fields, operations and writers."""

from __future__ import annotations

from functools import partial

import pytest

from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import (
    WRITER,
    Cloud,
    CloudLifecycle,
    CloudState,
    Group,
    GroupLifecycle,
    GroupState,
    Size,
    Zone,
)
from emco_store.contracts.lifecycles import a_cloud, a_group
from emco_store.contracts.rules import rule
from emco_store.core.lifecycle_records import standing_key
from emco_store.errors import DeleteRestricted, InvalidResource, NotPermitted, StateForbids, TransitionRefused
from emco_store.ports import Commit


class HoldBetweenRules:
    """A group holds its cloud while it is started."""

    @rule("LIF-6")
    def test_hold_needs_the_target_in_its_state(self, lab: Lab) -> None:
        """A state that holds is entered only while the target is in a needed state (LIF-6)."""
        cloud = lab.store.create(Cloud(name="c"))
        group = a_group(lab, cloud=cloud)

        for step in (None, CloudLifecycle.launch, CloudLifecycle.land):
            if step is not None:
                lab.store.transition(cloud, step)
            if step is not CloudLifecycle.launch:
                with pytest.raises(TransitionRefused):
                    lab.store.transition(group, GroupLifecycle.enter)
        lab.store.transition(cloud, CloudLifecycle.launch)
        assert GroupState.UP is lab.store.transition(group, GroupLifecycle.enter).state

    @rule("LIF-6")
    def test_held_target_stays(self, lab: Lab) -> None:
        """While it is held, the target neither leaves its state nor goes; afterwards it may (LIF-6)."""
        cloud = a_cloud(lab)
        groups = [a_group(lab, name, cloud=cloud) for name in "gh"]
        for group in groups:
            lab.store.transition(group, GroupLifecycle.enter)
        stranger = lab.open(models=[Cloud])

        for store in (lab.store, stranger):
            with pytest.raises(TransitionRefused) as caught:
                store.transition(cloud.key, CloudLifecycle.land)
            assert 2 == len(caught.value.reasons)
            with pytest.raises(DeleteRestricted):
                store.delete(cloud.key)
        lab.store.transition(groups[0], GroupLifecycle.leave)
        with pytest.raises(TransitionRefused):
            stranger.transition(cloud.key, CloudLifecycle.land)
        lab.store.transition(groups[1], GroupLifecycle.leave)
        assert CloudState.DOWN is stranger.transition(cloud.key, CloudLifecycle.land).state

    @rule("LIF-6")
    def test_hold_is_kept_from_state_to_state_and_through_edits(self, lab: Lab) -> None:
        """What is held is what was referred to when the state began, until the holder leaves (LIF-6)."""
        cloud, other = a_cloud(lab, "c"), a_cloud(lab, "d")
        group = a_group(lab, cloud=cloud)
        lab.store.transition(group, GroupLifecycle.enter)
        lab.store.update(group.model_copy(update={"cloud": other.ref}))

        with pytest.raises(TransitionRefused):
            lab.store.transition(cloud, CloudLifecycle.land)
        lab.store.transition(other, CloudLifecycle.land)
        with pytest.raises(TransitionRefused):
            lab.store.transition(group, GroupLifecycle.stop)
        lab.store.transition(other, CloudLifecycle.launch)
        lab.store.transition(group, GroupLifecycle.stop)
        lab.store.transition(cloud, CloudLifecycle.land)
        with pytest.raises(TransitionRefused):
            lab.store.transition(other, CloudLifecycle.land)

    @rule("LIF-6")
    def test_hold_and_departure_that_meet_do_not_both_happen(self, lab: Lab) -> None:
        """Of a hold and a transition out of the needed state at the same time, at most one happens (LIF-6)."""
        rival = lab.open(models=[Cloud, Zone, Group])
        for number in range(2):
            cloud = a_cloud(lab, f"c{number}")
            group = a_group(lab, f"g{number}", cloud=cloud)
            enter = partial(lab.inside(rival).transition, group.key, GroupLifecycle.enter)
            land = partial(lab.inside(rival).transition, cloud.key, CloudLifecycle.land)
            if number:
                lab.faults.do(Commit, enter)
                with pytest.raises(TransitionRefused):
                    lab.store.transition(cloud, CloudLifecycle.land)
            else:
                lab.faults.do(Commit, land)
                with pytest.raises(TransitionRefused):
                    lab.store.transition(group, GroupLifecycle.enter)

    @rule("LIF-6")
    def test_hold_within_one_transaction(self, lab: Lab) -> None:
        """Transitions of one transaction see the holds and states that it has made itself (LIF-6)."""
        cloud = lab.store.create(Cloud(name="c"))
        group = a_group(lab, cloud=cloud)

        with lab.store.transaction() as tx:
            tx.transition(cloud, CloudLifecycle.launch)
            tx.transition(group, GroupLifecycle.enter)
            with pytest.raises(TransitionRefused):
                tx.transition(cloud, CloudLifecycle.land)
        with pytest.raises(TransitionRefused):
            lab.store.transition(cloud, CloudLifecycle.land)
        with lab.store.transaction() as tx:
            tx.transition(group, GroupLifecycle.leave)
            tx.transition(cloud, CloudLifecycle.land)
        assert CloudState.DOWN is lab.store.lifecycle(cloud).state

    @rule("LIF-6")
    def test_holder_and_target_go_together(self, lab: Lab) -> None:
        """Where nothing is held any more, both are deleted, and no record is left (LIF-6)."""
        cloud = a_cloud(lab)
        group = a_group(lab, cloud=cloud)
        lab.store.transition(group, GroupLifecycle.enter)
        lab.store.transition(group, GroupLifecycle.leave)
        lab.store.transition(cloud, CloudLifecycle.land)

        lab.store.delete(cloud, group.parent)

        assert {} == lab.records()

    # frozen fields

    @rule("LIF-7")
    def test_frozen_field_cannot_change(self, lab: Lab) -> None:
        """In a state that freezes fields, a write that changes one is refused, and any other is not (LIF-7)."""
        cloud = a_cloud(lab)
        for change in ({"level": 1}, {"size": Size(width=2)}, {"level": 1, "note": "x"}):
            changed = cloud.model_copy(update=change)
            before = lab.records()
            for write in (lab.store.update, lambda one: lab.store.put(Cloud(**dict(one)))):
                with pytest.raises(StateForbids) as caught:
                    write(changed)
                assert "Up" == caught.value.state
            with pytest.raises(StateForbids), lab.store.transaction() as tx:
                tx.update(changed)
            assert before == lab.records()

        free = lab.store.update(cloud.model_copy(update={"note": "y", "size": Size(height=9)}))
        lab.store.transition(cloud, CloudLifecycle.land)
        assert 5 == lab.store.update(free.model_copy(update={"level": 5})).level

    @rule("LIF-7")
    def test_delete_rule_does_not_change_a_frozen_field(self, lab: Lab) -> None:
        """A delete whose rule would set a frozen reference to null is refused, and so is its plan (LIF-7)."""
        (site,) = sites(lab, "a")
        cloud = lab.store.create(Cloud(name="c", site=site.ref))
        lab.store.transition(cloud, CloudLifecycle.launch)
        before = lab.records()

        for attempt in (lab.store.delete, lab.store.plan_delete):
            with pytest.raises(StateForbids):
                attempt(site)
        assert before == lab.records()

        lab.store.transition(cloud, CloudLifecycle.land)
        lab.store.delete(site)
        assert None is lab.store.get(cloud).site

    @rule("LIF-7")
    def test_what_the_stored_record_lists_counts(self, lab: Lab) -> None:
        """A model that freezes other fields obeys the lifecycle record (LIF-7)."""
        cloud = a_cloud(lab)
        lab.tamper(standing_key(cloud.key), b'{"state":"Up","frozen":["note"]}')

        lab.store.update(cloud.model_copy(update={"level": 7}))
        with pytest.raises(StateForbids):
            lab.store.put(Cloud(name="c", level=7, note="z"))
        lab.tamper(standing_key(cloud.key), b"not JSON")
        with pytest.raises(InvalidResource):
            lab.store.put(Cloud(name="c", level=7, note="z"))

    @rule("LIF-7")
    def test_write_and_transition_that_meet_do_not_both_happen(self, lab: Lab) -> None:
        """A write that a new state freezes is refused, the first transition included (LIF-7)."""
        rival = lab.open(models=[Cloud])
        for number in range(2):
            cloud = lab.store.create(Cloud(name=f"c{number}"))
            if number:
                lab.store.transition(cloud, CloudLifecycle.launch)
                lab.store.transition(cloud, CloudLifecycle.land)
            lab.faults.do(Commit, partial(lab.inside(rival).transition, cloud.key, CloudLifecycle.launch))
            with pytest.raises(StateForbids):
                lab.store.put(Cloud(name=f"c{number}", level=1))

    @rule("LIF-7")
    def test_order_within_a_transaction_counts(self, lab: Lab) -> None:
        """A write before the transition that freezes, or after one that thaws, is free (LIF-7)."""
        cloud = lab.store.create(Cloud(name="c"))

        with lab.store.transaction() as tx:
            changed = tx.update(cloud.model_copy(update={"level": 1}))
            tx.transition(cloud.key, CloudLifecycle.launch)
        with lab.store.transaction() as tx:
            tx.transition(cloud.key, CloudLifecycle.land)
            changed = tx.update(changed.model_copy(update={"level": 2}))
        with pytest.raises(StateForbids), lab.store.transaction() as tx:
            tx.transition(cloud.key, CloudLifecycle.launch)
            tx.update(changed.model_copy(update={"level": 3}))

    @rule("LIF-7")
    def test_writes_cost_what_they_cost(self, lab: Lab) -> None:
        """An update takes one request more where the class freezes fields, and none elsewhere (LIF-7)."""
        cloud, group = lab.store.create(Cloud(name="c")), a_group(lab)
        costs: list[int] = []

        for one in (cloud, group):
            lab.faults.clear()
            lab.store.update(one.model_copy(update={"note": "n"}))
            costs.append(len(lab.faults.requests))
        lab.faults.clear()
        lab.store.create(Cloud(name="d"))
        costs.append(len(lab.faults.requests))
        lab.faults.clear()
        lab.store.transition(cloud, CloudLifecycle.launch)
        costs.append(len(lab.faults.requests))

        assert [2, 1, 1, 2] == costs
        assert 1 == lab.faults.count(Commit)

    # operations

    @rule("LIF-8")
    def test_end_of_an_operation_needs_its_id(self, lab: Lab) -> None:
        """Only the report of the operation that is under way is accepted, and only once (LIF-8)."""
        group = a_group(lab)
        lab.store.transition(group, GroupLifecycle.enter)
        begun = lab.store.transition(group, GroupLifecycle.stop)
        before = lab.records()

        with pytest.raises(TransitionRefused):
            lab.store.transition(group, GroupLifecycle.stopped, operation="another")
        assert before == lab.records()
        assert begun.operation == lab.open(models=[Group]).lifecycle(group.key).operation
        assert begun.operation is not None
        ended = lab.store.transition(group, GroupLifecycle.stopped, operation=begun.operation)
        assert (GroupState.DOWN, None) == (ended.state, ended.operation)
        with pytest.raises(TransitionRefused):
            lab.store.transition(group, GroupLifecycle.stopped, operation=begun.operation)

    @rule("LIF-8")
    def test_late_report_of_an_earlier_operation_is_refused(self, lab: Lab) -> None:
        """Once an operation was given up and another one began, the first one's report changes nothing (LIF-8)."""
        group = a_group(lab)
        lab.store.transition(group, GroupLifecycle.enter)
        first = lab.store.transition(group, GroupLifecycle.stop).operation
        assert None is lab.store.transition(group, GroupLifecycle.leave).operation
        lab.store.transition(group, GroupLifecycle.enter)
        second = lab.store.transition(group, GroupLifecycle.stop).operation

        assert first != second
        with pytest.raises(TransitionRefused):
            lab.store.transition(group, GroupLifecycle.stopped, operation=first)
        assert GroupState.STOPPING is lab.store.lifecycle(group).state

    # writers

    @rule("LIF-12")
    def test_only_a_named_writer_makes_the_transition(self, lab: Lab) -> None:
        """Nobody and others are refused before any request; the writer is not, and is recorded (LIF-12)."""
        group = a_group(lab)
        lab.store.transition(group, GroupLifecycle.enter)
        lab.faults.clear()

        for store in (lab.open(models=[Group]), lab.open(models=[Group], actor="somebody")):
            with pytest.raises(NotPermitted):
                store.transition(group.key, GroupLifecycle.attest)
        assert [] == lab.faults.requests
        record = lab.open(models=[Group], actor=WRITER).transition(group.key, GroupLifecycle.attest)
        assert WRITER == record.actor
