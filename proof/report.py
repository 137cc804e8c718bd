"""The report of a run, as JSON and as a page with tables and plots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from proof.phase import Phase, PhaseResult
from proof.plots import bars

NOT_COVERED: Final = (
    "Power loss: what a disk says that it has written is believed.",
    "Sharded MongoDB clusters, which the library refuses.",
    "Failover of a Redis Cluster, and two Redis primaries at once.",
    "Servers of other versions than those named above, and machines with several hosts: all ran on one.",
    "Anomalies of predicates beyond `children`, `referrers` and `list(parent=…)`, which the interleavings look at.",
)
"""What no phase covers."""


@dataclass(slots=True)
class Report:
    """The report so far.

    Attributes:
        begun: When the run began, in UTC.
        minutes: How long it should run.
        seed: The seed.
        versions: The versions of this package, of Python and of the servers.
        machine: The machine.
        phases: What each phase shows.
        results: The results, in order.
        missing: Backends that are missing, and phases that did not run or failed, with the reason.
    """

    begun: str
    minutes: float
    seed: int
    versions: dict[str, str] = field(default_factory=dict[str, str])
    machine: str = ""
    phases: dict[str, str] = field(default_factory=dict[str, str])
    results: list[PhaseResult] = field(default_factory=list[PhaseResult])
    missing: list[str] = field(default_factory=list[str])

    def describe(self, phases: Iterable[Phase]) -> None:
        """Add what each phase shows."""
        self.phases |= {phase.name: phase.what for phase in phases}

    @property
    def holds(self) -> bool:
        """Whether something ran, all of it ended, and there are no violations."""
        return bool(self.results) and not self.missing and all(result.holds for result in self.results)

    def write(self, out: Path) -> None:
        """Write ``report.json``, ``report.md`` and the plots over those of an earlier run."""
        out.mkdir(parents=True, exist_ok=True)
        data = asdict(self) | {"holds": self.holds, "not_covered": list(NOT_COVERED)}
        (out / "report.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
        plots = dict(_plots(self.results))
        for name, text in plots.items():
            (out / name).write_text(text, "utf-8")
        (out / "report.md").write_text("\n".join(_page(self, plots)), "utf-8")


def _page(report: Report, plots: Mapping[str, str]) -> Iterator[str]:
    yield "# Report of the proof\n"
    yield (
        f"Begun {report.begun}, {sum(each.seconds for each in report.results) / 60:.1f} minutes of work, "
        f"seed {report.seed}. Verdict: **{'nothing was found' if report.holds else 'see below'}**.\n"
    )
    yield from _table(("what", "version"), [(name, text) for name, text in report.versions.items()])
    yield f"{report.machine}\n"
    if report.missing:
        yield "## Not run, or broken off\n"
        yield from (f"- {text}" for text in report.missing)
        yield ""
    yield "## Totals\n"
    yield from _table(("counted", "number"), _totals(report.results))
    for name in plots:
        yield f"![{name.removesuffix('.svg').replace('-', ' ')}]({name})\n"
    for name, what in report.phases.items():
        results = [result for result in report.results if result.phase == name]
        if results:
            yield from _section(name, what, results)
    yield "## Not covered\n"
    yield from (f"- {text}" for text in NOT_COVERED)
    yield ""


def _section(name: str, what: str, results: Sequence[PhaseResult]) -> Iterator[str]:
    yield f"## {name.capitalize()}\n"
    yield f"{what}\n"
    rows = list(dict.fromkeys(number for result in results for number in result.numbers))
    heads = ("", *(result.backend for result in results))
    yield from _table(
        heads,
        [
            *((row.replace("_", " "), *(_number(result.numbers.get(row)) for result in results)) for row in rows),
            ("faults", *(_faults(result.faults) for result in results)),
            ("seed", *(str(result.seed) for result in results)),
            ("seconds", *(f"{result.seconds:.0f}" for result in results)),
        ],
    )
    notes = [f"- {result.backend}: {_one_line(note)}" for result in results for note in result.notes]
    if notes:
        yield from (*notes, "")
    for result in results:
        for text in result.violations:
            yield f"**{result.backend}, violation**\n\n```text\n{text}\n```\n"


def _totals(results: Iterable[PhaseResult]) -> list[tuple[str, str]]:
    added: dict[str, float] = {}
    for result in results:
        for name in (
            "operations",
            "transactions",
            "judged",
            "schedules",
            "pairs",
            "deletes",
            "mutants",
            "caught",
            "violations",
        ):
            if name in result.numbers and result.phase != "guards taken out":
                added[name] = added.get(name, 0) + result.numbers[name]
        added["faults"] = added.get("faults", 0) + sum(result.faults.values())
    return [(name, _number(number)) for name, number in added.items()]


def _plots(results: Sequence[PhaseResult]) -> Iterator[tuple[str, str]]:
    checked = [(f"{each.backend}, {each.phase}", each.numbers[name]) for each in results
               for name in ("transactions", "judged", "schedules") if name in each.numbers]  # fmt: skip
    if checked:
        yield "checked.svg", bars("Transactions, calls and schedules that were judged", checked, logarithmic=True)
    deletes = [
        (f"{each.backend}, {name}", sorted(each.series["delete_ms"])[int(share * (len(each.series["delete_ms"]) - 1))])
        for each in results
        if each.series.get("delete_ms")
        for name, share in (("median", 0.5), ("99 of 100", 0.99), ("worst", 1.0))
    ]
    if deletes:
        yield "deletes.svg", bars("Time of a delete around hot targets", deletes, unit="ms", logarithmic=True)
    orphans = [
        (f"{each.backend}, {name.removeprefix('dangling with ')}", number)
        for each in results
        for name, number in each.numbers.items()
        if each.phase == "guards taken out" and name.startswith("dangling with")
    ]
    sound = [(f"{each.backend}, as it is", each.numbers.get("dangling", 0)) for each in results
             if each.phase == "interleavings"]  # fmt: skip
    if orphans:
        yield "dangling.svg", bars("Schedules that left a dangling reference", [*sound, *orphans])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    yield from (f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    yield ""


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _faults(faults: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in sorted(faults.items())) or "none"


def _one_line(text: Any) -> str:
    return str(text).replace("\n", " ")[:300]
