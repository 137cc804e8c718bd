"""The layout: whatever the graph, links run from left to right and nothing stands on anything else."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings, strategies as st

from emco_store.cli.graphs.layers import Link, lay_out

NAMES = [f"b{number}" for number in range(9)]
PAIRS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans()).filter(lambda pair: pair[0] != pair[1]),
    max_size=24,
)


@given(PAIRS)
@settings(derandomize=True, max_examples=150, deadline=None)
def test_layout_of_any_graph_keeps_its_promises(pairs):
    """Columns rise along each link, cycles included, and the nodes of a column keep apart."""
    links = [Link(left, right, (40.0, 18.0) if labelled else None, weight=1) for left, right, labelled in pairs]

    boxes, routes, columns = lay_out(dict.fromkeys(NAMES, (90.0, 42.0)), links)

    assert set(NAMES) == set(boxes)
    assert [] == [route for route in routes if not all(b.column == a.column + 1 for a, b in pairwise(route.nodes))]
    assert [] == [
        (upper, lower)
        for column in columns
        for upper, lower in pairwise(column)
        if lower.y - upper.y < (upper.height + lower.height) / 2
    ]


def test_link_that_closes_a_cycle_is_turned():
    """The first links decide the direction; one that contradicts them runs the other way."""
    links = [Link("a", "b", None, weight=2), Link("b", "a", None, weight=1)]

    boxes, routes, _ = lay_out({"a": (10.0, 10.0), "b": (10.0, 10.0)}, links)

    assert [False, True] == [route.is_turned for route in routes]
    assert boxes["a"].column < boxes["b"].column


def test_links_that_need_not_cross_do_not():
    """Boxes are put into the order in which their links run side by side."""
    sizes = dict.fromkeys(("a", "b", "c", "x", "y", "z"), (10.0, 10.0))
    links = [Link(left, right, None, weight=1) for left, right in (("a", "z"), ("b", "y"), ("c", "x"))]

    boxes, _, _ = lay_out(sizes, links)

    left = sorted("abc", key=lambda name: boxes[name].y)
    assert [{"a": "z", "b": "y", "c": "x"}[name] for name in left] == sorted("xyz", key=lambda name: boxes[name].y)
