"""The verbs of leases: ``workers`` shows who holds them, ``expire`` ends one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from emco_store import InvalidCall, InvalidResource, LeaseState, Page, Resource, Store, StoreError, Verdict
from emco_store.cli.arguments import Options
from emco_store.cli.conditions import suggestion
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json, write_value, write_yaml
from emco_store.cli.opening import opened
from emco_store.cli.plans import show_plan
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen, visible
from emco_store.core.reserved import lease_of
from emco_store.core.wording import count

EVERY_S = 1.0
"""Time between two looks of ``--watch``, in seconds."""
MAX_ASSIGNED = 100
"""Maximum number of resources that are named for programs as assigned to one holder."""
SHOWN_ASSIGNED = 6
"""Maximum number of them that a table names."""
_LOOKS: Mapping[Verdict, str] = {
    Verdict.ALIVE: "green",
    Verdict.SUSPECT: "yellow",
    Verdict.OVERDUE: "bold red",
    Verdict.STUCK: "magenta",
    Verdict.FREE: "dim",
}


@dataclass(frozen=True, slots=True)
class _Assigned:
    """What needs the lease of one resource.

    Attributes:
        items: The referrers, each with the place of its reference and the rule for the end of the lease.
        is_cut: Whether there are more.
        errors: Referrers that cannot be read.
    """

    items: tuple[tuple[str, str, str], ...] = ()
    is_cut: bool = False
    errors: tuple[InvalidResource, ...] = ()


def workers(options: Options, screen: Screen) -> Exit:
    """Show leases with their verdicts, and what is assigned to their holders; with ``--watch``, again and again."""
    with opened(options, screen) as store:
        model = None if options.kind is None else _leasable(store, options.kind)
        if not options.watch:
            return _show(options, screen, *_look(options, store, model))
        with screen.redrawing() as redraw:
            while True:
                try:
                    page, assigned = _look(options, store, model)
                except StoreError as problem:
                    if not problem.retryable:
                        raise
                    screen.error(problem)
                else:
                    if options.output == "table":
                        redraw(*_shown(page, assigned))
                    else:
                        screen.write(_line(options, _plain(page, assigned)))
                Event().wait(EVERY_S)


def expire(options: Options, screen: Screen) -> Exit:
    """End a lease, or show the plan."""
    key = read_key(options.key)
    with opened(options, screen) as store:
        if options.plan:
            return show_plan(options, screen, store.plan_expire(key))
        done = store.expire(key, reason=options.reason)
    if options.output == "table":
        screen.show(f"{key}: its lease is over; {done}")
    else:
        value = {"key": key.text, "deleted": dict(done.deleted), "changed": dict(done.changed)}
        screen.write(write_value(value, options.output))
    return Exit.OK


def _leasable(store: Store, kind: str) -> type[Resource]:
    known = [model.__emco__.kind for model in store.schema.models() if model.__emco__.lease is not None]
    model = store.schema.model_of(kind)
    if model is None or model.__emco__.lease is None:
        raise InvalidCall(
            f"There are no leases of {kind!r:.80}.",
            why=["there is no model of it" if model is None else "its class is defined without lease="],
            hint=suggestion(kind, known) or "give your own models with --models, or leave KIND out.",
        )
    return model


def _look(
    options: Options, store: Store, model: type[Resource] | None
) -> tuple[Page[LeaseState], Mapping[str, _Assigned]]:
    """Read a page of leases, and what is assigned to the holder of each."""
    page = store.leases(model, stall_after=options.stall_after, limit=options.limit, after=options.after)
    return page, _assigned_of(store, page)


def state_table(store: Store, page: Page[LeaseState]) -> Table:
    """Build a table of leases, with what is assigned to the holder of each."""
    return _table(page, _assigned_of(store, page))


def _assigned_of(store: Store, page: Page[LeaseState]) -> Mapping[str, _Assigned]:
    held = [state for state in page.resources if state.verdict is not Verdict.FREE]
    return {state.resource.text: _assigned(store, state) for state in held}


def _assigned(store: Store, state: LeaseState) -> _Assigned:
    lease = lease_of(state.resource)
    page = store.referrers(state.resource, limit=MAX_ASSIGNED)
    items = tuple(
        (item.key.text, edge.place, str(edge.rule))
        for item in page.resources
        for edge in item.meta.edges
        if edge.target == lease
    )
    return _Assigned(items, page.next is not None, page.errors)


def _show(options: Options, screen: Screen, page: Page[LeaseState], assigned: Mapping[str, _Assigned]) -> Exit:
    if options.output == "table":
        screen.show(*([_table(page, assigned)] if len(page) else []))
        screen.note(f"{count(len(page), 'lease')} shown" + (f"; more: --after {page.next}" if page.next else ""))
    else:
        value = _plain(page, assigned)
        screen.write(write_value(value, options.output))
    problems = [*page.errors, *(problem for one in assigned.values() for problem in one.errors)]
    for problem in problems:
        screen.error(problem)
    return Exit.REFUSED if problems else Exit.OK


def _shown(page: Page[LeaseState], assigned: Mapping[str, _Assigned]) -> Iterable[RenderableType]:
    yield _table(page, assigned) if len(page) else Text("nobody holds a lease", style="dim")
    cut = [key for key, one in assigned.items() if one.errors]
    if cut:
        yield Text(f"some of what refers to these cannot be read: {', '.join(cut)}", style="red")


def _line(options: Options, value: Any) -> str:
    """Write one look of many: a line of JSON, or a document of YAML."""
    return write_json(value, indent=None) + "\n" if options.output == "json" else f"---\n{write_yaml(value)}"


def _table(page: Page[LeaseState], assigned: Mapping[str, _Assigned]) -> Table:
    """Build a table with a line for each lease."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("verdict", "resource", "last beat", "token"):
        table.add_column(heading.upper(), no_wrap=True, overflow="ellipsis", justify="left")
    for heading in ("holder", "assigned", "progress"):
        table.add_column(heading.upper(), overflow="fold", justify="left")
    for state in page.resources:
        work = assigned.get(state.resource.text, _Assigned())
        table.add_row(
            Text(state.verdict.value, style=_LOOKS[state.verdict]),
            Text(visible(state.resource.text)),
            Text("-" if state.silent is None else f"{_age(state.silent)} ago"),
            Text(str(state.token) if state.token else "-"),
            Text(visible(state.holder) or "-"),
            Text(visible(_names(work))),
            Text(_progress(state)),
        )
    return table


