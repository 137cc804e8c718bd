"""What a part of the proof is: how much it may do, what it gives back, and the rounds that it is made of.

A phase is one value: a name, the backends that it is for, and a function. Another is added by writing its function and
naming it in the list of ``tests/proof/prove.py``.
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
    """How much a phase may do: for so long, or so much; at least one round.

    Attributes:
        seconds: For how long; None where ``operations`` decides, so that a quick run always does the same.
        operations: A size, whose unit is the phase's own; None for no bound.
    """

    seconds: float | None = None
    operations: int | None = None


@dataclass(slots=True)
class PhaseResult:
    """What a phase has found on one backend; made of plain values, for JSON.

    Attributes:
        phase: The name of the phase.
        backend: The name of the backend.
        seed: What repeats it.
        numbers: What was counted.
        faults: How often each fault struck.
        violations: What must not be; empty where the promise held.
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
        """Whether nothing was found that must not be."""
        return not self.violations

    def add(self, **numbers: float) -> None:
        """Add to what was counted."""
        for name, number in numbers.items():
            self.numbers[name] = self.numbers.get(name, 0) + number

    def most(self, **numbers: float) -> None:
        """Keep the greatest of each."""
        for name, number in numbers.items():
            self.numbers[name] = max(self.numbers.get(name, 0), number)

    def struck(self, *counts: dict[str, int]) -> None:
        """Add to the faults."""
        self.faults = dict(sum(map(Counter, counts), Counter(self.faults)))

    def violated(self, texts: list[str]) -> None:
        """Note violations: all are counted, the first are kept."""
        self.add(violations=len(texts))
        self.violations += texts[: max(0, _KEPT - len(self.violations))]


class Run(Protocol):
    """Does one phase on one backend."""

    def __call__(self, rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:
        """Do it.

        Args:
            rig: The backend.
            budget: How much to do.
            seed: What repeats it.
            out: An empty folder for histories and whatever else helps to look into a violation.
        """
        ...


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of the proof.

    Attributes:
        name: For the report.
        what: What it shows, in a sentence.
        backends: The names of the backends that it is for.
        run: Does it.
        share: Its part of the time, relative to the others.
    """

    name: str
    what: str
    backends: tuple[str, ...]
    run: Run
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Round:
    """A part of a phase, whose history is judged by itself."""

    number: int
    load: Load
    nemesis: Nemesis
    seed: int
    out: Path


def rounds(
    loads: tuple[Load, ...], nemeses: tuple[Callable[[], Nemesis], ...], budget: Budget, seed: int, out: Path
) -> Iterator[Round]:
    """Yield rounds until the budget is used: each load with each nemesis in turn, each with a seed of its own."""
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
    """Give the length of a round: each combination has its turn, and judging the history takes a part of the time."""
    return max(1.0, min(_ROUND_S, 0.7 * left_s, 0.7 * all_s / combined))


def loads(workload: str) -> tuple[Load, ...]:
    """Give the loads of a workload: many threads, many tasks, and several processes of both."""
    return (
        Load(workload, threads=8),
        Load(workload, tasks=32),
        Load(workload, processes=3, threads=4, tasks=4),
    )
