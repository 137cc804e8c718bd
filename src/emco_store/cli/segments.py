"""The verb ``segments``: what services declare in a namespace, and what is awaited."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from emco_store import SegmentState
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.opening import opened
from emco_store.cli.screen import Screen, visible
from emco_store.core.wording import count


def segments(options: Options, screen: Screen) -> Exit:
    """Show the segments of a namespace, or remove one."""
    with opened(options, screen) as store:
        if options.remove is not None:
            known = {one.name for one in store.segments()}
            store.unregister(options.remove)
            screen.note(f"{options.remove} {'is removed' if options.remove in known else 'was not registered'}")
            return Exit.OK
        found = store.segments()
    if options.output == "table":
        screen.show(*([_table(found)] if found else []))
        waiting = sum(not one.is_active for one in found)
        screen.note(f"{count(len(found), 'segment')}, of which {waiting} {'waits' if waiting == 1 else 'wait'}")
    else:
        screen.write(write_value({"items": [_plain(one) for one in found]}, options.output))
    return Exit.OK


def _table(found: tuple[SegmentState, ...]) -> Table:
    """Build a table with a line for each segment."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("segment", "version", "state"):
        table.add_column(heading.upper(), no_wrap=True, overflow="ellipsis", justify="left")
    for heading in ("kinds", "awaits"):
        table.add_column(heading.upper(), overflow="fold", justify="left")
    for one in found:
        table.add_row(
            Text(visible(one.name), style="bold"),
            Text(str(one.version)),
            Text("active", style="green") if one.is_active else Text("waits", style="yellow"),
            Text(visible(", ".join(one.kinds))),
            Text(visible("; ".join(one.awaits) or "-")),
        )
    return table


def _plain(one: SegmentState) -> dict[str, Any]:
    return {
        "name": one.name,
        "version": one.version,
        "active": one.is_active,
        "kinds": list(one.kinds),
        "awaits": list(one.awaits),
    }
