"""HB: a process of its own beats, ends the leases of a worker that is gone or stands still, and leaves no gap.

Here it is no process: the tests move both sides by hand, on one clock. ``tests/beating`` starts real ones.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from emco_store.beating.attending import GONE, Attending
from emco_store.beating.cells import Cells
from emco_store.beating.notes import NoteReader
from emco_store.contracts.blocking import raw
from emco_store.contracts.faults import Faults, FaultyPort
from emco_store.contracts.harness import Lab
from emco_store.contracts.heartbeats import SetOwnClock
from emco_store.contracts.lease_models import RUNNER, TTL, DutyToFree, Runner, duty
from emco_store.contracts.leases import assert_all_freed, assign_all
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.leases import Seat, Verdict
from emco_store.core.rules import Rule
from emco_store.errors import LeaseLost
from emco_store.ports import Beat, Commit, Pulses

PERIOD = TTL / 3
_MOMENT = timedelta(microseconds=1)


class Apart:
    """Stands for a process that beats for the store of a lab.

    Attributes:
        attending: What it does.
        faults: The requests with which it beats.
        is_up: Whether it runs.
    """

    def __init__(self, lab: Lab, cells: Cells, clock: SetOwnClock) -> None:
        store = lab.open()  # without models
        self.faults = Faults()
        port = FaultyPort(lab.port, self.faults)
        self.attending = Attending(port, lambda lease, reason: store.expire(lease, reason=reason), cells, clock)
        self.is_up = True
        self._reader = NoteReader()

    def tell(self, data: bytes) -> int:
        """See :meth:`emco_store.beating.process.Running.tell`; a few bytes at a time, as a pipe that is full may."""
        for note in self._reader.read(data[:50]):
            self.attending.take(note)
        return len(data[:50])

    def is_there(self) -> bool:
        """See :meth:`emco_store.beating.process.Running.is_there`."""
        return self.is_up

    def end(self) -> None:
        """See :meth:`emco_store.beating.process.Running.end`."""
        self.is_up = False


class Worker:
    """The store of a lab whose beats a test moves by hand.

    Attributes:
        clock: The clock that both sides share.
        started: The processes that were started.
    """

    def __init__(self, lab: Lab) -> None:
        self.clock = SetOwnClock()
        self.started: list[Apart] = []
        self._beater: Any = raw(lab.store)._beater  # noqa: SLF001 - a test moves it by hand
        self._beater.clock = self.clock
        self._beater._is_threaded = False  # noqa: SLF001 - see above
        self._beater._attendance = None  # noqa: SLF001 - see above
        self._beater._find_launch = lambda: lambda cells: self._launched(lab, cells)  # noqa: SLF001 - see above

    @property
    def process(self) -> Apart:
        """The newest process."""
        return self.started[-1]

    @property
    def requests(self) -> list[Beat]:
        """The beats of the newest process."""
        return self.process.faults.asked(Beat)

    @property
    def beats(self) -> int:
        """How many those are."""
        return len(self.requests)

    def _launched(self, lab: Lab, cells: Cells) -> Apart:
        self.started.append(Apart(lab, cells, self.clock))
        return self.process

    def look(self) -> bool:
        """Look after the process, until it has been told everything; return whether it has left a lease."""
        is_left = False
        for _ in range(20):
            is_left = self._beater.look()
        return is_left

    def beat(self) -> bool:
        """Let the thread beat."""
        return bool(self._beater.beat())

    def live(self, length: timedelta, *, looks: bool = True, beats: bool = True) -> None:
        """Let time pass; the worker looks, and the process beats, or does not."""
        for _ in range(length // (TTL / 12)):
            self.clock.advance(TTL / 12)
            if looks:
                self.look()
            if beats:
                self.process.attending.step()


class AttendanceRules:
    """What a process of its own does for a worker, and what the worker's thread does without it."""

    @rule("HB-7")
    def test_leases_of_a_worker_that_is_gone_are_ended(self, lab: Lab) -> None:
        """As soon as the worker is gone, its lease ends, with all that the rules say in the same commit (HB-7)."""
        worker = Worker(lab)
        with lab.store.lease(Runner(name="spare")), lab.store.lease(Runner(name="r"), heartbeat="process") as lease:
            assign_all(lab)
            worker.look()
            before = lab.faults.count(Commit)

            worker.process.attending.leave()

            assert before + 1 == lab.faults.count(Commit)
            assert_all_freed(lab)
            assert GONE == lab.store.get(DutyToFree, "d").meta.reason
            with pytest.raises(LeaseLost):
                lab.store.run(lambda tx: tx.require(lease))

    @rule("HB-7")
    def test_process_ends_no_lease_but_those_of_its_worker(self, lab: Lab) -> None:
        """A lease that another holder has taken since stays (HB-7)."""
        worker = Worker(lab)
        other = lab.open(models=[Runner])
        with lab.store.lease(Runner(name="r"), heartbeat="process"):
            worker.look()
            other.expire(RUNNER)
            with other.lease(RUNNER) as later:
                worker.process.attending.leave()

                other.run(lambda tx: tx.require(later))

    @rule("HB-7")
    def test_end_that_a_rule_forbids_does_not_keep_others(self, lab: Lab) -> None:
        """A lease that cannot be ended stays, and the next one is ended (HB-7)."""
        worker = Worker(lab)
        with (
            lab.store.lease(Runner(name="r"), heartbeat="process"),
            lab.store.lease("seat", heartbeat="process"),
        ):
            with lab.store.lease(Runner(name="spare")):
                lab.store.create(duty(Rule.SET_DEFAULT, "d", RUNNER))
            worker.look()

            worker.process.attending.leave()

            assert [RUNNER] == [state.resource for state in lab.store.leases()]
            lab.store.delete(Key("DutyToMove", "d"))

    @rule("HB-7")
    def test_worker_that_stands_still_loses_its_leases(self, lab: Lab) -> None:
        """What has not ticked for ``stall_after`` is ended, at once and not before, and is told so (HB-7)."""
        worker = Worker(lab)
        with lab.store.lease(Runner(name="r"), heartbeat="process") as lease:
            lab.store.create(DutyToFree(name="d", runner=RUNNER))
            worker.live(2 * PERIOD)
            worker.look()
            worker.live(4 * TTL - TTL / 12, looks=False)
            worker.clock.advance(TTL / 12 - _MOMENT)
            worker.process.attending.step()
            lease.check()
            assert Verdict.ALIVE is lab.store.leases().items[0].verdict

            worker.clock.advance(_MOMENT)
            worker.process.attending.step()

            assert () == lab.store.leases().items
            assert None is lab.store.get(DutyToFree, "d").runner
            with pytest.raises(LeaseLost):
                lease.check()
            assert () == lab.ask(Pulses()).pulses

    @rule("HB-7", "HB-5")
    def test_code_that_holds_up_every_thread_loses_no_lease(self, lab: Lab) -> None:
        """While no thread runs, the process beats, and the holder knows as soon as one runs (HB-7, HB-5)."""
        worker = Worker(lab)
        with lab.store.lease(Runner(name="r"), heartbeat="process", stall_after=timedelta(hours=1)) as lease:
            worker.live(2 * PERIOD)

            worker.live(timedelta(minutes=10), looks=False)

            lease.check()
            lab.store.run(lambda tx: tx.require(lease))
            assert 120 <= worker.beats <= 160

    @rule("HB-7", "HB-3")
    def test_end_by_another_is_shown_to_the_holder(self, lab: Lab) -> None:
        """What the process learns of the end of a lease, the holder knows, and the next lease counts (HB-7, HB-3)."""
        worker = Worker(lab)
        with lab.store.lease(Runner(name="r"), heartbeat="process") as lease:
            worker.live(2 * PERIOD)
            worker.live(TTL, beats=False)
            assert worker.beat()
            lab.open(models=[Runner]).expire(RUNNER)
            lease.check()

            worker.process.attending.step()

            with pytest.raises(LeaseLost):
                lease.check()
            worker.look()
        with lab.store.lease(RUNNER, heartbeat="process") as lease:
            worker.live(4 * TTL)
            lease.check()

    @rule("HB-7", "HB-4")
    def test_process_sends_one_request_a_period(self, lab: Lab) -> None:
        """It beats for all leases in one request, as the thread does, and for none that was released (HB-7, HB-4)."""
        worker = Worker(lab)
        with ExitStack() as leases:
            for name in ("a", "b"):
                leases.enter_context(lab.store.lease(Runner(name=name), heartbeat="process"))
            worker.look()

            worker.live(10 * PERIOD)

            assert 10 <= worker.beats <= 13
            assert {2} == {len(request.beats) for request in worker.requests}
        worker.look()
        worker.live(2 * PERIOD)
        assert worker.beats <= 13

    @rule("HB-8")
    def test_thread_beats_until_the_process_does(self, lab: Lab) -> None:
        """A process that is still starting leaves no gap; once it beats, the thread does not (HB-8)."""
        worker = Worker(lab)
        with lab.store.lease(Runner(name="r"), heartbeat="process") as lease:
            for _ in range(9):
                worker.clock.advance(PERIOD)
                worker.look()
                before = lab.faults.count(Beat)
                assert worker.beat()
                assert before + 1 == lab.faults.count(Beat)
                lease.check()

            worker.live(2 * PERIOD)

            before = lab.faults.count(Beat)
            assert worker.beat()
            assert before == lab.faults.count(Beat)

    @rule("HB-8")
    def test_thread_beats_on_where_the_process_does_not(self, lab: Lab) -> None:
        """A process that stands still or is gone is missed before its leases count as over (HB-8)."""
        for fate in ("stands still", "is gone"):
            worker = Worker(lab)
            with lab.store.lease(Seat(name=fate), heartbeat="process") as lease:
                worker.live(2 * PERIOD)
                worker.process.is_up = fate == "stands still"
                is_left = False
                for _ in range(8):
                    lease.check()
                    worker.clock.advance(TTL / 12)
                    is_left = is_left or worker.look()
                    if is_left:
                        break
                assert is_left
                number = lab.ask(Pulses()).pulses[0].number

                assert worker.beat()

                lease.check()
                assert lab.ask(Pulses()).pulses[0].number > number
                assert not worker.look()

    @rule("HB-8")
    def test_process_that_ends_is_replaced(self, lab: Lab) -> None:
        """Another one is started, and told of all leases that are still held (HB-8)."""
        worker = Worker(lab)
        with lab.store.lease("a", heartbeat="process") as kept:
            with lab.store.lease("b", heartbeat="process"):
                worker.live(2 * PERIOD)
            worker.process.is_up = False
            worker.look()
            assert 2 == len(worker.started)

            worker.live(4 * TTL)

            kept.check()
            assert {frozenset({kept.uid})} == {frozenset(request.beats) for request in worker.requests}
            with lab.store.lease("c", heartbeat="process") as later:
                worker.live(2 * TTL)
                later.check()

    @rule("HB-8", "HB-3")
    def test_later_beat_counts_whoever_sends_it(self, lab: Lab) -> None:
        """Thread and process take turns, and each beat is newer than those before it (HB-8, HB-3)."""
        worker = Worker(lab)
        with lab.store.lease("seat", heartbeat="process"):
            numbers: list[int] = []
            for _ in range(3):
                worker.live(2 * PERIOD)
                numbers.append(lab.ask(Pulses()).pulses[0].number)
                worker.live(TTL, beats=False)
                assert worker.beat()
                numbers.append(lab.ask(Pulses()).pulses[0].number)

            assert sorted(set(numbers)) == numbers

    @rule("HB-8", "HB-6")
    def test_progress_goes_along_with_beats_of_the_process(self, lab: Lab) -> None:
        """What the holder reports is shown, with how long it has been so (HB-8, HB-6)."""
        worker = Worker(lab)
        with lab.store.lease("seat", heartbeat="process") as lease:
            worker.live(2 * PERIOD)
            lease.progress(offset=7, until=lab.clock.now(), text="a\nb")
            worker.look()
            worker.live(TTL)

            (state,) = lab.store.leases()

            assert {"offset": 7, "until": "2030-01-01T00:00:00Z", "text": "a\nb"} == state.progress
            assert state.quiet is not None
            assert TTL - PERIOD <= state.quiet <= TTL
