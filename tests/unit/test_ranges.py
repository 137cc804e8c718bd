# ruff: noqa: DTZ001, FBT001 - some times have no zone on purpose, and a column of booleans is an argument
"""Ranges of indexes: everything that conditions admit stands there, and nothing else where they say so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from hypothesis import given, settings, strategies as st

from emco_store import F, InvalidModel, Ref, Resource, indexed
from emco_store.core.conditions import Condition
from emco_store.core.fields import lead_of_model
from emco_store.core.indexing import entry_of, index_text, last_text, part_of
from emco_store.core.query import check_fields
from emco_store.core.ranges import range_for


class Gauge(Resource):
    """Indexed fields of many types."""

    number: Annotated[int | float | bool | None, indexed()] = None
    text: Annotated[str, indexed()] = ""
    at: Annotated[datetime | None, indexed()] = None
    target: Annotated[Ref[Gauge] | None, indexed()] = None


TEXTS = st.text(st.sampled_from("ab\0\1\2~\ud7ff\ue000\U0010ffff"), max_size=4)
MOMENTS = st.sampled_from([
    datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
    datetime(2025, 12, 31, 23, 0, 0, 1, tzinfo=UTC), datetime(1, 1, 1), datetime(9999, 12, 31, 23, tzinfo=UTC),
])  # fmt: skip
VALUES = {
    "number": st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([0, 1, -1.5, 0.0, 1.0, 1e300]),
    "text": TEXTS,
    "at": st.none() | MOMENTS,
}
FIELDS = sorted(VALUES)
LEAD = lead_of_model(Gauge)


@st.composite
def conditions(draw: Any) -> Condition:
    """Build a condition on one of the fields."""
    field = draw(st.sampled_from(FIELDS))
    value = draw(VALUES[field])
    how = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "startswith", "in", "set"]))
    path = F[field]
    if how == "startswith":
        return F.text.startswith(draw(TEXTS))
    if how == "in":
        return path.in_([value])
    if how == "set":
        return path.is_set()
    return {
        "==": path == value, "!=": path != value, "<": path < value, "<=": path <= value, ">": path > value,
        ">=": path >= value,
    }[how]  # fmt: skip


GAUGES = st.builds(lambda number, text, at: Gauge(name="g", number=number, text=text, at=at), *VALUES.values())
INDEXES = st.lists(
    st.permutations(FIELDS).flatmap(lambda fields: st.integers(1, 3).map(lambda n: tuple(fields[:n]))),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(conditions(), min_size=1, max_size=3), INDEXES, st.none() | st.sampled_from(FIELDS), st.booleans(), GAUGES
)
def test_range_holds_what_the_conditions_admit(
    asked: Sequence[Condition],
    indexes: Any,
    order: str | None,
    any_order: bool,
    gauge: Gauge,
):
    """ID-19: What the conditions admit has its entry in the range, and in an exact range there is nothing else."""
    found = range_for(indexes, asked, LEAD, order, any_order=any_order)
    if found is None:
        return
    texts = [index_text(getattr(gauge, field)) for field in found.fields]
    entry = entry_of(texts)
    is_inside = found.low <= entry < found.below
    holds = all(condition.holds(gauge) for condition in asked)

    assert is_inside or not holds
    assert holds or not (is_inside and found.is_exact)
    if is_inside and not any_order:
        assert entry == found.entry_text(found.order_text(entry))
        assert found.point is not None or texts[-1] == found.order_text(entry)


@given(st.lists(TEXTS, min_size=2, max_size=3), st.lists(TEXTS, min_size=2, max_size=3))
def test_entry_sorts_as_its_texts_do(one: list[str], other: list[str]):
    """ID-20: Entries of an index over several fields sort by the first, then by the next; the last is read back."""
    length = min(len(one), len(other))
    one, other = one[:length], other[:length]

    assert (one < other, one == other) == (entry_of(one) < entry_of(other), entry_of(one) == entry_of(other))
    assert one[-1] == last_text(entry_of(one))
    assert entry_of(one).startswith(part_of(one[0]))


@given(st.lists(conditions(), min_size=1, max_size=3))
def test_condition_that_says_something_is_never_refused(asked: Sequence[Condition]):
    """ID-19: A condition that is true of one resource and false of another may be asked."""
    for condition in asked:
        values = [
            Gauge(name="g", number=n, text=t, at=a)
            for n in (None, True, 1, 0.5)
            for t in ("", "a~", "\0")
            for a in (None, datetime(2026, 1, 1))
        ]
        if len({condition.holds(value) for value in values}) > 1:
            check_fields([condition], Gauge)


@pytest.mark.parametrize(
    "indexes",
    [
        ["colour"],
        [("region", "colour")],
        [("region", "region")],
        [()],
        ["region"],
        [("rank", "region"), ("rank", "region")],
        [("region", "tags")],
        ["meta.uid"],
        [("region", "inner.size")],
        5,
        [7],
    ],
)
def test_index_that_serves_no_list_is_refused(indexes: Any):
    """BAD-9: An index over what is no single value, over an unknown field, or one that is there already, is refused."""
    with pytest.raises(InvalidModel):
        type(
            "Wrong",
            (Resource,),
            {
                "__annotations__": {"region": Annotated[str, indexed()], "rank": int, "tags": list[str]},
                "__module__": __name__,
            },
            indexes=indexes,
        )
