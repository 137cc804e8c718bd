"""The verb ``watch``: what is committed, as it happens."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic_core import to_json
from rich.text import Text

from emco_store import Action, Aspect, Event, InvalidCall
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json
from emco_store.cli.opening import opened
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen, visible
from emco_store.core.reserved import refuse_reserved

_MARKS = {Action.CREATED: ("+", "green"), Action.UPDATED: ("~", "yellow"), Action.DELETED: ("-", "red")}


def watch(options: argparse.Namespace, screen: Screen) -> Exit:
    """Show what is committed, until the program is interrupted or nothing has come for a while."""
    if options.idle is not None and options.idle < 0:
        raise InvalidCall("Cannot wait.", why=[f"--idle {options.idle}: seconds are 0 or more"], hint="give seconds.")
    if options.kind is not None:
        refuse_reserved(options.kind)
    with opened(options, screen) as store:
        idle = None if options.idle is None else timedelta(seconds=options.idle)
        under = None if options.under is None else read_key(options.under)
        kinds = None if options.kind is None else [options.kind]
        for event in store.watch(after=options.after, kinds=kinds, under=under, topics=options.topic, idle=idle):
            if options.json:
                screen.write(write_json(_plain(event), indent=None) + "\n")
            else:
                screen.show(*_lines(event))
            screen.flush()
    return Exit.OK


def _lines(event: Event) -> Iterator[Text]:
    origin = event.origin
    line = Text(event.txid, style="dim")
    if origin.actor:
        line.append(f"  by {visible(origin.actor)}")
    if origin.reason:
        reason = " ".join(origin.reason.split())
        line.append(f"  {visible(reason)}", style="italic")
    if origin.operation:
        line.append(f"  [{visible(origin.operation)}]", style="dim")
    yield line
    for change in event.changes:
        mark, style = _MARKS[change.action]
        text = (
            Text(f"  {mark} ", style=style).append(change.key.text, style="bold").append(f"  {change.version}", "dim")
        )
        yield text if change.aspect is Aspect.RESOURCE else text.append(f"  {change.aspect.value}", style="cyan")
    for message in event.messages:
        text = Text("  > ", style="magenta").append(message.topic, style="bold")
        if message.key is not None:
            text.append(f"  {visible(message.key)}")
        yield text.append(f"  {visible(to_json(message.body).decode())}", style="dim")
    yield Text(f"  {event.cursor}", style="dim")


def _plain(event: Event) -> dict[str, Any]:
    origin = event.origin
    return {
        "cursor": event.cursor, "txid": event.txid,
        "actor": origin.actor, "reason": origin.reason, "operation": origin.operation,
        "changes": [
            {
                "action": change.action.value, "key": change.key.text, "uid": change.uid, "version": change.version,
                "aspect": change.aspect.value,
            }
            for change in event.changes
        ],
        "messages": [{"topic": one.topic, "key": one.key, "body": one.body} for one in event.messages],
    }  # fmt: skip
