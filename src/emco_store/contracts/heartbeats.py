"""HB: heartbeats go by themselves, change nothing else, and say in time that a lease may be over."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from emco_store.contracts.blocking import raw
from emco_store.contracts.harness import Lab
from emco_store.contracts.lease_models import RUNNER, TTL, DutyToFree, Runner, Sprinter
from emco_store.contracts.rules import rule
from emco_store.core.leases import MAX_PROGRESS, Seat, Verdict
from emco_store.errors import InvalidCall, LeaseLost
from emco_store.ports import Beat, Pulses, Unreachable

_LONGEST_S = 30.0
_LONGEST_END_S = 5.0


class SetOwnClock:
    """A clock of a process that a test moves."""

    def __init__(self) -> None:
        self._us = 5_000_000

    def __call__(self) -> int:
        """Return the time in microseconds."""
        return self._us

    def advance(self, by: timedelta) -> None:
        """Move it forward."""
        self._us += by // timedelta(microseconds=1)


class HeartbeatRules:
    """What the holder of a lease sends, and what it may believe."""

    @rule("HB-1")
    def test_beats_come_from_a_thread_of_their_own(self, lab: Lab) -> None:
        """While the work does nothing, a thread beats, in both modes, and ends with its store (HB-1)."""
        senders: list[threading.Thread] = []
        heard = threading.Event()

        def note() -> None:
            senders.append(threading.current_thread())
            if len(senders) > 2:
                heard.set()

        lab.faults.do(Beat, note, times=1000)
        store = lab.open()
        with store.lease(Sprinter(name="s")):
            assert heard.wait(_LONGEST_S)
        store.close()

        assert {senders[1]} == set(senders[1:])
        assert senders[1] is not threading.current_thread()
        senders[1].join(_LONGEST_END_S)
        assert not senders[1].is_alive()

    @rule("HB-1")
    def test_beats_go_over_a_port_of_their_own(self, lab: Lab) -> None:
        """Beats need neither the connection of the store nor its event loop (HB-1)."""
        store = raw(lab.store)
        with lab.store.lease(Runner(name="r")) as lease:
            assert _beater(lab).beat()

            (pulse,) = lab.ask(Pulses()).pulses
            assert (lease.uid, 2) == (pulse.uid, pulse.number)
            assert _beater(lab)._port is not store._port  # noqa: SLF001 - what the rule is about

    @rule("HB-2")
    def test_beats_change_no_record(self, lab: Lab) -> None:
        """Neither version, guard nor seal moves, and no commit fails because of a beat (HB-2)."""
        with lab.store.lease(Runner(name="r")) as lease:
            lab.store.create(DutyToFree(name="d", runner=RUNNER))
            before = lab.records()
            plan = lab.store.plan_expire(RUNNER)
            with lab.store.transaction() as tx:
                tx.require(lease)
                tx.referrers(RUNNER)
                assert _beater(lab).beat()
                assert before == lab.records()
                tx.create(Runner(name="other"))
            assert _beater(lab).beat()

            lab.store.apply(plan)

    @rule("HB-3")
    def test_beat_that_is_lost_does_no_harm_and_none_revives(self, lab: Lab) -> None:
        """After a lost beat the next one counts; after the end of the lease none brings it back (HB-3)."""
        with lab.store.lease(Runner(name="r")) as lease:
            lab.faults.unreachable(Beat)
            assert not _beater(lab).beat()
            assert _beater(lab).beat()
            (pulse,) = lab.ask(Pulses()).pulses
            assert 3 == pulse.number
            lease.check()

            lab.open(models=[Runner]).expire(RUNNER)
            assert _beater(lab).beat()

            assert () == lab.ask(Pulses()).pulses
            with pytest.raises(LeaseLost):
                lease.check()

    @rule("HB-4")
    def test_one_request_beats_for_all_leases(self, lab: Lab) -> None:
        """All leases of a store in this process beat in one request a period (HB-4)."""
        with lab.store.lease("a") as a, lab.store.lease("b") as b, lab.store.lease(Runner(name="r")) as r:
            before = lab.faults.count(Beat)
            assert _beater(lab).beat()

            assert [{a.uid, b.uid, r.uid}] == [set(asked.beats) for asked in lab.faults.asked(Beat)[before:]]
        assert _beater(lab).beat()
        assert before + 1 == lab.faults.count(Beat)

    @rule("HB-5")
    def test_holder_doubts_its_lease_after_two_thirds_of_the_ttl(self, lab: Lab) -> None:
        """What counts is when the newest beat was sent that was acknowledged, by the own clock (HB-5)."""
        clock = _set_clock(lab)
        with lab.store.lease(Runner(name="r")) as lease:
            clock.advance(TTL * 2 / 3 - timedelta(microseconds=1))
            lease.check()
            clock.advance(timedelta(microseconds=1))
            with pytest.raises(LeaseLost):
                lease.check()

            lab.faults.do(Beat, lambda: clock.advance(timedelta(seconds=4)))
            assert _beater(lab).beat()
            clock.advance(timedelta(seconds=5))
            lease.check()
            clock.advance(timedelta(seconds=1))
            with pytest.raises(LeaseLost):
                lease.check()
            lab.faults.do(Beat, _unreachable, moment="after")
            assert not _beater(lab).beat()
            with pytest.raises(LeaseLost):
                lease.check()

    @rule("HB-5")
    def test_wait_for_a_slow_take_counts(self, lab: Lab) -> None:
        """The first beat counts from its sending too (HB-5)."""
        clock = _set_clock(lab)
        lab.faults.do(Beat, lambda: clock.advance(TTL))
        with lab.store.lease("seat") as lease, pytest.raises(LeaseLost):
            lease.check()

    @rule("HB-6")
    def test_clock_of_a_client_counts_nowhere(self, lab: Lab) -> None:
        """However wrong the wall clock of a client is, a lease that beats is alive (HB-6)."""
        for wrong in (timedelta(days=30), timedelta(days=-50 * 365)):
            lab.clock.advance(wrong)
            with lab.store.lease(Runner(name="r")) as lease:
                lab.clock.advance(-wrong)
                assert _beater(lab).beat()

                (state,) = lab.store.leases(Runner)
                assert (Verdict.ALIVE, lease.token) == (state.verdict, state.token)
                assert state.silent is not None
                assert state.silent < TTL

    @rule("HB-6")
    def test_progress_goes_along_with_the_next_beat(self, lab: Lab) -> None:
        """What a holder reports is shown with how long it has been so, by its own clock (HB-6)."""
        clock = _set_clock(lab)
        with lab.store.lease("seat") as lease:
            lease.progress(offset=7, file="ä")
            assert {} == lab.store.leases(Seat).items[0].progress
            clock.advance(timedelta(seconds=59))
            assert _beater(lab).beat()
            (state,) = lab.store.leases()
            assert ({"offset": 7, "file": "ä"}, timedelta(seconds=59)) == (state.progress, state.quiet)
            assert Verdict.ALIVE is state.verdict
            clock.advance(timedelta(seconds=1))
            assert _beater(lab).beat()
            assert Verdict.STUCK is lab.store.leases().items[0].verdict
            assert Verdict.ALIVE is lab.store.leases(stall_after=timedelta(minutes=2)).items[0].verdict
            for wrong in ({"x": object()}, {"x": "a" * MAX_PROGRESS}):
                with pytest.raises(InvalidCall):
                    lease.progress(**wrong)


def _beater(lab: Lab) -> Any:
    """Return what beats for the store of a lab."""
    return raw(lab.store)._beater  # noqa: SLF001 - a test moves it by hand


def _set_clock(lab: Lab) -> SetOwnClock:
    """Give the store of a lab a clock of its own that the test moves."""
    clock = SetOwnClock()
    _beater(lab).clock = clock
    return clock


def _unreachable() -> None:
    message = "planned"
    raise Unreachable(message)
