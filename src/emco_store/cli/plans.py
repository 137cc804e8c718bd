"""Plans as trees: what a delete removes, what it changes and what blocks it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from rich.text import Text
from rich.tree import Tree

from emco_store import Blocker, BlockReason, Deletion, Key, Plan
from emco_store.cli.screen import visible
from emco_store.core.wording import count

_MARKS = {"+": "green", "-": "red", "~": "yellow", "!": "bold red", "?": "cyan", "=": "dim"}
"""The colour of a line of a plan, by its first character."""


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
    below: dict[Key | None, list[Deletion]] = defaultdict(list)
    for deletion in plan.deletes:
        below[deletion.via.target if deletion.via else None].append(deletion)
    stack = [(deletion, tree) for deletion in reversed(below[None])]
    while stack:
        deletion, above = stack.pop()
        line = Text.assemble(("- ", "bold red"), deletion.key.text)
        if deletion.via is not None:
            line.append(f"  {visible(deletion.via.place)} ", style="dim")
            line.append(str(deletion.via.rule), style=deletion.via.rule.style)
        branch = above.add(line)
        stack.extend((inner, branch) for inner in reversed(below[deletion.key]))


def coloured(text: str) -> Iterator[Text]:
    """Yield the lines of a plan that is given as text, each in the colour of its first character."""
    for number, line in enumerate(visible(text).split("\n")):
        yield Text(line, style="bold" if not number else _MARKS.get(line.lstrip()[:1], ""))
