"""The report of a run: the verdict on each rule, for each backend and mode; red if a rule was not shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """The verdict on one rule, or on one test."""

    PASSED = "passed"
    FAILED = "failed"
    GAP = "gap"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, order=True)
class Column:
    """One backend in one mode."""

    backend: str
    mode: str

    def __str__(self) -> str:
        return f"{self.backend} {self.mode}"


@dataclass(slots=True)
class Report:
    """The outcomes of a run.

    Attributes:
        rules: Every rule that the suite has tests for.
        is_partial: Whether tests were selected or the run was cut short, so that missing rules are not a failure.
    """

    rules: tuple[str, ...]
    is_partial: bool = False
    _columns: dict[Column, dict[str, list[Verdict]]] = field(default_factory=dict)
    _reasons: dict[tuple[Column, str], str] = field(default_factory=dict)
    _tests: Counter[Column] = field(default_factory=Counter)

    def expect(self, column: Column) -> None:
        """Note that a backend and mode must show the rules."""
        self._columns.setdefault(column, defaultdict(list))

    def add(self, column: Column, rules: Iterable[str], verdict: Verdict, *, reason: str = "") -> None:
        """Note the outcome of one test.

        Args:
            column: The backend and mode.
            rules: The rules that the test names.
            verdict: Its outcome; ``NOT_RUN`` for a test that was skipped.
            reason: Why, for a gap or a skip; where to look, for a failure.
        """
        self.expect(column)
        if verdict is not Verdict.NOT_RUN:
            self._tests[column] += 1
        for rule in rules:
            self._columns[column][rule].append(verdict)
            if reason:
                self._reasons[column, rule] = reason

    @property
    def columns(self) -> tuple[Column, ...]:
        """The backends and modes, in order."""
        return tuple(sorted(self._columns))

    @property
    def executed(self) -> int:
        """The number of tests that ran."""
        return sum(self._tests.values())

    def verdict(self, column: Column, rule: str) -> Verdict:
        """Return the verdict on a rule: the worst of its tests. A rule with a test that did not run is not shown."""
        found = self._columns[column].get(rule, [])
        for worst in (Verdict.FAILED, Verdict.NOT_RUN, Verdict.GAP):
            if worst in found:
                return worst
        return Verdict.PASSED if found else Verdict.NOT_RUN

    def missing(self) -> list[tuple[Column, str]]:
        """Return the rules that were not shown."""
        return [
            (column, rule) for column in self._columns for rule in self.rules
            if self.verdict(column, rule) is Verdict.NOT_RUN
        ]  # fmt: skip

    @property
    def is_red(self) -> bool:
        """Whether a rule failed, or, in a run that is not partial, a rule was not shown or nothing ran."""
        has_failed = any(
            self.verdict(column, rule) is Verdict.FAILED for column in self._columns for rule in self.rules
        )
        return has_failed or (not self.is_partial and (self.executed == 0 or bool(self.missing())))

    def to_dict(self) -> Mapping[str, Any]:
        """Return the report as JSON values."""
        return {
            "verdict": "red" if self.is_red else "partial" if self.is_partial else "green",
            "partial": self.is_partial,
            "executed": self.executed,
            "columns": [
                {
                    "backend": column.backend,
                    "mode": column.mode,
                    "tests": self._tests[column],
                    "rules": {rule: str(self.verdict(column, rule)) for rule in self.rules},
                    "reasons": {rule: why for (at, rule), why in self._reasons.items() if at == column},
                }
                for column in self.columns
            ],
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        columns = self.columns
        widths = [max(len(str(column)), 9) for column in columns]
        if columns:
            yield "rule    " + "  ".join(f"{column!s:{width}}" for column, width in zip(columns, widths, strict=True))
        for rule in self.rules:
            cells = [self._cell(column, rule) for column in columns]
            if columns:
                yield f"{rule:8}" + "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        for (column, rule), why in sorted(self._reasons.items()):
            yield f"{rule} on {column}: {why}"
        yield self._sum()

    def _cell(self, column: Column, rule: str) -> str:
        verdict = self.verdict(column, rule)
        found = self._columns[column].get(rule, [])
        if verdict is Verdict.FAILED:
            return f"FAILED {found.count(Verdict.FAILED)}/{len(found)}"
        return f"{len(found)}" if verdict is Verdict.PASSED else str(verdict)

    def _sum(self) -> str:
        counts = Counter(self.verdict(column, rule) for column in self._columns for rule in self.rules)
        verdict = "RED" if self.is_red else "partial" if self.is_partial else "green"
        if self.is_red and self.is_partial:
            verdict = "RED, partial"
        shown = ", ".join(f"{counts[item]} {item}" for item in Verdict if counts[item]) or "no backend"
        return f"{verdict}: {self.executed} tests ran; rules by backend and mode: {shown}"
