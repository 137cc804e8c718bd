"""The demonstration ends well, says so, and would say so if it did not."""

from __future__ import annotations

from emco_store import connect
from emco_store.cli.demo.models import MODELS
from emco_store.cli.demo.race import NAMESPACE, run_race, take_census
from emco_store.cli.exits import Exit
from tests.cli.conftest import start


def test_demo_ends_with_no_dangling_reference():
    """All steps run, in plain text of at most 100 columns, and no reference dangles."""
    process = start("demo")

    out, err = process.communicate(timeout=60)

    assert (Exit.OK, "") == (process.returncode, err)
    assert "0 dangling" in out
    assert "the colour is green again" in out
    assert "LeaseLost" in out
    assert "counts 1 step, not 2" in out
    assert "\x1b" not in out
    assert [] == [line for line in out.splitlines() if len(line) > 100 or line != line.rstrip()]


def test_race_has_commits_and_refusals_and_breaks_no_reference():
    """REF-2, DEL-1: a creator of referrers and a deleter of their targets leave no dangling reference."""
    backend, score = run_race(operations=60, latency_s=0.0005)

    backend.hook = None
    with connect(backend, namespace=NAMESPACE, models=MODELS) as store:
        census = take_census(store)
    assert 120 == score.commits + score.refusals.total()
    assert 60 <= score.commits
    assert 0 < census.references
    assert 0 == census.dangling


def test_census_counts_a_reference_that_was_broken():
    """The check of the demonstration sees a reference whose target was taken away behind the store's back."""
    backend, _ = run_race(operations=6, latency_s=0.0)
    backend.hook = None
    space = backend._spaces[NAMESPACE]
    gone = next(record.key for record in space.records.values() if record.key.kind == "App")
    space.drop(gone)

    with connect(backend, namespace=NAMESPACE, models=MODELS) as store:
        census = take_census(store)

    assert 1 == census.dangling
