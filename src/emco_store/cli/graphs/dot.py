"""DOT: a graph as text for the programs of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from emco_store.cli.graphs.graph import Arrow, Box, Graph
from emco_store.cli.graphs.palette import FAMILIES, LINE, QUIET
from emco_store.core.rules import Rule

_HEAD = """\
digraph emco_store {
    rankdir=RL;
    ranksep=0.9;
    nodesep=0.18;
    node [shape=box, style="rounded,filled", fillcolor=white, color="#cbd5e1", fontname="Helvetica,Arial,sans-serif"];
    edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, fontcolor="#0f172a", arrowsize=0.7];"""


def draw_dot(graph: Graph) -> str:
    """Write the graph in Graphviz' language: bold grey lines for parents, coloured arrows for references.

    A parent edge has a label only if its rule is not RESTRICT. Titles have one colour for each hierarchy of kinds.
    """
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    families = {family: FAMILIES[n % len(FAMILIES)] for n, family in enumerate(sorted({b.family for b in graph.boxes}))}
    yield _HEAD
    for box in graph.boxes:
        look = ', color="#d97706", penwidth=3' if box.is_focus else ""
        yield f"    {quoted(box.id)} [label={_label(box, families[box.family])}{look}];"
    yield from (f"    {_ends(arrow)} [{_look(arrow)}];" for arrow in graph.arrows if not arrow.is_parent)
    yield f'    edge [arrowhead=diamond, color="{LINE}", penwidth=2.2, weight=3];'
    for arrow in graph.arrows:
        if arrow.is_parent:
            yield f"    {_ends(arrow)}{'' if arrow.rule is Rule.RESTRICT else f' [label=<{_rule(arrow)}>]'};"
    yield "}"


def _label(box: Box, colour: str) -> str:
    title = f'<font color="{colour}"><b>{text_of(box.title)}</b></font>'
    return f'<{title}<br/><font color="{QUIET}">{text_of(box.detail)}</font>>' if box.detail else f"<{title}>"


def _ends(arrow: Arrow) -> str:
    return f"{quoted(arrow.source)} -> {quoted(arrow.target)}"


def _look(arrow: Arrow) -> str:
    return f'label=<{text_of(arrow.place)} {_rule(arrow)}>, color="{arrow.rule.colour}"'


def _rule(arrow: Arrow) -> str:
    return f'<font color="{arrow.rule.colour}"><b>{arrow.rule}</b></font>'


def text_of(text: str) -> str:
    r"""Write text into a label, with a word joiner after each backslash: ``\N`` would become the name of the node.

    Source: Graphviz documentation, "escString". In HTML-like labels no backslash escapes another one.
    """
    return escape(text).replace("\\", "\\\N{WORD JOINER}")


def quoted(text: str) -> str:
    """Write text as the name of a node."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
