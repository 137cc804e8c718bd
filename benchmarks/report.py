"""The tables: for the terminal while it is fresh, and as the page docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.goals import Verdict, verdicts
from benchmarks.plots import plot

Results = Mapping[str, Any]
HEAD = """# Performance

<!-- Made by `python3 dev.py bench`: do not edit, run it again. -->

This page compares how long the same work takes with emco_store, with the shortest hand-written driver code that is as
safe ("raw safe", `benchmarks/raw/`), and with other mappers, used as their documentation says. All contenders of an
item take turns in one run (A, B, C, A, B, C), with client and server on one machine. A figure is the median of
{rounds} rounds. A ratio is one of medians, followed by the least and the greatest ratio in any round. The resource
has about 1 KB, and all contenders validate it with pydantic (MongoEngine: with its own fields). Read the ratios;
times depend on the machine.

MongoDB is a replica set of one member whose oplog is read, as secondaries do in every larger set
(`benchmarks/oplog.py` says why that matters).

The machine and the software:

{machine}

To repeat it: `python3 dev.py bench`. The figures of every round: [results.json](performance/results.json). Why some
goals are missed: [What makes it fast, and where that ends](explanation/speed.md). What approvals, histories, beats,
fences and events cost: [Performance of lifecycles, leases and the feed](performance/capabilities.md).
"""
CAPABILITIES = """# Performance of lifecycles, leases and the feed

<!-- Made by `python3 dev.py bench`: do not edit, run it again. -->

This page shows what [lifecycles](../reference/lifecycles.md), approvals, [statuses](../reference/status.md),
[histories](../reference/history.md), [leases](../reference/leases.md) and the [feed](../reference/feed.md) cost. The
contenders of an item take turns in one run (A, B, C, A, B, C), with client and server on one machine. A figure is the
median of {rounds} rounds. A ratio is one of medians, followed by the least and the greatest ratio in any round. The
resources have about 1 KB. "Raw safe" is the shortest hand-written code that is as safe (`benchmarks/raw/`). Read the
ratios and the client's processor time; other times depend on the machine and on what else runs there.

The time of an event is that from the call that commits until a watcher in another process has the event. Beside it
stands how long after the acknowledgement that is; where it is less than 0, the event was there first. The processor
time is that of the watcher. The writer pauses for 5 ms after each commit.

How many requests each call sends is fixed by tests (`tests/unit/test_lifecycle_requests.py`).

The machine and the software:

{machine}

