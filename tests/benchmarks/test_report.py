"""Pages of several runs: what one run has measured is not lost by another, and each says which run it was."""

from __future__ import annotations

from benchmarks.report import CAPABILITIES, PAGES, page, together


def test_run_of_some_items_keeps_the_others():
    """An item that is measured again is the new one, and the others say from which run they are."""
    found = together(_run("2026-01-01", 5, ["a", "b"], ["c"]), _run("2026-01-02", 7, ["b"], []))

    assert [("a", "2026-01-01"), ("b", None)] == [_named(one) for one in found["items"]]
    assert [("c", "2026-01-01")] == [_named(one) for one in found["curves"]]
    assert 7 == found["rounds"]


def test_run_of_curves_alone_leaves_the_page_to_the_items():
    """Curves that are made later stand beside the items: the page stays theirs, and the curves say their run."""
    found = together(_run("2026-01-01", 5, ["a"], ["c", "d"]), _run("2026-01-02", 7, [], ["d"]))

    assert [("a", None)] == [_named(one) for one in found["items"]]
    assert [("c", None), ("d", "2026-01-02")] == [_named(one) for one in found["curves"]]
    assert 5 == found["rounds"]


def test_run_that_was_kept_stays_that_run():
    """What two later runs have not measured is still of the first one; the page says so, once for all curves."""
    first = together(
        _run("2026-01-01", 5, ["lifecycle-a", "lifecycle-b"], []), _run("2026-01-02", 7, ["lifecycle-b"], [])
    )
    found = together(first, _run("2026-01-03", 3, ["lifecycle-b"], []))

    found["curves"] = [{"name": name, "title": name, "run": first["items"][0]["run"]} for name in ("c", "d")]

    assert [("lifecycle-a", "2026-01-01"), ("lifecycle-b", None)] == [_named(one) for one in found["items"]]
    (capabilities,) = [one for one in PAGES if one.head is CAPABILITIES]
    text = page(found | {"is_quick": False}, capabilities)
    assert 2 == text.count("Measured in another run, of 2026-01-01: 5 rounds, load average 0.1.")


def _run(begun, rounds, items, curves):
    named = [{"name": name, "title": name, "contenders": []} for name in items]
    drawn = [{"name": name, "title": name} for name in curves]
    machine = {"load average meanwhile": "0.1"}
    return {"begun": begun, "rounds": rounds, "machine": machine, "items": named, "curves": drawn, "problems": []}


def _named(one):
    return one["name"], one["run"]["begun"] if "run" in one else None
