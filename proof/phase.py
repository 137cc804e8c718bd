"""Phases, the parts of the proof: their budgets, results and rounds.

A phase is a value: a name, its backends and a function. To add one, write the function and name the phase in the list
of ``tests/proof/prove.py``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final, Protocol

from proof.nemesis import Nemesis
from proof.rig import Rig
from proof.running import Load

_ROUND_S: Final = 12.0
_MIN_ROUND_S: Final = 2.0
_KEPT: Final = 20


@dataclass(frozen=True, slots=True)
class Budget:
    """The budget of a phase, which always runs at least one round.

    Attributes:
        seconds: How long; None if ``operations`` decides, so that a quick run always does the same.
        operations: A size in a unit of the phase; None for no limit.
    """

    seconds: float | None = None
    operations: int | None = None


@dataclass(slots=True)
class PhaseResult:
    """The result of a phase on one backend, in plain values for JSON.

    Attributes:
        phase: The name of the phase.
        backend: The name of the backend.
        seed: The seed.
        numbers: The counts.
        faults: How often each fault struck.
        violations: Violated promises; empty if all held.
        series: Measured values, for plots.
        notes: What a reader should know.
        seconds: How long it took; set by the runner.
    """

    phase: str
    backend: str
    seed: int
    numbers: dict[str, float] = field(default_factory=dict[str, float])
    faults: dict[str, int] = field(default_factory=dict[str, int])
    violations: list[str] = field(default_factory=list[str])
    series: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    notes: list[str] = field(default_factory=list[str])
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether there is no violation."""
        return not self.violations

    def add(self, **numbers: float) -> None:
        """Add to the counts."""
        for name, number in numbers.items():
            self.numbers[name] = self.numbers.get(name, 0) + number

    def most(self, **numbers: float) -> None:
        """Keep the maximum of each."""
        for name, number in numbers.items():
            self.numbers[name] = max(self.numbers.get(name, 0), number)

    def struck(self, *counts: dict[str, int]) -> None:
        """Add to the faults."""
        self.faults = dict(sum(map(Counter, counts), Counter(self.faults)))

    def violated(self, texts: list[str]) -> None:
        """Add violations: all are counted, the first are kept."""
        self.add(violations=len(texts))
        self.violations += texts[: max(0, _KEPT - len(self.violations))]


class Run(Protocol):
    """The function of a phase."""

    def __call__(self, rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:
        """Run the phase on one backend.

        Args:
            rig: The backend.
            budget: How much to do.
            seed: The seed.
            out: An empty folder for histories and other evidence of violations.
        """
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of the proof.

    Attributes:
        name: For the report.
        what: What it shows, in one sentence.
        backends: The names of its backends.
        run: The function.
        share: Its share of the time, relative to the others.
    """

    name: str
    what: str
    backends: tuple[str, ...]
    run: Run
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Round:
    """A part of a phase with a history of its own."""

    number: int
    load: Load
    nemesis: Nemesis
    seed: int
    out: Path


def rounds(
    loads: tuple[Load, ...], nemeses: tuple[Callable[[], Nemesis], ...], budget: Budget, seed: int, out: Path
) -> Iterator[Round]:
    """Yield rounds until the budget is used: each load with each nemesis in turn, each with its own seed."""
    begun = time.monotonic()
    combined = [(load, nemesis) for nemesis in nemeses for load in loads]
    for number in count():
        load, nemesis = combined[number % len(combined)]
        left_s = None if budget.seconds is None else budget.seconds - (time.monotonic() - begun)
        if number and (number == len(combined) if left_s is None else left_s < _MIN_ROUND_S):
            return
        folder = out / f"round-{number}"
        folder.mkdir(parents=True)
        seconds = None if left_s is None else _round_s(left_s, budget.seconds or 0.0, len(combined))
        sized = Load(
            load.workload,
            threads=load.threads,
            tasks=load.tasks,
            processes=load.processes,
            operations=budget.operations or load.operations,
            seconds=seconds,
            retry=load.retry,
        )
        yield Round(number, sized, nemesis(), seed * 1000 + number, folder)


def _round_s(left_s: float, all_s: float, combined: int) -> float:
    """Return the length of a round: every combination gets a turn, and judging takes part of the time."""
    return max(1.0, min(_ROUND_S, 0.7 * left_s, 0.7 * all_s / combined))


def loads(workload: str) -> tuple[Load, ...]:
    """Return the loads of a workload: many threads, many tasks, and several processes with both."""
    return (
        Load(workload, threads=8),
        Load(workload, tasks=32),
        Load(workload, processes=3, threads=4, tasks=4),
    )
