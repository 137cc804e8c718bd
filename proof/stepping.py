"""Clients that take turns in one thread, by a seed: every race is repeatable.

For mutants: between any two requests of a broken backend, some step of another client may run.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

from emco_store.connect import connect
from emco_store.contracts.histories import history
from emco_store.contracts.histories.clients import Client, Script, Transact, ask_and_record, play
from emco_store.contracts.histories.history import History, Recorder
from emco_store.contracts.histories.models import ENTRIES, RELEASES, Journal, ListForm, Register
from emco_store.contracts.histories.workloads import Attempt, Shift, final_reads, list_steps, migrated, registers
from emco_store.core.resource import Resource
from emco_store.errors import StoreError
from emco_store.flows.context import RetryPolicy
from proof.deployments import MODELS, deployments, last_looks, works_in
from proof.mutants import MutantBackend, Pause
from proof.nemesis import seeded
from proof.rig import Rig

CLIENTS = 4
_COLD = 1
_SPAN = 6
_ONE_TRY = RetryPolicy(deadline_s=0.0, first_pause_s=0.0, longest_pause_s=0.0)


class _Turn:
    """A client during a request or a transaction, or before the next one."""

    def __init__(self, store: Any, client: Client) -> None:
        self._steps = _taken(store, client)
        self.is_acting = False
        self.has_ended = False

    def advance(self) -> bool:
        """Take one step; return whether that ended a request or a transaction."""
        self.is_acting = True
        try:
            return next(self._steps)
        except StopIteration:
            self.has_ended = True
            return True
        finally:
            self.is_acting = False


def _taken(store: Any, client: Client) -> Generator[bool]:
    """Answer the requests of a client, and stop after each, and after each step of a transaction."""
    answer: Any = None
    problem: StoreError | None = None
    while True:
        try:
            request = client.send(answer) if problem is None else client.throw(problem)
        except StopIteration:
            return
        answer = problem = None
        try:
            if isinstance(request, Transact):
                answer = yield from _transacted(store.transaction(), request.script())
            else:
                answer = request.on(store)
        except StoreError as raised:
            problem = raised
        yield True


def _transacted(block: AbstractContextManager[Any], asking: Script) -> Generator[bool, None, Any]:
    """Take the steps of one transaction, one at a time, and its commit as the last."""
    with block as tx:
        answer: Any = None
        while True:
            try:
                answer = asking.send(answer).on(tx)
            except StopIteration as end:
                result = end.value
                break
            yield False
    return result


def _short_lists(shift: Shift) -> Client:
    """Read and append to a few lists, which are soon replaced, in transactions that are not repeated."""
    at = 0
    while shift.goes_on(at):
        yield from _short_transaction(shift, at, ENTRIES)
        at += 1


def _short_releases(shift: Shift) -> Client:
    """Do the same as the old or the new release of a service; the new one migrates before each transaction."""
    form, at = RELEASES[shift.number % 2], 0
    while shift.goes_on(at):
        if form is RELEASES[1]:
            yield from migrated(shift)
        yield from _short_transaction(shift, at, form)
        at += 1


def _short_transaction(shift: Shift, at: int, form: ListForm) -> Client:
    attempt = Attempt(list_steps(shift.random, at // _SPAN, partial(_value, shift, at), cold=_COLD), form)
    recorded = shift.recorder.call(shift.name, [])
    yield from ask_and_record(recorded, Transact(attempt.script), settles=False, answered=attempt.made)


def _value(shift: Shift, at: int, number: int) -> int:
    return shift.value(4 * at + number)


@dataclass(frozen=True, slots=True)
class _Workload:
    """What clients do in turns.

    Attributes:
        name: The name of its history.
        models: The models of the clients, in turn; the last one of all has the first.
        client: Makes a client.
        last: Makes the client that looks at everything in the end.
    """

    name: str
    models: Sequence[Sequence[type[Resource]]]
    client: Callable[[Shift], Client]
    last: Callable[[Shift, History], Client]


def _run(rig: Rig, workload: _Workload, *, seed: int, operations: int, out: Path) -> History:
    path = out / f"{workload.name}-{seed}.jsonl"
    namespace = rig.namespace()
    random = seeded("turns", seed)
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(path))
        stores = [
            stack.enter_context(connect(rig.backend, namespace=namespace, models=models, retry=_ONE_TRY))
            for models in islice(cycle(workload.models), 1, CLIENTS + 1)
        ]
        shifts = [
            Shift(f"c{number}", number + 1, seeded(seed, number), recorder, lambda at: at < operations)
            for number in range(CLIENTS)
        ]
        turns = [_Turn(store, workload.client(shift)) for store, shift in zip(stores, shifts, strict=True)]
        _pause_of(rig).action = lambda: _let_others(turns, random)
        while waiting := [turn for turn in turns if not turn.has_ended]:
            random.choice(waiting).advance()
        _pause_of(rig).action = None
        last = stack.enter_context(connect(rig.backend, namespace=namespace, models=workload.models[0]))
        play(workload.last(Shift("final", 0, seeded("final"), recorder, always), history.read(path)), last)
    rig.forget(namespace)
    return history.read(path)


def _nothing(shift: Shift, known: History) -> Client:  # noqa: ARG001 - there is nothing to look at
    """Ask for nothing."""
    yield from ()


_LISTS = _Workload("stepping", [[Journal]], _short_lists, lambda shift, known: final_reads(shift, lists_in(known)))
_RELEASES = _Workload(
    "releases", [[form.model] for form in RELEASES], _short_releases,
    lambda shift, known: final_reads(shift, lists_in(known), RELEASES[0]),
)  # fmt: skip
_REGISTERS = _Workload("registers", [[Register]], registers, _nothing)
_DEPLOYMENTS, _PRUNED = (
    _Workload(
        name, [MODELS], partial(deployments, prunes=prunes), lambda shift, known: last_looks(shift, works_in(known))
    )
    for name, prunes in (("deployments", False), ("pruned", True))
)


def run_lists(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Let clients take turns with transactions on lists; then read every list once more.

    Args:
        rig: The backend, sound or broken.
        seed: Decides the order of turns and what is done.
        operations: Number of transactions of each client.
        out: A folder for the history.
    """
    return _run(rig, _LISTS, seed=seed, operations=operations, out=out)


