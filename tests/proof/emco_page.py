"""The page on EMCO's breakages: ``python -m tests.proof.emco_page --rounds 300`` runs the races and writes it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.proof.emco_crews import Threads, crews, run_race
from tests.proof.emco_lifecycle_races import ELSEWHERE, LIFECYCLES
from tests.proof.emco_races import RACES, WITHOUT, Race
from tests.proof.prove import BACKENDS, rig_of

FOLDER = Path(__file__).parents[2] / "docs" / "explanation"
PAGE = FOLDER / "emco-breakages.md"
NUMBERS = FOLDER / "emco-breakages.json"
TAKEN_OUT_ON = "redis"
"""Where the races are run once more with a piece of the backend taken out."""

HEAD = """\
# What breaks in EMCO, and here

The data layer of EMCO, which this library succeeds, was measured with its own code on a real MongoDB: a study lists 56
ways to break it. These are the 40 that concern the store, concurrency and the states of deployments; numbers in the
column *In EMCO* are the study's. Most are run as races here, through the public calls: the actors of a round begin at
once, in threads on one store, in tasks on one asyncio store, and on servers in processes with a store each. After each
round everything that is stored is looked at: nothing may dangle, what was acknowledged is there, nothing comes back,
nothing is half done, and
`store.check()` finds no flaw.

A number such as "0 of 300" says in how many rounds something was found that must not be. *Without* is the same race on
Redis with a piece of the backend taken out on purpose, in threads, so it shows that the race is one: the guards of
references, the versions, or the atomicity of a commit. Where there is none, no single piece holds the breakage: the key
itself does, or a refusal before any request.
"""
FOOT = """\
EMCO's other 16 breakages, B25 to B29 and B46 to B56, concern schemas, encryption and the machinery of its deployer,
which this library does not have. What of them concerns states has tests: a deployment can be stopped and terminated
without the deployer (B46), and its reports name their operation (B53).

The races are in `tests/proof/emco_races.py` and `tests/proof/emco_lifecycle_races.py`, and most have tests in
`tests/breakages/` too, in every order of their steps. `python3 dev.py prove --phase "breakages of EMCO"` runs the races
for as long as you like, and `python -m tests.proof.emco_page --rounds 300` measures and writes this page.
"""
PIECES = {"no guard": "without guards", "forgets versions": "without versions", "commits in halves": "in halves"}


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
        old if old == new else f"{old} ({again}: {new})"
        for old, new in zip(before["versions"], now["versions"], strict=True)
    ]
    return {"versions": versions, "found": found, "without": without}


def measured(rounds: int, races: Sequence[Race] = RACES) -> dict[str, Any]:
    """Run races so often on every backend, its rounds shared among the crews; then with something taken out."""
    found: dict[str, dict[str, tuple[int, int]]] = {race.number: {} for race in races}
    without: dict[str, tuple[int, int]] = {}
    versions: list[str] = []
    for name in BACKENDS:
        with rig_of(name) as rig, crews(rig) as at_work:
            versions.append(rig.version)
            names = [f"r{at}" for at in range(rounds // len(at_work))]
            for race in races:
                told = [run_race(rig, race, crew, names) for crew in at_work.values()]
                found[race.number][name] = (sum(bad for bad, _ in told), len(names) * len(told))
                sys.stdout.write(
                    f"{name} {race.number}: {found[race.number][name]} {[text for _, text in told if text]}\n"
                )
            for race in races if name == TAKEN_OUT_ON else ():
                if race.number in WITHOUT:
                    broken = rig.broken(WITHOUT[race.number])
                    names = [f"r{at}" for at in range(rounds)]
                    without[race.number] = (run_race(broken, race, Threads(broken), names)[0], rounds)
    return {"versions": versions, "found": found, "without": without}


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
            *_of_lifecycles(),
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


def _of_lifecycles() -> Iterator[str]:
    yield "These are races of lifecycles. They run in the tests, but not yet for 300 rounds on each backend:\n"
    for race in LIFECYCLES:
        rules = ", ".join(race.rules)
        yield f"**{race.number}**, {_small(race.what)}. In EMCO: {_small(race.emco)}. Here: {rules}.\n"


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


if __name__ == "__main__":
    sys.exit(main())
