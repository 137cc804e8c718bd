"""The verb ``check``: look for damage, and repair it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from emco_store import Flaw, FlawKind, InvalidCall, Repair, Store, StoreError
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json
from emco_store.cli.hints import said
from emco_store.cli.opening import opened
from emco_store.cli.screen import Screen, visible
from emco_store.core.keys import shown_key
from emco_store.core.wording import count

MAX_REPAIRED = 10_000
"""Maximum number of flaws that one command repairs. They are in memory until the whole plan has been shown."""
AT_ONCE = 100
_LOOKS = {Repair.DELETE: "bold red", Repair.DISCARD: "bold red", None: "yellow"}


class _Check:
    """One check of everything, shown while it runs.

    Attributes:
        records: Number of records checked.
        entries: Number of entries checked.
        flaws: Number of flaws found.
        repairs: The flaws that can be repaired, up to what one command repairs.
    """

    def __init__(self, screen: Screen, *, as_json: bool, unknown_kinds: bool) -> None:
        self.records = self.entries = self.flaws = 0
        self.repairs: list[Flaw] = []
        self._screen = screen
        self._as_json = as_json
        self._unknown_kinds = unknown_kinds

    def run(self, store: Store, after: str | None) -> None:
        """Check page by page; if that ends early, say how to continue."""
        try:
            while True:
                with self._screen.progress(f"Checking … {count(self.records, 'record')}, {self._sum()}"):
                    page = store.check(after=after, unknown_kinds=self._unknown_kinds)
                self.records += page.records
                self.entries += page.entries
                for flaw in page.flaws:
                    self._tell(flaw)
                after = page.next
                if after is None:
                    break
        except (KeyboardInterrupt, StoreError):
            if after is not None:
                self._screen.note(f"to continue where this ended: --after {after}")
            raise
        self._finish()

    def _tell(self, flaw: Flaw) -> None:
        self.flaws += flaw.kind is not FlawKind.UNKNOWN_KIND
        if flaw.repair is not None and len(self.repairs) < MAX_REPAIRED:
            self.repairs.append(flaw)
        _show(self._screen, {"flaw": flaw.plain()} if self._as_json else None, *_lines(flaw))

    def _sum(self) -> str:
        return count(self.flaws, "flaw")

    def _finish(self) -> None:
        seen = f"{count(self.records, 'record')}, {self.entries:,} entries in all"
        can = f"; {len(self.repairs):,} can be repaired" if self.flaws else ""
        text = f"{self._sum()} in {seen}{can}." if self.flaws else f"Nothing is wrong: {seen}."
        value = {"records": self.records, "entries": self.entries, "flaws": self.flaws, "repairs": len(self.repairs)}
        look = "bold red" if self.flaws else "bold green"
        _show(self._screen, {"checked": value} if self._as_json else None, Text(text, style=look))


def check(options: Options, screen: Screen) -> Exit:
    """Show what is wrong in a namespace; with ``--repair``, repair what needs no decision."""
    if options.repair and not options.yes and not sys.stdin.isatty():
        raise InvalidCall(
            "Cannot ask whether to repair.",
            why=["the standard input is not a terminal"],
            hint="read the plan without --repair first, then give --yes.",
        )
    with opened(options, screen) as store:
        found = _begin(options, screen)
        found.run(store, options.after)
        if options.repair and found.repairs and (options.yes or _is_wanted(screen, found.repairs)):
            _repair(store, found.repairs, options, screen)
            found = _begin(options, screen)
            found.run(store, options.after)
    return Exit.FLAWS if found.flaws else Exit.OK


def _begin(options: Options, screen: Screen) -> _Check:
    return _Check(screen, as_json=options.json, unknown_kinds=options.unknown_kinds)


def _is_wanted(screen: Screen, repairs: list[Flaw]) -> bool:
    lost = sum(flaw.repair in {Repair.DELETE, Repair.DISCARD} for flaw in repairs)
    screen.note(f"Repair {count(len(repairs), 'flaw')}, {lost:,} of them by deleting? Type yes to continue:")
    return sys.stdin.readline().strip().lower() == "yes"


def _repair(store: Store, flaws: list[Flaw], options: Options, screen: Screen) -> None:
    done = 0
    for first in range(0, len(flaws), AT_ONCE):
        with screen.progress(f"Repairing … {done:,} of {len(flaws):,}"):
            repaired = store.repair(flaws[first : first + AT_ONCE])
        done += len(repaired.done)
        for flaw in repaired.done if options.json else ():
            _show(screen, {"repaired": flaw.plain()})
        for flaw, reason in repaired.skipped:
            value = {"skipped": flaw.plain(), "reason": reason} if options.json else None
            _show(
                screen,
                value,
                Text(visible(f"not repaired: {shown_key(flaw.key)} {flaw.place}: {reason}"), style="yellow"),
            )
    _show(screen, {"done": done} if options.json else None, Text(f"{count(done, 'flaw')} repaired.", style="bold"), "")


def _lines(flaw: Flaw) -> Iterator[RenderableType]:
    look = _LOOKS.get(flaw.repair, "bold")
    yield Text.assemble((f"{flaw.kind:17}  ", look), visible(f"{shown_key(flaw.key)} {flaw.place}".strip()))
    yield Text(f"{'':19}{visible(flaw.detail)}", style="dim")
    yield Text(f"{'':19}{'Repair' if flaw.repair else 'Hint'}: {visible(said(flaw.hint))}", style=look)


def _show(screen: Screen, value: Any, *lines: RenderableType) -> None:
    """Write a line of JSON for programs, or lines of text for people."""
    if value is not None:
        screen.write(write_json(value, indent=None) + "\n")
    else:
        screen.show(*lines)
