"""The walk over lifecycles: it passes on what is sound, and finds what is not."""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum

import pytest

from emco_store import CASCADE, Lifecycle, MemoryBackend, Resource, StoreError, some, transition
from emco_store.contracts.harness import Bench, Harness, Mode
from emco_store.contracts.walked import GROUPS, PLANTS, walk_on
from emco_store.contracts.walks import walk
from emco_store.core import guards
from emco_store.flows.freezing import Freezing
from emco_store.flows.rollbacks import _Rewriting
from tests.contracts import broken_history, broken_lifecycles
from tests.contracts.broken_core import BROKEN_CORE, Broken

RED = (AssertionError, StoreError, pytest.fail.Exception, ExceptionGroup)
EXAMPLES = 50

IN_GROUPS = {
    "BeginsInAnyState": BROKEN_CORE["BeginsInAnyState"],
    "RefusesForOneReason": BROKEN_CORE["RefusesForOneReason"],
    "ProtectsNothing": BROKEN_CORE["ProtectsNothing"],
    "HoldsWithoutEdges": BROKEN_CORE["HoldsWithoutEdges"],
    "AcceptsAnyReport": BROKEN_CORE["AcceptsAnyReport"],
    "ApprovesWhatNobodySaw": BROKEN_CORE["ApprovesWhatNobodySaw"],
    "TrustsTheState": BROKEN_CORE["TrustsTheState"],
    "LetsAnybody": BROKEN_CORE["LetsAnybody"],
    "RecordsAlways": BROKEN_CORE["RecordsAlways"],
    "FindsEveryState": BROKEN_CORE["FindsEveryState"],
    "FreezesNothing": Broken(Freezing, "check", broken_lifecycles.look_away, "LIF-7"),
    "CountsNobody": Broken(guards.Some, "objections", broken_lifecycles.refuse_nothing, "LIF-2"),
    "AsksNoTarget": Broken(guards.Target, "objections", broken_lifecycles.refuse_nothing, "LIF-2"),
}
IN_PLANTS = {
    "BlindToNewChildren": BROKEN_CORE["BlindToNewChildren"],
    "CarriesApprovals": BROKEN_CORE["CarriesApprovals"],
    "NumbersByKey": BROKEN_CORE["NumbersByKey"],
    "PrintsBytes": BROKEN_CORE["PrintsBytes"],
    "PrunesTags": BROKEN_CORE["PrunesTags"],
    "RevisionsRefer": BROKEN_CORE["RevisionsRefer"],
    "DropsReferences": Broken(_Rewriting, "_made", broken_history.drop_every_reference, "HIS-9"),
}
"""Broken parts of the core that a walk must find, alone and without a second writer."""


class DoorState(StrEnum):
    """The states of a door."""

    OPEN = "Open"
    SHUT = "Shut"


class Trap(Lifecycle[DoorState]):
    """A lifecycle with a dead end that its class does not show: only a guard closes the way back."""

    initial = DoorState.OPEN
    shut = transition(DoorState.OPEN, to=DoorState.SHUT)
    open = transition(DoorState.SHUT, to=DoorState.OPEN, guards=[some("Handle", at_least=2)])
    deletable = {DoorState.OPEN}


class Door(Resource, lifecycle=Trap):
    """Can be opened only with two handles."""


class Handle(Resource, parent=Door, on_parent_delete=CASCADE):
    """A handle of a door."""


@pytest.mark.parametrize("name", [*IN_GROUPS, *IN_PLANTS])
def test_broken_lifecycle_is_found_by_a_walk(name, monkeypatch):
    """A walk comes upon each broken part."""
    broken = (IN_GROUPS | IN_PLANTS)[name]
    monkeypatch.setattr(broken.module, broken.name, broken.part)
    resources = GROUPS if name in IN_GROUPS else PLANTS

    with closing(Bench(Harness(name, MemoryBackend), Mode.BLOCKING)) as bench, pytest.raises(RED):
        walk_on(bench, resources, EXAMPLES, may_shrink=False)


def test_sound_lifecycles_pass_and_every_state_is_reached():
    """A walk over sound lifecycles finds nothing, and goes everywhere."""
    with closing(Bench(Harness("memory", MemoryBackend), Mode.BLOCKING)) as bench:
        for resources, examples in ((GROUPS, 60), (PLANTS, 20)):
            walked = walk_on(bench, resources, examples)

            assert [] == [name for name in walked.unmade if ".if_" not in name]  # these change no state
            assert walked.rollbacks


def test_state_without_a_way_back_is_found():
    """A guard that nothing can fulfil leaves a resource in a state that forbids its delete: the walk says so."""
    with pytest.raises(AssertionError, match="no way back"):
        walk([Door(name="d"), Handle(name="h", parent="Door/d")], examples=20)


def test_way_back_that_needs_something_else_is_found_too():
    """What a guard asks for can be created, so there is a way back."""
    walked = walk([Door(name="d"), Handle(name="h", parent="Door/d"), Handle(name="i", parent="Door/d")], examples=20)

    assert walked.made["Trap.open"]
    assert walked.refused["Trap.open"]
    assert str(walked).startswith(f"{walked.programs} programs: ")
