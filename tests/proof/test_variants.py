"""The variants of backends: each is what it says, and the runner tells the sound from the broken."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from emco_store.contracts.maps import MapConformance
from emco_store.contracts.rules import proofs_of
from emco_store.contracts.suite import Conformance
from proof.variants import etcd, key_value
from proof.variants.catalogue import FAMILIES
from proof.variants.judging import failure_of_map, in_order, judge, table
from proof.variants.page import PAGE, page, read
from tests.backends.keyvalue.maps import ShortMap

EVERY = [variant for family in FAMILIES.values() for variant in (*family.sound, *family.broken)]
PAGED = "test_page_before_a_key_ends_there"
BROKEN_MAPS = [rows for rows in key_value.MAPS if rows is not key_value.StandsStill]
"""A clock that stands is no matter of the map alone: whole seconds are right."""
SOUND_MAPS = [*key_value.SOUND_MAPS, ShortMap]
QUICK = ("test_create_of_a_free_key_adds_the_resource", PAGED)


@pytest.mark.parametrize("line", [*key_value.LINES, *etcd.LINES], ids=lambda line: line.name)
def test_line_that_is_written_differently_stands_in_its_module(line):
    """A variant of a line that is gone would be the backend as it is."""
    source = Path(importlib.import_module(line.module).__file__).read_text("utf-8")

    assert source != line.broken(source)


@pytest.mark.parametrize("family", FAMILIES)
def test_variant_says_what_is_wrong_with_it(family):
    """Each broken backend has a name of its own and a sentence."""
    broken = FAMILIES[family].broken

    assert len(broken) == len({variant.name for variant in broken})
    assert [] == [variant.name for variant in broken if not variant.what.endswith(".")]


def test_every_test_of_the_contract_is_run_once():
    """The order in which they run leaves none out."""
    assert sorted(name for name, _ in proofs_of(Conformance)) == sorted(in_order())


def test_broken_variant_is_caught_and_named():
    """The verdict has the first test that failed, and the rules that it proves."""
    variant = next(one for one in EVERY if one.name == "StopsAtTwoHundred")

    verdict = judge(variant, QUICK)

    assert (PAGED, ("ID-16",), 2) == (verdict.caught_by, verdict.rules, verdict.tests)
    assert "ID-16" in list(table([verdict]))[-1]


@pytest.mark.parametrize("family", ["memory", "key-value"])
def test_sound_variant_passes(family):
    """What is right is not caught."""
    assert [""] == [judge(variant, QUICK).caught_by for variant in FAMILIES[family].sound[:1]]


@pytest.mark.parametrize("rows", BROKEN_MAPS, ids=lambda rows: rows.__name__)
def test_broken_map_is_caught_by_the_tests_of_maps(rows):
    """Each map that is wrong in itself, without a backend on it."""
    assert any(failure_of_map(rows, name) for name, _ in proofs_of(MapConformance))


@pytest.mark.parametrize("rows", SOUND_MAPS, ids=lambda rows: rows.__name__)
def test_map_that_is_unusual_and_right_passes_the_tests_of_maps(rows):
    """Parts may be short, even of one entry, and a clock may tell whole seconds."""
    assert [] == [name for name, _ in proofs_of(MapConformance) if failure_of_map(rows, name)]


def test_variant_that_passes_is_shown_as_one_that_nothing_catches():
    """A survivor stands in the table."""
    verdict = judge(FAMILIES["memory"].sound[0], QUICK[:1])

    assert "**nothing**" in list(table([verdict]))[-1]


def test_page_shows_the_verdicts_of_variants_that_there_are():
    """The published table is that of the last run, and names nothing that is gone or says something else by now."""
    known = {(name, one.name): one.what for name, of in FAMILIES.items() for one in (*of.sound, *of.broken)}
    verdicts = read()

    assert "\n".join(page(verdicts)) == PAGE.read_text("utf-8")
    assert [] == [one for name, found in verdicts.items() for one in found if known.get((name, one.name)) != one.what]
    assert 60 <= sum(map(len, verdicts.values()))
