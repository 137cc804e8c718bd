"""The pages about HTTP say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from emco_store import fastapi

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "serve-over-http.md"
REFERENCE = ROOT / "docs" / "reference" / "http.md"
EXAMPLE = ROOT / "examples" / "service" / "service.py"


def test_page_is_the_example():
    """The blocks up to the first trial are the file, in order, without its docstring."""
    blocks = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text("utf-8").partition("## Try it")[0], re.DOTALL | re.MULTILINE
    )
    _, code = EXAMPLE.read_text("utf-8").split('"""\n\n', 1)

    assert code.split() == "\n".join(blocks).split()


def test_table_of_the_reference_is_the_one_of_the_code():
    """Each class of error has its row, with its status and its fields."""
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| (.*) \|$", REFERENCE.read_text("utf-8"), re.MULTILINE)

    assert {
        kind.__name__: (str(row.status), ", ".join(f"`{name}`" for name in row.shown) or "—")
        for kind, row in fastapi.TABLE.items()
    } == {name: (status, fields) for name, status, fields in rows}


def test_every_name_is_in_the_reference():
    """What ``emco_store.fastapi`` exports is on the page."""
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", REFERENCE.read_text("utf-8")))))

    assert set() == set(fastapi.__all__) - named
