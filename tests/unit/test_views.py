"""Views: what is refused when one is defined, and which class a store uses where there are several."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import pytest
from typing_extensions import TypedDict

from emco_store import (
    CASCADE,
    InvalidCall,
    InvalidModel,
    InvalidResource,
    MemoryBackend,
    Ref,
    Resource,
    View,
    connect,
    indexed,
    some_of,
)
from emco_store.contracts.views import Berth, BerthView, Buoy, Crane, Harbour, HarbourView, PlacedBerth


@pytest.mark.parametrize(
    "options",
    [
        {"lease": timedelta(seconds=9)},
        {"indexes": ["depth"]},
        {"kind": "B"},
        {"on_parent_delete": CASCADE},
        {"of": "emco__Lease"},
        {"of": Berth},
        {"of": "a/b"},
        {"of": None},
        {"key": ("name", "side")},
        {"extra": "forbid"},
        {"parent": BerthView},
        {"parent": 7},
    ],
)
def test_view_that_could_not_work_is_refused(options: dict[str, Any]) -> None:
    """What is the owner's to say cannot be said by a view (VIEW-3)."""
    with pytest.raises(InvalidModel) as caught:
        type("Wrong", (View,), {"__module__": __name__}, **({"of": "Berth"} | options))

    assert "Wrong" == caught.value.model


@pytest.mark.parametrize(
    "annotation", [Annotated[int, indexed()], Crane, list[Crane], Annotated[str, some_of(BerthView)]]
)
def test_field_of_a_view_that_could_not_work_is_refused(annotation: Any) -> None:
    """An index, a nested model that would refuse what its owner adds, a selection without names to go by (VIEW-3)."""
    with pytest.raises(InvalidModel):
        type("Wrong", (View,), {"__module__": __name__, "__annotations__": {"x": annotation}}, of="Berth")


def test_resource_still_says_what_becomes_of_unknown_fields() -> None:
    """Only a view may ignore them."""
    with pytest.raises(InvalidModel):
        type("Wrong", (Resource,), {"__module__": __name__}, extra="ignore")


@dataclass
class Plain:
    """A dataclass, of which the owner may add to."""

    a: int


class Typed(TypedDict):
    """A dict of which the owner may add to."""

    a: int


class Wide(View, of="Open"):
    """Reads nested values that are no models."""

    plain: Plain
    typed: Typed


class Open(Resource):
    """The owner's class."""

    plain: dict[str, int]
    typed: dict[str, int]


def test_nested_dataclasses_and_dicts_of_a_view_ignore_what_is_added() -> None:
    """Whatever the form of a nested value, its owner may add to it (VIEW-1)."""
    backend = MemoryBackend()
    connect(backend, namespace="n").create(Open(name="o", plain={"a": 1, "b": 2}, typed={"a": 3, "b": 4}))

    seen = connect(backend, namespace="n").get(Wide, "o")

    assert (Plain(1), {"a": 3}) == (seen.plain, seen.typed)


def test_view_without_a_place_has_a_key_only_where_it_was_read() -> None:
    """It is handed on by copies and by pickle, and cannot be made by hand."""
    backend = MemoryBackend()
    store = connect(backend, namespace="n")
    berth = store.create(Berth(name="b", side="l", code="c", parent=store.create(Harbour(name="h"))))
    seen = connect(backend, namespace="n").get(BerthView, "h", "b", "l")

    thawed = pickle.loads(pickle.dumps(seen))  # noqa: S301 - what it has just written itself
    for one in (seen, copy.deepcopy(seen), thawed, seen.model_copy(update={"depth": 3})):
        assert berth.key == one.key == one.ref.key
    with pytest.raises(InvalidResource):
        BerthView(name="b", depth=1, crane={"tons": 1})


def test_store_has_a_model_or_a_view_of_a_kind() -> None:
    """Two classes of one kind that are both used are refused, whichever comes first; what is only met gives way."""
    for first, second in ((Berth, BerthView), (BerthView, Berth), (BerthView, PlacedBerth)):
        store = connect(MemoryBackend(), namespace="n", models=[first])
        with pytest.raises(InvalidModel):
            store.list(second)
    store = connect(MemoryBackend(), namespace="n", models=[Buoy, Harbour])
    assert Harbour is store.schema.model_of("Harbour")
    assert None is connect(MemoryBackend(), namespace="n", models=[Buoy]).schema.model_of("Harbour")


def test_name_of_a_kind_means_the_class_of_its_owner() -> None:
    """A target that is only named is not found among the views, if the kind has another class (REF-17)."""

    class Pilot(Resource):
        at: Ref[Harbour]  # type: ignore[type-arg]  # a name, as one would write it of a class that is defined later

    store = connect(MemoryBackend(), namespace="n", models=[Pilot])
    assert Harbour is store.schema.reader_of("Harbour")
    assert HarbourView.__emco__.kind == "Harbour"


def test_view_has_no_states() -> None:
    """What only the owner's class says is refused clearly."""
    store = connect(MemoryBackend(), namespace="n")
    with pytest.raises(InvalidCall):
        store.lifecycle(PlacedBerth(name="b", side="l", parent="Harbour/h", tug=None))
