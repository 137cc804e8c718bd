"""Graphs of models and of data, and their drawings: complete, well-formed and the same each time."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from emco_store import Key, NotFound, connect
from emco_store.cli.exits import Exit
from emco_store.cli.graphs import Arrow, Graph, draw_dot, draw_mermaid, draw_svg, graph_around, graph_of_models, sources
from emco_store.core.rules import Rule
from emco_store.emco import CATALOGUE
from tests.cli.conftest import EDGE
from tests.cli.small import Box, Shelf, Tag

SVG = "{http://www.w3.org/2000/svg}"
MERMAID = """\
flowchart LR
    n0["<b>Box</b><br/>name, size"]
    n1["<b>Shelf</b>"]
    n2["<b>Tag</b>"]
    n1 == "CASCADE" === n0
    n0 -- "beside SET_NULL" --> n0
    n2 -- "boxes[] REMOVE" --> n0
    n2 -- "home RESTRICT" --> n1
"""
DOT = r"""digraph emco_store {
    rankdir=RL;
    node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica"];
    edge [fontname="Helvetica", fontsize=10];
    "Box" [label="Box\nname, size"];
    "Shelf" [label="Shelf"];
    "Tag" [label="Tag"];
    "Box" -> "Shelf" [label="CASCADE", arrowhead=diamond, color="#94a3b8", penwidth=2.5];
    "Box" -> "Box" [label="beside\nSET_NULL", color="#059669"];
    "Tag" -> "Box" [label="boxes[]\nREMOVE", color="#7c3aed"];
    "Tag" -> "Shelf" [label="home\nRESTRICT", color="#475569"];
}
"""


@pytest.fixture
def small() -> Graph:
    """The graph of the small models."""
    return graph_of_models([Shelf, Box, Tag])


@pytest.fixture
def store():
    """Three boxes on a shelf, one beside another, and a tag on two of them."""
    with connect("memory://", namespace="n") as store:
        shelf = store.create(Shelf(name="s"))
        first = store.create(Box(parent=shelf, name="b", size="1"))
        second = store.create(Box(parent=shelf, name="b", size="2", beside=first))
        store.create(Box(parent=shelf, name="b", size="3"))
        store.create(Tag(name="t", boxes=[first, second], home=shelf))
        yield store


def test_models_give_parents_and_every_place_of_references(small):
    """Each parent and each place of references is one arrow, with its rule."""
    expected = [
        Arrow("Box", "Shelf", "parent", Rule.CASCADE, is_parent=True),
        Arrow("Box", "Box", "beside", Rule.SET_NULL),
        Arrow("Tag", "Box", "boxes[]", Rule.REMOVE),
        Arrow("Tag", "Shelf", "home", Rule.RESTRICT),
    ]

    assert expected == list(small.arrows)


def test_catalogue_gives_all_its_kinds():
    """No kind and no parent of the catalogue is left out."""
    graph = graph_of_models(CATALOGUE)

    assert 52 == len(graph.boxes)
    assert sum(model.__emco__.parent is not None for model in CATALOGUE) == sum(a.is_parent for a in graph.arrows)


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        (0, ["Tag/t"]),
        (1, ["Box/s/b/1", "Box/s/b/2", "Shelf/s", "Tag/t"]),
        (2, ["Box/s/b/1", "Box/s/b/2", "Box/s/b/3", "Shelf/s", "Tag/t"]),
    ],
)
def test_data_around_a_key_reaches_as_far_as_the_depth(store, depth, found):
    """A step goes along one reference, in either direction."""
    graph = graph_around(store, Key("Tag", "t"), depth=depth)

    assert found == [box.id for box in graph.boxes]
    assert ["Tag/t"] == [box.id for box in graph.boxes if box.is_focus]


def test_data_around_a_key_shows_each_reference_between_its_boxes(store):
    """Every reference whose ends are drawn is drawn, with its place and rule."""
    graph = graph_around(store, Key("Box", "s", "b", "2"), depth=1)

    assert Arrow("Tag/t", "Box/s/b/1", "boxes[0]", Rule.REMOVE) in graph.arrows
    assert Arrow("Box/s/b/2", "Box/s/b/1", "beside", Rule.SET_NULL) in graph.arrows
    assert Arrow("Box/s/b/2", "Shelf/s", "parent", Rule.CASCADE, is_parent=True) in graph.arrows


def test_data_around_a_missing_key_is_not_found(store):
    """A graph has a middle that exists."""
    with pytest.raises(NotFound):
        graph_around(store, Key("Tag", "other"), depth=1)


def test_boxes_beyond_the_limit_are_counted(store, monkeypatch):
    """A drawing that leaves something out says so."""
    monkeypatch.setattr(sources, "MAX_BOXES", 2)

    graph = graph_around(store, Key("Shelf", "s"), depth=1)

    assert (2, 3) == (len(graph.boxes), graph.cut)


def test_mermaid_of_small_models_is_as_expected(small):
    """Mermaid's text, line by line."""
    assert MERMAID == draw_mermaid(small)


