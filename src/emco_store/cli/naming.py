"""The verb ``namespaces``: name the namespaces on a server, and drop one."""

from __future__ import annotations

import sys
from typing import Any

from emco_store import InvalidCall
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.screen import Screen, visible
from emco_store.connect import drop_namespace, inspect, namespaces as namespaces_of
from emco_store.core.wording import count


def namespaces(options: Options, screen: Screen) -> Exit:
    """Show the names of all namespaces; with ``--drop``, ask, and take one away."""
    url = options.url or options.store
    if options.drop is None and options.confirm is None:
        _write(list(namespaces_of(url)), options, screen)
        return Exit.OK
    name = _confirmable(options)
    with screen.progress("Looking …"):
        found = namespaces_of(url)
        records = inspect(url, namespace=name).records if name in found else None
    if name not in found:
        raise InvalidCall(
            f"There is no namespace {name!r:.80} on this server.",
            why=["it was never used, or was dropped before"],
            hint="emco-store namespaces shows their names.",
        )
    holds = "records that could not be counted" if records is None else count(sum(records.values()), "record")
    if options.confirm is None:
        screen.note(f"The namespace {name} holds {holds}.")
        screen.note("Nothing brings them back, and programs that use it are not told. Type its name to drop it:")
        if sys.stdin.readline().strip() != name:
            screen.note("Nothing was dropped.")
            return Exit.REFUSED
    drop_namespace(url, name)
    if options.output == "table":
        screen.note(f"The namespace {name} was dropped, with {holds}.")
    else:
        _write({"dropped": name, "records": None if records is None else dict(records)}, options, screen)
    return Exit.OK


def _confirmable(options: Options) -> str:
    """Return the name of what is to be dropped; refuse what nobody has confirmed or can confirm."""
    name: str = options.drop or ""
    if options.confirm not in {None, name} or not name:
        raise InvalidCall(
            "Cannot drop a namespace: the names differ.",
            why=[f"--drop {name}, --confirm {options.confirm}" if name else "--drop NAME is missing"],
            hint="give the same name twice.",
        )
    if options.confirm is None and not sys.stdin.isatty():
        raise InvalidCall(
            "Cannot ask whether to drop a namespace.",
            why=["the standard input is not a terminal"],
            hint=f"give --confirm {name}.",
        )
    return name


def _write(value: Any, options: Options, screen: Screen) -> None:
    if options.output != "table":
        screen.write(write_value(value, options.output))
        return
    screen.write("".join(f"{visible(name)}\n" for name in value))
    screen.note(f"{count(len(value), 'namespace')} shown")
