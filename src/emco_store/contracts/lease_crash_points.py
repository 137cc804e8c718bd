"""A client that dies or loses an answer at any request of a call about leases: before or after, never between.

As in :mod:`emco_store.contracts.crash_points`, each call is played without a fault first, and then stopped at each of
its requests. After each, no lease is without a pulse, nothing is assigned to the dead, and another client can end what
the dead one has left and go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final

import pytest

from emco_store.contracts.crash_points import Case, Play, die, lose
from emco_store.contracts.faults import ClientDied
from emco_store.contracts.harness import Lab
from emco_store.contracts.lease_interleavings import FREE, check_sound, leases_in, prepared, take
from emco_store.contracts.lease_models import DUTIES, RUNNER, SPARE, DutyToKeep, Runner, duty
from emco_store.contracts.rules import rule
from emco_store.core.reserved import resource_of
from emco_store.core.rules import Rule
from emco_store.errors import MissingReference, UnknownOutcome
from emco_store.flows import resources
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.unit import Unit
from emco_store.ports import Commit, Request

_MODELS: Final = (Runner, DutyToKeep, *DUTIES.values())


def _take(store: Any) -> None:
    with store.lease(Runner(name=FREE.name)):
        pass


def _write_under_it(store: Any) -> None:
    with store.lease(Runner(name=FREE.name)) as lease, store.transaction() as tx:
        tx.require(lease)
        tx.put(DutyToKeep(name="note"))


CALLS: Final[dict[str, Callable[[Any], Any]]] = {
    "take and release": _take,
    "write under a lease": _write_under_it,
    "end": lambda store: store.expire(RUNNER, reason="drained"),
    "end by a plan": lambda store: store.apply(store.plan_expire(RUNNER)),
    "assign": lambda store: store.put(duty(Rule.SET_NULL, "new", RUNNER)),
    "re-assign": lambda store: store.put(duty(Rule.SET_NULL, "held", SPARE)),
    "delete of a runner": lambda store: store.delete(FREE),
}
"""Every call that changes something about leases or the duties of those who hold them."""


class LeaseCrashRules:
    """Each call, at each of its requests."""

    @rule("LEA-2", "LEA-5", "ATM-1")
    def test_client_that_dies_leaves_leases_before_or_after(self, lab: Lab) -> None:
        """Where a client dies, all commits so far have happened, and another client goes on (LEA-2, LEA-5, ATM-1)."""
        for name, play in _plays(lab):
            for at, moment in play.points:
                play.begin()
                play.strike(at, moment, play.die)
                with pytest.raises(ClientDied):
                    play.case.call(lab.store)
                play.goes_on(f"{name}: {play.requests[at].__name__} {at}, {moment}", at, moment)

    @rule("LEA-2", "LEA-8", "ATM-4")
    def test_answer_that_is_lost_leaves_leases_before_or_after(self, lab: Lab) -> None:
        """Where the answer to a commit is lost, it is known or said to be unknown (LEA-2, LEA-8, ATM-4)."""
        for name, play in _plays(lab):
            commits = [at for at, kind in enumerate(play.requests) if kind is Commit]
            for at, moment in play.points:
                if at not in commits:
                    continue
                where = f"{name}: {at}, {moment}"
                play.begin()
                play.strike(at, moment, lose)
                play.run()
                assert play.states[-1] == play.state(), f"{where}, lost once"
                play.begin()
                play.strike(at, moment, lose, times=1000)
                with pytest.raises(UnknownOutcome):
                    play.case.call(lab.store)
                lab.faults.clear()
                assert play.state() in play.states, f"{where}, lost for good"
                check_sound(lab, where)


@dataclass(slots=True)
class _LeasePlay(Play):
    """A call about leases.

    Attributes:
        runs: Counts the preparations of all cases.
    """

    runs: Iterator[int] = field(default_factory=count)

    def begin(self) -> None:
        """Prepare the data: two runners of three are leased, and one of them has a duty under each rule."""
        self.lab.faults.clear()
        self.lab.wipe()
        prefix = f"t{next(self.runs):016x}"
        prepared(self.lab, [], partial(_begun, prefix=prefix), ids=prefix)
        self.lab.faults.clear()

    def die(self) -> None:
        """End the client, for all that the end of its blocks would still ask."""
        self.lab.faults.do(Request, die, times=1000)
        die()

    def goes_on(self, where: str, at: int, moment: str) -> None:
        """See that the state is that after the commits so far, and that another client can end all leases and go on."""
        self.lab.faults.clear()
        made = self.requests[: at + 1 if moment == "after" else at].count(Commit)
        assert self.states[made] == self.state(), where
        for held in [resource_of(record.key) for record in leases_in(check_sound(self.lab, where))]:
            if held != SPARE:
                self.heir.expire(held)
        check_sound(self.lab, where)
        with pytest.raises(MissingReference):
            self.heir.put(duty(Rule.SET_NULL, "late", RUNNER))
        self.heir.put(Runner(name=FREE.name))  # where it was deleted
        with self.heir.lease(FREE):
            self.heir.put(duty(Rule.SET_NULL, "late", FREE))
        assert self.heir.get(DUTIES[Rule.SET_NULL], "late").runner is None, where
        check_sound(self.lab, where)


def _begun(context: Context, prefix: str) -> list[Flow[Any]]:
    def made(value: Any) -> Flow[Any]:
        return resources.create(Unit(context), value, None)

    runners: list[Flow[Any]] = [made(Runner(name=key.name)) for key in (RUNNER, SPARE, FREE)]
    leases: list[Flow[Any]] = [
        take(context, key, f"{prefix}-9{number:05}") for number, key in enumerate((RUNNER, SPARE))
    ]
    duties: list[Flow[Any]] = [made(duty(chosen, "held", RUNNER)) for chosen in DUTIES]
    return [*runners, *leases, *duties]


def _plays(lab: Lab) -> Iterator[tuple[str, _LeasePlay]]:
    heir, turn, runs = lab.open(models=_MODELS), count(), count()
    for name, call in CALLS.items():
        play = _LeasePlay(lab, Case((), call), [], [], heir, turn, runs)
        play.play()
        yield name, play
