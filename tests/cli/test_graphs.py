"""Graphs of models and of data, and their drawings: complete, well-formed and the same each time."""

from __future__ import annotations

import pytest

from emco_store import Key, NotFound, Ref, Resource, connect
from emco_store.cli.exits import Exit
from emco_store.cli.graphs import Arrow, Graph, draw_dot, draw_mermaid, graph_around, graph_of_models, sources
from emco_store.core.rules import Rule
from emco_store.emco import CATALOGUE
from tests.cli.small import Box, Shelf, Tag

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
DOT = """\
digraph emco_store {
    rankdir=RL;
    ranksep=0.9;
    nodesep=0.18;
    node [shape=box, style="rounded,filled", fillcolor=white, color="#cbd5e1", fontname="Helvetica,Arial,sans-serif"];
    edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, fontcolor="#0f172a", arrowsize=0.7];
    "Box" [label=<<font color="#2563eb"><b>Box</b></font><br/><font color="#64748b">name, size</font>>];
    "Shelf" [label=<<font color="#2563eb"><b>Shelf</b></font>>];
    "Tag" [label=<<font color="#059669"><b>Tag</b></font>>];
    "Box" -> "Box" [label=<beside <font color="#059669"><b>SET_NULL</b></font>>, color="#059669"];
    "Tag" -> "Box" [label=<boxes[] <font color="#7c3aed"><b>REMOVE</b></font>>, color="#7c3aed"];
    "Tag" -> "Shelf" [label=<home <font color="#475569"><b>RESTRICT</b></font>>, color="#475569"];
    edge [arrowhead=diamond, color="#94a3b8", penwidth=2.2, weight=3];
    "Box" -> "Shelf" [label=<<font color="#ea580c"><b>CASCADE</b></font>>];
}
"""


BACKSLASH, WORD_JOINER = "\\", "\N{WORD JOINER}"


class Floor(Resource):
    """What rooms refer to."""


class Room(Resource):
    """Refers to floors by names that are any text."""

    by_name: dict[str, Ref[Floor]] = {}


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
    assert "<b>&quot;]&lt;b&gt;&amp;;x</b>" in draw_dot(graph)


def test_keys_of_maps_are_text_in_every_format():
    """The key of a map is any text: a newline begins no line of the drawing, and no backslash means anything."""
    with connect("memory://", namespace="n") as store:
        floor = store.create(Floor(name="f"))
        store.create(Room(name="r", by_name={"\n\x1b\\N": floor}))
        graph = graph_around(store, Key("Room", "r"), depth=1)

    place = r"by_name.\n\x1b\N"
    assert [place] == [arrow.place for arrow in graph.arrows]
    assert f'-- "{place} RESTRICT" -->' in draw_mermaid(graph)
    assert f"label=<{place.replace(BACKSLASH, BACKSLASH + WORD_JOINER)} <font" in draw_dot(graph)


@pytest.mark.parametrize("draw", [draw_dot, draw_mermaid])
def test_drawing_is_the_same_each_time(small, draw):
    """The same graph gives the same text, so that it can be kept under version control."""
    assert draw(small) == draw(graph_of_models([Tag, Box, Shelf]))


def test_drawing_of_nothing_is_well_formed():
    """A graph without boxes has a drawing, too."""
    assert "flowchart LR\n" == draw_mermaid(Graph((), ()))
    assert draw_dot(Graph((), ())).endswith("\n}\n")


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
