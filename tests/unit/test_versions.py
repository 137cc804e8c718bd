"""``check_versions`` finds what is wrong with the steps of a model, with a model for each mistake."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Any

import pytest

from emco_store import InvalidResource, Resource, since
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
