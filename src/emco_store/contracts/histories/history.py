"""The record of a run: what each client asked, when, and the answer; JSON lines, in one file for each process.

Times are those of ``time.monotonic_ns``. On Linux that is one clock for all processes of a host (clock_gettime(2),
CLOCK_MONOTONIC), so an operation that ended before another began can be distinguished from one that overlapped it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO


class Result(StrEnum):
    """What a client knows about the effect of its operation."""

    OK = "ok"
    """It happened."""
    FAILED = "failed"
    """It did not happen, and says nothing about the state."""
    UNKNOWN = "unknown"
    """It has happened, will happen, or never will."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one client. A client has one operation at a time.

    Attributes:
        process: The client.
        called_ns: When it began.
        returned_ns: When the answer came; None if none did.
        result: What is known about its effect.
        steps: The steps, in the form of the workload: lists of plain values.
        problem: The class of its error; empty for none.
    """

    process: str
    called_ns: int
    returned_ns: int | None
    result: Result
    steps: tuple[Any, ...]
    problem: str = ""

    @property
    def took_ms(self) -> float:
        """Milliseconds from call to answer; 0 if no answer came."""
        return 0.0 if self.returned_ns is None else (self.returned_ns - self.called_ns) / 1e6

    def __str__(self) -> str:
        end = "…" if self.returned_ns is None else f"{self.took_ms:.1f} ms"
        return f"{self.process} at {self.called_ns / 1e9:.6f} s for {end} ({self.result}): {_shown(self.steps)}"


@dataclass(slots=True)
class History:
    """All operations of a run, and its counts.

    Attributes:
        operations: The operations in the order of their calls.
        counts: Totals of all clients.
    """

    operations: list[Operation]
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def of(self, result: Result) -> list[Operation]:
        """Return the operations with this result."""
        return [operation for operation in self.operations if operation.result is result]


class Call:
    """An operation under way; built by :meth:`Recorder.call`."""

    def __init__(self, recorder: Recorder, process: str, steps: Iterable[Any]) -> None:
        self._recorder = recorder
        self.process = process
        self.steps = tuple(steps)
        self.called_ns = time.monotonic_ns()

    def ends(self, result: Result, steps: Iterable[Any] | None = None, problem: str = "") -> None:
        """Record how it ended.

        Args:
            result: What is known about its effect.
            steps: The steps, if they differ from those of the call: with what was read.
            problem: The class of its error.
        """
        line = {"p": self.process, "c": self.called_ns, "r": time.monotonic_ns(), "o": result.value}
        self._recorder.write(line | {"s": list(self.steps if steps is None else steps), "e": problem})


class Recorder:
    """Writes the history of one process. Its threads and tasks may share it.

    A call is written before it is made, so that the call of a killed client is read as unknown.

    Args:
        path: The file; created, or appended to.
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def call(self, process: str, steps: Iterable[Any]) -> Call:
        """Record that an operation begins."""
        call = Call(self, process, steps)
        self.write({"p": process, "c": call.called_ns, "s": list(call.steps)})
        return call

    def count(self, counts: Mapping[str, int]) -> None:
        """Record counts."""
        self.write({"n": dict(counts)})

    def write(self, line: Mapping[str, Any]) -> None:
        """Write one line, and flush it to the operating system."""
        text = json.dumps(line, separators=(",", ":")) + "\n"
        with self._lock:
            self._file.write(text)
            self._file.flush()


def read(*paths: Path) -> History:
    """Read the parts of a history, in the order of the calls.

    A line that a killed process did not finish is skipped.
    """
    calls: dict[tuple[str, int], Operation] = {}
    counts: dict[str, int] = {}
    for line in _lines(paths):
        if "n" in line:
            for name, number in line["n"].items():
                counts[name] = counts.get(name, 0) + number
            continue
        operation = Operation(
            process=line["p"],
            called_ns=line["c"],
            returned_ns=line.get("r"),
            result=Result(line.get("o", Result.UNKNOWN)),
            steps=tuple(line["s"]),
            problem=line.get("e", ""),
        )
        calls[operation.process, operation.called_ns] = operation
    return History(sorted(calls.values(), key=lambda each: each.called_ns), counts)


def _lines(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for text in path.read_text("utf-8").splitlines():
            try:
                yield json.loads(text)
            except json.JSONDecodeError:
                continue


def _shown(steps: Iterable[Any]) -> str:
    return ", ".join(" ".join(map(str, step)) if isinstance(step, list | tuple) else str(step) for step in steps)
