"""Judging in virtual time: nothing that lives is ended, whatever the clocks do, and each death is found in time."""

from __future__ import annotations

import pytest

from proof.simulated_judges import TTL_S, ByAnyServer, BySuccessivePolls, OwnClock, Proposed, ServerClock, without_watch
from proof.simulated_leases import FAULTS, World, played

SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_faults_end_no_live_lease_and_hide_no_death(seed):
    """SUP-1 to SUP-3: in mixtures of all faults, no live lease is ended, and each dead one is found in time."""
    counts = World(seed).run()

    assert (0, []) == (counts.false_ends, counts.late)
    assert counts.beats > 1000


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_ends_no_live_lease_and_hides_no_death(fault):
    """SUP-2: each class of faults by itself ends nothing that lives."""
    counts = played(Proposed, beats=8000, first_seed=1000, faults=[fault])

    assert (0, []) == (counts.false_ends, counts.late)
    assert counts.faults[fault] > 0
    assert counts.deaths > 0


def test_calm_death_is_found_within_a_ttl_and_a_poll():
    """SUP-3: while watch is kept, a death is found within TTL + poll, and what the clocks may differ."""
    counts = played(Proposed, beats=8000, first_seed=2000, faults=[])

    assert [] == counts.late
    assert counts.deaths > 100
    assert counts.worst_calm_s <= TTL_S + TTL_S / 15 + 1


@pytest.mark.parametrize("rule", [without_watch, OwnClock, ServerClock])
def test_usual_rules_end_live_leases(rule):
    """The negative controls: without a watch, by the own clock or the server's alone, the living are ended."""
    assert played(rule, beats=20_000).false_ends > 0


def test_watch_by_successive_polls_ends_live_leases():
    """A clock that runs wrong differs little from poll to poll, and much over a TTL."""
    assert played(BySuccessivePolls, beats=60_000, first_seed=3000, faults=["wrong"]).false_ends > 0
    assert played(Proposed, beats=60_000, first_seed=3000, faults=["wrong"]).false_ends == 0


def test_watch_over_any_server_ends_live_leases():
    """A failover that is over within a third of a TTL leaves no other trace than the name of the server."""
    assert played(ByAnyServer, beats=20_000, first_seed=4000, faults=["failover"]).false_ends > 0
    assert played(Proposed, beats=20_000, first_seed=4000, faults=["failover"]).false_ends == 0
