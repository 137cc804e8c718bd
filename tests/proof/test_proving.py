"""The runner shares the time, keeps what was done, and is red when something was found or did not run."""

from __future__ import annotations

import json

import pytest

from emco_store import MemoryBackend
from proof.phase import Phase, PhaseResult
from proof.proving import prove
from proof.report import Report
from proof.rig import Rig

MEMORY = Rig("memory", MemoryBackend())


def sound(rig, budget, *, seed, out):
    """Find nothing."""
    found = PhaseResult("sound", rig.name, seed, {"transactions": 7.0})
    found.series["delete_ms"] = [1.0, 2.0, 30.0]
    (out / "history").write_text(f"{budget}")
    return found


def guilty(rig, _, *, seed, out):
    """Find something."""
    (out / "part-0.jsonl").write_text("who did what")
    return PhaseResult("guilty", rig.name, seed, violations=["a cycle\nof two"])


def breaks(*_, **__):
    """Break down."""
    raise RuntimeError("planned")


def interrupted(*_, **__):
    """Be cut short."""
    raise KeyboardInterrupt


def phase(run, *, share=1.0, backends=("memory",)):
    """Make a phase of a function."""
    return Phase(run.__name__, f"It is {run.__name__}.", backends, run, share)


def proved(tmp_path, *phases):
    """Run phases for no time at all; give the report, what was written and what was shown."""
    report, shown = Report("2030-01-01", 1 / 60, 1), []
    prove(phases, [MEMORY], report, out=tmp_path, show=shown.append)
    return report, json.loads((tmp_path / "report.json").read_text()), shown


def test_report_of_a_sound_run_says_so(tmp_path):
    """Numbers, seeds, what was not covered and plots are written, and the verdict is that nothing was found."""
    report, written, shown = proved(tmp_path, phase(sound))

    page = (tmp_path / "report.md").read_text()
    assert report.holds
    assert written["holds"]
    assert 7 == written["results"][0]["numbers"]["transactions"]
    assert written["not_covered"]
    assert "nothing was found" in page
    assert (tmp_path / "deletes.svg").read_text().startswith("<svg")
    assert 2 == len(shown)


def test_violation_makes_the_report_red_and_is_shown(tmp_path):
    """What was found stands in the page, what led to it is kept, and the other phases have run."""
    report, written, _ = proved(tmp_path, phase(guilty), phase(sound))

    assert not report.holds
    assert ["guilty", "sound"] == [result["phase"] for result in written["results"]]
    assert "a cycle\nof two" in (tmp_path / "report.md").read_text()
    assert ["part-0.jsonl"] == [path.name for path in (tmp_path / "histories" / "guilty-memory").iterdir()]


def test_phase_that_breaks_down_makes_the_report_red_and_stops_no_other(tmp_path):
    """A phase that did not end proves nothing, and takes nothing along."""
    report, written, _ = proved(tmp_path, phase(breaks), phase(sound))

    assert not report.holds
    assert "planned" in written["missing"][0]
    assert ["sound"] == [result["phase"] for result in written["results"]]


def test_run_of_nothing_is_red(tmp_path):
    """Where no phase is for any backend, nothing was proved."""
    report = Report("2030-01-01", 1.0, 1)
    prove([phase(sound, backends=("redis",))], [MEMORY], report, out=tmp_path, show=print)

    assert not report.holds


def test_run_that_is_cut_short_keeps_what_had_ended(tmp_path):
    """An interruption loses the phase that was under way, and no other."""
    report = Report("2030-01-01", 1.0, 1)

    with pytest.raises(KeyboardInterrupt):
        prove([phase(sound), phase(interrupted), phase(sound)], [MEMORY], report, out=tmp_path, show=print)

    written = json.loads((tmp_path / "report.json").read_text())
    assert ["sound"] == [result["phase"] for result in written["results"]]
    assert 2 == len(written["missing"])
    assert not written["holds"]


def test_time_is_direct_by_what_each_phase_asks_for(tmp_path):
    """A phase of share 3 gets three times as long as one of share 1, and what is not used goes to the next."""
    given = []

    def note(rig, budget, *, seed, **_):
        given.append(budget.seconds)
        return PhaseResult("note", rig.name, seed)

    prove([phase(note), phase(note, share=3.0)], [MEMORY], Report("", 40 / 60, 1), out=tmp_path, show=print)

    assert 9 < given[0] <= 10
    assert given[0] < given[1] <= 40
