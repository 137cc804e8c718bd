"""SUP: whoever judges doubts itself first, and one of all who judge acts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from emco_store.beating import own_us
from emco_store.connect import connect, connect_async
from emco_store.contracts.blocking import blocking, raw
from emco_store.contracts.harness import AT_ONCE, Lab, Mode
from emco_store.contracts.lease_models import RUNNER, TTL, DutyToFree, Runner, Strider
from emco_store.contracts.rules import rule
from emco_store.core.judging import GAPS, TOLERANCE, Judgement, Poll, Watch, judge
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseDocument, LeaseTarget, Reaped, lease_record
from emco_store.core.origins import NOBODY
from emco_store.core.pulses import Heartbeat
from emco_store.errors import LeaseHeld, LeaseLost
from emco_store.ports import (
    AsyncPort,
    AsyncPortWrapper,
    Backend,
    Beat,
    Commit,
    Get,
    Port,
    PortWrapper,
    PulsePage,
    Pulses,
    Receipt,
    Request,
)

T = TypeVar("T")
_SEC = timedelta(seconds=1)
_US = timedelta(microseconds=1)
_LOOKS = 6 * (TTL // _SEC)


class Observer:
    """Somebody who judges the pulses of a backend, at moments and by clocks that the test sets."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._base_us = lab.ask(Pulses()).at_us
        self._watch = Watch()
        self.own = timedelta(0)
        self.failovers = 0
        self.server_ahead = timedelta(0)
        self.judged = Judgement(self._watch, (), ())

    def watch(self, lasts: timedelta) -> Sequence[str]:
        """Poll once a second for some time, and return the uids of what is to be ended at its end."""
        for _ in range(lasts // _SEC):
            self.own += _SEC
            own_us = self.own // _US
            at_us = self._base_us + own_us + self.server_ahead // _US
            page = self._lab.ask(Pulses())
            server = f"{page.server}-{self.failovers}"
            self.judged = judge(self._watch, Poll(own_us, own_us, at_us, server, page.pulses))
            self._watch = self.judged.watch
        return [pulse.uid for pulse in self.judged.ends]


@dataclass(slots=True)
class Warp:
    """Time that runs faster: each look at pulses takes longer, by the server's clock and by that of the process.

    Attributes:
        step: By how much; less than a TTL / 15, so that the look counts.
        by_us: By how much the clocks are ahead by now, in microseconds.
        alive: The uids of those who beat all the time.
        failovers: How often another server has taken over.
        before_commits: Called before each commit.
    """

    step: timedelta = _SEC / 2
    by_us: int = 0
    alive: set[str] = field(default_factory=set[str])
    failovers: int = 0
    before_commits: list[Callable[[], object]] = field(default_factory=list[Callable[[], object]])

    def commits(self, request: object) -> None:
        """Call what is to happen before a commit."""
        for act in self.before_commits if isinstance(request, Commit) else ():
            act()

    def clock(self) -> int:
        """Return the time of the process's own clock, in microseconds."""
        return own_us() + self.by_us

    def seen(self, page: PulsePage, *, due: bool) -> PulsePage:
        """Return a page of all pulses as it is seen in faster time."""
        self.by_us += self.step // _US
        at_us = page.at_us + self.by_us
        pulses = [replace(pulse, at_us=at_us) if pulse.uid in self.alive else pulse for pulse in page.pulses]
        found = tuple(pulse for pulse in pulses if not due or pulse.due_us <= at_us)
        return PulsePage(at_us, found, f"{page.server}-{self.failovers}", page.next)


@dataclass(frozen=True, slots=True)
class WarpedBackend:
    """A backend whose time runs faster for those who judge."""

    inner: Backend
    warp: Warp

    def port(self, namespace: str) -> Port:
        """Open one namespace for blocking use."""
        return WarpedPort(self.inner.port(namespace), self.warp)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace for asyncio."""
        return WarpedAsyncPort(self.inner.async_port(namespace), self.warp)


class WarpedPort(PortWrapper):
    """A blocking port with faster time."""

    def __init__(self, inner: Port, warp: Warp) -> None:
        super().__init__(inner)
        self._warp = warp

    def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        if not isinstance(request, Pulses):
            self._warp.commits(request)
            return super().ask(request)
        reply: Any = self._warp.seen(super().ask(replace(request, due=False)), due=request.due)
        answer: T = reply
        return answer


class WarpedAsyncPort(AsyncPortWrapper):
    """The same for asyncio."""

    def __init__(self, inner: AsyncPort, warp: Warp) -> None:
        super().__init__(inner)
        self._warp = warp

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.AsyncPort.ask`."""
        if not isinstance(request, Pulses):
            self._warp.commits(request)
            return await super().ask(request)
        reply: Any = self._warp.seen(await super().ask(replace(request, due=False)), due=request.due)
        answer: T = reply
        return answer


@contextmanager
def warped(lab: Lab, warp: Warp) -> Generator[Any]:
    """Open one more store on the data of a lab, for which time runs faster."""
    options: dict[str, Any] = {"namespace": lab.namespace, "retry": AT_ONCE, "models": [Runner, DutyToFree]}
    backend = WarpedBackend(lab.bench.backend, warp)
    if lab.bench.mode is Mode.BLOCKING:
        store: Any = connect(backend, **options)
    else:
        store = blocking(connect_async(backend, **options), lab.bench.loop)
    with store:
        raw(store)._beater.clock = warp.clock  # noqa: SLF001 - its clock runs as fast as the server's
        yield store


class JudgingRules:
    """Judge leases, and end those that are dead."""

    @rule("SUP-1")
    def test_lease_is_ended_after_a_ttl_of_silence_under_watch(self, lab: Lab) -> None:
        """A lease ends only if it was silent for its TTL, and the observer has watched as long (SUP-1)."""
        with lab.store.lease(Runner(name="r")) as lease:
            observer = Observer(lab)
            observer.server_ahead = 10 * TTL
            assert [] == observer.watch(TTL)
            assert [lease.uid] == observer.watch(_SEC)

    @rule("SUP-1")
    def test_lease_that_beats_again_before_the_commit_stays(self, lab: Lab) -> None:
        """At the commit no further beat has come than the one that was judged (SUP-1)."""
        warp = Warp()
        with (
            warped(lab, warp) as store,
            store.lease("emco-reaper") as leader,
            lab.store.lease(Runner(name="r")) as lease,
        ):
            warp.alive.add(leader.uid)
            late = Beat({lease.uid: Heartbeat(lease.key, 2, TTL)})
            warp.before_commits.append(lambda: lab.port.ask(late))

            reaped = _looked(store.reaper(), leader, until=lambda _: _came(lab, lease.uid))

            assert () == (*reaped.ended, *reaped.refused)
            assert [RUNNER] == [state.resource for state in lab.store.leases(Runner)]
            lease.check()

    @rule("SUP-2")
    def test_step_of_a_clock_ends_nothing(self, lab: Lab) -> None:
        """After a step of either clock, the watch begins anew (SUP-2)."""
        for ahead in (timedelta(days=1), -timedelta(days=1), TTL / TOLERANCE + _SEC):
            with lab.store.lease(Runner(name="r")):
                observer = Observer(lab)
                observer.watch(TTL - 2 * _SEC)
                observer.server_ahead += ahead
                assert [] == observer.watch(TTL - 2 * _SEC)

    @rule("SUP-2")
    def test_clock_that_runs_wrong_ends_nothing(self, lab: Lab) -> None:
        """Clocks that drift apart make the watch void, however little they differ from poll to poll (SUP-2)."""
        with lab.store.lease(Runner(name="r")):
            observer = Observer(lab)
            for _ in range(100):
                observer.server_ahead += _SEC / 8
                assert [] == observer.watch(_SEC)

    @rule("SUP-2")
    def test_observer_that_was_away_ends_nothing(self, lab: Lab) -> None:
        """After an outage, a stop, or as a new observer, it watches for a TTL first (SUP-2)."""
        with lab.store.lease(Runner(name="r")):
            observer = Observer(lab)
            observer.watch(TTL - _SEC)
            observer.own += TTL / GAPS + _SEC
            assert [] == observer.watch(TTL - _SEC)

    @rule("SUP-2")
    def test_failover_that_forgets_beats_ends_nothing(self, lab: Lab) -> None:
        """When another server answers, the watch begins anew, however short the failover was (SUP-2)."""
        with lab.store.lease(Runner(name="r")) as lease:
            observer = Observer(lab)
            observer.server_ahead = -TTL  # so that the watch is older than the lease
            observer.watch(2 * TTL - _SEC)
            observer.failovers += 1
            assert [] == observer.watch(TTL)
            assert [lease.uid] == observer.watch(_SEC)

    @rule("SUP-2", "SUP-3")
    def test_reaper_sees_a_failover_that_forgets_beats(self, lab: Lab) -> None:
        """It ends nobody whose beats were forgotten, and the dead a TTL later (SUP-2, SUP-3)."""
        warp = Warp()
        with (
            warped(lab, warp) as store,
            store.lease("emco-reaper") as leader,
            lab.store.lease(Runner(name="r")) as lease,
        ):
            warp.alive |= {leader.uid, lease.uid}
            reaper = store.reaper()
            watched = [reaper.look(leader) for _ in range(2 * (TTL // warp.step))]
            warp.failovers += 1
            warp.alive.discard(lease.uid)  # the new server knows its first beat only

            forgetful = [reaper.look(leader) for _ in range(TTL // warp.step - 2)]

            assert not any(map(any, (*watched, *forgetful)))
            assert (RUNNER,) == _looked(reaper, leader).ended

    @rule("SUP-3")
    def test_dead_are_found_in_time(self, lab: Lab) -> None:
        """While watch is kept, after the TTL and a poll; after a break, after two TTLs and a poll (SUP-3)."""
        with lab.store.lease(Runner(name="r")) as lease:
            observer = Observer(lab)
            observer.server_ahead = -TTL  # so that the watch is older than the lease
            observer.watch(TTL)
            assert [lease.uid] == observer.watch(TTL + _SEC)
            observer.server_ahead -= 10 * TTL
            assert [] == observer.watch(_SEC)
            assert [lease.uid] == observer.watch(2 * TTL)

    @rule("SUP-4")
    def test_reaper_acts_under_its_own_lease(self, lab: Lab) -> None:
        """Each commit of a reaper requires the lease of the leader, and carries out the rules (SUP-4)."""
        warp = Warp()
        with warped(lab, warp) as store, lab.store.lease(Runner(name="r")):
            lab.store.create(DutyToFree(name="d", runner=RUNNER))
            with store.lease("emco-reaper") as leader:
                warp.alive.add(leader.uid)
                with pytest.raises(LeaseHeld), lab.open().lease("emco-reaper"):
                    pass
                warp.before_commits.append(lambda: _end(lab, leader))
                with pytest.raises(LeaseLost):
                    _looked(store.reaper(), leader)
                assert RUNNER == lab.store.get(DutyToFree, "d").runner.key
                warp.before_commits.clear()
            with store.lease("emco-reaper") as leader:
                warp.alive.add(leader.uid)

                reaped = _looked(store.reaper(), leader)

                assert ((RUNNER,), (), ()) == reaped
                assert lab.store.get(DutyToFree, "d").runner is None

    @rule("SUP-4")
    def test_reaper_leads_until_it_is_stopped(self, lab: Lab) -> None:
        """A reaper takes the lead, ends what is dead, and gives the lead back when it is stopped (SUP-4)."""
        warp = Warp()
        with warped(lab, warp) as store, lab.store.lease(Runner(name="r")):
            reaper = store.reaper(poll=timedelta(milliseconds=1))
            told: list[Reaped] = []

            def note(reaped: Reaped) -> None:
                told.append(reaped)
                reaper.stop()

            reaper.run(note)

            assert RUNNER in told[0].ended
            assert [] == list(lab.store.leases())

    @rule("SUP-4")
    def test_waiting_taker_ends_a_dead_holder_itself(self, lab: Lab) -> None:
        """Whoever waits for a lease judges its holder, so that a successor needs no reaper (SUP-4)."""
        with warped(lab, Warp(_SEC / 5)) as store, lab.store.lease(Strider(name="s")) as old:
            with store.lease(Strider(name="s"), wait=timedelta(hours=1)) as lease:
                assert lease.token > old.token
            with pytest.raises(LeaseLost), lab.store.transaction() as tx:
                tx.require(old)

    @rule("SUP-10")
    def test_lease_whose_pulse_was_lost_gets_one_again(self, lab: Lab) -> None:
        """Whether it was lost before or after a reaper began, it comes back, and the lease can end (SUP-10)."""
        warp = Warp()
        with warped(lab, warp) as store, store.lease("emco-reaper") as leader:
            warp.alive.add(leader.uid)
            reaper = store.reaper()
            for name in ("r", "s"):
                lost = _lease_without_a_pulse(lab, lab.store.create(Runner(name=name)).key)
                warp.alive.add(lost.uid)
                _looked(reaper, leader, until=lambda _: bool(lab.ask(Pulses(uids=(lost.uid,))).pulses))  # noqa: B023 - called here
                assert frozenset() == lab.ask(Beat({lost.uid: Heartbeat(lost.key, 2, TTL)})).lapsed
            warp.alive.discard(lost.uid)

            assert (Key("Runner", "s"),) == _looked(reaper, leader).ended

    @rule("SUP-10")
    def test_waiting_taker_ends_a_lease_whose_pulse_was_lost(self, lab: Lab) -> None:
        """Where nothing else judges, whoever waits for the lease gives it a pulse, and ends it (SUP-10)."""
        with warped(lab, Warp(_SEC / 5)) as store:
            old = _lease_without_a_pulse(lab, lab.store.create(Strider(name="s")).key)
            with store.lease(Strider(name="s"), wait=timedelta(seconds=60)) as lease:
                assert old.uid != lease.uid

    @rule("SUP-5")
    def test_many_that_look_dead_at_once_are_doubted(self, lab: Lab) -> None:
        """More than two leases, and at least 55 % of all: one more TTL, and then ten a second (SUP-5)."""
        with ExitStack() as stack:
            for number in range(12):
                stack.enter_context(lab.store.lease(Runner(name=f"r{number}")))
            observer = Observer(lab)
            observer.server_ahead = 10 * TTL
            assert [] == observer.watch(TTL + _SEC)
            assert 12 == len(observer.judged.dead)
            assert [] == observer.watch(TTL - _SEC)
            assert 10 == len(observer.watch(_SEC))

    @rule("SUP-3", "SUP-5")
    def test_many_that_died_at_once_are_ended_after_all(self, lab: Lab) -> None:
        """Whoever doubts looks again, and ends all of the dead when one more TTL has passed (SUP-3, SUP-5)."""
        warp = Warp(timedelta(milliseconds=300))  # so that the brake is released in a poll for what is due
        with ExitStack() as stack:
            for number in range(5):
                stack.enter_context(lab.store.lease(Strider(name=f"s{number}")))
            store = stack.enter_context(warped(lab, warp))
            leader = stack.enter_context(store.lease("emco-reaper"))
            warp.alive.add(leader.uid)
            reaper = store.reaper()
            ended: list[str] = []
            for _ in range(10 * _LOOKS):  # each look that took long begins the watch anew
                ended += [key.text for key in reaper.look(leader).ended]
                if len(ended) >= 5:
                    break

            assert [f"Strider/s{number}" for number in range(5)] == sorted(ended)


def _looked(reaper: Any, leader: Any, until: Callable[[Reaped], bool] = any) -> Reaped:
    """Let a reaper look until it has done something; return what."""
    for _ in range(_LOOKS):
        reaped: Reaped = reaper.look(leader)
        if until(reaped):
            return reaped
    pytest.fail("the reaper has found nothing")


def _came(lab: Lab, uid: str) -> bool:
    """Return whether the second beat of a lease has arrived."""
    return any(pulse.uid == uid and pulse.number > 1 for pulse in lab.ask(Pulses()).pulses)


def _lease_without_a_pulse(lab: Lab, resource: Key) -> LeaseTarget:
    """Lease a resource without a beat, as it is after a failover that forgets it."""
    uid = secrets.token_hex(8)
    document = LeaseDocument(resource=resource.text, token=1, ttl_us=TTL // _US, holder="somebody")
    record = lease_record(resource, document, uid=uid, now_us=0, origin=NOBODY)
    assert isinstance(lab.port.ask(Commit(f"{uid}-take", {record.key: None}, puts=(record,))), Receipt)
    return LeaseTarget(resource, uid)


def _end(lab: Lab, lease: Any) -> None:
    """End a lease behind the back of its holder, by the port alone."""
    found = lab.port.ask(Get((lease.key,)))
    if lease.key in found:
        lab.port.ask(Commit(f"{lease.uid}-end", deletes=(lease.key,)))
