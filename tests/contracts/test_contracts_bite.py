"""A suite that has never been red proves nothing: each broken backend is caught by the rule that it breaks."""

from __future__ import annotations

from contextlib import closing

import pytest

from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.harness import Bench, Harness, Mode
from emco_store.contracts.interleavings import check_all
from emco_store.contracts.machine import run_machine
from emco_store.contracts.registrations import check_registrations
from emco_store.contracts.rules import names_by_rule
from emco_store.contracts.scripts import begin_with, scripts_for
from emco_store.contracts.suite import Conformance
from emco_store.contracts.supervisor_interleavings import check_supervisors
from emco_store.core.rules import Rule
from emco_store.errors import StoreError
from tests.contracts.broken_core import BROKEN_CORE
from tests.contracts.mutants import MUTANTS

SLOW = {"test_every_schedule", "test_random_programs", "test_walk_over"}
RED = (AssertionError, StoreError, pytest.fail.Exception)
"""How a test of the contract fails; anything else is a fault in the test or in the mutant."""


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", MUTANTS)
def test_broken_backend_is_caught_by_the_rule_it_breaks(name, mode):
    """For each mutant, a test of the named rule fails."""
    backend, rule = MUTANTS[name]

    assert first_failing_test(Harness(name, backend), rule, mode) is not None


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", BROKEN_CORE)
def test_broken_core_is_caught_by_the_rule_it_breaks(name, mode, monkeypatch):
    """For each part of the core that is broken, a test of the named rule fails."""
    broken = BROKEN_CORE[name]
    monkeypatch.setattr(broken.module, broken.name, broken.part)

    assert first_failing_test(Harness(name, MemoryBackend), broken.rule, mode) is not None


@pytest.mark.parametrize(
    "rule", sorted({rule for _, rule in MUTANTS.values()} | {b.rule for b in BROKEN_CORE.values()})
)
def test_unbroken_backend_passes_the_same_rules(rule):
    """What catches the mutants lets the memory backend pass."""
    assert first_failing_test(Harness("memory", MemoryBackend), rule, Mode.BLOCKING) is None


@pytest.mark.parametrize("name", ["LeavesGuards", "IgnoresSeals", "ForgetsVersions", "ForgetsReads"])
def test_interleavings_catch_a_backend_that_checks_too_little(name):
    """Without guards, seals or versions, some schedule has no serial order."""
    with closing(Bench(Harness(name, MUTANTS[name][0]), Mode.BLOCKING)) as bench, pytest.raises(RED):
        check_all(bench, begin_with(Rule.SET_NULL), scripts_for(Rule.SET_NULL))


def test_interleavings_catch_a_supervisor_that_looks_at_no_lease(monkeypatch):
    """Without the lease of the worker at the commit, some schedule of a supervisor has no serial order."""
    broken = BROKEN_CORE["AssignsUnderAnyLease"]
    monkeypatch.setattr(broken.module, broken.name, broken.part)
    with closing(Bench(Harness("memory", MemoryBackend), Mode.BLOCKING)) as bench, pytest.raises(RED):
        check_supervisors(bench, Rule.SET_NULL)


def test_interleavings_catch_registrations_without_compare_and_set():
    """Without versions, what was acknowledged vanishes from the registry."""
    backend, _ = MUTANTS["ForgetsVersions"]
    with closing(Bench(Harness("ForgetsVersions", backend), Mode.BLOCKING)) as bench, pytest.raises(RED):
        check_registrations(bench)


def test_interleavings_catch_two_supervisors_that_both_assign():
    """Without versions, two supervisors under one seat count one failure twice."""
    backend, _ = MUTANTS["ForgetsVersions"]
    with closing(Bench(Harness("ForgetsVersions", backend), Mode.BLOCKING)) as bench, pytest.raises(RED):
        check_supervisors(bench, Rule.SET_NULL)


@pytest.mark.parametrize(
    "name", ["KeepsOldReferrers", "FindsFirstReferenceOnly", "ChecksNoUniques", "LosesRules", "OverwritesWhatIsThere"]
)
def test_machine_catches_a_backend_that_forgets(name):
    """Random programs come upon an index that is not kept, and upon a rule or a txid that is lost."""
    with closing(Bench(Harness(name, MUTANTS[name][0]), Mode.BLOCKING)) as bench, pytest.raises(RED):
        run_machine(bench, examples=60, may_shrink=False)


def first_failing_test(harness: Harness, rule: str, mode: Mode, *, without: tuple[str, ...] = ()) -> str | None:
    """Run the quick tests of one rule until one fails, and name it."""
    names = [name for name in names_by_rule(Conformance)[rule] if not name.startswith((*SLOW, *without))]
    assert names
    with closing(Bench(harness, mode)) as bench:
        for name in names:
            with bench.lab() as lab:
                try:
                    getattr(Conformance(), name)(lab)
                except RED:
                    return name
    return None
