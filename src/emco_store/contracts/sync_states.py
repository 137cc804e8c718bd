"""GEN-6 and GEN-5: what is written, approved, carried out and observed of a resource, and how the four differ."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.guards import approved
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import transition
from emco_store.core.naming import REVISION, REVISION_PART
from emco_store.core.resource import Resource
from emco_store.core.revisions import content_of
from emco_store.core.rules import Rule
from emco_store.core.status import Status, yes
from emco_store.errors import Conflict, InvalidCall, NotFound


class BargeState(StrEnum):
    """The states of a barge."""

    MOORED = "Moored"
    CLEARED = "Cleared"
    LEAVING = "Leaving"
    AFLOAT = "Afloat"


class BargeLifecycle(Lifecycle[BargeState]):
    """A barge is cleared, and leaves with the cargo for which it was cleared."""

    initial = BargeState.MOORED
    clear = transition({BargeState.MOORED, BargeState.CLEARED, BargeState.AFLOAT}, to=BargeState.CLEARED, approves=True)
    cast_off = transition(BargeState.CLEARED, to=BargeState.LEAVING, records=True, begins=True, guards=[approved()])
    left = transition(BargeState.LEAVING, to=BargeState.AFLOAT, ends=True)
    moor = transition({BargeState.LEAVING, BargeState.AFLOAT}, to=BargeState.MOORED)
    deletable = {BargeState.MOORED, BargeState.CLEARED}


class Barge(Resource, lifecycle=BargeLifecycle):
    """What is approved and carried out."""

    name_of_ship: str = ""


class Cargo(Resource, parent=Barge, on_parent_delete=Rule.CASCADE):
    """A part of its content."""

    tons: int = 0


class BargePosition(Status, of=Barge, writer="pilot"):
    """What one writer observes."""


class BargeDraught(Status, of=Barge, writer="gauge"):
    """What another one observes."""


class CargoPosition(Status, of=Cargo, writer="pilot"):
    """What is observed of a part."""


class SyncStateRules:
    """The tests of GEN-6, and of statuses beside a lifecycle."""

    @rule("GEN-6")
    def test_four_values_are_compared(self, lab: Lab) -> None:
        """What is modified, out of sync or unobserved is called so, each by its own comparison (GEN-6)."""
        barge = lab.store.create(Barge(name="b"))
        cargo = lab.store.create(Cargo(name="c", parent=barge, tons=1))

        def words() -> tuple[str, ...]:
            inside = [lab.store.sync_state(barge)]
            with lab.store.transaction() as tx:
                inside.append(tx.sync_state(barge.key))
            assert inside[0] == inside[1]
            return tuple(inside[0].words)

        assert ("unobserved",) == words()
        lab.store.set_status(BargePosition(parent=barge), observed=barge)
        assert () == words()
        _leave(lab, barge)
        assert () == words()
        lab.store.update(cargo.model_copy(update={"tons": 2}))
        assert ("modified", "out of sync") == words()
        lab.store.transition(barge, BargeLifecycle.clear, digest=lab.store.sync_state(barge).digest)
        assert ("out of sync",) == words()
        _leave(lab, barge)
        assert () == words()
        lab.store.update(barge.model_copy(update={"name_of_ship": "Elbe"}))
        assert ("modified", "out of sync", "unobserved") == words()

    @rule("GEN-6")
    def test_values_are_those_that_are_stored(self, lab: Lab) -> None:
        """The digest is that of a plan, and of what was approved and carried out while they are equal (GEN-6)."""
        barge = lab.store.create(Barge(name="b"))
        state = lab.store.sync_state(barge)
        assert (barge.key, 1, "", "", {}) == (state.key, state.version, state.approved, state.applied, state.observed)
        assert lab.store.plan_transition(barge, BargeLifecycle.clear).digest == state.digest
        _leave(lab, barge)
        first = lab.store.sync_state(barge)
        assert state.digest == first.digest == first.approved == first.applied
        cargo = lab.store.create(Cargo(name="c", parent=barge))
        second = lab.store.sync_state(barge)
        lab.store.transition(barge, BargeLifecycle.clear, digest=second.digest)
        third = lab.store.sync_state(barge)
        assert (second.digest, second.digest, first.digest) == (third.digest, third.approved, third.applied)
        lab.store.delete(cargo)
        last = lab.store.sync_state(barge)
        assert (first.digest, True, False) == (last.digest, last.is_modified, last.is_out_of_sync)

    @rule("GEN-6")
    def test_every_writer_counts(self, lab: Lab) -> None:
        """A resource is unobserved until each of its writers has looked at its version (GEN-6)."""
        barge = lab.store.create(Barge(name="b"))
        lab.store.set_status(BargePosition(parent=barge), observed=barge)
        lab.store.set_status(BargeDraught(parent=barge), observed=barge)
        assert {"pilot": 1, "gauge": 1} == lab.store.sync_state(barge).observed
        barge = lab.store.update(barge.model_copy(update={"name_of_ship": "Elbe"}))
        lab.store.set_status(BargePosition(parent=barge), observed=barge)
        state = lab.store.sync_state(barge)
        assert ({"pilot": 2, "gauge": 1}, True) == (state.observed, state.is_unobserved)
        lab.store.set_status(BargeDraught(parent=barge), observed=barge)
        assert not lab.store.sync_state(barge).is_unobserved

    @rule("GEN-6")
    def test_sync_state_needs_a_resource_and_its_model(self, lab: Lab) -> None:
        """What does not exist is ``NotFound``; without the model, nobody knows what belongs to the content (GEN-6)."""
        with pytest.raises(InvalidCall):
            lab.open().sync_state(Key("Barge", "b"))
        barge = lab.store.create(Barge(name="b"))
        lab.store.delete(barge)
        with pytest.raises(NotFound):
            lab.store.sync_state(barge)
        with pytest.raises(NotFound), lab.store.transaction() as tx:
            tx.sync_state(barge)

    @rule("GEN-6")
    def test_transaction_rests_on_a_sync_state(self, lab: Lab) -> None:
        """A change of the content, a report or a new writer after the comparison is a ``Conflict`` (GEN-6)."""
        barge, other = lab.store.create(Barge(name="b")), lab.open()
        changes: list[Any] = [
            lambda: other.create(Cargo(name="c", parent=barge)),
            lambda: other.set_status(BargePosition(parent=barge), observed=1),
            lambda: other.set_status(BargePosition(parent=barge, conditions={"Ready": yes()}), observed=1),
            lambda: other.set_status(BargeDraught(parent=barge), observed=1),
        ]
        for change in changes:
            with pytest.raises(Conflict), lab.store.transaction() as tx:
                tx.sync_state(barge)
                change()
                tx.create(Barge(name="result"))
        assert "Barge/result" not in lab.state()

    @rule("GEN-5")
    def test_status_is_no_content(self, lab: Lab) -> None:
        """A status, of the resource or of a part, changes no digest and no approval, and is in no revision (GEN-5)."""
        barge = lab.store.create(Barge(name="b"))
        cargo = lab.store.create(Cargo(name="c", parent=barge))
        before = lab.store.plan_transition(barge, BargeLifecycle.clear)
        lab.store.set_status(BargePosition(parent=barge), observed=barge)
        lab.store.set_status(CargoPosition(parent=cargo), observed=cargo)

        after = lab.store.plan_transition(barge, BargeLifecycle.clear)

        assert (before.digest, before.members) == (after.digest, after.members)
        lab.store.transition(barge, BargeLifecycle.clear, digest=before.digest)
        for number in (2, 3):
            lab.store.set_status(CargoPosition(parent=cargo, conditions={f"Is{number}": yes()}), observed=cargo)
        lab.store.transition(barge, BargeLifecycle.cast_off)
        records = lab.records()
        parts = {one.key: one for one in records.values() if one.key.kind == REVISION_PART}
        for revision in (one for one in records.values() if one.key.kind == REVISION):
            assert ["Barge/b", "Cargo/b/c"] == sorted(content_of(revision, parts).prints)
        assert parts

    @rule("GEN-1")
    def test_transition_leaves_the_version(self, lab: Lab) -> None:
        """A transition does not move the version of its resource, nor make an update of it conflict (GEN-1)."""
        barge = lab.store.create(Barge(name="b"))
        _leave(lab, barge)
        found = lab.store.get(barge)
        assert (barge.meta, barge) == (found.meta, found)
        with lab.store.transaction() as tx:
            seen = tx.get(barge)
            lab.open(models=[Barge]).transition(barge.key, BargeLifecycle.moor)
            tx.update(seen.model_copy(update={"name_of_ship": "Elbe"}))
        assert 2 == lab.store.get(barge).meta.version


def _leave(lab: Lab, barge: Barge) -> None:
    """Clear a barge for its content, and carry that out."""
    lab.store.transition(barge.key, BargeLifecycle.clear, digest=lab.store.sync_state(barge.key).digest)
    begun = lab.store.transition(barge.key, BargeLifecycle.cast_off)
    lab.store.transition(barge.key, BargeLifecycle.left, operation=begun.operation)
