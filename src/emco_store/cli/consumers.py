"""The verb ``consumers``: where those who consume the feed stand, and who works."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from emco_store import ConsumerState, Verdict
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.opening import opened
from emco_store.cli.screen import Screen, visible
from emco_store.core.wording import count


def consumers(options: Options, screen: Screen) -> Exit:
    """Show one page of consumers."""
    with opened(options, screen) as store:
        page = store.consumers(limit=options.limit, after=options.after)
    items = list(page)
    if options.output == "table":
        screen.show(*([_table(items)] if items else []))
        more = f"; more: --after {page.next}" if page.next else ""
        screen.note(f"{count(len(items), 'consumer')} shown{more}")
    else:
        value = {"items": [_plain(one) for one in items], "next": page.next}
        screen.write(write_value(value, options.output))
    return Exit.OK


def _table(items: list[ConsumerState]) -> Table:
    """Build a table with a line for each consumer."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("consumer", "passed", "saved"):
        table.add_column(heading.upper(), no_wrap=True, overflow="ellipsis", justify="left")
    for heading in ("worker", "skipped", "cursor"):
        table.add_column(heading.upper(), overflow="fold", justify="left")
    for one in items:
        lease = one.lease
        worker = "-" if lease.verdict is Verdict.FREE else f"{lease.verdict.value}: {lease.holder}"
        skipped = "; ".join(f"{event.txid}: {event.reason}" for event in one.skipped) or "-"
        table.add_row(
            Text(visible(one.name), style="bold"),
            Text(f"{one.number:,}"),
            Text(one.saved.strftime("%Y-%m-%d %H:%M:%S")),
            Text(visible(worker)),
            Text(visible(" ".join(skipped.split()))),
            Text(visible(one.cursor), style="dim"),
        )
    return table


def _plain(one: ConsumerState) -> dict[str, Any]:
    return {
        "name": one.name,
        "cursor": one.cursor,
        "number": one.number,
        "saved": one.saved.isoformat(),
        "verdict": one.lease.verdict.value,
        "holder": one.lease.holder or None,
        "skipped": [
            {"txid": event.txid, "reason": event.reason, "actor": event.actor or None, "at": event.at.isoformat()}
            for event in one.skipped
        ],
    }
