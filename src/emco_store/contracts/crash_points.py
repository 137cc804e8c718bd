"""A client that dies or loses an answer at any request of any call about lifecycles: before or after, never between.

Each call is played without a fault first, which gives the state after each of its commits. Then it is stopped at each
of its requests, and the state must be that after as many commits as were made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, Final

import pytest

from emco_store.contracts.faults import ClientDied, Moment
from emco_store.contracts.harness import Lab
from emco_store.contracts.interleavings import check_integrity
from emco_store.contracts.lifecycle_models import (
    Cloud,
    CloudLifecycle,
    Group,
    GroupLifecycle,
    GroupStatus,
    Member,
    Zone,
)
from emco_store.contracts.recorded import HALL, PLANT, Ground, Plant, PlantLife, approve, begin, write
from emco_store.contracts.rules import rule
from emco_store.contracts.trails import KEEP, Ledger
from emco_store.core.keys import Key
from emco_store.core.status import no, yes
from emco_store.errors import (
    AlreadyExists,
    DeleteRestricted,
    NotFound,
    StoreError,
    TransitionRefused,
    Unavailable,
    UnknownOutcome,
)
from emco_store.ports import Commit, OutcomeLost, Request, Unreachable

Call = Callable[[Any], Any]
_GROUP: Final[Any] = Key("Group", "z", "g")
_CLOUD: Final = Key("Cloud", "c")
_POINTS_FOR_A_PAIR: Final = 4
"""A pair of transactions, with all its schedules, takes as long as so many of these points."""
_IDS: Final = re.compile(r"t[0-9a-f]{16}-[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Case:
    """A call that is stopped at each of its requests.

    Attributes:
        prepare: What happens before, step by step.
        call: The call.
        again: The error of the same call once it has happened; None where it may be repeated.
        refused: The error of the call in any case; None where it succeeds.
    """

    prepare: tuple[Call, ...]
    call: Call
    again: type[StoreError] | None = None
    refused: type[StoreError] | None = None


def _step(key: Key, step: Any, **more: Any) -> Call:
    return lambda store: store.transition(key, step, **more)


def _save(text: str) -> Call:
    def save(store: Any) -> None:
        write(store, PLANT, text=text)
        store.transition(PLANT, PlantLife.save)

    return save


def _groups(store: Any) -> None:
    """Create a cloud that is up, and a group that is about to hold it."""
    with store.transaction() as tx:
        cloud = tx.create(Cloud(name="c"))
        tx.transition(cloud, CloudLifecycle.launch)
        group = tx.create(Group(name="g", parent=tx.create(Zone(name="z")), cloud=cloud.ref))
        tx.create(Member(name="m", parent=group))


def _approve_group(store: Any) -> Any:
    return store.transition(_GROUP, GroupLifecycle.approve, digest=store.digest(_GROUP))


def _by_plan(store: Any) -> Any:
    return store.apply(store.plan_transition(PLANT, PlantLife.approve, note="seen"))


def _end(store: Any) -> Any:
    return store.transition(_GROUP, GroupLifecycle.started, operation=store.lifecycle(_GROUP).operation or "ended")


def _several(store: Any) -> None:
    """Move what is held, in one transaction: the group leaves it, and it ends."""
    with store.transaction() as tx:
        tx.transition(_GROUP, GroupLifecycle.leave)
        tx.transition(_CLOUD, CloudLifecycle.land)


def _report(conditions: Any) -> Call:
    return lambda store: store.set_status(GroupStatus(parent=_GROUP, conditions=conditions), observed=1)


def _more_in_the_hall(store: Any) -> None:
    store.delete(Key("Desk", "g", "p", "h", "d"))
    write(store, HALL, text="second")


_SAVED: Final = (begin, _save("first"), _save("second"))
_UP: Final = (_groups, _step(_GROUP, GroupLifecycle.enter))
_STARTING: Final = (_groups, _approve_group, _step(_GROUP, GroupLifecycle.start))
_LEDGER: Final = tuple(
    partial(lambda store, rank: store.put(Ledger(name="a", rank=rank)), rank=rank) for rank in range(KEEP + 1)
)

CASES: Final = {
    "transition": Case((_groups,), _step(_CLOUD, CloudLifecycle.land), TransitionRefused),
    "transition into a hold": Case((_groups,), _step(_GROUP, GroupLifecycle.enter), TransitionRefused),
    "transition out of a hold": Case(_UP, _step(_GROUP, GroupLifecycle.leave), TransitionRefused),
    "transition that is refused": Case(_UP, _step(_CLOUD, CloudLifecycle.land), refused=TransitionRefused),
    "transitions in one transaction": Case(_UP, _several, TransitionRefused),
    "begin of an operation": Case(_STARTING[:2], _step(_GROUP, GroupLifecycle.start), TransitionRefused),
    "end of an operation": Case(_STARTING, _end, TransitionRefused),
    "approval": Case((begin,), approve),
    "approval by a plan": Case((begin,), _by_plan),
    "transition that needs the approval": Case((begin, approve), _step(PLANT, PlantLife.run), TransitionRefused),
    "transition that records": Case((begin,), _step(PLANT, PlantLife.save)),
    "rollback": Case((*_SAVED, _more_in_the_hall), lambda store: store.apply(store.plan_rollback(PLANT, 1))),
    "restore": Case(
        (*_SAVED, lambda store: store.delete(PLANT)),
        lambda store: store.apply(store.plan_restore(PLANT)), AlreadyExists,
    ),
    "tag": Case(_SAVED, lambda store: store.tag(PLANT, 1, "good")),
    "move of a tag": Case(
        (*_SAVED, lambda store: store.tag(PLANT, 1, "good")), lambda store: store.tag(PLANT, 2, "good")
    ),
    "untag": Case(
        (*_SAVED, lambda store: store.tag(PLANT, 1, "good")), lambda store: store.untag(PLANT, "good"), NotFound
    ),
    "prune": Case(_SAVED, lambda store: store.prune(PLANT, keep=1)),
    "forget": Case((*_SAVED, lambda store: store.delete(PLANT)), lambda store: store.prune(PLANT, forget=True)),
    "delete with a lifecycle": Case((begin, approve), lambda store: store.delete(PLANT), NotFound),
    "delete of what is held": Case(_UP, lambda store: store.delete(_CLOUD), refused=DeleteRestricted),
    "delete of a holder's parent": Case(_UP, lambda store: store.delete(Key("Zone", "z")), refused=DeleteRestricted),
    "write with frozen fields": Case((_groups,), lambda store: store.put(Cloud(name="c", note="new"))),
    "first status": Case((_groups,), _report({"Ready": yes()})),
    "later status": Case((_groups, _report({"Ready": yes()})), _report({"Ready": no()})),
    "write with a trail": Case(_LEDGER, lambda store: store.put(Ledger(name="a", rank=9))),
    "delete with a trail": Case(_LEDGER, lambda store: store.delete(Key("Ledger", "a")), NotFound),
    "prune of a trail": Case(
        (*_LEDGER, lambda store: store.delete(Key("Ledger", "a"))),
        lambda store: store.prune_trail(Ledger, older_than=timedelta()),
    ),
}  # fmt: skip
"""Every call that changes something about lifecycles, and those that they forbid."""


class CrashRules:
    """Each case, at each of its requests."""

    @rule("ATM-1", "LIF-4", "HIS-11")
    def test_client_that_dies_leaves_a_lifecycle_before_or_after(self, lab: Lab) -> None:
        """Where a client dies, all commits so far have happened, and another client goes on (ATM-1, LIF-4, HIS-11)."""
        for name, play in _plays(lab):
            for at, moment in play.points:
                play.begin()
                play.strike(at, moment, die)
                with pytest.raises(ClientDied):
                    play.case.call(lab.store)
                play.goes_on(f"{name}: {play.requests[at].__name__} {at}, {moment}", at, moment)

    @rule("ATM-2", "ATM-4", "LIF-4")
    def test_answer_that_is_lost_leaves_a_lifecycle_before_or_after(self, lab: Lab) -> None:
        """Where no answer comes, the call says so; where one is lost, it takes effect once (ATM-2, ATM-4, LIF-4)."""
        for name, play in _plays(lab):
            for at, moment in play.points:
                is_commit = play.requests[at] is Commit
                if is_commit or moment == "before":
                    play.begin()
                    play.strike(at, moment, lose if is_commit else _miss, times=1000)
                    with pytest.raises(UnknownOutcome if is_commit else Unavailable):
                        play.case.call(lab.store)
                    play.goes_on(f"{name}: {play.requests[at].__name__} {at}, {moment}", at, moment)
                if is_commit:
                    play.begin()
                    play.strike(at, moment, lose)
                    play.run()
                    assert play.states[-1] == play.state(), f"{name}: {at}, {moment}, lost once"


@dataclass(slots=True)
class Play:
    """A case as it was played without a fault.

    Attributes:
        lab: The lab.
        case: The case.
        requests: The classes of its requests.
        states: The state before it, and after each of its commits.
        heir: A store that goes on.
        turn: Counts the points of all cases.
    """

    lab: Lab
    case: Case
    requests: list[type[Request[Any]]]
    states: list[str]
    heir: Any
    turn: Iterator[int]

    @property
    def points(self) -> Iterator[tuple[int, Moment]]:
        """Where it is stopped: everywhere, or at some of all points where the harness wants fewer."""
        moments: tuple[Moment, Moment] = ("before", "after")
        for at in range(len(self.requests)):
            for moment in moments:
                if next(self.turn) % self.lab.bench.harness.every(_POINTS_FOR_A_PAIR) == 0:
                    yield at, moment

    def begin(self) -> None:
        """Prepare the data, and nothing but that."""
        self.lab.faults.clear()
        self.lab.wipe()
        for step in self.case.prepare:
            step(self.lab.store)
        self.lab.faults.clear()

    def run(self) -> None:
        """Make the call, which may be one that is refused in any case."""
        if self.case.refused is None:
            self.case.call(self.lab.store)
        else:
            with pytest.raises(self.case.refused):
                self.case.call(self.lab.store)

    def play(self) -> None:
        """Make the call without a fault, and note its requests and states."""
        self.begin()
        self.states.append(self.state())
        self.lab.faults.do(Commit, lambda: self.states.append(self.state()), moment="after", times=1000)
        self.run()
        self.requests += [type(request) for request in self.lab.faults.requests]
        assert self.requests
        assert len(self.states) == 1 + self.requests.count(Commit)

    def strike(self, at: int, moment: Moment, act: Callable[[], None], *, times: int = 1) -> None:
        """Plan a fault around one of the requests."""
        kind = self.requests[at]
        earlier = self.requests[:at].count(kind)
        if earlier:
            self.lab.faults.do(kind, lambda: None, moment=moment, times=earlier)
        self.lab.faults.do(kind, act, moment=moment, times=times)

    def goes_on(self, where: str, at: int, moment: Moment) -> None:
        """See that the state is that after the commits so far, that it is sound, and that another client can go on."""
        self.lab.faults.clear()
        made = self.requests[: at + 1 if moment == "after" else at].count(Commit)
        assert self.states[made] == self.state(), where
        self._check(where)
        expected = self.case.again if made and made == len(self.states) - 1 else None
        problem = _problem(partial(self.case.call, self.heir))
        assert (self.case.refused or expected) is (problem and type(problem)), f"{where}: {problem!r}"
        assert problem is None or problem.why, where
        if made < len(self.states) - 1 and self.case.refused is None:
            assert self.states[-1] == self.state(), where
        self._check(where)

    def state(self) -> str:
        """Return all records as text, with ids in the order in which they stand there."""
        records = self.lab.records()
        ids: dict[str, str] = {}
        text = "\n".join(f"{key} {records[key]}" for key in sorted(records))
        return _IDS.sub(lambda found: ids.setdefault(found[0], f"id {len(ids)}"), text)

    def _check(self, where: str) -> None:
        check_integrity(self.lab, self.lab.records())
        after: str | None = None
        while True:
            page = self.heir.check(after=after)
            assert () == page.flaws, where
            if page.next is None:
                return
            after = page.next


def _plays(lab: Lab) -> Iterator[tuple[str, Play]]:
    models = [Cloud, Zone, Group, Member, Ground, Plant, Ledger]
    heir, turn = lab.open(models=models), count()
    for name, case in CASES.items():
        play = Play(lab, case, [], [], heir, turn)
        play.play()
        yield name, play


def _problem(call: Callable[[], Any]) -> StoreError | None:
    try:
        call()
    except StoreError as problem:
        return problem
    return None


def die() -> None:
    """End the client."""
    raise ClientDied


def lose() -> None:
    """Lose the answer to a commit."""
    raise OutcomeLost("planned")


def _miss() -> None:
    raise Unreachable("planned")
