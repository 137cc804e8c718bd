"""SUP: what people must see to, what is stopped, and what cannot be supervised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.blocking import raw
from emco_store.contracts.crews import (
    ERRAND,
    SEC,
    Crew,
    counted,
    crew,
    once,
    runner_of,
    supervisor,
    switch,
)
from emco_store.contracts.harness import Lab
from emco_store.contracts.judgements import Warp, warped
from emco_store.contracts.lease_models import RUNNER, DutyToFree, DutyToKeep, Errand, Runner
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.strategies import Backoff, Escalate, Failed, FailureRate, GiveUp, Restart
from emco_store.core.supervising import Escalation, Recovery, Supervised
from emco_store.errors import InvalidCall, LeaseLost
from emco_store.ports import Commit


class EscalatingRules:
    """Escalate, stop, and go on although something is wrong."""

    @rule("SUP-8")
    def test_stuck_worker_is_escalated_or_ended(self, lab: Lab) -> None:
        """A worker that beats without progress is told once, and ended where that was asked for (SUP-8)."""
        told: list[Escalation] = []
        options: dict[str, Any] = {"escalate": told.append, "stall_after": 40 * SEC}
        lab.store.create(Errand(name="e"))
        with crew(lab, **options) as found:
            lease = found.hire(Runner(name="r"))
            lease.progress(at=1)
            found.look()
            found.wait(60 * SEC)
            raw(found.store)._beater.beat()  # noqa: SLF001 - the beats of a test come when it says so

            assert [(RUNNER,), ()] == [
                tuple(key for one in found.look().escalated for key in one.resources) for _ in range(2)
            ]
            assert [(RUNNER,)] == [one.resources for one in told]
            assert RUNNER == runner_of(found.errand())
            found.supervisor = supervisor(lab, found.store, ends_stuck=True, **options)
            late = once(raw(found.store)._beater.beat)  # noqa: SLF001 - see above
            found.warp.before_commits.append(late)
            found.look()
            assert RUNNER == runner_of(found.errand()), "it has beaten again, and may have told of progress"
            found.look()
            assert (ERRAND,) == found.look().failed
            assert "no progress" in (lab.store.get(Errand, "e").recovery.given_up or told[-1].reason)

    @rule("SUP-8")
    def test_what_is_given_up_is_escalated_and_stays_until_somebody_sees_to_it(self, lab: Lab) -> None:
        """It is told at least once, by the next supervisor again, and goes on when its recovery is cleared (SUP-8)."""
        told: list[Escalation] = []
        options: dict[str, Any] = {"strategy": Escalate(), "escalate": told.append}
        lab.store.create(Errand(name="e"))
        with crew(lab, **options) as found:
            found.hire(Runner(name="r"))
            found.look()
            lab.store.expire(RUNNER)
            found.hire(RUNNER)
            for number in (1, 1, 2):
                if number > 1:
                    found.supervisor = supervisor(lab, found.store, **options)
                assert () == found.look().assigned
                assert [(ERRAND,)] * number == [one.resources for one in told]
            errand = found.errand()
            lab.store.update(errand.model_copy(update={"recovery": errand.recovery.cleared()}))
            assert ((ERRAND, RUNNER),) == found.look().assigned
            assert (0, 2) == counted(found)

    @rule("SUP-8")
    def test_failures_above_a_rate_are_given_up(self, lab: Lab) -> None:
        """Failures within a time span are counted across supervisors; old ones are forgotten (SUP-8)."""
        lab.store.create(Errand(name="e"))
        strategy = FailureRate(2, per="5m")
        with crew(lab, strategy=strategy) as found:
            for pause, reason in ((1, ""), (400, ""), (1, ""), (1, "3 failures")):
                found.wait(pause * SEC)
                found.hire(Runner(name="r"))
                found.look()
                found.supervisor = supervisor(lab, found.store, strategy=strategy)
                lab.store.expire(RUNNER)
                found.look()
                assert found.errand().recovery.given_up.startswith(reason)
                assert bool(reason) is bool(found.errand().recovery.given_up)

    @rule("SUP-8")
    def test_own_strategy_decides(self, lab: Lab) -> None:
        """A function may decide; one that raises, or returns something else, is reported (SUP-8)."""
        outcomes: list[Any] = [Restart(20 * SEC), GiveUp("enough"), "nonsense", 1 / 3]
        asked: list[Failed] = []

        def decide(failed: Failed) -> Any:
            asked.append(failed)
            if outcomes[0] == 1 / 3:
                raise ZeroDivisionError
            return outcomes[0]

        for name in "efgh":
            lab.store.create(Errand(name=name))
            with crew(lab, strategy=decide) as found:
                found.hire(Runner(name="r"))
                found.look()
                lab.store.expire(RUNNER)
                seen = found.look()
                key = Key("Errand", name)
                assert {(key,)} == {failed.operators for failed in asked}
                if name in "ef":
                    assert ((key,), 1) == (seen.failed, len(found.errand(name).recovery.failures))
                else:
                    assert ((), [key]) == (seen.failed, [one for one, _ in seen.refused])
                assert (name == "f") is bool(found.errand(name).recovery.given_up)
            lab.store.delete(key)
            asked.clear()
            outcomes.pop(0)

    @rule("SUP-4", "SUP-6")
    def test_second_supervisor_writes_nothing(self, lab: Lab) -> None:
        """Each commit requires the lease of the seat, however late it comes (SUP-4, SUP-6)."""
        lab.store.create(Errand(name="e"))
        other = lab.open()
        found = Crew(lab, lab.store, supervisor(lab, lab.store), Warp())
        with found.leases:
            found.lead()
            found.hire(Runner(name="r"))
            inside = lab.inside(other)
            lab.faults.do(Commit, lambda: inside.expire(found.supervisor.seat))
            with pytest.raises(LeaseLost):
                found.look()
        assert (None, 0) == (found.errand().runner, found.errand().recovery.attempts)

    @rule("SUP-4")
    def test_supervisor_leads_until_it_is_stopped(self, lab: Lab) -> None:
        """It takes the seat, ends the dead, assigns, and gives the seat back; the work goes on (SUP-4)."""
        lab.store.create(Errand(name="e"))
        warp = Warp()
        with warped(lab, warp) as store, lab.store.lease(Runner(name="r")) as lease:
            warp.alive.add(lease.uid)
            chief = supervisor(lab, store, poll=timedelta(milliseconds=1))
            told: list[Supervised] = []

            def note(seen: Supervised) -> None:
                told.append(seen)
                chief.stop()

            chief.run(note)

            assert ((ERRAND, RUNNER),) == told[-1].assigned
            assert [RUNNER] == [state.resource for state in lab.store.leases()]
            assert RUNNER == lab.store.get(Errand, "e").runner.key

    @rule("SUP-9")
    def test_stop_is_a_field_and_survives_the_supervisor(self, lab: Lab) -> None:
        """What is to stop is taken from its worker, by whichever supervisor, and its failures are cleared (SUP-9)."""
        lab.store.create(Errand(name="e"))
        with crew(lab, strategy=Escalate()) as found:
            found.hire(Runner(name="r"))
            found.look()
            switch(lab, is_off=True)
            found.supervisor = supervisor(lab, found.store, strategy=Escalate())

            assert (ERRAND,) == found.look().stopped

            assert (None, Recovery(attempts=1)) == (found.errand().runner, found.errand().recovery)
            assert () == (*found.look().assigned, *found.look().unplaced)
            switch(lab, is_off=False)
            assert ((ERRAND, RUNNER),) == found.look().assigned
            lab.store.expire(RUNNER)
            switch(lab, is_off=True)
            seen = found.look()
            assert ((), ()) == (seen.failed, seen.escalated), "what was to stop has not failed"
            assert Recovery(attempts=2) == found.errand().recovery

    @rule("SUP-9")
    def test_record_that_cannot_be_read_stops_nobody(self, lab: Lab) -> None:
        """Operators and workers that cannot be read are reported; the others are supervised (SUP-9)."""
        for name in "def":
            lab.store.create(Errand(name=name))
        lab.store.create(Runner(name="a"))
        lab.tamper(Key("Errand", "d"), b'{"recovery": 7}')
        lab.tamper(Key("Runner", "a"), b"{}")
        with crew(lab) as found:
            found.hire(Runner(name="r"))

            seen = found.look()

            assert {Key("Errand", "d"), Key("Runner", "a")} == {key for key, _ in seen.refused}
            assert [ERRAND, Key("Errand", "f")] == [key for key, _ in seen.assigned]
            assert ["a", "r"] == [state.resource.name for state in found.store.leases(Runner)]

    @rule("SUP-9")
    def test_what_cannot_be_supervised_is_refused_at_once(self, lab: Lab) -> None:
        """Bad input: one error for each, before any request (SUP-9)."""
        wrong: list[dict[str, Any]] = [
            {"assign": "runner"}, {"assign": (Errand, "nothing")}, {"assign": (Errand, "zone")},
            {"assign": (DutyToKeep, "runner")}, {"assign": (DutyToFree, "runner")}, {"stop": "zone"},
            {"stop": "nothing"}, {"region": Runner}, {"region": "team"}, {"place": None}, {"strategy": "backoff"},
            {"escalate": "me"}, {"poll": timedelta(0)}, {"stall_after": -SEC},
        ]  # fmt: skip
        before = len(lab.faults.requests)
        for options in wrong:
            with pytest.raises(InvalidCall):
                supervisor(lab, lab.store, **options)
        spans: list[Callable[[], object]] = [
            lambda: Backoff(-SEC), lambda: Backoff("2 apples"), lambda: Backoff("2m", most="1m"),
            lambda: Backoff(factor=0.5), lambda: FailureRate(0, per="5m"), lambda: FailureRate(3, per="0s"),
            lambda: Restart(-SEC), lambda: GiveUp(""), lambda: Backoff(reset="1000000000000000d"),
        ]  # fmt: skip
        for make in spans:
            with pytest.raises(InvalidCall):
                make()
        assert before == len(lab.faults.requests)
