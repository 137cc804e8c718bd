"""Plans as trees: what a delete removes, what it changes and what blocks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.text import Text
from rich.tree import Tree

from emco_store import Blocker, BlockReason, Plan
from emco_store.cli.arguments import Options
from emco_store.cli.exits import Exit
from emco_store.cli.formats import write_value
from emco_store.cli.screen import Screen, visible
from emco_store.core.reserved import stated
from emco_store.core.wording import count

_MARKS = {"+": "green", "-": "red", "~": "yellow", "!": "bold red", "?": "cyan", "=": "dim"}
"""The colour of a line of a plan, by its first character."""


def show_plan(options: Options, screen: Screen, plan: Plan) -> Exit:
    """Show a plan; exit code 1 if something blocks it."""
    if options.output == "table":
        screen.show(plan_tree(plan))
    else:
        value = _plain(plan)
        screen.write(write_value(value, options.output))
    return Exit.REFUSED if plan.blockers else Exit.OK


def plan_tree(plan: Plan) -> Tree:
    """Build a tree of a plan: ``-`` is deleted, ``~`` loses a reference, ``!`` blocks."""
    changed = len({change.key for change in plan.updates})
    verdict = (plan.verdict, "bold red" if plan.blockers else "bold green")
    counts = f"{count(len(plan.deletes), 'resource')} would go, {count(changed, 'resource')} would change: "
    tree = Tree(Text.assemble((counts, "bold"), verdict), guide_style="dim")
    _add_deletions(tree, plan)
    for change in plan.updates:
        tree.add(Text.assemble(("~ ", "bold yellow"), visible(str(change))))
    for blocker in plan.blockers:
        tree.add(_blocker_line(blocker))
    if len(plan.blockers) < plan.blocker_count:
        tree.add(Text(f"… and {plan.blocker_count - len(plan.blockers):,} more", style="dim"))
    return tree


def _blocker_line(blocker: Blocker) -> Text:
    mark = ("! ", "bold red")
    if blocker.reason is BlockReason.STATE:
        return Text.assemble(mark, visible(str(blocker)))
    rule = (str(blocker.rule), blocker.rule.style)
    line = Text.assemble(mark, f"{visible(blocker.holder)} {visible(blocker.place)} → {blocker.target}  ", rule)
    return line.append(f"  {visible(blocker.detail)}" if blocker.detail else "")


def _add_deletions(tree: Tree, plan: Plan) -> None:
    below = plan.by_cause()
    stack = [(deletion, tree) for deletion in reversed(below.get(None, ()))]
    while stack:
        deletion, above = stack.pop()
        line = Text.assemble(("- ", "bold red"), deletion.key.text)
        if deletion.via is not None:
            line.append(f"  {visible(deletion.via.place)} ", style="dim")
            line.append(str(deletion.via.rule), style=deletion.via.rule.style)
        branch = above.add(line)
        stack.extend((inner, branch) for inner in reversed(below.get(deletion.key, ())))


def coloured(text: str) -> Iterator[Text]:
    """Yield the lines of a plan that is given as text, each in the colour of its first character."""
    for number, line in enumerate(visible(text).split("\n")):
        yield Text(line, style="bold" if not number else _MARKS.get(line.lstrip()[:1], ""))


def _plain(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    return {
        "deletes": [
            {
                "key": one.key.text,
                "via": one.via and {"place": one.via.place, "target": str(one.via.target), "rule": str(one.via.rule)},
            }
            for one in plan.deletes
        ],
        "updates": [
            {
                "key": one.key.text,
                "place": one.edge.place,
                "target": stated(one.edge.target).text,
                "rule": str(one.edge.rule),
            }
            for one in plan.updates
        ],
        "blockers": [
            {
                "key": one.referrer.text,
                "place": one.place,
                "target": str(one.target),
                "rule": str(one.rule),
                "reason": str(one.reason),
                "detail": one.detail,
            }
            for one in plan.blockers
        ],
        "blocker_count": plan.blocker_count,
    }
