"""Documents: what goes into one comes out of it, and what could not is refused."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings, strategies as st
from pydantic import BaseModel, computed_field

from emco_store import InvalidResource, Opaque, Ref, Resource
from emco_store.core.codec import draft, load
from emco_store.core.documents import MAX_BYTES, MAX_DEPTH, decode, encode, problems_in

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
PLAIN_KEYS = TEXT.filter(lambda key: not key.startswith("$") and "." not in key and "\0" not in key)


def trees(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return JSON values whose maps have such keys."""
    return st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
    )


class Sheet(Resource):
    """Holds anything."""

    data: Any = None
    free: Opaque = {}


def through_the_store(resource: Resource) -> Any:
    """Return what a store would give back for it."""
    made = draft(resource, max_bytes=MAX_BYTES)
    return load(made.record(uid="u", version=1, created_us=0, updated_us=0), type(resource))


@given(trees(PLAIN_KEYS))
@settings(max_examples=500)
@example([0.0, -0.0, 1, 1.0, True, 2**53 + 1, 5e-324, 1.7976931348623157e308])
@example({"": [], "a": {}, "b": None, "\u00e9": "\0\x7f\u2028"})
def test_any_json_comes_back_as_it_went_in(data: Any):
    """ID-13: Types, signs of zero, empty containers and the order of maps are kept."""
    assert repr(data) == repr(through_the_store(Sheet(name="s", data=data)).data)


@given(st.dictionaries(TEXT, trees(TEXT), max_size=4))
@settings(max_examples=200)
@example({"$set": {"a.b": 1, "\0": []}})
def test_opaque_data_comes_back_as_it_went_in(data: dict[str, Any]):
    """ID-13: The same holds for opaque data, whose keys may be anything."""
    assert repr(data) == repr(through_the_store(Sheet(name="s", free=data)).free)


@given(trees(PLAIN_KEYS))
def test_document_is_written_the_same_way_every_time(data: Any):
    """ID-5: An equal resource has an equal document, so that a put of it changes nothing."""
    first = draft(Sheet(name="s", data=data), max_bytes=MAX_BYTES)

    again = draft(through_the_store(Sheet(name="s", data=data)), max_bytes=MAX_BYTES)

    assert first.document == again.document == encode(decode(first.document))


class Colour(Enum):
    """An enum."""

    RED = "red"


class Part(BaseModel, extra="forbid"):
    """A nested model."""

    size: int = 0


class BigPart(Part):
    """A nested model with more fields than its place has."""

    more: int = 1


class Rich(Resource):
    """Holds values of every type that JSON does not know."""

    moment: datetime | None = None
    day: date | None = None
    span: timedelta | None = None
    money: Decimal | None = None
    ident: UUID | None = None
    colour: Colour | None = None
    raw: bytes = b""
    several: frozenset[int] = frozenset()
    pair: tuple[int, str] | None = None
    part: Part = Part()
    anything: Any = None


@pytest.mark.parametrize(
    "values",
    [
        {"moment": datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=timezone(timedelta(hours=-3)))},
        {"moment": datetime(1, 1, 1)},  # noqa: DTZ001 - without a zone on purpose
        {"day": date(9999, 12, 31)},
        {"span": timedelta(days=-1, microseconds=1)},
        {"money": Decimal("1.10")},
        {"ident": UUID(int=7)},
        {"colour": Colour.RED},
        {"raw": b"text"},
        {"several": frozenset({3, 1, 2})},
        {"pair": (1, "a")},
        {"part": Part(size=3)},
    ],
    ids=lambda values: next(iter(values)),
)
def test_value_of_a_declared_type_comes_back_as_it_went_in(values: dict[str, Any]):
    """ID-13: What a field's type can read back from JSON is kept."""
    given_in = Rich(name="r", **values)

    assert vars(given_in) == vars(through_the_store(given_in))


@pytest.mark.parametrize(
    "values",
    [
        {"part": BigPart(more=2)},
        {"anything": b"text"},
        {"anything": {1, 2}},
        {"anything": (1,)},
        {"anything": {1: "a"}},
        {"anything": datetime(2026, 1, 1)},  # noqa: DTZ001 - its zone does not matter
        {"anything": Decimal(1)},
        {"anything": Part(size=1)},
        {"anything": [math.nan]},
        {"anything": Colour.RED},
    ],
    ids=repr,
)
def test_value_that_json_would_give_back_as_another_is_refused(values: dict[str, Any]):
    """ID-13: A part of a value, or a Python value without a type, is not lost in silence."""
    with pytest.raises(InvalidResource) as caught:
        draft(Rich(name="r", **values), max_bytes=MAX_BYTES)

    assert {*values} == {problem.partition(":")[0].partition("[")[0] for problem in caught.value.problems}


def test_bytes_that_are_no_text_are_refused():
    """ID-13: Bytes are stored as the text that they are; others have no place in JSON."""
    with pytest.raises(InvalidResource):
        draft(Rich(name="r", raw=b"\xff"), max_bytes=MAX_BYTES)


@pytest.mark.parametrize(
    "changes",
    [
        {"moment": "2026-01-01T00:00:00Z"},
        {"money": "1.5"},
        {"colour": "red"},
        {"several": [1, 2]},
        {"part": {"size": 2}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_copy_may_be_given_what_a_new_resource_may_be_given(changes: dict[str, Any]):
    """BAD-6: A value that was put around the model meets the checks of a new one, and no stricter ones."""
    changed = Rich(name="r").model_copy(update=changes)

    assert vars(Rich(name="r", **changes)) == vars(through_the_store(changed))


def test_short_reference_in_a_copy_is_completed():
    """REF-11: A reference that was put around the model is made full as well."""

    class Shelf(Resource):
        pass

    class Book(Resource, parent=Shelf):
        before: Ref[Book] | None = None

    copied = Book(parent="Shelf/s", name="b").model_copy(update={"before": Ref("a")})

    assert "Book/s/a" == str(through_the_store(copied).before)


def test_computed_field_is_shown_and_not_stored():
    """ID-13: A field that is computed from others is computed again when it is read."""

    class Computed(Resource):
        @computed_field
        def double(self) -> str:
            return self.name * 2

    read = through_the_store(Computed(name="a"))

    assert b'{"name":"a"}' == draft(Computed(name="a"), max_bytes=MAX_BYTES).document
    assert {"name": "a", "parent": None, "double": "aa"} == read.model_dump()


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "maps"])
def test_depth_is_counted_in_lists_and_maps_alike(make: Any, depth: int):
    """BAD-2: The limit is exact."""
    value: Any = 0
    for _ in range(depth - 1):
        value = make(value)

    assert (depth > MAX_DEPTH) is bool(problems_in({"a": value}))


@pytest.mark.parametrize("key", ["$a", "a\0"])
def test_key_of_a_map_that_is_a_reference_may_be_any(key: str):
    """BAD-5: A key that is a reference is text of the library's own, and the only exception."""
    assert [] == problems_in({key: 1}, keys={key})
    assert 1 == len(problems_in({key: 1}))
