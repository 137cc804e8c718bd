"""The verb ``doctor``: examine a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from emco_store import connect
from emco_store.backends.health import Finding, Report, Verdict
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.opening import models
from emco_store.cli.screen import Screen, visible
from emco_store.cli.secrets import masked
from emco_store.connect import inspect
from emco_store.core.naming import REGISTRY
from emco_store.core.reserved import is_reserved
from emco_store.core.wording import count

SAMPLE = 100
"""Records of each kind that are compared with its model."""
_LOOKS = {Verdict.FINE: "green", Verdict.ADVICE: "yellow", Verdict.WRONG: "bold red"}


def doctor(options: Options, screen: Screen) -> Exit:
    """Show how a server is set up, what a namespace holds, and what to change."""
    url = options.url or options.store
    with screen.progress("Looking …"):
        report = inspect(url, namespace=options.namespace, require=options.require)
        if options.models and report.is_well:
            report = replace(report, findings=(*report.findings, *_compared(url, options, report.records)))
        if report.is_reachable and report.records and REGISTRY in report.records:
            report = replace(report, findings=(*report.findings, *_segments(url, options)))
        report = _of_resources(report)
    if options.output == "table":
        screen.tell(*_shown(report, url, options.namespace))
    else:
        value = _plain(report, url, options.namespace)
        screen.write(write_value(value, options.output))
    if not report.is_reachable:
        return Exit.RETRY
    return Exit.OK if report.is_well else Exit.REFUSED


def _of_resources(report: Report) -> Report:
    """Leave the store's own records out of the counts."""
    if report.records is None:
        return report
    return replace(report, records={kind: number for kind, number in report.records.items() if not is_reserved(kind)})


def _compared(url: str, options: Options, records: Mapping[str, int] | None) -> Iterator[Finding]:
    """Compare the models of this program with what is stored: other services may declare the same kinds differently."""
    known = models(options.models)
    with connect(url, namespace=options.namespace, models=known) as store:
        for model in known:
            kind = model.__emco__.kind
            if is_reserved(kind) or (records is not None and kind not in records):
                continue
            page = store.list(model, limit=SAMPLE)
            problems = page.errors
            looked = f"{kind}: {count(len(page), 'record')} looked at"
            if not problems:
                yield Finding("model", f"{looked}, and all fit {model.__module__}.{model.__qualname__}")
                continue
            reasons = "; ".join(problems[0].problems)
            yield Finding(
                "model",
                f"{looked}, {len(problems):,} do not fit {model.__module__}.{model.__qualname__}: "
                f"{problems[0].key}: {reasons:.200}",
                Verdict.WRONG,
                "agree on one declaration with the service that writes them; emco-store check looks at all records.",
            )


def _segments(url: str, options: Options) -> Iterator[Finding]:
    """Tell what services have registered, and what they wait for."""
    with connect(url, namespace=options.namespace) as store:
        found = store.segments()
    active = sum(one.is_active for one in found)
    yield Finding("segments", f"{active} active, {len(found) - active} waiting")
    for one in found:
        if not one.is_active:
            yield Finding(
                "segments",
                f"{one.name} waits: {'; '.join(one.awaits):.200}",
                Verdict.ADVICE,
                "start the service that registers what is awaited, or correct the declaration.",
            )


def _shown(report: Report, url: str, namespace: str) -> Iterator[RenderableType]:
    yield Text.assemble((_safe(url), "bold"), ("  namespace ", "dim"), namespace)
    yield ""
    table = _grid()
    table.add_column(overflow="fold")
    for finding in report.findings:
        look = _LOOKS[finding.verdict]
        table.add_row(Text(finding.verdict, style=look), Text(finding.name, style="dim"), Text(_safe(finding.value)))
        if finding.hint:
            table.add_row("", "", Text(f"Hint: {_safe(finding.hint)}", style=look))
    yield table
    yield ""
    if report.is_reachable:
        yield from _records(report)
    yield _sum(report)


def _records(report: Report) -> Iterator[RenderableType]:
    if report.records is None:
        yield Text("This user cannot count the records, or it took too long.")
        return
    numbers = f"{count(sum(report.records.values()), 'record')} of {count(len(report.records), 'kind')}:"
    yield Text(numbers if report.records else "No records yet.")
    table = _grid()
    for kind, number in report.records.items():
        table.add_row(Text(f"  {visible(kind)}"), Text(f"{number:,}", justify="right"))
    if report.records:
        yield table
    yield ""


def _grid() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    return table


def _sum(report: Report) -> Text:
    wrong = sum(finding.verdict is Verdict.WRONG for finding in report.findings)
    advice = sum(finding.verdict is Verdict.ADVICE for finding in report.findings)
    also = f"; {count(advice, 'thing')} could be better" if advice else ""
    if not report.is_reachable:
        return Text("The server does not answer.", style="bold red")
    if wrong:
        return Text(f"{count(wrong, 'thing')} must be changed{also}.", style="bold red")
    return Text(f"Nothing must be changed{also}.", style="bold green")


def _plain(report: Report, url: str, namespace: str) -> dict[str, Any]:
    return {
        "store": masked(url),
        "namespace": namespace,
        "backend": report.backend,
        "reachable": report.is_reachable,
        "well": report.is_well,
        "durability": None if report.durability is None else str(report.durability),
        "findings": [
            {"name": one.name, "value": masked(one.value), "verdict": str(one.verdict), "hint": masked(one.hint)}
            for one in report.findings
        ],
        "records": None if report.records is None else dict(report.records),
    }


def _safe(text: str) -> str:
    return visible(masked(text))
