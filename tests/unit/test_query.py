"""Conditions, orders, cursors and pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from emco_store import F, InvalidCall, InvalidResource, Page, Resource, indexed
from emco_store.core.query import Condition, Order, check_fields, conditions_of, read_cursor, write_cursor


class Part(BaseModel, extra="forbid"):
    """A nested model."""

    size: int = 0


class Thing(Resource):
    """What conditions are asked of."""

    text: Annotated[str, indexed()] = ""
    number: Annotated[int | float | bool | None, indexed()] = None
    plain: Any = None
    part: Part = Part()
    labels: dict[str, Any] = {}


VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([-1.0, 0.0, 0.5, 3.0])
    | st.sampled_from(["", "a", "b"])
)
SIGNS: dict[str, Callable[[Any, Any], Condition]] = {
    "==": lambda field, value: field == value,
    "!=": lambda field, value: field != value,
    "<": lambda field, value: field < value,
    "<=": lambda field, value: field <= value,
    ">": lambda field, value: field > value,
    ">=": lambda field, value: field >= value,
}
COMPARISONS = st.builds(lambda sign, value: SIGNS[sign](F.plain, value), st.sampled_from(sorted(SIGNS)), VALUES)
CONDITIONS = st.recursive(
    COMPARISONS | st.lists(VALUES, max_size=3).map(F.plain.in_),
    lambda inner: (
        st.builds(lambda a, b: a & b, inner, inner)
        | st.builds(lambda a, b: a | b, inner, inner)
        | inner.map(lambda a: ~a)
    ),
    max_leaves=6,
)
THINGS = VALUES.map(lambda value: Thing(name="t", plain=value))


@given(CONDITIONS, CONDITIONS, THINGS)
def test_conditions_join_as_truth_values_do(left: Condition, right: Condition, thing: Thing):
    """BAD-7: ``&``, ``|`` and ``~`` are and, or and not, however they are nested."""
    first, second = left.holds(thing), right.holds(thing)

    assert (first and second) is (left & right).holds(thing)
    assert (first or second) is (left | right).holds(thing)
    assert (not first) is (~left).holds(thing)
    assert (~(left & right)).holds(thing) is (~left | ~right).holds(thing)


@given(VALUES, VALUES)
def test_equality_and_its_opposite_never_agree(held: Any, asked: Any):
    """BAD-7: ``==`` and ``!=`` are opposites, and ``in_`` is ``==`` with any of its values."""
    thing = Thing(name="t", plain=held)

    assert (F.plain == asked).holds(thing) is not (F.plain != asked).holds(thing)
    assert (F.plain == asked).holds(thing) is F.plain.in_([asked]).holds(thing)


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
@pytest.mark.parametrize(
    ("held", "asked"), [("a", 1), (None, 1), (1, None), ("a", None), (True, 0), ([1], 1), ({}, "")]
)
def test_values_without_an_order_are_neither_before_nor_after(held: Any, asked: Any, sign: str):
    """BAD-7: What cannot be compared is never less and never greater."""
    assert not SIGNS[sign](F.plain, asked).holds(Thing(name="t", plain=held))


def test_fields_of_nested_values_are_reached_by_their_path():
    """BAD-7: A path goes through nested models and maps; where it leads nowhere there is None."""
    thing = Thing(name="t", part=Part(size=3), labels={"a": {"b": 1}})

    holds = [condition.holds(thing) for condition in (F.part.size == 3, F.labels.a.b == 1, F.labels.x.y == None)]  # noqa: E711

    assert [True, True, True] == holds


def test_condition_names_all_the_fields_that_it_reads():
    """BAD-7: An unknown field is found however deep it is joined."""
    condition = (F.text == "a") & ~((F.part.size > 1) | F.unknown.in_([1]))

    assert {("text",), ("part", "size"), ("unknown",)} == {leaf.path for leaf in condition.leaves()}
    with pytest.raises(InvalidCall):
        check_fields(conditions_of(condition), Thing)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
ORDERS = st.builds(Order, st.none() | TEXTS, descending=st.booleans())


@given(TEXTS, ORDERS, st.tuples(TEXTS, TEXTS))
def test_cursor_is_read_back_as_it_was_written(kind: str, order: Order, position: tuple[str, str]):
    """ID-7: A cursor holds its position exactly, and is text that any protocol carries."""
    cursor = write_cursor(kind, order, position)

    assert position == read_cursor(cursor, kind, order)
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()


@given(ORDERS, ORDERS, st.tuples(TEXTS, TEXTS))
def test_cursor_of_another_order_is_refused(written: Order, asked: Order, position: tuple[str, str]):
    """ID-7: A cursor continues the question that gave it, and no other."""
    cursor = write_cursor("Thing", written, position)

    if written == asked:
        assert position == read_cursor(cursor, "Thing", asked)
    else:
        with pytest.raises(InvalidCall):
            read_cursor(cursor, "Thing", asked)


@given(st.text(max_size=30))
def test_any_other_text_is_no_cursor(text: str):
    """ID-7: Whatever is given as a cursor is read or refused; nothing else escapes."""
    with pytest.raises(InvalidCall):
        read_cursor(text, "Thing", Order())


def test_page_gives_resources_and_errors_apart_and_together():
    """BAD-8: A page holds all that was found, tells the readable from the unreadable, and raises the latter."""
    good, bad = Thing(name="a"), InvalidResource("unreadable", key=None, problems=("x",))

    page = Page((good, bad), "next")

    assert ((good, bad), 2, (good,), (bad,), "next") == (page.items, len(page), page.resources, page.errors, page.next)
    iteration = iter(page)
    assert good == next(iteration)
    with pytest.raises(InvalidResource, match="unreadable"):
        next(iteration)
    with pytest.raises(FrozenInstanceError):
        page.next = None


def test_empty_page_is_the_end():
    """ID-7: A page without a cursor is the last."""
    page: Page[Thing] = Page(())

    assert (0, None, ()) == (len(page), page.next, page.resources)


@pytest.mark.parametrize(
    ("text", "under_parent", "expected"),
    [
        (None, False, Order()),
        ("key", False, Order()),
        ("-key", False, Order(None, descending=True)),
        ("name", False, Order()),
        ("text", False, Order("text")),
        ("-text", True, Order("text", descending=True)),
    ],
)
def test_order_is_read_from_its_text(text: str | None, under_parent: bool, expected: Order):  # noqa: FBT001 - a column
    """ID-8: A field, or with a minus before it the other direction; the name of a root is its key."""
    assert expected == Order.read(text, Thing, under_parent=under_parent)
