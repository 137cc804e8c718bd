"""Trees: a graph as text for a terminal. Children are branches; references are lines below their referrer."""

from __future__ import annotations

from collections import defaultdict

from rich.text import Text
from rich.tree import Tree

from emco_store.cli.graphs.graph import Arrow, Box, Graph
from emco_store.core.rules import Rule


def draw_tree(graph: Graph) -> list[Tree]:
    """Build one tree for each box without a parent in the graph."""
    boxes = {box.id: box for box in graph.boxes}
    children: dict[str, list[Arrow]] = defaultdict(list)
    held: dict[str, list[Arrow]] = defaultdict(list)
    for arrow in graph.arrows:
        if arrow.is_parent:
            children[arrow.target].append(arrow)
        else:
            held[arrow.source].append(arrow)
    below = {arrow.source for arrow in graph.arrows if arrow.is_parent}
    trees: list[Tree] = []
    for root in (box for box in graph.boxes if box.id not in below):
        top = Tree(_head(root, None), guide_style="dim")
        trees.append(top)
        stack = [(root, top)]
        while stack:
            box, branch = stack.pop()
            for arrow in held[box.id]:
                branch.add(_reference(arrow))
            for arrow in children[box.id]:
                child = boxes[arrow.source]
                stack.append((child, branch.add(_head(child, arrow))))
    return trees


def _head(box: Box, arrow: Arrow | None) -> Text:
    title = box.title if arrow is not None else box.id
    text = Text(title, style="bold reverse" if box.is_focus else "bold")
    if box.detail and title == box.title:
        text.append(f"  {box.detail}", style="dim not bold not reverse")
    if arrow is not None and arrow.rule is not Rule.RESTRICT:
        text.append(f"  {arrow.rule}", style=f"not bold not reverse {arrow.rule.style}")
    return text


def _reference(arrow: Arrow) -> Text:
    return Text.assemble(
        (arrow.place, ""), (" → ", "dim"), arrow.target, ("  ", ""), (str(arrow.rule), arrow.rule.style)
    )
