"""A quick run of the benchmark: it must work; its ratios are never judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import against, pieces
from benchmarks.goals import GOALS
from benchmarks.items import every_item
from benchmarks.plots import plot
from tests.servers import mongo, redis

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(420)
def test_quick_run_measures_every_item_without_an_error(mongo_server, redis_server, tmp_path):
    """Every item of a quick run gives figures for emco_store and for the hand-written code."""
    servers = {mongo.URL_VARIABLE: mongo_server.url, redis.URL_VARIABLE: redis_server.url}
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rounds=1", "--out", str(tmp_path)]

    done = subprocess.run(  # noqa: S603 - our own Python
        command, capture_output=True, text=True, check=False, timeout=400, cwd=ROOT, env=os.environ | servers
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    for page, figures in (("performance.md", "results.json"), ("performance/capabilities.md", "capabilities.json")):
        results = json.loads((tmp_path / "performance" / figures).read_text("utf-8"))
        assert results["items"]
        assert [] == [item["name"] for item in results["items"] if not _has_figures(item)]
        assert "## Goals" in (tmp_path / page).read_text("utf-8")


def test_pieces_of_an_update_are_timed(mongo_server, monkeypatch, capsys):
    """Each piece is done on a real server, and a transaction whose end has failed would be noticed."""
    monkeypatch.setenv(mongo.URL_VARIABLE, mongo_server.url)

    assert 0 == pieces.main(["--rounds", "3"])

    assert 7 == len(capsys.readouterr().out.splitlines())


def test_every_goal_belongs_to_an_item():
    """A goal that nothing measures would be met or missed by nobody."""
    assert set() == set(GOALS) - {item.name for item in every_item()}


def test_plot_is_well_formed():
    """A plot is XML, with a line for each series."""
    series = [{"name": "a < b", "points": [[1, 20], [1000, 300]]}, {"name": "c", "points": [[1, 5]]}]

    drawn = ET.fromstring(plot({"title": "t & u", "x": "x", "y": "y", "series": series}))  # noqa: S314 - we drew it

    assert 2 == len(drawn.findall("{http://www.w3.org/2000/svg}polyline"))


def _has_figures(item):
    return any(one["role"] == "ours" and one["seconds"] for one in item["contenders"])


def test_comparison_with_another_checkout_has_a_row_for_each_contender(tmp_path):
    """Both checkouts do the same rounds; here the other one is a copy of this one under another name."""
    (tmp_path / "other").symlink_to(ROOT, target_is_directory=True)

    rows = list(against.compare(tmp_path / "other", "memory-get", {}, (2, 20, 0.1, 0.05, (100,))))

    assert [("memory-get", "emco_store")] == [(row.item, row.name) for row in rows]
    assert 2 == len(rows[0].rounds)
    assert all(took.wall_s > 0 for pair in rows[0].rounds for took in pair)
