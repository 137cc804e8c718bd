"""The page on EMCO's breakages: ``python -m tests.proof.emco_page --rounds 300`` runs the races and writes it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from proof.rig import Rig
from tests.proof.emco_crews import BATCH, Crew, Threads, crews, run_race
from tests.proof.emco_lifecycle_races import ELSEWHERE, RACES, WITHOUT
from tests.proof.emco_races import Race
from tests.proof.prove import BACKENDS, rig_of

FOLDER = Path(__file__).parents[2] / "docs" / "explanation"
PAGE = FOLDER / "emco-breakages.md"
NUMBERS = FOLDER / "emco-breakages.json"
TAKEN_OUT_ON = "redis"
"""Where the races are run once more with a piece of the backend taken out."""

HEAD = """\
# What breaks in EMCO, and here

The data layer of EMCO, which this library succeeds, was measured with its own code on a real MongoDB: a study lists 56
ways to break it. These are the 53 that concern the store, concurrency, the states of deployments, who carries them out,
and what services are told; numbers in the column *In EMCO* are the study's. Most are run as races here, through the
public calls: the actors of a round begin at once, in threads on one store, in tasks on one asyncio store, and on
servers in processes with a store each. After each round everything that is stored is looked at: nothing may dangle,
what was acknowledged is there, nothing comes back, nothing is half done, and `store.check()` finds no flaw.

A number such as "0 of 300" says in how many rounds something was found that must not be. *Without* is the same race on
Redis with a piece of the backend taken out on purpose, in threads, so it shows that the race is one: the guards of
references, the versions, both of these, or the atomicity of a commit. Where there is none, no such piece holds the
breakage: the key itself does, or a refusal before any request.
"""
FOOT = """\
EMCO's other 3 breakages, B29, B55 and B56, concern encryption and the machinery of its deployer, which this library
does not have.

The races are in `tests/proof/emco_races.py`, `tests/proof/emco_segment_races.py` and
`tests/proof/emco_lifecycle_races.py`, and most have tests in `tests/breakages/` too, in every order of their steps.
`python3 dev.py prove --phase "breakages of EMCO"` runs the races for as long as you like, and
`python -m tests.proof.emco_page --rounds 300` measures and writes this page.
"""
PIECES = {
    "no guard": "without guards",
    "forgets versions": "without versions",
    "commits in halves": "in halves",
    "checks nothing": "without both",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the races, and write the numbers and the page; 1 when anything was found that must not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="rounds of each race on each backend (300)")
    parser.add_argument("--races", default="", help="only these, such as B3,B15; the numbers of the others stay")
    parser.add_argument("--again", action="store_true", help="write the page from the numbers that are there")
    asked = parser.parse_args(arguments)
    if not asked.again:
        chosen = [race for race in RACES if not asked.races or race.number in asked.races.split(",")]
        numbers = measured(asked.rounds, chosen)
        if len(chosen) < len(RACES):
            numbers = merged(json.loads(NUMBERS.read_text("utf-8")), numbers)
        NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    numbers = json.loads(NUMBERS.read_text("utf-8"))
    PAGE.write_text(page(numbers), "utf-8")
    return int(any(bad for each in numbers["found"].values() for bad, _ in each.values()))


def merged(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of an earlier run, with those of the races that were run again."""
    found = before["found"] | now["found"]
    without = before["without"] | now["without"]
    again = ", ".join(now["found"])
    versions = [
        old if old == new or _is_same_elsewhere(old, new, now["found"]) else f"{old} ({again}: {new})"
        for old, new in zip(before["versions"], now["versions"], strict=True)
    ]
    return {"versions": versions, "found": found, "without": without}


def _is_same_elsewhere(old: str, new: str, again: Iterable[str]) -> bool:
    """Return whether races ran on the version on which all did but others of them, which are named."""
    most, _, others = old.partition(" (")
    return most == new and not {race.number for race in RACES if re.search(rf"\b{race.number}\b", others)} & {*again}


def measured(rounds: int, races: Sequence[Race] = RACES) -> dict[str, Any]:
    """Run races so often on every backend, its rounds shared among the crews; then with something taken out."""
    found: dict[str, dict[str, tuple[int, int]]] = {race.number: {} for race in races}
    without: dict[str, tuple[int, int]] = {}
    versions: list[str] = []
    for name in BACKENDS:
        with rig_of(name) as rig, crews(rig) as at_work:
            versions.append(rig.version)
            for race in races:
                bad, texts = run_rounds(rig, race, list(at_work.values()), rounds)
                found[race.number][name] = bad, rounds
                _show(f"{name} {race.number}: {bad} of {rounds} {texts}")
            for race in races if name == TAKEN_OUT_ON else ():
                if race.number in WITHOUT:
                    broken = rig.broken(WITHOUT[race.number])
                    bad, _ = run_rounds(broken, race, [Threads(broken)], rounds)
                    without[race.number] = bad, rounds
                    _show(f"{name} {race.number} {PIECES[WITHOUT[race.number]]}: {bad} of {rounds}")
    return {"versions": versions, "found": found, "without": without}


def run_rounds(rig: Rig, race: Race, at_work: Sequence[Crew], rounds: int) -> tuple[int, list[str]]:
    """Run so many rounds of a race, shared among crews; return how many were bad, and what was found."""
    bad, texts = 0, list[str]()
    for at, crew in enumerate(at_work):
        names = [f"r{number}" for number in range(at, rounds, len(at_work))]
        for first in range(0, len(names), BATCH):
            more, what = run_race(rig, race, crew, names[first : first + BATCH])
            bad += more
            texts += what
    return bad, texts


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def page(numbers: dict[str, Any]) -> str:
    """Write the page from the numbers of a run."""
    return "\n".join(
        (
            HEAD,
            *_table(numbers),
            "",
            f"Run on {'; '.join(numbers['versions'][1:])}; and {numbers['versions'][0]}.",
            "",
            *_elsewhere(),
            FOOT,
        )
    )


def _table(numbers: dict[str, Any]) -> Iterator[str]:
    heads = ("", "What happens", "In EMCO", *("in memory", "Redis", "MongoDB"), "Without", "Rules")
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for race in RACES:
        found = numbers["found"][race.number]
        here = [f"{bad} of {rounds}" for bad, rounds in (found[name] for name in BACKENDS)]
        cells = (race.number, race.what, race.emco, *here, _without(race, numbers), ", ".join(race.rules))
        yield f"| {' | '.join(cells)} |"


def _without(race: Race, numbers: dict[str, Any]) -> str:
    if race.number not in numbers["without"]:
        return ""
    bad, rounds = numbers["without"][race.number]
    return f"{bad} of {rounds} {PIECES[WITHOUT[race.number]]}"


def _elsewhere() -> Iterator[str]:
    for number, (what, emco, why) in ELSEWHERE.items():
        yield f"**{number}**, {_small(what)}, is no race. In EMCO: {_small(emco)}. Here: {_small(why)}\n"


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


if __name__ == "__main__":
    sys.exit(main())
