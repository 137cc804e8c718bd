"""Judge a history of single resources: can each operation have happened at one moment between call and answer?

A resource is a register with versions: it is created, read, replaced by a caller that names its version, and deleted.
The search follows time and keeps all states that are still possible, each with the operations that must have happened
for it. Each such configuration is kept once, which is the memo of Wing and Gong's search. An operation with an unknown
outcome may happen at any later moment, or never.

Source: J. Wing and C. Gong, "Testing and Verifying Concurrent Objects", 1993; G. Lowe, "Testing for linearizability",
2017, for the search by events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from emco_store.contracts.histories.history import Operation, Result

MAX_CONFIGURATIONS: Final = 100_000
"""Maximum number of configurations at one moment; a register with more is undecided."""
_SHOWN: Final = 6
_DIFFERS: Final = object()

State = tuple[int, int, int] | None
"""The value that it was created with, its version and its value; None if it does not exist."""
Step = tuple[Any, ...]


@dataclass(slots=True)
class Verdict:
    """The verdict of the checker.

    Attributes:
        operations: Number of operations.
        registers: Number of resources.
        undecided: Registers with too many configurations.
        violations: A counterexample for each register that was not linearizable.
    """

    operations: int = 0
    registers: int = 0
    undecided: list[str] = field(default_factory=list[str])
    violations: list[str] = field(default_factory=list[str])

    @property
    def holds(self) -> bool:
        """Whether every register was linearizable."""
        return not self.violations


class _TooMany(Exception):
    """A register has too many configurations."""


def apply(state: State, step: Step) -> tuple[State, Any]:
    """Apply an operation to a register; return the new state and the answer.

    Args:
        state: The register.
        step: ``("create", name, value)``, ``("get", name)``, ``("update", name, created, version, value)`` or
            ``("delete", name, created, version)``.
    """
    kind, _, *arguments = step
    if kind == "create":
        return ((arguments[0], 1, arguments[0]), "ok") if state is None else (state, "exists")
    if kind == "get":
        return state, "absent" if state is None else [*state]
    created, version, *value = arguments
    if state is None or (kind == "update" and state[0] != created):
        return state, "absent"
    if state[:2] != (created, version):
        return state, "conflict"
    return ((created, version + 1, value[0]) if kind == "update" else None), "ok"


def check(operations: Iterable[Operation]) -> Verdict:
    """Judge each register by itself.

    Args:
        operations: Each has one step as for :func:`apply`, and the answer if there was one.
    """
    by_name: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.result is not Result.FAILED:
            by_name[operation.steps[0][1]].append(operation)
    verdict = Verdict(sum(map(len, by_name.values())), len(by_name))
    for name, known in by_name.items():
        try:
            found = _violation(known)
        except _TooMany:
            verdict.undecided.append(name)
        else:
            if found is not None:
                verdict.violations.append(f"{name} is not linearizable\n{found}")
    return verdict


_Configuration = tuple[State, frozenset[int]]
"""A state, and the operations under way that have happened."""


def _violation(operations: Sequence[Operation]) -> str | None:
    events = [(operation.called_ns, 0, at) for at, operation in enumerate(operations)]
    events += [
        (operation.returned_ns, 1, at)
        for at, operation in enumerate(operations)
        if operation.returned_ns is not None and operation.result is Result.OK
    ]
    possible: set[_Configuration] = {(None, frozenset())}
    under_way: set[int] = set()
    for _, is_end, at in sorted(events):
        if not is_end:
            under_way.add(at)
            continue
        before = possible
        possible = _after(possible, at, under_way, operations)
        under_way.discard(at)
        if not possible:
            return _told(operations, at, under_way, before)
    return None


def _after(
    possible: set[_Configuration], at: int, under_way: set[int], operations: Sequence[Operation]
) -> set[_Configuration]:
    """Return the configurations in which an operation has happened at the moment of its return."""
    ended: set[_Configuration] = set()
    waiting = [_absorbed(state, happened, under_way, operations) for state, happened in possible]
    known = set(waiting)
    while waiting:
        state, happened = waiting.pop()
        if at in happened:
            ended.add((state, happened - {at}))
            continue
        for other in under_way - happened:
            new = _stepped(state, operations[other])
            if new != state and new is not _DIFFERS:
                configuration = _absorbed(new, happened | {other}, under_way, operations)
                if configuration not in known:
                    known.add(configuration)
                    waiting.append(configuration)
        if len(known) > MAX_CONFIGURATIONS:
            raise _TooMany
    return ended


def _absorbed(
    state: State, happened: frozenset[int], under_way: set[int], operations: Sequence[Operation]
) -> _Configuration:
    """Apply all operations that change nothing and whose answers fit now: that excludes nothing later."""
    quiet = {
        other
        for other in under_way - happened
        if operations[other].result is Result.OK and _stepped(state, operations[other]) == state
    }
    return state, happened | quiet


def _stepped(state: State, operation: Operation) -> Any:
    """Return the state after an operation; :data:`_DIFFERS` if its answer would be different."""
    new, answer = apply(state, tuple(operation.steps[0]))
    return _DIFFERS if operation.result is Result.OK and answer != operation.steps[1] else new


def _told(operations: Sequence[Operation], at: int, under_way: set[int], before: set[_Configuration]) -> str:
    ended = [
        operation
        for other, operation in enumerate(operations)
        if operation.returned_ns is not None
        and operation.returned_ns <= (operations[at].returned_ns or 0)
        and other != at
        and operation.result is Result.OK
    ]
    ended.sort(key=lambda each: each.returned_ns or 0)
    states = sorted({str(state) for state, _ in before})
    return "\n".join(
        [
            *(f"  before: {operation}" for operation in ended[-_SHOWN:]),
            *(f"  under way: {operations[other]}" for other in sorted(under_way)[:_SHOWN]),
            f"  possible then (created with, version, value): {'; '.join(states[:_SHOWN])}",
            f"  no order explains: {operations[at]}",
        ]
    )
