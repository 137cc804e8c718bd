"""Processes that are killed at every command on the wire of every operation, and what the server is left with."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emco_store import Outcome, StoreError, connect
from emco_store.contracts.harness import Mode
from proof.crashes import ALREADY, Rehearsal, Scene
from proof.nemesis import seeded
from proof.operations import MODELS, OPERATIONS, Operation, State, differences, flaws, state
from proof.phase import Budget, Phase, PhaseResult
from proof.rig import Rig
from tests.proof.dying_client import MOMENTS, Death, Moment, work
from tests.proof.leftovers import end, short_lives

DELAY_S = 0.004
"""Within so many seconds after a command was sent its client dies, where that is drawn."""
WAIT_S = 120.0


@dataclass(frozen=True)
class Kill:
    """Where a process dies."""

    operation: Operation
    at: int
    moment: Moment
    command: str

    def __str__(self) -> str:
        return f"{self.operation.name}, killed {self.moment} command {self.at + 1}, {self.command}"


def wire_crashes(rig: Rig, budget: Budget, *, seed: int, out: Path, by_hand: bool = False) -> PhaseResult:  # noqa: ARG001 - see Run
    """Kill processes at every command of every operation.

    Args:
        rig: The backend.
        budget: How much to do.
        seed: The order, and the moments that are drawn.
        out: Not used.
        by_hand: End what the dead leave on MongoDB at once, as the server itself does later: saves its time.
    """
    result = PhaseResult("killed clients", rig.name, seed)
    namespace = rig.namespace()
    port = rig.backend.port(namespace)
    port.open()
    scene = Scene(rig, namespace, port)
    with short_lives(rig):
        _kill_all(scene, budget, result, by_hand=by_hand)
    scene.loop.close()
    port.close()
    rig.forget(namespace)
    return result


def _kill_all(scene: Scene, budget: Budget, result: PhaseResult, *, by_hand: bool) -> None:
    begun, random = time.monotonic(), seeded("killed clients", result.seed)
    known = {operation.name: _rehearsed(scene, operation) for operation in OPERATIONS}
    todo = [
        Kill(operation, at, moment, command)
        for operation in OPERATIONS
        for at, command in enumerate(known[operation.name][1])
        for moment in MOMENTS
    ]
    random.shuffle(todo)
    for number, kill in enumerate(todo[: budget.operations]):
        result.add(kills=1)
        rehearsal, _ = known[kill.operation.name]
        texts = _struck(scene, kill, rehearsal, result, delay_s=random.random() * DELAY_S, by_hand=by_hand)
        result.violated([f"{kill}: {text}" for text in texts])
        if budget.seconds is not None and time.monotonic() - begun > budget.seconds and number:
            break
    result.add(points=len(todo))
    result.notes.append(f"{result.numbers['kills']:.0f} of {len(todo)} points, in an order drawn by the seed")


def _rehearsed(scene: Scene, operation: Operation) -> tuple[Rehearsal, list[str]]:
    """Let a process do an operation to its end, and give the commands that it sends as well."""
    rehearsal = scene.rehearse(operation)
    process, reports = _start(scene, operation, scene.begin(operation), Death(None, "before", 0.0))
    commands: list[str] = reports.recv()
    process.join(WAIT_S)
    return rehearsal, commands


def _start(scene: Scene, operation: Operation, ids: str, death: Death) -> tuple[Any, Any]:
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["tests.proof.dying_client"])  # so that a process starts in milliseconds
    ours, theirs = forking.Pipe(duplex=False)
    options = {"ids": ids, "operation": operation.name, "death": death, "report": theirs.send}
    process = forking.Process(target=work, args=(scene.rig.url, scene.namespace), kwargs=options, daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _struck(
    scene: Scene, kill: Kill, rehearsal: Rehearsal, result: PhaseResult, *, delay_s: float, by_hand: bool
) -> Iterator[str]:
    milestones = rehearsal.milestones
    ids = scene.begin(kill.operation)
    process, _ = _start(scene, kill.operation, ids, Death(kill.at, kill.moment, delay_s))
    process.join(WAIT_S)
    if process.exitcode is None or process.exitcode >= 0:
        if kill.moment != "during":  # the operation may have ended first
            yield f"it ended with {process.exitcode}"
            return
    else:
        result.struck({f"{kill.moment} {kill.command}": 1})
    if by_hand:
        end(scene.rig)
    begun = time.monotonic()
    yield from _settled(scene, [f"{ids}{txid}" for txid in rehearsal.txids], milestones, kill)
    yield from _went_on(scene, kill, f"{ids}-next", milestones)
    result.most(worst_wait_s=time.monotonic() - begun)


def _settled(scene: Scene, txids: list[str], milestones: list[State], kill: Kill) -> Iterator[str]:
    """Settle whatever the dead may have sent, even what is still on its way; then all of it is there, or nothing."""
    with connect(scene.rig.backend, namespace=scene.namespace, models=MODELS) as store:
        outcomes = [_resolved(store, txid) for txid in txids]
        found = state(scene.port)
        again = [_resolved(store, txid) for txid in txids]
    happened = outcomes.count(Outcome.COMMITTED)
    if found not in milestones:
        yield f"half of it was left: {differences(found, milestones)}"
    if (outcomes, found) != (again, state(scene.port)):
        yield f"settled as {outcomes}, and yet it changed: {differences(state(scene.port), [found])}"
    is_one = kill.operation.spoil is None and kill.operation.compete is None
    if is_one and happened != (found != milestones[0]):
        yield f"{happened} commits are said to have happened, and what is stored says otherwise"


def _resolved(store: Any, txid: str) -> Outcome:
    """Settle, again while what the dead one wrote stands in the way: documented, and ended by the server."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            outcome: Outcome = store.resolve(txid)
        except StoreError:
            if time.monotonic() > until:
                raise
        else:
            return outcome


def _went_on(scene: Scene, kill: Kill, ids: str, milestones: list[State]) -> Iterator[str]:
    with scene.open(Mode.BLOCKING, ids) as store:
        before = state(scene.port)
        try:
            kill.operation.call(store)
        except ALREADY:
            if before == milestones[0]:
                yield "another is told that it was done, and nothing was"
        left = [str(flaw) for flaw in flaws(store)]
        if left:
            yield f"the check finds {left}"


PHASE = Phase(
    "killed clients",
    "Processes that are killed before, during and after every command on the wire leave all or nothing.",
    ("redis", "mongo"),
    wire_crashes,
)