def _names(work: _Assigned) -> str:
    names = [*dict.fromkeys(key for key, _, _ in work.items)]
    more = len(names) - SHOWN_ASSIGNED
    text = ", ".join(names[:SHOWN_ASSIGNED])
    return text + (f" and {more}{' or more' if work.is_cut else ''} others" if more > 0 else "") or "-"


def _age(span: timedelta) -> str:
    """Write a time span in the largest unit that fits."""
    seconds = span.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _progress(state: LeaseState) -> str:
    if not state.progress:
        return "-"
    fields = " ".join(f"{name}={write_json(value, indent=None)}" for name, value in state.progress.items())
    quiet = "" if state.quiet is None else f", {_age(state.quiet)} old"
    return visible(fields) + quiet


def _plain(page: Page[LeaseState], assigned: Mapping[str, _Assigned]) -> dict[str, Any]:
    return {"items": [_plain_state(state, assigned) for state in page.resources], "next": page.next}


def _plain_state(state: LeaseState, assigned: Mapping[str, _Assigned]) -> dict[str, Any]:
    work = assigned.get(state.resource.text, _Assigned())
    return {
        "resource": state.resource.text,
        "verdict": state.verdict.value,
        "token": state.token or None,
        "holder": state.holder or None,
        "since": None if state.since is None else state.since.isoformat(),
        "ttl_s": _seconds(state.ttl),
        "silent_s": _seconds(state.silent),
        "progress": dict(state.progress),
        "quiet_s": _seconds(state.quiet),
        "assigned": [{"key": key, "place": place, "on_expire": rule} for key, place, rule in work.items],
        "has_more_assigned": work.is_cut,
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()
