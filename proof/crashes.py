"""Clients that die before or after every request of every operation, and what the next client finds."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

from emco_store.connect import connect, connect_async
from emco_store.contracts.blocking import Loop, blocking, raw
from emco_store.contracts.faults import ClientDied, Faults, FaultyBackend, Moment
from emco_store.contracts.harness import AT_ONCE, CountedIds, Mode
from emco_store.errors import AlreadyExists, Conflict, NotFound, TransitionRefused
from emco_store.ports import Commit, Mend, Outcome, Port, Receipt, Request, Settle
from proof.nemesis import seeded
from proof.operations import (
    BLOCKING_ONLY,
    MODELS,
    OPERATIONS,
    Operation,
    State,
    begin,
    clear,
    differences,
    flaws,
    state,
)
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig

Recovery = Literal["resolve", "repeat"]
ALREADY: Final = (AlreadyExists, NotFound, TransitionRefused)
"""The errors that a repeated operation may end in if it has happened already."""


class Dying(Faults):
    """A client that dies at one request and makes no more; ``at`` is the number of the request, None for never."""

    def __init__(self, at: int | None = None, moment: Moment = "before") -> None:
        super().__init__()
        self._at = at
        self._moment = moment
        self.is_dead = False

    def strike(self, request: Request[Any], moment: Moment) -> Any:
        """See the base class."""
        if self.is_dead:
            raise ClientDied
        number = len(self.requests) - (moment == "after")
        self.is_dead = (number, moment) == (self._at, self._moment)
        if self.is_dead:
            if moment == "before":
                self.requests.append(request)
            raise ClientDied
        return super().strike(request, moment)


@dataclass(frozen=True, slots=True)
class Point:
    """The point at which a client dies, and what another client does then."""

    operation: Operation
    mode: Mode
    at: int
    moment: Moment
    recovery: Recovery

    def __str__(self) -> str:
        return f"{self.operation.name}, {self.mode}, {self.moment} request {self.at + 1}, then {self.recovery}"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The course of an operation without a death.

    Attributes:
        milestones: All consistent states on the way, including the first and the last.
        requests: Number of its requests.
        txids: The ends of the identifiers of its commits.
    """

    milestones: list[State]
    requests: int
    txids: list[str]


@dataclass(slots=True)
class Scene:
    """One namespace in which operations start again and again.

    Attributes:
        rig: The backend.
        namespace: The namespace.
        port: A port without faults.
        loop: The event loop of asyncio stores.
    """

    rig: Rig
    namespace: str
    port: Port
    loop: Loop = field(default_factory=Loop)
    _begun: int = 0

    def begin(self, operation: Operation) -> str:
        """Create the data of an operation again, and return a prefix for the identifiers of this attempt."""
        self._begun += 1
        name = f"{self.namespace}-{self._begun}"
        clear(self.port, name)
        with self.open(Mode.BLOCKING, f"{name}-begin") as store:
            begin(store)
        if operation.spoil is not None:
            operation.spoil(self.port, name)
        return name

    @contextmanager
    def open(self, mode: Mode, ids: str, faults: Faults | None = None) -> Generator[Any]:
        """Open a store whose identifiers begin with a prefix."""
        # A client for asyncio belongs to its event loop, so each asyncio store has its own client, and closes it.
        inner = self.rig.backend if mode is Mode.BLOCKING else self.rig.fresh()
        backend = FaultyBackend(inner, faults or Faults())
        options: dict[str, Any] = {
            "namespace": self.namespace, "models": MODELS, "ids": CountedIds(ids), "retry": AT_ONCE,
        }  # fmt: skip
        opened = connect(backend, **options) if mode is Mode.BLOCKING else None
        with opened or blocking(connect_async(backend, **options), self.loop) as store:
            yield store

    def play(self, operation: Operation, mode: Mode, ids: str, faults: Dying, seen: Callable[[], None]) -> None:
        """Run an operation with its competitor; ``seen`` is called whenever something may have been written."""
        with self.open(mode, f"{ids}-other") as other, self.open(mode, ids, faults) as store:
            if operation.compete is not None:
                faults.do(Commit, lambda: self._compete(operation, other), times=1)
            for kind in (Commit, Mend):
                faults.do(kind, seen, moment="after", times=1000)
            operation.call(store)

    def _compete(self, operation: Operation, other: Any) -> Any:
        return operation.compete and operation.compete(raw(other))

    def rehearse(self, operation: Operation) -> Rehearsal:
        """Run an operation to its end."""
        ids, faults, states = self.begin(operation), Dying(), list[State]()
        states.append(state(self.port))
        self.play(operation, Mode.BLOCKING, ids, faults, lambda: states.append(state(self.port)))
        txids = [commit.txid.removeprefix(ids) for commit in faults.asked(Commit)]
        return Rehearsal(states, len(faults.requests), txids)


