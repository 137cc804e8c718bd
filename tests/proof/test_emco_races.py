"""The breakages of EMCO as races, in small; and the page that tells how they ended is true."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emco_store.contracts.proof.phase import Budget
from tests.proof.emco_crews import Threads, breakages, run_race
from tests.proof.emco_page import NUMBERS, PAGE, page
from tests.proof.emco_races import ELSEWHERE, RACES, WITHOUT
from tests.proof.prove import BACKENDS, place_of

ROOT = Path(__file__).parents[2]
ROUNDS = {"memory": 20, "redis": 6, "mongo": 4}
LEAST = 300
"""So many rounds on each backend the page must tell of, as EMCO was measured with 200 or 300."""


def test_no_breakage_of_emco_leads_anywhere_in_races(place, tmp_path):
    """B1 to B24: Threads, tasks and processes race as EMCO's handlers do, and nothing of what breaks there is found."""
    result = breakages(place, Budget(operations=ROUNDS[place.name]), seed=1, out=tmp_path)

    assert [] == result.violations
    crews = 3 if place.url else 2
    assert len(RACES) * crews * ROUNDS[place.name] == result.numbers["rounds"]


@pytest.mark.parametrize("number", ["B7", "B8", "B9"])
def test_race_without_its_guard_is_lost(number):
    """The judge can fail: where versions are forgotten, each round of these ends in what it looks for."""
    (race,) = (one for one in RACES if one.number == number)
    with place_of("memory") as sound:
        place = sound.broken(WITHOUT[number])
        bad, texts = run_race(place, race, Threads(place), [f"r{at}" for at in range(3)])

    assert 3 == bad
    assert texts


def test_every_breakage_is_a_race_or_has_its_reason():
    """B1 to B24 are all told of, each once."""
    numbers = [race.number for race in RACES] + list(ELSEWHERE)

    assert [f"B{number}" for number in range(1, 25)] == sorted(numbers, key=lambda number: int(number[1:]))
    assert WITHOUT.keys() <= {race.number for race in RACES}


def test_rules_that_hold_a_breakage_are_in_the_contract():
    """Each rule that is named is one of the contract, and each breakage has single-shot tests too."""
    contract = (ROOT / "docs" / "contracts.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "breakages").glob("test_*.py"))

    assert [] == [rule for race in RACES for rule in race.rules if f"**{rule}**" not in contract]
    assert [] == [
        race.number for race in RACES if race.number not in NO_SHOT and f"test_{race.number.lower()}_" not in tests
    ]


NO_SHOT = {"B15", "B21", "B22"}
"""Not among the single-shot tests, whose number they had not got: the races are their tests."""


def test_page_tells_how_the_races_ended():
    """The page is what is made of the races and of the numbers of a run that was long enough and found nothing."""
    numbers = json.loads(NUMBERS.read_text("utf-8"))

    assert page(numbers) == PAGE.read_text("utf-8")
    assert {race.number for race in RACES} == numbers["found"].keys()
    for number, found in numbers["found"].items():
        assert set(BACKENDS) == found.keys(), number
        assert all(bad == 0 and rounds >= LEAST for bad, rounds in found.values()), number
    assert WITHOUT.keys() == numbers["without"].keys()
    assert all(bad for bad, _ in numbers["without"].values())
