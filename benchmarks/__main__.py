"""``python -m benchmarks``: run items and curves, show the table, and write the page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import astuple
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import against, feed_curves, lease_curves, lifecycle_curves, report
from benchmarks.bench import Bench
from benchmarks.items import Item, every_item
from benchmarks.machine import describe
from benchmarks.measure import Effort, measure
from benchmarks.scaling import GROWTHS, Growth
from benchmarks.servers import servers
from emco_store.connect import SystemClock

QUICK = Effort(rounds=2, operations=20, seconds=0.2, scale=0.05, sizes=(100, 1_000))
USUAL = Effort()
FULL = Effort(sizes=(1_000, 10_000, 100_000, 1_000_000))
QUICK_SKIPS = ("scaling", "mongo-cascade-10000", "mongo-4x8", "mongo-6x1")
"""What a quick run leaves out, unless it is asked for by name."""
SHOWN_EVERY_S = 10


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; return 1 where a contender failed, and never because of a ratio."""
    known = _parser().parse_args(arguments)
    everything: list[Item | Growth] = [*every_item(), *GROWTHS]
    everything += [*lifecycle_curves.GROWTHS, *lease_curves.GROWTHS, *feed_curves.GROWTHS]
    wanted = [one for one in everything if _is_wanted(one.name, known)]
    if not wanted:
        print("No item has such a name. There are:")
    if known.list or not wanted:
        print(*(one.name for one in everything), sep="\n")
        return 0 if known.list else 2
    effort = QUICK if known.quick else FULL if known.full else USUAL
    effort = Effort(known.rounds or effort.rounds, effort.operations, effort.seconds, effort.scale, effort.sizes)
    with servers({server for one in wanted for server in one.needs}) as found:
        if known.against:
            return compare([one for one in wanted if isinstance(one, Item)], Path(known.against), effort, found)
        results = run(wanted, effort, found) | {"is_quick": known.quick}
    print(report.terminal(results))
    if known.out:
        report.write(results, Path(known.out), keeps=bool(known.only or known.without))
        print(f"\nWritten: {Path(known.out) / 'performance.md'}")
    failed = report.gaps(results)
    for one in failed:
        print(f"FAILED {one}")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within a minute: that it works, and rough ratios")
    parser.add_argument("--full", action="store_true", help="the curves up to 1,000,000 resources; many minutes more")
    parser.add_argument("--only", action="append", metavar="NAME", help="items whose name holds this; repeatable")
    parser.add_argument("--without", action="append", metavar="NAME", default=[], help="none whose name holds this")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds, 7 unless it is quick")
    parser.add_argument(
        "--out", metavar="FOLDER", help="write the pages there, e.g. docs; with --only they keep the rest"
    )
    parser.add_argument("--against", metavar="FOLDER", help="compare with another checkout, in alternating rounds")
    parser.add_argument("--list", action="store_true", help="the names of all items")
    return parser


def _is_wanted(name: str, known: Any) -> bool:
    if any(part in name for part in known.without):
        return False
    if known.only:
        return any(part in name for part in known.only)
    return not (known.quick and name.startswith(QUICK_SKIPS))


def run(wanted: Sequence[Item | Growth], effort: Effort, found: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Measure everything whose servers are there."""
    urls = {name: url for name, (url, _) in found.items()}
    results: dict[str, Any] = {
        "begun": SystemClock().now().isoformat(timespec="seconds"),
        "machine": describe() | {f"{name} server": version for name, (_, version) in found.items()},
        "rounds": effort.rounds,
        "items": [],
        "curves": [],
        "problems": [],
    }
    loads = [os.getloadavg()[0]]
    for one in wanted:
        if any(server not in found for server in one.needs):
            continue
        begun, say = perf_counter(), _speaker(one.name)
        try:
            with Bench(one.name, urls, effort, say) as bench:
                if isinstance(one, Growth):
                    results["curves"].append({"name": one.name, **one.curve(bench)})
                else:
                    figures = [result.as_json() for result in measure(list(one.contenders(bench)), effort, say)]
                    results["items"].append({"name": one.name, "title": one.title, "contenders": figures})
        except Exception as problem:  # noqa: BLE001 - the other items are measured all the same
            results["problems"].append(f"{one.name}: {type(problem).__name__}: {problem}")
        loads.append(os.getloadavg()[0])
        say(f"done in {perf_counter() - begun:.1f} s", end="\n")
    results["machine"]["load average meanwhile"] = f"{min(loads):.1f} to {max(loads):.1f}"
    return results


def compare(wanted: Sequence[Item], other: Path, effort: Effort, found: dict[str, tuple[str, str]]) -> int:
    """Print this checkout's figures beside those of another one; return 0, since a ratio is for people to judge."""
    urls = {name: url for name, (url, _) in found.items()}
    print(against.HEAD)
    for one in wanted:
        if all(server in found for server in one.needs):
            for row in against.compare(other.resolve(), one.name, urls, astuple(effort)):
                print(row, flush=True)
    return 0


def _speaker(name: str) -> Callable[..., None]:
    """Make the function that shows progress: in place on a terminal, and elsewhere a line now and then."""
    shown_s = perf_counter()

    def say(text: str, end: str = "") -> None:
        nonlocal shown_s
        if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            print(f"\r\033[K{name}: {text}", end=end, file=sys.stderr, flush=True)
        elif end or perf_counter() > shown_s + SHOWN_EVERY_S:
            print(f"{name}: {text}", file=sys.stderr, flush=True)
            shown_s = perf_counter()

    return say


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
