"""Index texts: the order and the equality of texts are those of the values."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from hypothesis import example, given, strategies as st
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    NaiveDatetime,
    PastDate,
    PositiveInt,
    TypeAdapter,
)
from typing_extensions import TypeAliasType

from emco_store import InvalidResource, Key, Ref, Resource, indexed
from emco_store.core.codec import draft
from emco_store.core.indexing import index_text, is_scalar

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)
NEAR_POWERS = st.builds(
    lambda power, offset, sign: sign * min(2**power + offset, 2**63 - 1),
    st.integers(0, 63),
    st.integers(-2, 2),
    st.sampled_from([1, -1]),
)
NUMBERS = INT64 | NEAR_POWERS | st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=ZONES)  # noqa: DTZ001 - given a zone


def same_order(left: Any, right: Any) -> bool:
    """Tell whether texts compare as the values do, in both directions."""
    first, second = index_text(left), index_text(right)
    return (left < right, left == right, left > right) == (first < second, first == second, first > second)


@given(NUMBERS, NUMBERS)
@example(2**53, 2**53 + 1)
@example(2**53 + 1, float(2**53))
@example(2**63 - 1, float(2**63))
@example(-(2**63), -(2**63) + 1)
@example(0.0, -0.0)
@example(-0.0, 0)
@example(5e-324, 0)
@example(-5e-324, -1)
@example(1.7976931348623157e308, 2**63 - 1)
def test_numbers_sort_as_they_are(left: float, right: float):
    """ID-8: Integers beyond what a float can hold, floats, and both together sort and compare exactly."""
    assert same_order(left, right)


@given(MOMENTS, MOMENTS)
@example(datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 1, 10, tzinfo=UTC))
def test_moments_sort_as_they_follow_each_other(left: datetime, right: datetime):
    """ID-8: Moments of different zones sort by when they are; equal moments are equal."""
    assert same_order(left, right)


@given(st.datetimes(), st.datetimes())
def test_moments_without_zone_sort_as_they_are_written(left: datetime, right: datetime):
    """ID-8: The same holds for dates with a time and no zone."""
    assert same_order(left, right)


@given(st.dates(), st.dates())
def test_dates_sort_as_they_follow_each_other(left: date, right: date):
    """ID-8: The same holds for dates."""
    assert same_order(left, right)


@given(st.text(), st.text())
@example("", "\0")
@example("a", "A")
@example("\uffff", "\U00010000")
def test_texts_sort_by_code_point(left: str, right: str):
    """ID-8: Texts sort by code point, which is also the order of their UTF-8 bytes."""
    assert same_order(left, right)


@given(st.uuids(), st.uuids())
def test_uuids_sort_as_numbers(left: UUID, right: UUID):
    """ID-8: The same holds for UUIDs."""
    assert same_order(left, right)


@given(NUMBERS, st.text())
def test_kinds_of_values_have_one_order(number: float, text: str):
    """ID-8: None comes first, then booleans, numbers, and all else; none of one kind equals one of another."""
    texts = [index_text(value) for value in (None, False, True, number, text)]

    assert sorted(texts) == texts
    assert 5 == len(set(texts))


def test_wrapped_values_are_indexed_as_what_they_hold():
    """ID-8: An enum is indexed as its value, and a reference as the text of its key."""

    class Size(Enum):
        SMALL = "s"

    class Level(IntEnum):
        HIGH = 3

    class Colour(StrEnum):
        RED = "red"

    key = Key("App", "a b")

    assert ["3s", index_text(3), "3red", f"3{key}"] == [
        index_text(value) for value in (Size.SMALL, Level.HIGH, Colour.RED, Ref(key))
    ]


@pytest.mark.parametrize("value", [[], {}, b"", object(), 1j, timedelta(1)], ids=lambda value: type(value).__name__)
def test_value_without_an_order_is_refused(value: Any):
    """ID-8: What cannot be compared cannot be indexed."""
    with pytest.raises(ValueError, match=r"."):
        index_text(value)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, True),
        (int | None, True),
        (Literal["a", "b"], True),
        (Ref[Any], True),
        (bool | datetime, True),
        (list[str], False),
        (dict[str, str], False),
        (str | list[str], False),
        (bytes, False),
        (Any, False),
        (Annotated[str, Field(min_length=1)] | None, True),
        (PositiveInt | None, True),
        (AwareDatetime | NaiveDatetime, True),
        (PastDate, True),
        (NewType("Code", str) | None, True),
        (TypeAliasType("Alias", Annotated[str, Field(pattern="a")]) | None, True),
        (Annotated[str, AfterValidator(str.strip)], True),
        (Annotated[UUID, BeforeValidator(UUID)] | None, True),
        (Literal["a"] | None, True),
        (Enum("Colour", {"RED": "red"}) | None, True),
        (Enum("Pair", {"LOW": (1, 2)}), False),
        (Decimal, False),
        (timedelta, False),
        (NewType("Codes", list[str]), False),
        (TypeAliasType("Texts", list[str]), False),
    ],
    ids=str,
)
def test_types_that_can_be_indexed_are_known(annotation: Any, expected: bool):  # noqa: FBT001 - a column
    """BAD-9: Only a single value can be indexed."""
    schema: Any = TypeAdapter(annotation).core_schema
    while schema["type"] == "definitions":
        schema = schema["schema"]

    assert expected is is_scalar(schema)


def test_moment_beyond_the_calendar_in_utc_is_refused_as_a_document():
    """BAD-6: A moment whose UTC form would lie before year 1 is one clear error."""

    class Stamped(Resource):
        at: Annotated[datetime, indexed()]

    early = Stamped(name="a", at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))))

    with pytest.raises(InvalidResource):
        draft(early, max_bytes=1000)


def test_number_of_the_greatest_size_has_a_text():
    """ID-8: No float that a document may hold is too large."""
    assert index_text(math.nextafter(math.inf, 0)) < index_text("")
