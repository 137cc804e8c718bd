"""The pictures of the landing page are what its code and the library show."""

from __future__ import annotations

import pytest

from tests.docs.pictures import FOLDER, mark_of, pictures

DRAWINGS = ("graph-dark.svg", "graph-light.svg")


def test_pictures_are_those_of_the_code():
    """The files are what ``python -m tests.docs.pictures`` writes, and there is no other."""
    files = {file.name: file.read_text("utf-8") for file in FOLDER.iterdir() if file.name not in DRAWINGS}

    assert pictures() == files


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_those_of_the_graph(name):
    """The files that Graphviz has drawn name the text that the code makes now."""
    assert mark_of(pictures()["graph.dot"]) in (FOLDER / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plan.html", ["App/shop/web", "CASCADE", "removed (REMOVE)", "null (SET_NULL)", "can be applied"]),
        ("lost-update.html", ["version 1", "Conflict: Cluster/eu changed", "version 3, nodes=3"]),
        ("graph.dot", ["runs_on", "RESTRICT", "Dashboard"]),
    ],
)
def test_picture_shows_what_the_page_says_about_it(name, words):
    """A picture holds what it is there for: rules, a refusal, the repeated change."""
    assert [] == [word for word in words if word not in pictures()[name]]
