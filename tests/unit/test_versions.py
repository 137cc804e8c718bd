"""``check_versions`` and its generated form find what is wrong with the steps of a model; a model for each mistake."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Any

import pytest
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from pydantic import Field

from emco_store import InvalidResource, Resource, since
from emco_store.contracts.generated import check_generated_versions
from emco_store.contracts.migration_models import Hull1, Hull2, Hull3, Hull4
from emco_store.contracts.versions import check_versions

OLDER = [Hull1(name="a"), Hull2(name="b", region="eu", cargo="tea 3", decks=2), Hull3(name="c", zone="eu", cargo="")]


def test_right_steps_pass():
    """MIG-1, MIG-2: Documents of all older versions are read, and the values are given back."""
    assert [("", 1), ("eu", 2), ("eu", 1)] == [(one.zone, one.decks) for one in check_versions(OLDER, Hull4)]


def test_step_that_counts_is_found():
    """MIG-2: A step that reads anything but its document gives another one each time."""
    numbers = count()

    class New(
        Resource, kind="Hull", model_version=2, extra="allow", steps={2: lambda old: {**old, "n": next(numbers)}}
    ):
        n: int = 0

    with pytest.raises(AssertionError, match="not the same each time"):
        check_versions(OLDER[:1], New)


def test_step_that_cannot_take_an_old_value_is_found():
    """MIG-2: The error of the step is that of reading."""
    with pytest.raises(InvalidResource):
        check_versions([Hull1(name="a", cargo="tea much")], Hull4)


def test_wrong_readable_by_is_found():
    """MIG-1: What an older program is said to read, it reads."""

    def rename(document: dict[str, Any]) -> dict[str, Any]:
        return {"name": document["name"], "zone": document.get("region", "")}

    class New(Resource, kind="Hull", model_version=2, steps={2: rename}, readable_by=1):
        zone: str = ""

    with pytest.raises(InvalidResource):
        check_versions(OLDER[:1], New)


def test_field_without_since_is_found():
    """MIG-1: A new field that is always written locks old programs out without saying so."""

    class New(Resource, kind="Hull", model_version=2, extra="allow"):
        decks: int = 1
        spare: Annotated[int, since(2)] = 1

    with pytest.raises(InvalidResource):
        check_versions(OLDER[:1], New)


TEXTS = st.sampled_from(["", "tea 3", "salt 12"])


@pytest.mark.parametrize("older", [Hull1, Hull2])
def test_right_steps_pass_whatever_is_stored(older):
    """MIG-1, MIG-2: Generated documents of older versions are read, and the values are given back."""
    check_generated_versions(older, Hull4, examples=50, cargo=TEXTS)


def test_value_that_nobody_thought_of_is_found():
    """MIG-2: A generated text, which is not what the step takes it for, and a small one."""
    with pytest.raises(InvalidResource, match="the step to version 4 failed"):
        check_generated_versions(Hull1, Hull4, cargo=st.text("a 1"))


def test_step_that_old_programs_do_not_follow_is_found_among_generated_values():
    """MIG-1: What is said to be readable by older programs is not, where a number is negative."""

    def word(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "level": "below" if document["level"] < 0 else document["level"]}

    class Old(Resource, kind="Tank"):
        level: int = 0

    class New(Resource, kind="Tank", model_version=2, steps={2: word}, readable_by=1):
        level: Any = 0

    check_versions([Old(name="a", level=1)], New)
    with pytest.raises(InvalidResource, match="level"):
        check_generated_versions(Old, New)


@pytest.mark.filterwarnings("ignore:Ignoring unsupported")
def test_field_of_which_nothing_can_be_made_is_told():
    """A type without a strategy is named, and not skipped."""

    class Old(Resource, kind="Tank"):
        level: Annotated[str, Field(pattern="^only this$")]

    with pytest.raises(Unsatisfiable):
        check_generated_versions(Old, Old, examples=5)
    check_generated_versions(Old, Old, examples=5, level=st.just("only this"))
