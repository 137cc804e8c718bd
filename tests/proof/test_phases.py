"""Each phase of the proof, in small, on each backend: the same code as in the long run, and nothing is found."""

from __future__ import annotations

import pytest

from emco_store.flows.context import RetryPolicy
from proof.phase import Budget
from proof.phases import (
    guards_taken_out,
    interleavings,
    lifecycles,
    mutants,
    reference_races,
    registers,
    transactions,
)
from proof.running import Load

PAIRS = {"memory": 60, "redis": 12, "mongo": 7}
"""So many pairs are interleaved; the first are those that leave references behind when the guards are taken out."""
SHORT = RetryPolicy(deadline_s=5.0)


def test_broken_backends_are_caught(rig, tmp_path):
    """On this backend, each way to be broken is found by the checker that is named for it."""
    result = mutants(rig, Budget(operations=15), seed=1, out=tmp_path)

    assert [] == result.violations
    assert result.numbers["mutants"] == result.numbers["caught"] == 10


def test_interleaved_pairs_end_as_in_a_serial_order(rig, tmp_path):
    """In every order of the requests of a pair, nothing dangles and some serial order explains the end."""
    result = interleavings(rig, Budget(operations=PAIRS[rig.name]), seed=1, out=tmp_path)

    assert [] == result.violations
    assert PAIRS[rig.name] == result.numbers["pairs"]
    assert result.numbers["schedules"] > 3 * PAIRS[rig.name]


def test_interleaved_pairs_leave_references_behind_without_guards(rig, tmp_path):
    """The same attack succeeds where the guards are taken out, so it is an attack."""
    result = guards_taken_out(rig, Budget(operations=3), seed=1, out=tmp_path)

    assert [] == result.violations
    assert result.numbers["dangling with no guard"] > 0


@pytest.mark.parametrize(
    "load",
    [Load("lists", threads=6), Load("lists", tasks=12), Load("lists", processes=2, threads=2, tasks=2)],
    ids=["threads", "tasks", "processes"],
)
def test_transactions_are_strictly_serializable(rig, tmp_path, load):
    """What threads, tasks and processes read in transactions has an order, with lost replies too."""
    result = transactions(rig, Budget(operations=12), seed=1, out=tmp_path, by=(load,))

    assert [] == result.violations
    assert result.numbers["transactions"] > 40
    assert result.faults


@pytest.mark.parametrize(
    "load",
    [
        Load("deployments", threads=6),
        Load("deployments", tasks=8),
        Load("deployments", processes=2, threads=2, tasks=2),
    ],
    ids=["threads", "tasks", "processes"],
)
def test_lifecycles_are_strictly_serializable(rig, tmp_path, load):
    """Transitions, rollbacks, statuses and deletes of threads, tasks and processes have an order, with lost replies."""
    result = lifecycles(rig, Budget(operations=20), seed=1, out=tmp_path, by=(load,))

    assert [] == result.violations
    assert min(result.numbers[name] for name in ("lifecycle_changes", "revisions", "statuses")) > 0
    assert result.numbers["transactions"] > 100
    assert result.faults


@pytest.mark.parametrize("load", [Load("registers", threads=6), Load("registers", tasks=12)], ids=["threads", "tasks"])
def test_calls_on_single_resources_are_linearizable(rig, tmp_path, load):
    """What threads and tasks are answered about single resources has an order, with lost replies too."""
    result = registers(rig, Budget(operations=25), seed=1, out=tmp_path, by=(load,))

    assert [] == result.violations
    assert 0 == result.numbers["undecided"]
    assert result.numbers["judged"] > 200


@pytest.mark.parametrize(
    "load",
    [Load("races", threads=8, retry=SHORT), Load("races", processes=2, threads=4, retry=SHORT)],
    ids=["threads", "processes"],
)
def test_nothing_dangles_after_a_race_around_hot_targets(rig, tmp_path, load):
    """After creators, re-pointers and deleters have met, everything resolves and what was acknowledged is there.

    How long a delete took is for the long run to say: here, other work on the machine would decide it.
    """
    result = reference_races(rig, Budget(operations=6), seed=1, out=tmp_path, by=(load,))

    assert [] == [text for text in result.violations if "gave up" not in text]
    assert result.numbers["deletes"] > 0