To repeat it: `python3 dev.py bench --only lifecycle --only lease --only feed`. The figures of every round:
[capabilities.json](capabilities.json). What watchers cost a server, and how soon a death is noticed:
[What makes it fast, and where that ends](../explanation/speed.md#what-watchers-cost).
"""
CAPABLE = ("lifecycle", "lease", "feed")
"""What the names of items and curves of the second page contain."""


@dataclass(frozen=True, slots=True)
class PageOf:
    """One page of the documentation: some of the items, with their curves.

    Attributes:
        file: Where it is, below the folder.
        figures: Where the figures are.
        head: How it begins.
        is_of_capabilities: Which items it has.
    """

    file: str
    figures: str
    head: str
    is_of_capabilities: bool

    def part(self, results: Results) -> dict[str, Any]:
        """Return the results that the page shows."""
        mine = {kind: [one for one in results[kind] if self._has(one["name"])] for kind in ("items", "curves")}
        return {**results, **mine}

    def _has(self, name: str) -> bool:
        return any(part in name for part in CAPABLE) == self.is_of_capabilities


PAGES = (
    PageOf("performance.md", "performance/results.json", HEAD, is_of_capabilities=False),
    PageOf("performance/capabilities.md", "performance/capabilities.json", CAPABILITIES, is_of_capabilities=True),
)


def write(results: Results, folder: Path, *, keeps: bool) -> None:
    """Write pages, plots and figures below a folder; a page of which nothing was measured stays as it is.

    Args:
        results: The results of a run.
        folder: Where.
        keeps: Whether a page keeps what was measured in another run and not in this one; it says so of each item.
    """
    beside = folder / "performance"
    beside.mkdir(parents=True, exist_ok=True)
    for curve in results["curves"]:
        (beside / f"{curve['name']}.svg").write_text(plot(curve), "utf-8")
    for one in PAGES:
        part = one.part(results)
        if part["items"] or part["curves"]:
            figures = folder / one.figures
            if keeps and figures.exists():
                part = together(json.loads(figures.read_text("utf-8")), part)
            figures.write_text(json.dumps(part, indent=1) + "\n", "utf-8")
            (folder / one.file).write_text(page(part, one), "utf-8")


def together(before: Results, now: Results) -> dict[str, Any]:
    """Return the results of a run, and beside them what an earlier one has measured and this one has not.

    A run of curves alone is put beside the items that are there; otherwise the newer run is that of the page.
    """
    main = now if now["items"] else before
    found = dict(main)
    for kind in ("items", "curves"):
        there: dict[str, Any] = {}
        for run in (before, now):
            of = {} if run is main else {"run": run_of(run)}
            there |= {one["name"]: {**of, **one} for one in run[kind]}
        found[kind] = [*there.values()]
    return found


def run_of(results: Results) -> dict[str, Any]:
    """Return which run it was, as each item says it that a later one keeps."""
    load = results["machine"].get("load average meanwhile", "unknown")
    return {"begun": results["begun"], "rounds": results["rounds"], "load": load}


def page(results: Results, one: PageOf) -> str:
    """Return a page."""
    machine = "\n".join(f"- {name}: {value}" for name, value in results["machine"].items())
    parts = [one.head.format(rounds=results["rounds"], machine=machine)]
    if results["is_quick"]:
        parts.append("This was a quick run: it shows that the instrument works, and no more.\n")
    parts += ["## Goals\n", _goals(results), "## All figures\n"]
    for item in results["items"]:
        parts += [f"### {item['title']}\n", _other_run(item), "\n".join(_figures(item)) + "\n"]
    if results["curves"]:
        parts.append("## Scaling\n")
        place = "" if "/" in one.file else "performance/"
        by_run = groupby(sorted(results["curves"], key=_other_run), _other_run)
        for run, curves in by_run:
            parts += [run, *(f"![{curve['title']}]({place}{curve['name']}.svg)\n" for curve in curves)]
    return "\n".join(part for part in parts if part)


def _other_run(one: Mapping[str, Any]) -> str:
    """Say which run it was, of an item or curves that were kept."""
    if "run" not in one:
        return ""
    run = one["run"]
    return f"Measured in another run, of {run['begun'][:10]}: {run['rounds']} rounds, load average {run['load']}.\n"


def _goals(results: Results) -> str:
    titles = {item["name"]: item["title"] for item in results["items"]}
    rows = ["| work | against | measured | least, greatest | goal | met | the other does not guarantee |",
            "| --- | --- | ---: | --- | --- | --- | --- |"]  # fmt: skip
    before = ""
    for one in verdicts(results["items"]):
        title = titles[one.item] if one.item != before else ""
        before = one.item
        rows.append(
            f"| {title} | {one.other or '-'} | {measured(one)} | {one.low:.2f}, {one.high:.2f} | {one.goal.text} | "
            f"{'yes' if one.is_met else '**no**'} | {one.lacks} |"
        )
    return "\n".join(rows) + "\n"


def measured(one: Verdict) -> str:
    """Return the ratio or amount of a goal for people."""
    if one.goal.kind in {"time", "CPU"}:
        return f"{one.value:.2f}"
    if one.goal.kind == "throughput":
        return f"{one.value:.2f} x"
    return f"{one.value:.0f} {one.goal.kind}"


def _figures(item: Mapping[str, Any]) -> Iterator[str]:
    yield "| | time | a second | p50 | p99 | client CPU | does not guarantee |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for one in item["contenders"]:
        if one["seconds"] is None:
            yield f"| {one['name']} | failed: {one['problem']} | | | | | |"
            continue
        notes = "".join(f"; {name} {value:.3g}" for name, value in one["notes"].items())
        times = " | ".join(duration(one[name]) for name in ("p50", "p99", "cpu_seconds"))
        a_second = f"{1 / one['seconds']:.0f}"
        yield f"| {one['name']} | {duration(one['seconds'])}{notes} | {a_second} | {times} | {one['lacks']} |"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def terminal(results: Results) -> str:
    """Return the goals as lines of text."""
    found = verdicts(results["items"])
    titles = {item["name"]: item["title"] for item in results["items"]}
    lines = ["A quick run: small sizes, rough ratios."] if results["is_quick"] else []
    for item in results["items"]:
        lines.append(f"\n{titles[item['name']]}")
        lines += [_contender(one) for one in item["contenders"]]
        lines += [_verdict(one) for one in found if one.item == item["name"]]
    met = sum(one.is_met for one in found)
    return "\n".join([*lines, "", f"{met} of {len(found)} goals are met."])


def _contender(one: Mapping[str, Any]) -> str:
    if one["seconds"] is None:
        return f"    {one['name']:38} failed: {one['problem']}"
    notes = "".join(f"  {name} {value:.3g}" for name, value in one["notes"].items())
    times = f"{duration(one['seconds']):>10}  p99 {duration(one['p99']):>9}  CPU {duration(one['cpu_seconds']):>9}"
    return f"    {one['name']:38} {times}{notes}"


def _verdict(one: Verdict) -> str:
    mark = "met   " if one.is_met else "MISSED"
    against = f" against {one.other}" if one.other else ""
    return f"    {mark} {measured(one)}{against} ({one.low:.2f} to {one.high:.2f}; goal {one.goal.text})"


def gaps(results: Results) -> Sequence[str]:
    """Name the items and contenders that failed."""
    return [
        *results["problems"],
        *(
            f"{item['name']}: {one['name']}: {one['problem']}"
            for item in results["items"]
            for one in item["contenders"]
            if one["problem"]
        ),
    ]
