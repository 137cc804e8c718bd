"""Tables render: a row that a blank line cuts off from its table would be shown as text."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "_build" not in page.parts
)


def broken_tables(text: str) -> list[str]:
    """Return the first line of each table without a line of dashes, or with rows of different lengths."""
    prose = re.sub(r"(?ms)^( *)```.*?^\1```", "", text)
    tables = [list(lines) for is_row, lines in groupby(prose.splitlines(), lambda line: line.startswith("|")) if is_row]
    return [table[0] for table in tables if not _is_whole(table)]


def _is_whole(table: list[str]) -> bool:
    rows = [re.split(r"(?<!\\)\|", row.strip().strip("|")) for row in table]
    is_headed = len(rows) > 1 and all(re.fullmatch(r"\s*:?-{3,}:?\s*", cell) for cell in rows[1])
    return is_headed and len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("page", PAGES)
def test_tables_of_a_page_render(page):
    """Every table of a page has a head, and rows of one length."""
    assert [] == broken_tables((ROOT / page).read_text("utf-8"))


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("| a | b |\n| --- | ---: |\n| 1 | 2 |\n", []),
        ("| a | b |\n| --- | --- |\n| 1 | 2 |\n\n| 3 | 4 |\n", ["| 3 | 4 |"]),
        ("| a | b |\n| --- | --- |\n| 1 |\n", ["| a | b |"]),
        ("| a |\n| --- |\n| `x \\| y` |\n", []),
        ("```text\n| a |\n```\n", []),
    ],
)
def test_broken_table_is_seen(text, broken):
    """The rule above bites, and code is no table."""
    assert broken == broken_tables(text)
