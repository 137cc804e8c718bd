"""The verbs of histories: ``history``, ``diff``, ``rollback``, ``restore``, ``tag`` and ``prune``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from rich.text import Text
from rich.tree import Tree

from emco_store import Diff, InvalidResource, Key, LifecycleRecord, NotFound, Revision, RollbackPlan, Store
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_json, write_value
from emco_store.cli.opening import opened
from emco_store.cli.plans import coloured
from emco_store.cli.reading import read_key
from emco_store.cli.screen import Screen, visible
from emco_store.core.trails import ABSENT, FieldChange
from emco_store.core.wording import count


def history(options: Options, screen: Screen) -> Exit:
    """Show the revisions of a resource, the newest first, with those of its earlier incarnations."""
    key = read_key(options.key)
    with opened(options, screen) as store:
        page = store.history(key, limit=options.limit, after=options.after)
        now = _now(store, key)
    if options.output == "table":
        screen.show(_tree(key, list(page.items), now))
        screen.note(f"{count(len(page), 'revision')} shown" + (f"; more: --after {page.next}" if page.next else ""))
    else:
        _write(options, screen, {"items": [_plain(item) for item in page.items], "next": page.next})
    for problem in page.errors:
        screen.error(problem)
    return Exit.REFUSED if page.errors else Exit.OK


def diff(options: Options, screen: Screen) -> Exit:
    """Show what differs between two revisions, or between one and the content now."""
    key = read_key(options.key)
    with opened(options, screen) as store:
        found = store.diff(key, _which(options.before), _which(options.after))
    if options.output == "table":
        screen.show(*diff_lines(found))
    else:
        _write(options, screen, _plain_diff(found))
    return Exit.OK


def rollback(options: Options, screen: Screen) -> Exit:
    """Show what a rollback would do, or do it."""
    key = read_key(options.key)
    left_out = [read_key(text) for text in options.leave_out]
    with opened(options, screen) as store:
        plan = store.plan_rollback(key, _which(options.revision), leave_out=left_out, note=options.note)
        return _shown_or_applied(options, screen, store, plan)


def restore(options: Options, screen: Screen) -> Exit:
    """Show what it takes to create a resource again that is gone, or do it."""
    key = read_key(options.key)
    left_out = [read_key(text) for text in options.leave_out]
    which = None if options.revision is None else _which(options.revision)
    with opened(options, screen) as store:
        return _shown_or_applied(options, screen, store, store.plan_restore(key, which, leave_out=left_out))


def tag(options: Options, screen: Screen) -> Exit:
    """Give a revision a name, or take one away."""
    key = read_key(options.key)
    with opened(options, screen) as store:
        if options.remove:
            store.untag(key, options.revision)
            screen.show(f"{key}: the tag {visible(options.revision)} is removed")
        else:
            revision = store.tag(key, _which(options.revision), options.name)
            screen.show(f"{key}: revision {revision.number} is {', '.join(revision.tags)}")
    return Exit.OK


def prune(options: Options, screen: Screen) -> Exit:
    """Remove old revisions."""
    key = read_key(options.key)
    with opened(options, screen) as store, screen.progress("Removing …"):
        done = store.prune(key, keep=options.keep, forget=options.forget)
    screen.show(f"{count(done.removed, 'revision')} removed, {done.kept:,} kept")
    return Exit.OK


def _which(text: str) -> int | str:
    """Return the number or the tag that a text is."""
    return int(text) if text.isascii() and text.isdecimal() else text


def _now(store: Store, key: Key) -> tuple[str, LifecycleRecord[Any] | None]:
    """Return the uid of a resource and where it is in its lifecycle; no uid where it is gone."""
    try:
        (found,) = store.get_many([key], missing_ok=True)
        return ("", None) if found is None else (found.meta.uid, store.lifecycle(key))
    except NotFound:
        return "", None
    except InvalidResource:
        return "", store.lifecycle(key)


def _write(options: Options, screen: Screen, value: Any) -> None:
    screen.write(write_value(value, options.output))


# history


def _tree(
    key: Key, entries: Iterable[Revision | InvalidResource], now: tuple[str, LifecycleRecord[Any] | None]
) -> Tree:
    """Build a tree: a branch for each incarnation, a line for each revision; ✓ is approved, ▶ is applied."""
    uid, record = now
    top = Tree(Text(key.text, style="bold"), guide_style="dim")
    for incarnation, revisions in groupby(entries, key=_uid_of):
        is_there = incarnation == uid
        branch = top.add(Text(f"uid {incarnation}{'' if is_there else ', gone'}", style="" if is_there else "dim"))
        for one in revisions:
            if isinstance(one, InvalidResource):
                branch.add(Text(f"cannot be read: {visible(one.line)}", style="red"))
            else:
                branch.add(
                    _revision_line(one, is_applied=is_there and record is not None and record.applied == one.number)
                )
    return top


def _uid_of(entry: Revision | InvalidResource) -> str:
    return entry.uid if isinstance(entry, Revision) else str(entry.key.segments[-2])


def _revision_line(one: Revision, *, is_applied: bool) -> Text:
    line = Text.assemble((f"{one.number:>4}", "bold"), ("▶" if is_applied else " ", "bold green"))
    line.append("✓" if one.approval is not None else " ", style="green")
    line.append(f"  {one.at:%Y-%m-%d %H:%M:%SZ}  ", style="dim").append(one.state)
    line.append(f"  {one.transition or 'rollback'}", style="dim")
    if one.actor:
        line.append(f"  by {visible(one.actor)}")
    for name in one.tags:
        line.append(f"  [{name}]", style="cyan")
    if one.restores is not None:
        line.append(f"  restores {one.restores}", style="yellow")
    if one.note:
        line.append(f"  {visible(one.note)}", style="italic")
    return line


def _plain(entry: Revision | InvalidResource) -> dict[str, Any]:
    if isinstance(entry, InvalidResource):
        return {"error": {"code": entry.code, "problems": list(entry.problems)}}
    approval = entry.approval
    return {
        "key": entry.key.text, "uid": entry.uid, "number": entry.number, "digest": entry.digest, "state": entry.state,
        "transition": entry.transition, "actor": entry.actor, "note": entry.note, "at": entry.at.isoformat(),
        "approval": None if approval is None else approval.model_dump(mode="json"), "restores": entry.restores,
        "tags": list(entry.tags), "members": entry.members,
    }  # fmt: skip


# diffs


def diff_lines(found: Diff) -> Iterator[Text]:
    """Yield the lines of a diff: what is only before in red, what is only afterwards in green."""
    head, *_ = str(found).split("\n")
    yield Text(head, style="bold")
    yield from (Text(f"+ {key}", style="green") for key in found.added)
    yield from (Text(f"- {key}", style="red") for key in found.removed)
    for change in found.changed:
        yield Text(f"~ {change.key}", style="yellow")
        for field in change.fields:
            yield from field_lines(field)


def field_lines(field: FieldChange) -> Iterator[Text]:
    """Yield the lines of a field that has changed."""
    path = visible(place_of(field)) or "(document)"
    for sign, value, style in (("-", field.old, "red"), ("+", field.new, "green")):
        if value is not ABSENT:
            yield Text(f"    {sign} {path}: {visible(write_json(value, indent=None))}", style=style)


def _plain_diff(found: Diff) -> dict[str, Any]:
    return {
        "key": found.key.text,
        "before": found.before,
        "after": found.after,
        "added": [key.text for key in found.added],
        "removed": [key.text for key in found.removed],
        "changed": [
            {"key": change.key.text, "fields": [plain_field(field) for field in change.fields]}
            for change in found.changed
        ],
    }


def place_of(field: FieldChange) -> str:
    """Return where a field stands: ``spec.apps[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in field.path).removeprefix(".")


def plain_field(field: FieldChange) -> dict[str, Any]:
    """Return a changed field; a side on which it is not there is left out."""
    sides = {"before": field.old, "after": field.new}
    return {"path": place_of(field)} | {name: value for name, value in sides.items() if value is not ABSENT}


# plans


def _shown_or_applied(options: Options, screen: Screen, store: Store, plan: RollbackPlan) -> Exit:
    """Show a plan, or carry it out; what is shown is what would be carried out."""
    if options.apply:
        screen.show(str(store.apply(plan)))
        return Exit.OK
    screen.show(*coloured(str(plan)))
    if plan.refusal is None:
        screen.note("nothing is written yet; --apply carries it out")
    return Exit.OK if plan.refusal is None else Exit.REFUSED
