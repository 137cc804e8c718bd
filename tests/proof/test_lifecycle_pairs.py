"""Interleavings of transitions, rollbacks, operations and statuses: one pair of each family on every backend."""

from __future__ import annotations

import pytest

from emco_store import MemoryBackend
from proof import pairs
from proof.rig import Rig
from tests.proof.interleave import FAMILIES, main

CHOSEN = {
    "lifecycles": ("enter a hold", "leave the state that is held"),
    "operations": ("report the end", "stop"),
    "rollbacks": ("roll back", "change a child"),
    "first statuses": ("report", "report otherwise"),
    "later statuses": ("add to the report", "delete"),
}
"""Pairs that meet in a record of the store's own; all of them are for ``python -m tests.proof.interleave``."""


def explored(rig: Rig, name: str) -> pairs.Tally:
    """Run every schedule of the pair of a family that was chosen."""
    family, tally = FAMILIES[name], pairs.Tally()
    first, second = (next(one for one in family.scripts if one.name == wanted) for wanted in CHOSEN[name])
    with pairs.stage_at(rig) as stage:
        pairs.explore(stage, family, (first, second), tally)
    return tally


@pytest.mark.parametrize("family", CHOSEN)
def test_interleaved_pair_ends_as_in_a_serial_order(rig, family):
    """In every order of the requests of two that meet, some serial order explains the end, and one of them loses."""
    tally = explored(rig, family)

    assert [] == tally.examples
    assert tally.schedules >= 6
    assert any("Conflict" in outcome or "Refused" in outcome for outcome in tally.outcomes), tally.outcomes


@pytest.mark.parametrize("family", CHOSEN)
def test_interleaved_pair_is_unexplained_where_nothing_is_checked(family):
    """The same pairs end otherwise if commits rest on nothing, so the comparison can fail."""
    assert explored(Rig("memory", MemoryBackend()).broken("checks nothing"), family).unexplained > 0


def test_command_runs_a_whole_family(capsys):
    """The command tells how many schedules it has run, and ends with 0 when all are explained."""
    assert 0 == main(["--backend", "memory", "--family", "first statuses"])
    assert "136 pairs, " in capsys.readouterr().out
