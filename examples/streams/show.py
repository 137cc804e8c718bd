"""What people see: a live table on a terminal, lines elsewhere, and the arithmetic at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from emco_store import Seat, Store, StoreError, Verdict
from examples.streams.crew import News
from examples.streams.models import ZONES, Operator, Worker

LOOKS = {
    Verdict.ALIVE: "green",
    Verdict.SUSPECT: "yellow",
    Verdict.OVERDUE: "bold red",
    Verdict.STUCK: "magenta",
    Verdict.FREE: "dim",
}
STYLES = {"refused": "bold red", "killed": "yellow", "stopped": "yellow", "cut": "yellow", "failed": "red"}
SHOWN_NEWS = 12


class Sum(NamedTuple):
    """What a job should have added up, and what it has.

    Attributes:
        job: The job.
        events: How many events it had.
        wanted: The sum of their numbers, by formula.
        found: What its sink has added up.
    """

    job: str
    events: int
    wanted: int
    found: int

    @property
    def is_right(self) -> bool:
        """Whether both are equal."""
        return self.wanted == self.found


class Show:
    """Shows what happens, from the start of its block to the end.

    Args:
        console: Where.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._news: list[News] = []
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def hear(self, news: News) -> None:
        """Show something new."""
        self._news.append(news)
        if self._live is None:
            self._console.print(_line(news), soft_wrap=True)

    def draw(self, store: Store) -> None:
        """Draw the tables anew, on a terminal."""
        if self._live is None:
            return
        try:
            tables: list[RenderableType] = [_workers(store), _operators(store.list(Operator, limit=1000).resources)]
        except StoreError as problem:
            tables = [Text(problem.line, style="red")]
        news = [_line(one) for one in self._news[-SHOWN_NEWS:]]
        self._live.update(Group(*tables, Text(), *news), refresh=True)


def _line(news: News) -> Text:
    who = f"{news.who:8}" if news.who else "chaos   "
    return Text.assemble((who, "dim" if news.who else "bold"), (news.text, STYLES.get(news.kind, "")))


def _workers(store: Store) -> Table:
    operators = store.list(Operator, limit=1000).resources
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("WORKER", "VERDICT", "LAST BEAT", "TOKEN", "COMMITS", "RUNS"):
        table.add_column(heading, no_wrap=True)
    for state in [*store.leases(Worker).resources, *store.leases(Seat).resources]:
        runs = [one for one in operators if one.worker is not None and one.worker.key == state.resource]
        is_seat = state.resource.kind == Seat.__emco__.kind
        table.add_row(
            "leader" if is_seat else state.resource.name,
            Text(state.verdict.value, style=LOOKS[state.verdict]),
            "-" if state.silent is None else f"{state.silent.total_seconds():.1f} s ago",
            str(state.token or "-"),
            str(state.progress.get("commits", "-")),
            state.holder if is_seat else ", ".join(f"{one.key.segments[0]} {one.name}" for one in runs) or "-",
        )
    return table


def _operators(operators: Iterable[Operator]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("JOB", "RESTARTS"):
        table.add_column(heading, no_wrap=True)
    known = list(operators)
    for zone in ZONES:
        attempts = [max(0, one.recovery.attempts - 1) for one in known if one.key.segments[0] == zone]
        table.add_row(zone, str(sum(attempts)))
    return table


def arithmetic(sums: Sequence[Sum]) -> Table:
    """Build the table that compares the sums with the formula."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("JOB", "EVENTS", "n(n-1)/2", "SUM", ""):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "JOB" else "right")
    for one in sums:
        off = one.found - one.wanted
        mark = Text("=", style="bold green") if one.is_right else Text(f"wrong by {off:+,}", style="bold red")
        table.add_row(one.job, f"{one.events:,}", f"{one.wanted:,}", f"{one.found:,}", mark)
    return table
