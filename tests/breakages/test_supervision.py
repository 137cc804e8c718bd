"""B46 to B51: how the deployer of EMCO loses work, and why a supervisor does not."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store import Backoff, Key, LeaseLost, Reassign, Recovery
from emco_store.contracts.crews import ERRAND, SEC, Crew, counted, crew, runner_of, supervisor, switch
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.harness import Lab
from emco_store.contracts.judgements import Warp
from emco_store.contracts.lease_models import RUNNER, SPARE, TTL, Errand, Runner
from emco_store.ports import Commit


def die() -> None:
    """End the process of a supervisor, in the middle of what it does."""
    raise ClientDied


def apply(store: Any, lease: Any, content: str) -> None:
    """Let a worker checkpoint what it has applied, under its lease."""

    def step(tx: Any) -> None:
        tx.require(lease)
        errand = tx.get(Errand, "e")
        tx.update(errand.model_copy(update={"zone": content}))

    store.run(step)


# B46: a stop


def test_b46_stop_is_recorded_whatever_the_work_does(lab: Lab):
    """B46, SUP-9: The worker is out of reach; the stop is stored, carried out, and leaves what can be deleted."""
    lab.store.create(Errand(name="e"))
    with crew(lab) as found:
        lease = found.hire(Runner(name="r"))
        found.look()
        found.warp.alive.discard(lease.uid)  # it does not answer any more
        found.wait(TTL * 5 / 6)

        switch(lab, is_off=True)

        assert (ERRAND,) == found.look().stopped
        assert (None, Recovery(attempts=1)) == (runner_of(found.errand()), found.errand().recovery)
        switch(lab, is_off=True)
        assert () == found.look().stopped, "a second stop changes nothing"
    lab.store.delete(ERRAND)


def test_b46_stop_outlives_the_supervisor(lab: Lab):
    """B46, SUP-9: A stop that comes while nobody supervises is found by the next one, and by all after it."""
    lab.store.create(Errand(name="e"))
    found = Crew(lab, lab.store, supervisor(lab, lab.store), Warp())
    with lab.store.lease(Runner(name="r")):
        with found.leases:
            found.lead()
            found.look()
        switch(lab, is_off=True)
        for stopped in ((ERRAND,), ()):
            found = Crew(lab, lab.store, supervisor(lab, lab.store), Warp())
            with found.leases:
                found.lead()
                seen = found.look()
                assert (stopped, ()) == (seen.stopped, seen.assigned)


# B47: a crash


@pytest.mark.parametrize("moment", ["before", "after"])
def test_b47_crash_of_the_supervisor_leaves_nothing_between(lab: Lab, moment: Any):
    """B47, SUP-6: Whenever it dies, the next one goes on: nothing is skipped, and nothing counted twice."""
    for name in "ef":
        lab.store.create(Errand(name=name))
    for assigned in (1, 2):
        with lab.store.lease(Runner(name="r")):
            found = Crew(lab, lab.store, supervisor(lab, lab.store, strategy=Reassign()), Warp())
            with found.leases:
                found.lead()
                lab.faults.do(Commit, die, moment=moment)
                with pytest.raises(ClientDied):
                    found.look()
            found = Crew(lab, lab.store, supervisor(lab, lab.store, strategy=Reassign()), Warp())
            with found.leases:
                found.lead()
                found.look()
            for name in "ef":
                recovery = found.errand(name).recovery
                assert (assigned, assigned - 1) == (recovery.attempts, len(recovery.failures))
                assert RUNNER == runner_of(found.errand(name))


# B48: a bad record


def test_b48_bad_record_keeps_nobody_from_being_recovered(lab: Lab):
    """B48, SUP-9: After a restart, all are recovered but those that cannot be read, which are named."""
    names = [f"e{number}" for number in range(5)]
    for name in names:
        lab.store.create(Errand(name=name))
    with crew(lab, strategy=Reassign()) as found:
        found.hire(Runner(name="r"))
        found.look()
        lab.store.expire(RUNNER)
        found.hire(Runner(name="spare"))
        lab.tamper(Key("Errand", "e0"), b"{}")
        lab.tamper(Key("Errand", "e2"), b'{"recovery": {"attempts": "many"}}')
        found.supervisor = supervisor(lab, found.store, strategy=Reassign())

        seen = found.look()

        assert [Key("Errand", "e0"), Key("Errand", "e2")] == [key for key, _ in seen.refused]
        assert {SPARE} == {worker for _, worker in seen.assigned}
        assert [Key("Errand", name) for name in ("e1", "e3", "e4")] == [key for key, _ in seen.assigned]


# B49: who runs what


def test_b49_restart_finds_who_runs_what(lab: Lab):
    """B49, SUP-6: The next supervisor assigns nothing twice, and a stop reaches the worker that runs it."""
    lab.store.create(Errand(name="e"))
    with crew(lab) as found:
        found.hire(Runner(name="r"))
        found.look()
        found.hire(Runner(name="spare"))
        found.supervisor = supervisor(lab, found.store)

        assert () == found.look().assigned

        assert ((0, 1), RUNNER) == (counted(found), runner_of(found.errand()))
        switch(lab, is_off=True)
        assert (ERRAND,) == found.look().stopped


# B50, B51: what was applied


def test_b50_work_that_ended_before_anything_was_applied_begins_again(lab: Lab):
    """B50, SUP-6: What counts is what was checkpointed, and not that the intent is the same as before."""
    lab.store.create(Errand(name="e"))
    with crew(lab, strategy=Backoff("1s")) as found:
        old = found.hire(Runner(name="r"))
        found.look()
        lab.store.expire(RUNNER)
        found.hire(Runner(name="spare"))
        found.look()
        assert "" == found.errand().zone, "nothing was applied"
        found.wait(2 * SEC)

        assert ((ERRAND, SPARE),) == found.look().assigned

        assert 2 == found.errand().recovery.attempts
        with pytest.raises(LeaseLost):
            apply(found.store, old, "late")
        assert "" == found.errand().zone


def test_b51_stop_of_before_stops_nothing_later(lab: Lab):
    """B51, SUP-9: There is one intent, not a new one beside a stopped one: started again, it runs from where it was."""
    lab.store.create(Errand(name="e"))
    with crew(lab) as found:
        lease = found.hire(Runner(name="r"))
        found.look()
        apply(found.store, lease, "first")
        switch(lab, is_off=True)
        found.look()

        switch(lab, is_off=False, team="new")

        assert ((ERRAND, RUNNER),) == found.look().assigned
        assert ("first", "new", 2) == (found.errand().zone, found.errand().team, found.errand().recovery.attempts)
