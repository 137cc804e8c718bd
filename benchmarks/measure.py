"""Measure contenders in interleaved rounds: A, B, C, A, B, C, so that what disturbs one round disturbs all of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time
from typing import Any, Literal

Role = Literal["ours", "raw safe", "unguarded", "peer", "base"]
Colour = Literal["sync", "async"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one round of one contender took.

    Attributes:
        operations: How many operations were done.
        wall_s: Seconds from the first to the last.
        cpu_s: Seconds of processor time of this process meanwhile; 0 where other processes did the work.
        latencies_s: Seconds of each operation.
        notes: More figures, by name.
    """

    operations: int
    wall_s: float
    cpu_s: float
    latencies_s: Sequence[float]
    notes: dict[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work of an item.

    Attributes:
        name: What the tables call it.
        role: Ours, hand-written safe code, hand-written code without guards, another mapper, or a base line.
        run: Does the work of one round; the argument says how large the round is.
        colour: Whether it blocks or uses asyncio; ratios compare like with like.
        prepare: What is done before each round, and not measured.
        lacks: What it does not guarantee.
    """

    name: str
    role: Role
    run: Callable[[Effort], Sample]
    colour: Colour = "sync"
    prepare: Callable[[], object] | None = None
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done.

    Attributes:
        rounds: How often every contender has its turn.
        operations: Operations in a round of an item that counts them.
        seconds: Length of a round of an item that takes time.
        scale: 1, or less to make large items smaller.
        sizes: Numbers of resources on the scaling curves.
    """

    rounds: int = 7
    operations: int = 300
    seconds: float = 2.0
    scale: float = 1.0
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000)

    def scaled(self, number: int) -> int:
        """Return the size of something large."""
        return max(10, round(number * self.scale))


@dataclass(slots=True)
class Result:
    """All rounds of one contender."""

    contender: Contender
    samples: list[Sample] = field(default_factory=list[Sample])
    problem: str = ""

    @property
    def seconds(self) -> list[float]:
        """Seconds an operation in each round: time for one client, the inverse of the throughput for many."""
        return [sample.wall_s / max(1, sample.operations) for sample in self.samples]

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        latencies = sorted(one for sample in self.samples for one in sample.latencies_s)
        notes = {name: median(sample.notes[name] for sample in self.samples) for name in self._notes()}
        return {
            "name": self.contender.name,
            "role": self.contender.role,
            "colour": self.contender.colour,
            "lacks": self.contender.lacks,
            "problem": self.problem,
            "seconds": median(self.seconds) if self.samples else None,
            "cpu_seconds": median(s.cpu_s / max(1, s.operations) for s in self.samples) if self.samples else None,
            "p50": percentile(latencies, 0.5),
            "p99": percentile(latencies, 0.99),
            "rounds": [
                {"operations": sample.operations, "wall_s": sample.wall_s, "cpu_s": sample.cpu_s, **sample.notes}
                for sample in self.samples
            ],
            "notes": notes,
        }

    def _notes(self) -> list[str]:
        return list(self.samples[0].notes) if self.samples else []


def percentile(ordered: Sequence[float], part: float) -> float | None:
    """Return the value below which that part of them lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None


def measure(contenders: Sequence[Contender], effort: Effort, say: Callable[[str], None]) -> list[Result]:
    """Let everybody have a short turn to warm up, and then a turn in each round.

    A contender that fails is left out of the rest, with its error as the result; others go on.
    """
    results = [Result(contender) for contender in contenders]
    warm = Effort(1, max(3, effort.operations // 10), min(0.2, effort.seconds), effort.scale, effort.sizes)
    for number in range(-1, effort.rounds):
        for result in results:
            if result.problem:
                continue
            say(f"{result.contender.name}, " + (f"round {number + 1}" if number >= 0 else "warming up"))
            try:
                sample = _turn(result.contender, warm if number < 0 else effort)
            except Exception as problem:  # noqa: BLE001 - whatever a contender raises is its result
                result.problem = f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
                result.samples.clear()
                continue
            if number >= 0:
                result.samples.append(sample)
    return results


def _turn(contender: Contender, effort: Effort) -> Sample:
    if contender.prepare is not None:
        contender.prepare()
    with steady_memory():
        return contender.run(effort)


@contextmanager
def steady_memory() -> Iterator[None]:
    """Collect garbage before, and keep what is older out of the collector's sight: each pays for its own garbage."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def one_client(work: Callable[[], object], *, operations: int | None = None) -> Callable[[Effort], Sample]:
    """Make a round of one blocking client."""

    def run(effort: Effort) -> Sample:
        latencies: list[float] = []
        cpu, begun = process_time(), perf_counter()
        for _ in range(operations or effort.operations):
            start = perf_counter()
            work()
            latencies.append(perf_counter() - start)
        return Sample(len(latencies), perf_counter() - begun, process_time() - cpu, latencies)

    return run


def one_task(
    runner: asyncio.Runner, work: Callable[[], Awaitable[object]], *, operations: int | None = None
) -> Callable[[Effort], Sample]:
    """Make a round of one asyncio task."""

    async def turns(count: int) -> Sample:
        latencies: list[float] = []
        cpu, begun = process_time(), perf_counter()
        for _ in range(count):
            start = perf_counter()
            await work()
            latencies.append(perf_counter() - start)
        return Sample(len(latencies), perf_counter() - begun, process_time() - cpu, latencies)

    return lambda effort: runner.run(turns(operations or effort.operations))


def many_tasks(runner: asyncio.Runner, tasks: int, work: Callable[[], Awaitable[object]]) -> Callable[[Effort], Sample]:
    """Make a round of so many asyncio tasks, each doing one operation after the other until the time is up."""
    return lambda effort: runner.run(storm(tasks, work, effort.seconds))


async def storm(tasks: int, work: Callable[[], Awaitable[object]], seconds: float) -> Sample:
    """Let tasks work side by side for some seconds; what has begun is finished and counted."""
    latencies: list[float] = []
    cpu, begun = process_time(), perf_counter()

    async def one() -> None:
        while (start := perf_counter()) < begun + seconds:
            await work()
            latencies.append(perf_counter() - start)

    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(one())
    return Sample(len(latencies), perf_counter() - begun, process_time() - cpu, latencies)
