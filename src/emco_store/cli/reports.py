"""Reports of applied bundles."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from emco_store.cli.screen import visible
from emco_store.emco import Report

_LOOKS = {"created": "green", "updated": "yellow"}


def report_lines(report: Report) -> Iterator[Text]:
    """Yield a line for each resource that was created or updated, the totals, and remarks."""
    for word, look in _LOOKS.items():
        for key in getattr(report, word):
            yield Text.assemble((f"{word:9}", look), str(key))
    for key in report.pruned:
        yield Text.assemble(("deleted  ", "red"), f"{key}: the bundle holds it no more")
    sums = ", ".join(f"{len(getattr(report, word))} {word}" for word in (*_LOOKS, "unchanged"))
    yield Text(f"{sums}, {len(report.pruned)} deleted" if report.pruned else sums, style="bold")
    for key in report.kept:
        yield Text.assemble(("kept     ", "dim"), f"{key}: another bundle holds it, too")
    for key in report.restated:
        yield Text.assemble(("restated ", "dim"), f"{key}: appears more than once in the bundle; the last one counts")
    for action in report.actions:
        yield Text.assemble(("action   ", "magenta"), f"{visible(str(action))}: not carried out; --run does it")
