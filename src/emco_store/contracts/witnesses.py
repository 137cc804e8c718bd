"""ATM-2 and OCC-11: what must last is still there at the end of the run; the port itself, without a store."""

from __future__ import annotations

from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.contracts.witnessing import HELD, KEY, commit_of_witness
from emco_store.ports import Commit, Get, Held, Receipt, Refusal


class WitnessRules:
    """A commit and a hold from the beginning of the run, looked at as late as possible, so that nobody has to wait."""

    @rule("ATM-2", "OCC-11")
    def test_at_the_end_what_was_noted_at_the_beginning_still_counts(self, lab: Lab) -> None:
        """The outcome of a commit outlives what has been written over it, and a hold lasts (ATM-2, OCC-11)."""
        lab.bench.begin()
        port = lab.bench.backend.port(lab.bench.witness)
        port.open()
        try:
            assert Receipt("witness") == port.ask(commit_of_witness())
            assert b"{}" == port.ask(Get((KEY,)))[KEY].document, "a commit was carried out again"
            assert Refusal((Held(HELD),)) == port.ask(Commit("rival", deletes=(HELD,)))
        finally:
            port.close()