def test_dot_of_small_models_is_as_expected(small):
    """Graphviz' text, line by line."""
    assert DOT == draw_dot(small)


def test_names_that_look_like_syntax_are_escaped():
    """Quotes, brackets and tags in names are text in every format."""
    with connect("memory://", namespace="n") as store:
        store.create(Shelf(name='"]<b>&;x'))
        graph = graph_around(store, Key("Shelf", '"]<b>&;x'), depth=0)

    assert 'n0["<b>#34;]#60;b#62;#38;;x</b><br/>Shelf"]' in draw_mermaid(graph)
    assert r'label="\"]<b>&;x\nShelf"' in draw_dot(graph)
    assert '"]<b>&;x' in [text.text for text in ET.fromstring(draw_svg(graph)).iter(f"{SVG}text")]  # noqa: S314 - our own


@pytest.mark.parametrize(
    "arguments", [(), ("Project/harbour", "--depth", 3), ("Cluster/coast/quay", "--depth", 1)], ids=str
)
def test_svg_shows_every_box_apart_from_all_others(run, arguments):
    """The picture is well-formed, everything is inside it, and neither boxes nor labels overlap."""
    ended = run("graph", *arguments, "--format", "svg", *(["--load", EDGE] if arguments else []))

    root = ET.fromstring(ended.out)  # noqa: S314 - our own
    outline = [[float(root.attrib[name]) for name in ("width", "height")]]
    ground, *rects = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") or rect.get("stroke")]
    rects = [_sides(rect) for rect in (ground, *rects)]
    assert Exit.OK == ended.code
    assert [] == [rect for rect in rects if rect[2] > outline[0][0] or rect[3] > outline[0][1]]
    assert [] == [(a, b) for n, a in enumerate(rects) for b in rects[n + 1 :] if _overlap(a, b)]


def test_svg_is_the_same_each_time(small):
    """The same graph gives the same bytes, so that a picture can be kept under version control."""
    assert draw_svg(small) == draw_svg(graph_of_models([Tag, Box, Shelf]))


def test_svg_of_nothing_is_well_formed():
    """A graph without boxes is a picture too."""
    assert f"{SVG}svg" == ET.fromstring(draw_svg(Graph((), ()))).tag  # noqa: S314 - our own


def test_graph_of_own_models_needs_no_store(run):
    """``--models`` takes the models of a module, and what hangs together with them."""
    ended = run("graph", "--models", "tests.cli.small", "--format", "mermaid")

    assert (Exit.OK, MERMAID) == (ended.code, ended.out)


def test_tree_shows_references_beneath_what_holds_them(run):
    """The default drawing is text: branches for parents, arrows for references."""
    ended = run("graph", "--models", "tests.cli.small")

    assert [
        "Shelf",
        "└── Box  name, size  CASCADE",
        "    └── beside → Box  SET_NULL",
        "Tag",
        "├── boxes[] → Box  REMOVE",
        "└── home → Shelf  RESTRICT",
    ] == ended.out.splitlines()


def _sides(rect: ET.Element) -> tuple[float, float, float, float]:
    x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
