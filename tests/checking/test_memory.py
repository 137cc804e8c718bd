"""Damage in the indexes of the memory backend: each kind is found and repaired; broken indexes are noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store import FlawKind, Key, MemoryBackend, connect
from tests.checking.scenes import MODELS, Box, Site, assert_usable, checked, fill, lists_in_pages, repair_all, told
from tests.contracts.mutants import (
    FindsFirstReferenceOnly,
    KeepsOldReferrers,
    KeepsOldUniques,
    LeavesTheIndex,
    ReferrersOfRecords,
    mutant,
)

BOX = "Box/a/x1"


@pytest.fixture
def backend():
    """A backend whose clock stands still."""
    return MemoryBackend(clock=lambda: 10_000.0)


@pytest.fixture
def store(backend):
    """A store with some resources."""
    with connect(backend, namespace="n", models=MODELS) as store:
        fill(store)
        yield store


@pytest.fixture
def space(backend):
    """The data behind the store."""
    return backend._spaces["n"]


PLANTS = {
    "record without a name": (
        lambda space: space.keys["Box"].remove(BOX),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "name without a record": (
        lambda space: space.keys["Box"].add("Box/z/none"),
        {(FlawKind.STRAY_ENTRY, "Box/z/none")},
    ),
    "missing referrer": (
        lambda space: space.referrers["Site/a"].remove(BOX),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "referrer that does not refer": (
        lambda space: space.referrers["Site/b"].add(BOX),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "missing index entry": (
        lambda space: space.index["Box", "colour"].remove(("3red", BOX)),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "index entry with another value": (
        lambda space: space.index["Box", "colour"].add(("3blue", BOX)),
        {(FlawKind.STRAY_ENTRY, BOX)},
    ),
    "missing unique value": (
        lambda space: space.unique.pop(("Box", "code", "3c1")),
        {(FlawKind.MISSING_ENTRY, BOX)},
    ),
    "unique value of another record": (
        lambda space: space.unique.update({("Box", "code", "3c1"): Key("Box", "a", "x2")}),
        {(FlawKind.MISSING_ENTRY, BOX), (FlawKind.STRAY_ENTRY, "Box/a/x2")},
    ),
    "unique value without a record": (
        lambda space: space.unique.update({("Box", "code", "3z"): Key("Box", "a", "none")}),
        {(FlawKind.STRAY_ENTRY, "Box/a/none")},
    ),
    "hold that never ends": (
        lambda space: space.holds.update({BOX: ("nobody", 1e9)}),
        {(FlawKind.STALE_HOLD, BOX)},
    ),
    "target that is gone": (
        lambda space: space.drop(Key("Site", "b")),
        {(FlawKind.DANGLING, "Route/r")},
    ),
}
"""For each damage: how it is planted, and what the check says of it."""


@pytest.mark.parametrize("name", PLANTS)
def test_planted_damage_is_found_and_repaired(store, space, name):
    """What was planted is found, and nothing else; after the repair nothing is wrong, and the store can be used."""
    plant, expected = PLANTS[name]
    plant(space)

    found = checked(store)

    assert expected == told(found)
    assert all(flaw.repair for flaw in found)
    assert [] == repair_all(store)
    assert_usable(store)


def test_duplicate_unique_value_is_found_and_left_to_a_person(store, space):
    """Two records with one unique value are told, and no program decides which one is right."""
    del space.unique["Box", "code", "3c2"]
    first = space.records[BOX]
    space.records["Box/a/x2"] = replace(first, key=Key("Box", "a", "x2"))

    flaws = [flaw for flaw in checked(store) if flaw.kind is FlawKind.DUPLICATE]

    assert [("Box/a/x2", "code", None)] == [(flaw.key, flaw.place, flaw.repair) for flaw in flaws]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (KeepsOldReferrers, FlawKind.STRAY_ENTRY),
        (KeepsOldUniques, FlawKind.STRAY_ENTRY),
        (FindsFirstReferenceOnly, FlawKind.MISSING_ENTRY),
        (LeavesTheIndex, FlawKind.VALUES),
    ],
)
def test_backend_that_does_not_keep_its_indexes_is_noticed(index, expected):
    """A check of a broken backend finds what it has forgotten."""
    backend = mutant(port=ReferrersOfRecords, space=index)()
    with connect(backend, namespace="n", models=MODELS) as store:
        fill(store)
        store.put(Box(parent="Site/a", name="x1", code="other", colour="blue"))
        store.delete(Key("Box", "a", "x2"))

        assert expected in {flaw.kind for flaw in checked(store)}


def test_hold_of_a_delete_that_is_under_way_is_no_flaw(store, space):
    """A hold that has just begun, has just ended, or ended long ago stops nobody for long (CHK-6)."""
    space.holds |= {BOX: ("somebody", 10_003.0), "Site/a": ("somebody", 9_990.0), "Site/b": ("nobody", 1.0)}

    assert [] == checked(store)
    assert isinstance(store.get(Site, "a"), Site)


def test_entries_without_records_end_no_list(store, space):
    """Every page of every list is full while there is more, whatever strays in an index (ID-16)."""
    for number in range(5):
        stray = f"Box/a/x{number}-"
        space.keys["Box"].add(stray)
        space.index["Box", "colour"].add(("3red", stray))
        space.referrers["Site/a"].add(stray)

    for names in lists_in_pages(store):
        assert ["x0", "x1", "x2", "x3", "x4"] == names
