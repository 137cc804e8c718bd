"""The verb ``trail``: who changed a resource, when and why, and what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from emco_store import InvalidCall, InvalidResource, Key, Resource, Store, TrailEntry
from emco_store.cli.arguments import Options
from emco_store.cli.conditions import suggestion
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.histories import field_lines, place_of, plain_field
from emco_store.cli.opening import opened
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen, visible
from emco_store.core.reserved import refuse_reserved
from emco_store.core.wording import count


def trail(options: Options, screen: Screen) -> Exit:
    """Show the trail of a resource, or of all resources of a kind, the newest entry first."""
    with opened(options, screen) as store:
        target = _target(options.target, store)
        page = store.trail(target, limit=options.limit, after=options.after)
        is_kept = bool(page.items) or _keeps(store, target)
    if options.output == "table":
        for entry in page.resources:
            screen.show(*_lines(entry))
        more = f"; the next page: --after {page.next}" if page.next else ""
        kind = target.kind if isinstance(target, Key) else target.__emco__.kind
        screen.note(f"{count(len(page), 'entry', 'entries')} shown{more}")
        if not is_kept:
            screen.note(f"{kind} keeps no trail: its class says no trail=")
    else:
        value = {"items": [_plain(entry) for entry in page.items], "next": page.next}
        screen.write(write_value(value, options.output))
    for problem in page.errors:
        screen.error(problem)
    return Exit.REFUSED if page.errors else Exit.OK


def _target(text: str, store: Store) -> Key | type[Resource]:
    """Return the key or the class that a text names."""
    if "/" in text:
        return read_key(text)
    refuse_reserved(text)
    model = store.schema.model_of(text)
    if model is None:
        known = [one.__emco__.kind for one in store.schema.models()]
        raise InvalidCall(
            f"There is no kind {text!r:.80}.",
            why=["there is no model of it"],
            hint=suggestion(text, known) or "give your own models with --models, or a whole key.",
        )
    return model


def _keeps(store: Store, target: Key | type[Resource]) -> bool:
    """Return whether a trail is kept, as far as that is known here."""
    model = store.schema.model_of(target.kind) if isinstance(target, Key) else target
    return model is None or model.__emco__.trail is not None


def _lines(entry: TrailEntry) -> Iterator[Text]:
    line = Text.assemble((f"{entry.at:%Y-%m-%d %H:%M:%SZ}", "dim"), "  ", (entry.key.text, "bold"))
    line.append(f"  {entry.version}", style="dim").append(f"  {entry.action.value}")
    if entry.actor:
        line.append(f"  by {visible(entry.actor)}")
    if entry.reason:
        line.append(f"  {visible(entry.reason)}", style="italic")
    if entry.operation:
        line.append(f"  [{visible(entry.operation)}]", style="dim")
    yield line
    for change in entry.changes:
        if entry.is_shortened:
            yield Text(f"    ~ {visible(place_of(change))}: too large to be kept", style="yellow")
        else:
            yield from field_lines(change)


def _plain(entry: TrailEntry | InvalidResource) -> dict[str, Any]:
    if isinstance(entry, InvalidResource):
        return {"error": {"code": entry.code, "problems": list(entry.problems)}}
    return {
        "key": entry.key.text, "uid": entry.uid, "version": entry.version, "action": entry.action.value,
        "actor": entry.actor, "reason": entry.reason, "operation": entry.operation, "at": entry.at.isoformat(),
        "txid": entry.txid, "shortened": entry.is_shortened, "changes": [plain_field(one) for one in entry.changes],
    }  # fmt: skip