def run_releases(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Do the same as :func:`run_lists` with two releases of a service, of which the newer one migrates."""
    return _run(rig, _RELEASES, seed=seed, operations=operations, out=out)


def run_registers(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Let clients take turns with calls on registers; arguments as for :func:`run_lists`."""
    return _run(rig, _REGISTERS, seed=seed, operations=operations, out=out)


def run_deployments(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Let clients take turns with deployments, and look at all of them; arguments as for :func:`run_lists`."""
    return _run(rig, _DEPLOYMENTS, seed=seed, operations=operations, out=out)


def run_pruned(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Do the same as :func:`run_deployments`, with clients that prune histories, too."""
    return _run(rig, _PRUNED, seed=seed, operations=operations, out=out)


def _pause_of(rig: Rig) -> Pause:
    return rig.backend.pause if isinstance(rig.backend, MutantBackend) else Pause()


def _let_others(turns: list[_Turn], random: Random) -> None:
    """End the transaction of each other client that is not busy, in some order."""
    free = [turn for turn in turns if not turn.is_acting and not turn.has_ended]
    for turn in random.sample(free, len(free)):
        while not turn.is_acting and not turn.has_ended and not turn.advance():
            pass


def lists_in(known: History) -> set[str]:
    """Return the names of all lists in a history."""
    return {step[1] for operation in known.operations for step in operation.steps}


def always(_: int) -> bool:
    """Return True: continue."""
    return True
