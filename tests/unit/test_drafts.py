"""What a write stores, where the text that was checked is stored as it is and where it is written again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, reject, strategies as st
from pydantic import BaseModel

from emco_store import InvalidResource, Ref, Resource
from emco_store.core.codec import draft, load

NUMBERS = st.integers(-3, 3) | st.booleans() | st.floats(-3, 3) | st.just(2.0)
ANYTHING = st.recursive(
    st.none() | NUMBERS | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=5,
)


class Inner(BaseModel, extra="forbid"):
    """A nested model."""

    size: int = 1
    share: float = 1.0


class Wider(Inner, extra="forbid"):
    """One with a field more."""

    more: int = 1


class Target(Resource):
    """What is referred to."""


class Thing(Resource):
    """A field of each form in which a value can come back as an equal one of another type."""

    to: Ref[Target]
    whole: int = 1
    part: float = 1.0
    flag: bool = False
    title: str = ""
    many: list[float] = []
    named: dict[str, int] = {}
    free: Any = None
    inner: Inner = Inner()


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "whole": ANYTHING,
        "part": ANYTHING,
        "flag": ANYTHING,
        "title": ANYTHING,
        "many": st.lists(NUMBERS, max_size=3) | ANYTHING,
        "named": st.dictionaries(st.text("ab", max_size=2), NUMBERS, max_size=3) | ANYTHING,
        "free": ANYTHING,
        "inner": st.builds(Inner, size=st.integers(0, 3))
        | st.builds(Inner.model_construct, size=NUMBERS, share=NUMBERS),
        "to": st.sampled_from([Ref("t"), "t", "Target/t", Ref("Target/t")]),
    },
)
THING = Thing(name="a", to=Ref("t"))


@given(CHANGES)
def test_what_is_stored_is_the_text_of_what_is_given_back(changes):
    """However a value came into a resource, its document is written as the checked resource is (ADR 3)."""
    try:
        made = draft(THING.model_copy(update=changes), max_bytes=1 << 20)
    except InvalidResource:
        reject()

    assert made.document == draft(made.resource, max_bytes=1 << 20).document
    assert made.document == Thing.__pydantic_serializer__.to_json(made.resource, exclude={"parent"})
    read = load(made.record(uid="u", version=1, created_us=1, updated_us=1), Thing)
    assert made.resource.__dict__ == read.__dict__


@pytest.mark.parametrize(
    ("changes", "written"),
    [
        ({"whole": 1.0}, b'"whole":1,'),
        ({"whole": True}, b'"whole":1,'),
        ({"part": 1}, b'"part":1.0,'),
        ({"flag": 1}, b'"flag":true,'),
        ({"named": {"a": 1.0}}, b'"named":{"a":1},'),
        ({"to": Ref("t")}, b'"to":"Target/t",'),
        ({"inner": Inner.model_construct(size=2.0, share=1)}, b'"inner":{"size":2,"share":1.0}'),
    ],
)
def test_number_of_another_type_is_stored_as_its_field_says(changes, written):
    """A number that equals what the model makes of it is written as the model would write it."""
    assert written in draft(THING.model_copy(update=changes), max_bytes=1 << 20).document


def test_instance_of_a_wider_model_is_refused():
    """A nested value whose class has more fields would lose them (BAD-6)."""
    with pytest.raises(InvalidResource):
        draft(THING.model_copy(update={"inner": Wider()}), max_bytes=1 << 20)
