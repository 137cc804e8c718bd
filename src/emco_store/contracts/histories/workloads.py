"""The workloads whose histories are judged: transactions on lists, and calls on registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from emco_store.contracts.histories.clients import Ask, Client, Script, Transact, ask_and_record
from emco_store.contracts.histories.history import Recorder
from emco_store.contracts.histories.models import ENTRIES, RELEASES, ListForm, Register
from emco_store.core.keys import Key
from emco_store.core.migrations import Migrated
from emco_store.errors import AlreadyExists, Conflict, NotFound, StoreError, Unavailable, UnknownOutcome

HOT: Final = 3
"""Number of lists or registers that take half of the load."""
COLD: Final = 12
SPAN: Final = 12
"""Number of transactions of each client on the same lists, before new lists replace them: lists stay short."""
_STRIDE: Final = 10_000_000
"""The distance between the values of two clients."""
_FINAL: Final = 20


@dataclass(frozen=True, slots=True)
class Shift:
    """The arguments of one client.

    Attributes:
        name: The client.
        number: Its number, unique in the run.
        random: Its random numbers.
        recorder: The recorder of its operations.
        goes_on: Returns whether to begin another operation, given the number so far.
    """

    name: str
    number: int
    random: Random
    recorder: Recorder
    goes_on: Callable[[int], bool]

    def value(self, at: int) -> int:
        """Return a value that no other client writes."""
        return self.number * _STRIDE + at


# lists


def lists(shift: Shift) -> Client:
    """Read and append to lists in transactions."""
    at = 0
    while shift.goes_on(at):
        yield from _transaction(shift, at, ENTRIES)
        at += 1


def releases(shift: Shift) -> Client:
    """Read and append to lists as the old or the new release of a service does; the new one migrates all of them, too.

    The store of the client has the model of ``RELEASES[shift.number % 2]``.
    """
    form, at = RELEASES[shift.number % 2], 0
    while shift.goes_on(at):
        if form is RELEASES[1] and at % SPAN == SPAN // 2:
            yield from migrated(shift)
        yield from _transaction(shift, at, form)
        at += 1


def migrated(shift: Shift) -> Client:
    """Migrate all lists, as far as others let it, and count what was written and what was left."""
    try:
        done: Migrated = yield Ask("migrate", (RELEASES[1].model,), {"batch": 5})
    except (Conflict, Unavailable, UnknownOutcome):
        return
    shift.recorder.count({"migrated": done.written, "left": done.left_count})


def _transaction(shift: Shift, at: int, form: ListForm) -> Client:
    steps = list_steps(shift.random, at // SPAN, partial(_value, shift, at))
    attempt = Attempt(steps, form)
    recorded = shift.recorder.call(shift.name, steps)
    settles = shift.random.random() < 0.5
    yield from ask_and_record(recorded, Transact(attempt.script), settles=settles, answered=attempt.made)


def _value(shift: Shift, at: int, number: int) -> int:
    return shift.value(4 * at + number)


def list_steps(random: Random, span: int, value: Callable[[int], int], *, cold: int = COLD) -> list[list[Any]]:
    """Draw the steps of one transaction: one to four, each of them a read or an append."""
    steps: list[list[Any]] = []
    for number in range(random.choice((1, 2, 2, 3, 4))):
        chosen = random.randrange(HOT) if random.random() < 0.5 else random.randrange(HOT, HOT + cold)
        name = f"l{chosen}-{span}"
        steps.append(["append", name, value(number)] if random.random() < 0.6 else ["read", name, None])
    return steps


class Attempt:
    """A transaction on lists, and the steps of its latest attempt.

    Args:
        steps: The steps to take.
        form: How the program keeps lists.
    """

    def __init__(self, steps: Sequence[Sequence[Any]], form: ListForm = ENTRIES) -> None:
        self._steps = steps
        self._form = form
        self._done: list[list[Any]] = []

    def made(self, answer: object) -> list[list[Any]]:  # noqa: ARG002 - what was done is known without the answer
        """Return the steps that were taken: an append is a read and a write."""
        return self._done

    def script(self) -> Script:
        """Take the steps; each attempt starts again."""
        self._done = done = []
        form = self._form
        for kind, name, value in self._steps:
            (found,) = yield Ask("get_many", ([Key("Journal", name)],), {"missing_ok": True})
            entries = [] if found is None else list(form.read(found))
            done.append(["read", name, entries])
            if kind == "append":
                made = [*entries, value]
                if found is None:
                    yield Ask("create", (form.model(name=name, **form.write(made)),))
                else:
                    yield Ask("update", (found.model_copy(update=form.write(made)),))
                done.append(["append", name, value])
        return done


def final_reads(shift: Shift, names: Iterable[str], form: ListForm = ENTRIES) -> Client:
    """Read every list once more, after all clients have ended."""
    for batch in _batches(sorted(names), _FINAL):
        attempt = Attempt([["read", name, None] for name in batch], form)
        recorded = shift.recorder.call(shift.name, [])
        yield from ask_and_record(recorded, Transact(attempt.script), settles=False, answered=attempt.made)


# registers


def registers(shift: Shift) -> Client:
    """Create, read, replace and delete registers, with versions that are fresh or were read long ago."""
    known: dict[str, Register] = {}
    at = 0
    while shift.goes_on(at):
        chosen = shift.random.randrange(HOT) if shift.random.random() < 0.5 else shift.random.randrange(HOT, HOT + COLD)
        name = f"r{chosen}"
        old = known.get(name)
        choice = shift.random.random()
        if old is None or choice < 0.4:
            yield from _get(shift, name, known)
        elif choice < 0.6:
            yield from _create(shift, name, shift.value(at))
        elif choice < 0.9:
            yield from _update(shift, old, shift.value(at), known)
        else:
            yield from _delete(shift, old)
        if old is None and shift.random.random() < 0.5:
            yield from _create(shift, name, shift.value(at))
        at += 1


def _get(shift: Shift, name: str, known: dict[str, Register]) -> Client:
    step = ["get", name]

    def answered(found: Register | None) -> list[Any]:
        if found is None:
            return [step]
        known[name] = found
        return [step, [found.born, found.meta.version, found.value]]

    yield from _told(shift, step, Ask("get", (Register, name)), answered, {NotFound: "absent"})


def _create(shift: Shift, name: str, value: int) -> Client:
    step = ["create", name, value]
    made = Register(name=name, born=value, value=value)
    yield from _told(shift, step, Ask("create", (made,)), partial(_ok, step), {AlreadyExists: "exists"})


def _update(shift: Shift, old: Register, value: int, known: dict[str, Register]) -> Client:
    step = ["update", old.name, old.born, old.meta.version, value]

    def answered(new: Register | None) -> list[Any]:
        if new is not None:
            known[old.name] = new
        return _ok(step, new)

    request = Ask("update", (old.model_copy(update={"value": value}),))
    yield from _told(shift, step, request, answered, {NotFound: "absent", Conflict: "conflict"})


def _delete(shift: Shift, old: Register) -> Client:
    step = ["delete", old.name, old.born, old.meta.version]
    request = Ask("delete", (old,), {"if_version": old.meta.version})
    answers: dict[type[StoreError], str] = {NotFound: "absent", Conflict: "conflict"}
    # A delete returns None, as if no answer had come, so the step of the call is all there is to record.
    yield from _told(shift, step, request, partial(_ok, step), answers)


def _ok(step: list[Any], _: object) -> list[Any]:
    return [step, "ok"]


def _told(
    shift: Shift,
    step: list[Any],
    request: Ask,
    answered: Callable[[Any], list[Any]],
    answers: dict[type[StoreError], str],
) -> Client:
    def refused(problem: StoreError) -> list[Any] | None:
        answer = answers.get(type(problem))
        # A conflict that a repeat could resolve says nothing about the version: another commit came between.
        is_race = isinstance(problem, Conflict) and not problem.pinned
        return None if answer is None or is_race else [step, answer]

    recorded = shift.recorder.call(shift.name, [step])
    settles = shift.random.random() < 0.5
    yield from ask_and_record(recorded, request, settles=settles, answered=answered, refused=refused)


def _batches(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[at : at + size] for at in range(0, len(names), size))
