"""LIF-3, LIF-10, LIF-11, HIS-7: another client acts before each request of a transition or a rollback in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from emco_store.contracts.harness import Lab
from emco_store.contracts.interleavings import check_integrity
from emco_store.contracts.recorded import (
    CHART,
    DESK,
    HALL,
    PLANT,
    Chart,
    Desk,
    Hall,
    Plant,
    PlantLife,
    PlantState,
    begin,
    write,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.errors import ContentChanged, NotFound, StoreError, TransitionRefused
from emco_store.ports import Request

MODELS = {"Plant": Plant, "Hall": Hall, "Desk": Desk, "Chart": Chart}
MOST = 20
"""More requests than any of these calls makes."""
_TURNS_FOR_A_PAIR = 8
"""A pair of transactions, with all its schedules, takes as long as so many of these calls."""


def changes(store: Any) -> dict[str, Callable[[Any], Any]]:
    """Return changes of content, prepared so that each is a single call."""
    found: dict[str, Callable[[Any], Any]] = {}
    for key in (PLANT, HALL, DESK, CHART):
        found[f"update {key}"] = _updating(store.get(MODELS[key.kind], *key.segments))
    found["create a child"] = lambda one: one.create(Hall(parent=PLANT, name="late"))
    found["create a grandchild"] = lambda one: one.create(Desk(parent=HALL, name="late"))
    found["delete a grandchild"] = lambda one: one.delete(DESK)
    found["delete a child with all under it"] = lambda one: one.delete(HALL)
    return found


def _updating(resource: Any) -> Callable[[Any], Any]:
    changed = resource.model_copy(update={"text": "second"})
    return lambda store: store.update(changed)


class ContentRaces:
    """Every schedule of a call, request by request, and one commit of somebody else."""

    @rule("LIF-3", "LIF-10")
    def test_approval_against_every_change(self, lab: Lab) -> None:
        """A change before any request of an approval makes it ContentChanged, and nothing is approved (LIF-10)."""
        assert self._all(lab, lambda: None, _approve, ContentChanged) * _step(lab) > MOST

    @rule("LIF-3", "LIF-11")
    def test_guarded_transition_against_every_change(self, lab: Lab) -> None:
        """A change before any request of a transition that needs approval refuses it (LIF-11)."""
        self._all(
            lab,
            lambda: _approve(lab.store, lab.store.digest(PLANT)),
            lambda store, _: store.transition(PLANT, PlantLife.run),
            TransitionRefused,
        )

    @rule("LIF-3", "LIF-10")
    def test_approval_against_a_delete(self, lab: Lab) -> None:
        """An approval of what is deleted before any of its requests says so, and not that it has changed (LIF-10)."""
        begin(lab.store)
        for at in range(MOST):
            _anew(lab)
            digest = lab.store.digest(PLANT)
            came = before_request(lab, at, partial(_delete, lab.inside(lab.open())))
            problem = _problem(partial(_approve, lab.store, digest))
            lab.faults.clear()
            if not came:
                assert problem is None
                break
            assert type(problem) is NotFound, (at, problem)
        else:
            raise AssertionError

    def _all(
        self, lab: Lab, prepare: Callable[[], Any], call: Callable[[Any, str], Any], refusal: type[StoreError]
    ) -> int:
        """Assert that the call is refused wherever a change comes before its commit; return the number of schedules."""
        number = 0
        other = lab.open()
        begin(lab.store)
        names = list(changes(other))
        for lane, name in enumerate(names):
            for at in _turns(lab, lane):
                _anew(lab)
                prepare()
                digest, state = lab.store.digest(PLANT), lab.store.lifecycle(PLANT).state
                change = changes(other)[name]
                came = before_request(lab, at, partial(change, lab.inside(other)))
                problem = _problem(partial(call, lab.store, digest))
                lab.faults.clear()
                check_integrity(lab, lab.records())
                number += 1
                if not came:
                    assert problem is None
                    if lab.store.lifecycle(PLANT).state is PlantState.RUNNING:
                        lab.store.transition(PLANT, PlantLife.stop)
                    break
                assert (refusal, state) == (type(problem), lab.store.lifecycle(PLANT).state), (name, at, problem)
            else:
                raise AssertionError(name)
        return number

    @rule("HIS-7")
    def test_rollback_against_every_change(self, lab: Lab) -> None:
        """Whatever comes before any request of a rollback, it brings the content back whole, or refuses (HIS-7)."""
        other = lab.open()
        begin(lab.store)
        number = 0
        for lane, name in enumerate([*changes(other), "delete the target"]):
            for at in _turns(lab, lane):
                _anew(lab)
                lab.store.transition(PLANT, PlantLife.save)
                write(lab.store, PLANT, text="second")
                write(lab.store, HALL, chart=None)
                change = {**changes(other), "delete the target": lambda one: one.delete(CHART)}[name]
                came = before_request(lab, at, partial(change, lab.inside(other)))
                problem = _problem(lambda: lab.store.apply(lab.store.plan_rollback(PLANT, 1)))
                lab.faults.clear()
                check_integrity(lab, lab.records())
                number += 1
                if problem is None:
                    newest = lab.store.revision(PLANT, 2)
                    assert lab.store.digest(PLANT) == newest.revision.digest, (name, at)
                    assert newest.documents == lab.store.revision(PLANT, 1).documents, (name, at)
                if not came:
                    assert problem is None
                    break
            else:
                raise AssertionError(name)
        assert number * _step(lab) > MOST


def _step(lab: Lab) -> int:
    """Return how many requests lie between those before which somebody acts: one where the harness wants all pairs."""
    return lab.bench.harness.every(_TURNS_FOR_A_PAIR)


def _turns(lab: Lab, lane: int) -> range:
    """Return the requests before which somebody acts, other ones for each change."""
    return range(lane % _step(lab), MOST + _step(lab), _step(lab))


def _approve(store: Any, digest: str) -> Any:
    return store.transition(PLANT, PlantLife.approve, digest=digest)


def _delete(store: Any) -> Any:
    return store.delete(PLANT)


def _anew(lab: Lab) -> None:
    lab.store.delete(Key("Ground", "g"), missing_ok=True)
    lab.store.delete(CHART, missing_ok=True)
    begin(lab.store)


def before_request(lab: Lab, at: int, move: Callable[[], Any]) -> list[int]:
    """Plan a move before a request; the list that is returned is empty until it came."""
    came: list[int] = []
    seen = iter(range(MOST * MOST))

    def act() -> Any:
        if next(seen) != at or came:
            return None
        came.append(at)
        return move()

    lab.faults.clear()
    lab.faults.do(Request, act, times=MOST * MOST)
    return came


def _problem(call: Callable[[], Any]) -> StoreError | None:
    try:
        call()
    except StoreError as problem:
        return problem
    return None
