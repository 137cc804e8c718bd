"""LIF-13: what is stored with a state counts, where two versions of a program declare different things for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from emco_store.contracts.freezes import OldCloud, OldLifecycle
from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import Cloud, CloudLifecycle, CloudState
from emco_store.contracts.lifecycles import a_cloud
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import hold, transition
from emco_store.core.lifecycle_records import standing_key
from emco_store.core.query import F
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import DeleteRestricted, InvalidResource, StateForbids, TransitionRefused


class ProbeState(StrEnum):
    """The states of a probe."""

    CREATED = "Created"
    READY = "Ready"
    UP = "Up"
    DOWN = "Down"


class ProbeLifecycle(Lifecycle[ProbeState]):
    """A probe that is up cannot be deleted, and holds its cloud."""

    initial = ProbeState.CREATED
    prepare = transition(ProbeState.CREATED, to=ProbeState.READY)
    enter = transition({ProbeState.CREATED, ProbeState.READY, ProbeState.DOWN}, to=ProbeState.UP)
    leave = transition(ProbeState.UP, to=ProbeState.DOWN)
    deletable = {ProbeState.CREATED, ProbeState.READY, ProbeState.DOWN}
    holds = {ProbeState.UP: [hold(F.cloud, needs=CloudState.UP)]}


class Probe(Resource, lifecycle=ProbeLifecycle):
    """A resource that holds another one."""

    cloud: Ref[Cloud] | None = None


class EarlierState(StrEnum):
    """The states of a probe in an earlier version of a program."""

    CREATED = "Created"
    UP = "Up"
    DOWN = "Down"


class EarlierLifecycle(Lifecycle[EarlierState]):
    """The lifecycle of probes in that version: it holds and forbids nothing, and knows fewer states."""

    initial = EarlierState.CREATED
    enter = transition({EarlierState.CREATED, EarlierState.DOWN}, to=EarlierState.UP)
    attest = transition(EarlierState.UP, to=EarlierState.UP)
    leave = transition(EarlierState.UP, to=EarlierState.DOWN)
    deletable = set(EarlierState)


class EarlierProbe(Resource, kind="Probe", lifecycle=EarlierLifecycle):
    """A probe in that version."""

    cloud: Ref[Cloud] | None = None


class StoredStateRules:
    """The tests of LIF-13."""

    @rule("LIF-13")
    def test_transition_within_a_state_takes_nothing_away(self, lab: Lab) -> None:
        """A program that forbids less releases no hold and lifts no protection, as long as the state stays (LIF-13)."""
        earlier = lab.open(models=[EarlierProbe])
        cloud = a_cloud(lab)
        probe = lab.store.create(Probe(name="p", cloud=cloud.ref))
        lab.store.transition(probe, ProbeLifecycle.enter)
        before = lab.records()[standing_key(probe.key).text]

        earlier.transition(probe.key, EarlierLifecycle.attest)

        assert before.edges == lab.records()[standing_key(probe.key).text].edges
        for store in (lab.store, earlier, lab.open()):
            with pytest.raises(DeleteRestricted):
                store.delete(probe.key)
        with pytest.raises(TransitionRefused):
            lab.store.transition(cloud, CloudLifecycle.land)
        earlier.transition(probe.key, EarlierLifecycle.leave)
        lab.store.transition(cloud, CloudLifecycle.land)
        earlier.delete(probe.key)

    @rule("LIF-13", "LIF-7")
    def test_transition_within_a_state_thaws_nothing(self, lab: Lab) -> None:
        """Nor does it thaw a field that the state froze when it was entered (LIF-13, LIF-7)."""
        earlier = lab.open(models=[OldCloud])
        cloud = a_cloud(lab)

        earlier.transition(cloud.key, OldLifecycle.attest)

        for store, model in ((lab.store, Cloud), (earlier, OldCloud)):
            with pytest.raises(StateForbids):
                store.put(model(name="c", level=9))
        assert [] == [flaw.key for flaw in lab.store.check().flaws]

    @rule("LIF-13", "LIF-8")
    def test_transition_within_a_state_gives_up_no_operation(self, lab: Lab) -> None:
        """An operation that is under way stays so, although the class at hand could not report its end (LIF-13)."""
        earlier = lab.open(models=[EarlierProbe])
        probe = lab.store.create(Probe(name="p"))
        lab.store.transition(probe, ProbeLifecycle.enter)
        lab.tamper(standing_key(probe.key), b'{"state":"Up","operation":"o1"}')

        assert "o1" == earlier.transition(probe.key, EarlierLifecycle.attest).operation
        assert None is earlier.transition(probe.key, EarlierLifecycle.leave).operation

    @rule("LIF-13", "LIF-1")
    def test_list_passes_over_states_of_other_versions(self, lab: Lab) -> None:
        """A list by state leaves out what is in a state that its class does not have (LIF-13, LIF-1)."""
        earlier = lab.open(models=[EarlierProbe])
        first, second, third = (lab.store.create(Probe(name=name)) for name in "abc")
        lab.store.transition(first, ProbeLifecycle.prepare)
        lab.store.transition(second, ProbeLifecycle.enter)

        assert {EarlierState.CREATED: [third.key], EarlierState.UP: [second.key]} == _by_state(earlier)
        with earlier.transaction() as tx:
            assert {EarlierState.CREATED: [third.key], EarlierState.UP: [second.key]} == _by_state(tx, stable=False)
        lab.tamper(standing_key(second.key), b"not JSON")
        unreadable, kept = earlier.list(EarlierProbe, state=EarlierState.CREATED).items
        assert (InvalidResource, third.key) == (type(unreadable), kept.key)


def _by_state(reader: Any, **options: Any) -> dict[EarlierState, list[Key]]:
    """List the probes in two states."""
    return {
        state: [one.key for one in reader.list(EarlierProbe, state=state, **options)]
        for state in (EarlierState.CREATED, EarlierState.UP)
    }
