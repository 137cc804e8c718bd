"""Clients that take turns in one thread, by a seed: every race is repeatable.

For mutants: between any two requests of a broken backend, some step of another client may run.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from emco_store.connect import connect
from emco_store.contracts.histories import history
from emco_store.contracts.histories.clients import Client, play
from emco_store.contracts.histories.history import Call, History, Recorder, Result
from emco_store.contracts.histories.models import Journal, Register
from emco_store.contracts.histories.workloads import Attempt, Shift, final_reads, list_steps, registers
from emco_store.errors import StoreError, UnknownOutcome
from emco_store.flows.context import RetryPolicy
from proof.mutants import MutantBackend, Pause
from proof.nemesis import seeded
from proof.rig import Rig

CLIENTS = 4
_COLD = 1
_SPAN = 6
_ONE_TRY = RetryPolicy(deadline_s=0.0, first_pause_s=0.0, longest_pause_s=0.0)


class _Turn:
    """A client during a transaction on lists, or before the next one."""

    def __init__(self, store: Any, shift: Shift) -> None:
        self._store = store
        self._shift = shift
        self._steps = self._live()
        self.begun = 0
        self.is_acting = False
        self.has_ended = False

    def advance(self) -> bool:
        """Take one step; return whether that ended a transaction."""
        self.is_acting = True
        try:
            return next(self._steps)
        except StopIteration:
            self.has_ended = True
            return True
        finally:
            self.is_acting = False

    def _live(self) -> Generator[bool]:
        while self._shift.goes_on(self.begun):
            at = self.begun
            self.begun += 1
            value = partial(self._value, at)
            steps = list_steps(self._shift.random, at // _SPAN, value, cold=_COLD)
            attempt = Attempt(steps)
            recorded = self._shift.recorder.call(self._shift.name, steps)
            yield from _transacted(self._store.transaction(), attempt, recorded)

    def _value(self, at: int, number: int) -> int:
        return self._shift.value(4 * at + number)


def _transacted(block: AbstractContextManager[Any], attempt: Attempt, recorded: Call) -> Generator[bool]:
    """Take the steps of one transaction, one at a time, and its commit as the last."""
    try:
        with ExitStack() as stack:
            tx = stack.enter_context(block)
            asking = attempt.script()
            answer: Any = None
            with suppress(StopIteration):
                while True:
                    answer = asking.send(answer).on(tx)
                    yield False
    except UnknownOutcome:
        recorded.ends(Result.UNKNOWN, attempt.made(None))
    except StoreError as problem:
        recorded.ends(Result.FAILED, attempt.made(None), type(problem).__name__)
    else:
        recorded.ends(Result.OK, attempt.made(None))
    yield True


def run_lists(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Let clients take turns with transactions on lists; then read every list once more.

    Args:
        rig: The backend, sound or broken.
        seed: Decides the order of turns and what is done.
        operations: Number of transactions of each client.
        out: A folder for the history.
    """
    path = out / f"stepping-{seed}.jsonl"
    namespace = rig.namespace()
    random = seeded("turns", seed)
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(path))
        turns = [
            _Turn(
                stack.enter_context(connect(rig.backend, namespace=namespace, models=[Journal], retry=_ONE_TRY)),
                Shift(f"c{number}", number + 1, seeded(seed, number), recorder, lambda at: at < operations),
            )
            for number in range(CLIENTS)
        ]
        _pause_of(rig).action = lambda: _let_others(turns, random)
        while waiting := [turn for turn in turns if not turn.has_ended]:
            random.choice(waiting).advance()
        _pause_of(rig).action = None
        _read_all(stack, rig, namespace, recorder, path)
    rig.forget(namespace)
    return history.read(path)


def run_registers(rig: Rig, seed: int, operations: int, out: Path) -> History:
    """Let clients take turns with calls on registers; arguments as for :func:`run_lists`."""
    path = out / f"registers-{seed}.jsonl"
    namespace = rig.namespace()
    random = seeded("turns", seed)
    with ExitStack() as stack:
        recorder = stack.enter_context(Recorder(path))
        clients: list[tuple[Any, Client]] = []
        for number in range(CLIENTS):
            store = connect(rig.backend, namespace=namespace, models=[Register], retry=_ONE_TRY)
            stack.enter_context(store)
            shift = Shift(f"c{number}", number + 1, seeded(seed, number), recorder, lambda at: at < operations)
            clients.append((store, registers(shift)))
        answers: dict[int, tuple[Any, Exception | None]] = {}
        while clients:
            at = random.randrange(len(clients))
            if not _asked(*clients[at], answers):
                del clients[at]
    rig.forget(namespace)
    return history.read(path)


def _asked(store: Any, client: Client, answers: dict[int, tuple[Any, Exception | None]]) -> bool:
    """Send a client its last answer, and answer its next request."""
    answer, problem = answers.pop(id(client), (None, None))
    try:
        request = client.send(answer) if problem is None else client.throw(problem)
    except StopIteration:
        return False
    try:
        answers[id(client)] = request.on(store), None
    except StoreError:
        answers[id(client)] = None, sys.exc_info()[1]  # type: ignore[assignment]  # it was just caught
    return True


def _pause_of(rig: Rig) -> Pause:
    return rig.backend.pause if isinstance(rig.backend, MutantBackend) else Pause()


def _let_others(turns: list[_Turn], random: Random) -> None:
    """End the transaction of each other client that is not busy, in some order."""
    free = [turn for turn in turns if not turn.is_acting and not turn.has_ended]
    for turn in random.sample(free, len(free)):
        while not turn.is_acting and not turn.has_ended and not turn.advance():
            pass


def _read_all(stack: ExitStack, rig: Rig, namespace: str, recorder: Recorder, path: Path) -> None:
    names = lists_in(history.read(path))
    store = stack.enter_context(connect(rig.backend, namespace=namespace, models=[Journal]))
    play(final_reads(Shift("final", 0, seeded("final"), recorder, always), names), store)


def lists_in(known: History) -> set[str]:
    """Return the names of all lists in a history."""
    return {step[1] for operation in known.operations for step in operation.steps}


def always(_: int) -> bool:
    """Return True: continue."""
    return True
