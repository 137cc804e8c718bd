"""SUP: work goes to who is alive, begins again when its worker dies, and stays stopped when it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.blocking import raw
from emco_store.contracts.crews import (
    ERRAND,
    SEC,
    Crew,
    by_name,
    counted,
    crew,
    free_all,
    replace_lease,
    runner_of,
    supervisor,
    until,
    verdicts,
)
from emco_store.contracts.faults import ClientDied, Moment
from emco_store.contracts.harness import Lab
from emco_store.contracts.judgements import Warp
from emco_store.contracts.lease_models import RUNNER, SPARE, TTL, Errand, Runner
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.leases import Verdict
from emco_store.core.strategies import Backoff, Reassign
from emco_store.core.supervising import Candidate, by_zone
from emco_store.ports import Commit


class SupervisingRules:
    """Assign, free and restart operators."""

    @rule("SUP-6")
    def test_assignment_and_its_memory_change_in_one_commit(self, lab: Lab) -> None:
        """Who runs an operator, attempts, failures and back-off change together (SUP-6)."""
        lab.store.create(Errand(name="e"))
        found = Crew(lab, lab.store, supervisor(lab, lab.store), Warp())
        with found.leases:
            found.lead()
            lease = found.hire(Runner(name="r"))
            before = lab.faults.count(Commit)

            assert ((ERRAND, RUNNER),) == found.look().assigned

            errand = found.errand()
            assert (before + 1, 2) == (lab.faults.count(Commit), errand.meta.version)
            assert (RUNNER, 1, lease.uid) == (runner_of(errand), errand.recovery.attempts, errand.recovery.lease)
            lab.store.expire(RUNNER)
            before = lab.faults.count(Commit)

            assert (ERRAND,) == found.look().failed

            errand, recovery = found.errand(), found.errand().recovery
            assert (before + 1, 4) == (lab.faults.count(Commit), errand.meta.version)
            assert (None, "", 1) == (runner_of(errand), recovery.lease, len(recovery.failures))
            assert recovery.since is not None
            assert recovery.since + SEC == recovery.not_before

    @rule("SUP-6")
    def test_failure_is_counted_once_whoever_ends_the_lease(self, lab: Lab) -> None:
        """An expiry by hand, a release and a death are one failure each, for whoever supervises (SUP-6)."""
        lab.store.create(Errand(name="e"))
        ends: list[Callable[[Crew, Any], object]] = [
            lambda _, __: lab.store.expire(RUNNER),
            lambda _, runner: runner.close(),
            lambda found, _: found.warp.alive.discard(found.errand().recovery.lease),
        ]
        with crew(lab, strategy=Reassign()) as found:
            for number, end in enumerate(ends):
                with ExitStack() as runner:
                    found.warp.alive.add(runner.enter_context(found.store.lease(Runner(name="r"))).uid)
                    assert ((ERRAND, RUNNER),) == found.look().assigned
                    assert (number, number + 1) == counted(found)
                    end(found, runner)
                    failed = until(found, lambda seen: bool(seen.failed)).failed
                    assert (ERRAND,) == failed
                found.supervisor = supervisor(lab, found.store, strategy=Reassign())
                assert () == (*found.look().failed, *found.look().failed)
                assert (number + 1, number + 1) == counted(found)

    @rule("SUP-6")
    def test_next_supervisor_goes_on_with_the_back_off(self, lab: Lab) -> None:
        """Nothing is remembered in a process, and no clock of a client counts (SUP-6)."""
        lab.store.create(Errand(name="e"))
        options: dict[str, Any] = {"strategy": Backoff("20s", factor=3, most="1m")}
        with crew(lab, **options) as found:
            for wait in (20, 60, 60):
                found.hire(Runner(name="r"))
                assert ((ERRAND, RUNNER),) == found.look().assigned
                lab.store.expire(RUNNER)
                assert (ERRAND,) == found.look().failed
                found.hire(RUNNER)
                found.supervisor = supervisor(lab, found.store, **options)
                lab.clock.advance(timedelta(days=1))
                found.wait(wait * SEC - 5 * SEC)
                assert ((ERRAND,), ()) == (found.look().waiting, found.look().assigned)
                lab.store.expire(RUNNER)
                found.wait(5 * SEC)

    @rule("SUP-6")
    def test_supervisor_that_dies_leaves_the_state_before_or_after(self, lab: Lab) -> None:
        """At no moment is an operator assigned without its attempt, or freed with its failure counted twice (SUP-6)."""
        found = Crew(lab, lab.store, supervisor(lab, lab.store, strategy=Reassign()), Warp())
        moments: tuple[tuple[Moment, int], ...] = (("before", 0), ("after", 1))
        with found.leases:
            found.lead()
            for moment, done in moments:
                with lab.store.lease(Runner(name="r")):
                    lab.store.create(Errand(name="e"))
                    lab.faults.do(Commit, _die, moment=moment)
                    with pytest.raises(ClientDied):
                        found.look()
                    errand = found.errand()
                    assert (done, done) == (errand.recovery.attempts, int(errand.runner is not None))
                    found.look()
                with lab.store.lease(RUNNER):
                    lab.faults.do(Commit, _die, moment=moment)
                    with pytest.raises(ClientDied):
                        found.look()
                    assert (done, 1 + done) == counted(found)
                    found.look()
                    assert (1, 2) == counted(found)
                lab.store.delete(ERRAND)

    @rule("SUP-6")
    def test_operators_of_a_region_restart_together(self, lab: Lab) -> None:
        """Where one fails, the others are taken from their workers in the same commit; others go on (SUP-6)."""
        for name, team in (("e", "a"), ("f", "a"), ("g", "b")):
            lab.store.create(Errand(name=name, team=team))
        options: dict[str, Any] = {"region": lambda errand: errand.team, "place": by_name}
        found = Crew(lab, lab.store, supervisor(lab, lab.store, strategy=Backoff("20s"), **options), Warp())
        with found.leases:
            found.lead()
            for name in "efg":
                found.hire(Runner(name=name))
            assert 3 == len(found.look().assigned)
            lab.store.expire(Key("Runner", "e"))
            before = lab.faults.count(Commit)

            seen = found.look()

            assert before + 1 == lab.faults.count(Commit)
            assert ((ERRAND,), (ERRAND, Key("Errand", "f"))) == (seen.failed, seen.waiting)
            e, f, g = (found.errand(name) for name in "efg")
            assert (None, None, Key("Runner", "g")) == (runner_of(e), runner_of(f), runner_of(g))
            assert (1, e.recovery.failures, e.recovery.not_before) == (
                len(f.recovery.failures), f.recovery.failures, f.recovery.not_before,
            )  # fmt: skip
            found.hire(Runner(name="e"))
            found.supervisor = supervisor(lab, lab.store, strategy=Reassign(), **options)
            lab.store.expire(Key("Runner", "g"))
            before = lab.faults.count(Commit)

            seen = found.look()

            assert (before + 1, (Key("Errand", "g"),)) == (lab.faults.count(Commit), seen.unplaced)

    @rule("SUP-6")
    def test_regions_that_restart_at_once_are_assigned_in_the_same_commit(self, lab: Lab) -> None:
        """Without a back-off, failure and new assignment of all of a region are one commit, or none (SUP-6)."""
        for name in "ef":
            lab.store.create(Errand(name=name))
        options: dict[str, Any] = {"region": lambda _: "all", "strategy": Reassign()}
        found = Crew(lab, lab.store, supervisor(lab, lab.store, **options), Warp())
        with found.leases:
            found.lead()
            found.hire(Runner(name="r"))
            found.hire(Runner(name="spare"))
            found.look()
            lab.store.expire(RUNNER)
            before = lab.faults.count(Commit)

            seen = found.look()

            assert before + 1 == lab.faults.count(Commit)
            assert ((ERRAND, SPARE), (Key("Errand", "f"), SPARE)) == seen.assigned
            assert [2, 2] == [found.errand(name).recovery.attempts for name in "ef"]

    @rule("SUP-6")
    def test_assignment_by_hand_is_counted_when_it_fails(self, lab: Lab) -> None:
        """An operator that somebody else has assigned is supervised like every other (SUP-6)."""
        with crew(lab) as found:
            lease = found.hire(Runner(name="r"))
            lab.store.create(Errand(name="e", runner=RUNNER))
            assert () == found.look().assigned
            assert (lease.uid, 0) == (found.errand().recovery.lease, found.errand().recovery.attempts)
            lab.store.expire(RUNNER)
            assert (ERRAND,) == found.look().failed

    @rule("SUP-7")
    def test_work_goes_only_to_who_is_alive(self, lab: Lab) -> None:
        """A worker that is free, silent for two thirds of its TTL, or stuck gets no work (SUP-7)."""
        lab.store.create(Errand(name="e"))
        lab.store.create(Runner(name="free"))
        with crew(lab, stall_after=40 * SEC) as found:
            assert (ERRAND,) == found.look().unplaced
            lease = found.hire(Runner(name="r"))
            found.warp.alive.discard(lease.uid)
            found.wait(TTL * 2 / 3)
            assert [(RUNNER, Verdict.SUSPECT)] == verdicts(found)
            assert (ERRAND,) == found.look().unplaced
            found.wait(TTL)
            assert [(RUNNER, Verdict.OVERDUE)] == verdicts(found)
            assert (ERRAND,) == found.look().unplaced
            found.warp.alive.add(lease.uid)
            lease.progress(at=1)
            found.wait(60 * SEC)
            raw(found.store)._beater.beat()  # noqa: SLF001 - the beats of a test come when it says so
            assert [(RUNNER, Verdict.STUCK)] == verdicts(found, 40 * SEC)
            assert (ERRAND,) == found.look().unplaced
            lease.progress(at=2)
            raw(found.store)._beater.beat()  # noqa: SLF001 - see above
            assert ((ERRAND, RUNNER),) == found.look().assigned

    @rule("SUP-7")
    def test_lease_that_ends_or_changes_just_before_the_commit_gets_no_work(self, lab: Lab) -> None:
        """The commit rests on the very lease that was seen alive, and not on the next one (SUP-7)."""
        for is_taken_again in (False, True):
            lab.store.create(Errand(name="e"))
            found = Crew(lab, lab.store, supervisor(lab, lab.store), Warp())
            with found.leases:
                found.lead()
                found.hire(Runner(name="r"))
                lab.faults.do(Commit, partial(replace_lease, lab, is_taken_again=is_taken_again))

                seen = found.look()

                assert ((), (ERRAND,)) == (seen.assigned, seen.unplaced)
                assert (0, 0) == counted(found)
                assert found.errand().runner is None
                if is_taken_again:
                    assert ((ERRAND, RUNNER),) == found.look().assigned
                    lab.store.expire(RUNNER)
            lab.store.delete(ERRAND)

    @rule("SUP-7")
    def test_placement_chooses_among_those_alive(self, lab: Lab) -> None:
        """The least loaded is chosen, the first of equal ones, by zone, or by a function (SUP-7)."""
        for name, zone in (("e", "eu"), ("f", "us"), ("g", "eu"), ("h", "as")):
            lab.store.create(Errand(name=name, zone=zone))
        with crew(lab) as found:
            found.hire(Runner(name="r", zone="eu"))
            found.hire(Runner(name="s", zone="us"))
            assert ["r", "s", "r", "s"] == [key.name for _, key in found.look().assigned]
            free_all(lab)
            found.supervisor = supervisor(lab, found.store, place=by_zone(strict=True))
            seen = found.look()
            assert ["r", "s", "r"] == [key.name for _, key in seen.assigned]
            assert (Key("Errand", "h"),) == seen.unplaced
            found.supervisor = supervisor(lab, found.store, place=by_zone())
            assert ["s"] == [key.name for _, key in found.look().assigned]
            free_all(lab)
            found.supervisor = supervisor(lab, found.store, place=lambda _, __: Candidate(Runner(name="x"), 0, ""))
            assert 4 == len(found.look().refused)


def _die() -> None:
    raise ClientDied
