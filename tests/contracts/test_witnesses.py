# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""What a backend forgets too early is caught once time has passed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from emco_store.backends.memory import MemoryPort
from emco_store.contracts.harness import Bench, Harness, Mode
from emco_store.contracts.suite import Conformance
from emco_store.ports import Commit, Hold, Receipt, Refusal
from tests.contracts.mutants import mutant


class ForgetsOutcomesSoon(MemoryPort):
    """Remembers outcomes for two seconds."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        with self._backend.request(self._namespace, "commit", commit) as space:
            now = self._backend.clock()
            space.outcomes = {txid: found for txid, found in space.outcomes.items() if now - found[1] < 2}
        return super().commit(commit)


class HoldsTooShort(MemoryPort):
    """Lets a hold end after two seconds, whatever was asked for."""

    def hold(self, hold: Hold) -> None:
        super().hold(replace(hold, lasts=min(hold.lasts, timedelta(seconds=2))))


@pytest.mark.parametrize(("port", "passes"), [(MemoryPort, True), (ForgetsOutcomesSoon, False), (HoldsTooShort, False)])
def test_witness_of_the_beginning_is_looked_at_when_time_has_passed(port, passes):
    """ATM-2, OCC-11: three seconds later, a backend that forgets after two is caught, and a sound one passes."""
    time = [1000.0]
    backend = mutant(port=port)()
    backend.clock = lambda: time[0]
    with closing(Bench(Harness("witness", lambda: backend), Mode.BLOCKING)) as bench:
        bench.begin()
        time[0] += 3
        with bench.lab() as lab:
            if passes:
                Conformance().test_at_the_end_what_was_noted_at_the_beginning_still_counts(lab)
            else:
                with pytest.raises(AssertionError):
                    Conformance().test_at_the_end_what_was_noted_at_the_beginning_still_counts(lab)
