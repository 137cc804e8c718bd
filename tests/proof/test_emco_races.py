"""The breakages of EMCO as races, in small; and the page that tells how they ended is true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emco_store import Key, MemoryBackend, connect
from emco_store.ports import Commit, Scan
from proof.phase import Budget
from tests.breakages.models import CompositeApp, Project
from tests.proof.emco_crews import breakages
from tests.proof.emco_lifecycle_races import ELSEWHERE, RACES, WITHOUT
from tests.proof.emco_page import NUMBERS, PAGE, page
from tests.proof.emco_races import End, Race, Told, judge
from tests.proof.prove import BACKENDS

ROOT = Path(__file__).parents[2]
ROUNDS = {"memory": 20, "redis": 6, "mongo": 4}
LEAST = 300
"""So many rounds on each backend the page must tell of, as EMCO was measured with 200 or 300."""


def test_no_breakage_of_emco_leads_anywhere_in_races(rig, tmp_path):
    """B1 to B28, B30 to B45: Threads, tasks and processes race as EMCO's handlers do, and nothing breaks."""
    result = breakages(rig, Budget(operations=ROUNDS[rig.name]), seed=1, out=tmp_path)

    assert [] == result.violations
    crews = 3 if rig.url else 2
    assert len(RACES) * crews * ROUNDS[rig.name] == result.numbers["rounds"]


def judged(number: str, told: list[Told], made: list[Any], *without: Key) -> list[str]:
    """Judge the end of a round in which these resources are stored, but for those that a broken store has lost."""
    backend = MemoryBackend()
    with connect(backend, namespace="n") as store, store.transaction() as tx:
        for one in made:
            tx.create(one)
    port = backend.port("n")
    port.ask(Commit("without", deletes=without))
    stored = {record.key.text: record for record in port.ask(Scan(None)).records}
    return judge(race_of(number), End("r", told, stored))


def test_orphan_is_seen():
    """The judge can fail: B3, a child without its parent."""
    made = [*race_of("B3").prepare("r"), CompositeApp(parent="Project/r", name="shop", version="v1")]

    assert [] == judged("B3", [("done", None), ("refused", "DeleteRestricted")], made)
    assert ["CompositeApp/r/shop/v1 parent -> Project/r dangles"] == judged(
        "B3", [("done", None), ("done", None)], made, Key("Project", "r")
    )


def test_second_winner_and_lost_entry_are_seen():
    """The judge can fail: B8, two creates that both were told that they made it; B9, a history without an entry."""
    project = [Project(name="r", description="1")]
    group = list(race_of("B9").prepare("r"))

    assert [] == judged("B8", [("refused", "AlreadyExists"), ("done", None)], project)
    assert 1 == len(judged("B8", [("done", None), ("done", None)], project))
    assert 3 == len(judged("B9", [("done", None)] * 4, group))


def test_second_owner_and_service_that_cannot_write_are_seen():
    """The judge can fail: B27, two segments own one type; B28, a service that never gets to write."""
    refused = ("refused", "SegmentRefused")

    assert [] == judged("B27", [("done", True), refused, ("done", 1)], [])
    assert 1 == len(judged("B27", [("done", True), ("done", True), ("done", 1)], []))
    assert 1 == len(judged("B27", [refused, ("done", True), ("done", 2)], []))
    assert 2 == len(judged("B28", [("done", None), ("done", False)], []))


def test_error_that_is_no_refusal_is_seen():
    """The judge can fail: only a typed error is a refusal."""
    told = [("unexpected", "KeyError: 1"), ("done", None)]

    assert ["KeyError: 1"] == judged("B3", told, [])


def race_of(number: str) -> Race:
    """Return a race by its number."""
    return next(race for race in RACES if race.number == number)


def test_every_breakage_is_a_race_or_has_its_reason():
    """B1 to B28 and B30 to B54 are all told of, each once."""
    numbers = [race.number for race in RACES] + list(ELSEWHERE)

    assert [f"B{number}" for number in (*range(1, 29), *range(30, 55))] == sorted(
        numbers, key=lambda number: int(number[1:])
    )
    assert WITHOUT.keys() <= {race.number for race in RACES}


def test_rules_that_hold_a_breakage_are_in_the_contract():
    """Each rule that is named is one of the contract, and each breakage has single-shot tests too."""
    contract = (ROOT / "docs" / "contracts.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "breakages").glob("test_*.py"))

    assert [] == [rule for race in RACES for rule in race.rules if f"**{rule}**" not in contract]
    assert [] == [
        race.number for race in RACES if race.number not in NO_SHOT and f"test_{race.number.lower()}_" not in tests
    ]


NO_SHOT = {"B21", "B22"}
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
