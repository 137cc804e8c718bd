"""Mermaid: a graph as text that code hosts and documentation tools draw."""

from __future__ import annotations

from collections.abc import Iterator

from emco_store.cli.graphs.graph import Arrow, Box, Graph


def draw_mermaid(graph: Graph) -> str:
    """Write the graph as a Mermaid flowchart: thick lines for parents, arrows for references."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    ids = {box.id: f"n{number}" for number, box in enumerate(graph.boxes)}
    yield "flowchart LR"
    for box in graph.boxes:
        yield f"    {ids[box.id]}[{_label(box)}]"
    for arrow in graph.arrows:
        yield f"    {_arrow(arrow, ids[arrow.source], ids[arrow.target])}"
    for box in graph.boxes:
        if box.is_focus:
            yield f"    style {ids[box.id]} stroke-width:4px"


def _label(box: Box) -> str:
    detail = f"<br/>{_escaped(box.detail)}" if box.detail else ""
    return f'"<b>{_escaped(box.title)}</b>{detail}"'


def _arrow(arrow: Arrow, source: str, target: str) -> str:
    if arrow.is_parent:
        return f'{target} == "{arrow.rule}" === {source}'
    return f'{source} -- "{_escaped(arrow.place)} {arrow.rule}" --> {target}'


def _escaped(text: str) -> str:
    """Replace syntax characters by entity codes (Mermaid documentation, Flowcharts: "Entity codes")."""
    return "".join(f"#{ord(character)};" if character in '"#<>&`' else character for character in text)
