"""What travels with a value: its meta, through copies, pickles and comparisons."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import PrivateAttr

from emco_store import SET_DEFAULT, InvalidCall, Key, Ref, Resource, connect, on_delete


class Site(Resource):
    """A model with state of its own beside its fields."""

    tags: list[str] = []
    _cache: dict[str, int] = PrivateAttr(default_factory=dict)


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda value: value.model_copy(),
    "deep model_copy": lambda value: value.model_copy(deep=True),
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301 - what was just written
}


@pytest.mark.parametrize("way", WAYS)
def test_meta_travels_with_a_value(way):
    """A copy of a stored value is a stored value, so it can be changed and updated (OCC-2)."""
    with connect("memory://", namespace="copies") as store:
        made = store.create(Site(name="a", tags=["x"]))
        other = WAYS[way](made)

        assert other == made
        assert other.meta == made.meta
        assert 2 == store.update(other.model_copy(update={"tags": []})).meta.version


@pytest.mark.parametrize("way", WAYS)
def test_value_that_was_never_stored_has_no_meta(way):
    """A copy of a new value is new as well."""
    other = WAYS[way](Site(name="a"))

    assert not other.is_stored
    with pytest.raises(InvalidCall, match="never stored"):
        _ = other.meta


class Plan(Resource):
    """A model whose reference has its default as text."""

    site: Annotated[Ref[Site], on_delete(SET_DEFAULT)] = "Site/main"  # type: ignore[assignment]  # read as a new value is


def test_default_that_is_text_is_a_reference():
    """Defaults are not validated, and are bound all the same (REF-1)."""
    first, second = Plan(name="a"), Plan(name="b")

    assert Key("Site", "main") == first.site.key == second.site.key


def test_values_of_different_versions_differ():
    """What the store knows of a value is a part of what it is."""
    with connect("memory://", namespace="versions") as store:
        new = Site(name="a")
        first = store.create(new)
        second = store.update(first)

    assert (first.model_dump(), first.key, first.ref) == (second.model_dump(), second.key, second.ref)
    assert len({first.key, second.key}) == 1
    assert first != second
    assert new != first
    assert first != first.key
    assert first == first.model_copy()
