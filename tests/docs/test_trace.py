"""The page about traces shows a real one, and names every attribute and instrument."""

from __future__ import annotations

import re
from pathlib import Path

from emco_store import MemoryBackend
from tests.docs.trace_picture import drawn, rows, trace

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "trace-and-log.md").read_text("utf-8")
SOURCE = (ROOT / "src" / "emco_store" / "otel.py").read_text("utf-8")


def test_picture_is_that_of_a_trace():
    """The file shows the spans that are made today, with what they say; their times are those of its server."""
    assert rows(trace(MemoryBackend())) == drawn()


def test_page_names_what_the_code_says():
    """An attribute or an instrument of the code has a row on the page, and no other has."""
    said = set(re.findall(r'"((?:db|error|emco_store)\.[a-z_.]+)"', SOURCE))

    assert said == set(re.findall(r"^\| `((?:db|error|emco_store)\.[a-z_.]+)` \|", PAGE, re.MULTILINE))