def crash_points(rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:  # noqa: ARG001 - see Run
    """Let clients die before and after every request, then settle or repeat their operations."""
    result = PhaseResult("crash points", rig.name, seed)
    begun, namespace = time.monotonic(), rig.namespace()
    port = rig.backend.port(namespace)
    port.open()
    scene = Scene(rig, namespace, port)
    known = {operation.name: scene.rehearse(operation) for operation in OPERATIONS}
    todo = list(_points(known))
    seeded("crash points", seed).shuffle(todo)
    for point in todo[: budget.operations]:
        result.add(crashes=1)
        crash(scene, point, known[point.operation.name], result)
        if budget.seconds is not None and time.monotonic() - begun > budget.seconds:
            break
    result.add(points=len(todo))
    if result.numbers.get("crashes", 0) < len(todo):
        result.notes.append(f"{result.numbers['crashes']:.0f} of {len(todo)} points, in an order drawn by the seed")
    scene.loop.close()
    port.close()
    rig.forget(namespace)
    return result


def _points(known: dict[str, Rehearsal]) -> Iterator[Point]:
    moments: tuple[Moment, ...] = ("before", "after")
    recoveries: tuple[Recovery, ...] = ("resolve", "repeat")
    for operation, mode in product(OPERATIONS, Mode):
        if mode is Mode.BLOCKING or operation.name not in BLOCKING_ONLY:
            for at, moment, recovery in product(range(known[operation.name].requests), moments, recoveries):
                yield Point(operation, mode, at, moment, recovery)


def crash(scene: Scene, point: Point, rehearsal: Rehearsal, result: PhaseResult) -> None:
    """Let a client die at one point, and report what is wrong then."""
    milestones = rehearsal.milestones
    ids = scene.begin(point.operation)
    faults = Dying(point.at, point.moment)
    try:
        scene.play(point.operation, point.mode, ids, faults, lambda: None)
    except ClientDied:
        result.struck({f"died {point.moment} {faults.requests[-1].verb}": 1})
    else:
        result.violated([f"{point}: the client did not die, so its requests are not the same each time"])
        return
    found = state(scene.port)
    if found not in milestones:
        result.violated([f"{point}: half of it was left: {differences(found, milestones)}"])
    commits = faults.asked(Commit)
    if commits:
        was_sent = point.moment == "after" or not isinstance(faults.requests[-1], Commit)
        texts = _recovered(scene.port, commits[-1], point.recovery, found, was_sent=was_sent)
        result.violated([f"{point}: {text}" for text in texts])
    begun = time.monotonic()
    result.violated([f"{point}: {text}" for text in _went_on(scene, point, f"{ids}-next", milestones)])
    result.most(worst_wait_s=time.monotonic() - begun)


def _recovered(port: Port, commit: Commit, recovery: Recovery, found: State, *, was_sent: bool) -> Iterator[str]:
    """Settle the last commit, or send it again: in either case its effect must be there once and stay."""
    if recovery == "resolve":
        outcome = port.ask(Settle(commit.txid))
        if outcome is Outcome.COMMITTED and not was_sent:
            yield "a commit that was never sent is said to have happened"
        settled = port.ask(commit)
        if isinstance(settled, Receipt) != (outcome is Outcome.COMMITTED):
            yield f"after {outcome} the same commit is answered with {settled}"
        if state(port) != found:
            yield f"settled as {outcome}, and yet it changed: {differences(state(port), [found])}"
        return
    first = port.ask(commit)
    once = state(port)
    again = port.ask(commit)
    if isinstance(first, Receipt) != isinstance(again, Receipt) or once != state(port):
        yield f"sent twice, it ends as {first} and {again}: {differences(state(port), [once])}"
    if not isinstance(first, Receipt) and once != found:
        yield f"refused, and yet it changed: {differences(once, [found])}"


def _went_on(scene: Scene, point: Point, ids: str, milestones: list[State]) -> Iterator[str]:
    """Run the same operation as another client, which must succeed, and let the store check itself."""
    with scene.open(point.mode, ids) as store:
        before = state(scene.port)
        try:
            _until_done(lambda: point.operation.call(store))
        except ALREADY:
            if before == milestones[0]:
                yield "another is told that it was done, and nothing was"
        left = [str(flaw) for flaw in flaws(store)]
        if left:
            yield f"the check finds {left}"


def _until_done(call: Callable[[], Any]) -> None:
    """Call it; repeat while a hold of the dead client is in the way, which expires by the server's clock."""
    end = time.monotonic() + 60
    while True:
        try:
            call()
        except Conflict:
            if time.monotonic() > end:
                raise
        else:
            return


PHASE: Final = Phase(
    "crash points",
    "A client that dies before or after any request leaves all or nothing; its txid settles it, once.",
    ("memory", "redis", "mongo"),
    crash_points,
)
