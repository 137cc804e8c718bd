"""DOT: a graph as text for the programs of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from emco_store.cli.graphs.graph import Arrow, Box, Graph
from emco_store.cli.graphs.palette import LINE


def draw_dot(graph: Graph) -> str:
    """Write the graph in Graphviz' language: bold grey lines for parents, arrows for references."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "digraph emco_store {"
    yield "    rankdir=RL;"
    yield '    node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica"];'
    yield '    edge [fontname="Helvetica", fontsize=10];'
    for box in graph.boxes:
        yield f"    {_quoted(box.id)} [label={_label(box)}{', penwidth=3' if box.is_focus else ''}];"
    for arrow in graph.arrows:
        yield f"    {_arrow(arrow)}"
    yield "}"


def _label(box: Box) -> str:
    return _quoted("\n".join(filter(None, (box.title, box.detail))))


def _arrow(arrow: Arrow) -> str:
    text, look = f"{arrow.place}\n{arrow.rule}", f'color="{arrow.rule.colour}"'
    if arrow.is_parent:
        text, look = str(arrow.rule), f'arrowhead=diamond, color="{LINE}", penwidth=2.5'
    return f"{_quoted(arrow.source)} -> {_quoted(arrow.target)} [label={_quoted(text)}, {look}];"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
