"""Write the table of rules and backends into ``docs/reference/backends.md``, from reports of the contract suite.

One run for each column, with ``pytest tests/backends/test_….py --contracts-report=FILE``; then, for example,
``python -m tests.docs.backends_table memory=m.json "Redis 6.2=r6.json" "Redis 7.0=r7.json" "MongoDB 6.0=mongo.json"
fakeredis=f.json mongomock=mm.json``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "backends.md"
BEGIN, END = "<!-- table: written by tests/docs/backends_table.py -->", "<!-- end of the table -->"
SHOWN = {"passed": "yes", "gap": "gap"}
Report = Mapping[str, Any]


def table(reports: Mapping[str, Report]) -> str:
    """Return the table, a row for each rule and a column for each report, whose name is the heading.

    Raises:
        ValueError: A report is not green or not of one backend in both modes, or they are not of the same rules.
    """
    cells = {name: _cells(name, report) for name, report in reports.items()}
    rules = {tuple(found) for found in cells.values()}
    if len(rules) != 1:
        message = f"the reports are of different rules: {', '.join(cells)}"
        raise ValueError(message)
    (order,) = rules
    lines = [_row("rule", *cells), _row(*(["---"] * (1 + len(cells))))]
    lines += [_row(rule, *(found[rule] for found in cells.values())) for rule in order]
    return "\n".join(lines)


def read(page: str) -> dict[str, dict[str, str]]:
    """Return what the table of a page says: for each heading the cell of each rule."""
    lines = page.split(BEGIN)[1].split(END, maxsplit=1)[0].strip().splitlines()
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: {row[0]: row[at] for row in rows} for at, name in enumerate(head) if at}


def written(page: str, new: str) -> str:
    """Return a page with a new table instead of its old one."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{new}\n\n{END}{rest.partition(END)[2]}"


def _cells(name: str, report: Report) -> dict[str, str]:
    columns = report["columns"]
    modes = sorted(column["mode"] for column in columns)
    if report["verdict"] != "green" or modes != ["asyncio", "blocking"]:
        message = f"the report for {name} is {report['verdict']}, of the modes {modes}: run the whole suite"
        raise ValueError(message)
    return {
        rule: _cell([(column["mode"], column["rules"][rule]) for column in columns]) for rule in columns[0]["rules"]
    }


def _cell(verdicts: Sequence[tuple[str, str]]) -> str:
    shown = {mode: SHOWN[verdict] for mode, verdict in verdicts}
    if len(set(shown.values())) == 1:
        return next(iter(shown.values()))
    return ", ".join(f"{word} ({mode})" for mode, word in shown.items())


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str]) -> int:
    """Write the table; return the exit code."""
    pairs = [argument.partition("=") for argument in arguments]
    reports = {name: json.loads(Path(file).read_text("utf-8")) for name, _, file in pairs}
    PAGE.write_text(written(PAGE.read_text("utf-8"), table(reports)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
