"""Classes of statuses, and what a store knows of them."""

from __future__ import annotations

import copy
from typing import Annotated

import pytest

from emco_store import (
    CASCADE,
    Condition,
    InvalidModel,
    InvalidResource,
    Ref,
    Resource,
    Status,
    indexed,
    no,
    unique,
    unknown,
    yes,
)
from emco_store.core.keys import Key
from emco_store.core.schema import Schema


class Lamp(Resource):
    """What is observed."""


class Room(Resource):
    """What a status refers to."""


class LampState(Status, of=Lamp, writer="a"):
    """What one writer observes."""

    room: Ref[Room] | None = None


class LampHeat(Status, of=Lamp, writer="b"):
    """What another one observes."""

    degrees: int = 0


def test_status_is_a_child_of_its_resource_under_a_reserved_kind():
    """Kind, parent, key and rule follow from the resource and the writer."""
    status = LampState(parent=Key("Lamp", "l"))

    assert Key("emco__Status_Lamp", "l", "a") == status.key
    assert (Lamp, CASCADE) == (LampState.__emco__.parent, LampState.__emco__.on_parent_delete)
    assert ("a", {}, 0) == (status.name, status.conditions, status.observed)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"of": Lamp}, "writer=None: a name is a string, not NoneType"),
        ({"writer": "w"}, "of=None is not a resource"),
        ({"of": Lamp, "writer": ""}, "writer='': a name may not be empty"),
        ({"of": LampState, "writer": "w"}, "of=LampState is a status itself"),
        ({"of": Lamp, "writer": "w", "parent": Lamp}, "parent= follows from of= and writer="),
        ({"of": Lamp, "writer": "w", "kind": "Mine"}, "kind= follows from of= and writer="),
        ({"of": Lamp, "writer": "a"}, f"{__name__}.LampState is the status by 'a' already"),
    ],
)
def test_class_that_could_be_no_status_is_refused(arguments, reason):
    """What is missing or said twice is named."""
    with pytest.raises(InvalidModel) as caught:
        type("Broken", (Status,), {"__module__": __name__}, **arguments)

    assert reason in caught.value.why


def test_kind_that_is_too_long_for_a_status_is_refused():
    """The kind of a status has 13 characters more than that of its resource, and 63 at most."""
    for length, is_possible in ((50, True), (51, False)):
        long = type("L" * length, (Resource,), {"__module__": __name__})
        if is_possible:
            type("LongStatus", (Status,), {"__module__": __name__}, of=long, writer="w")
            continue
        with pytest.raises(InvalidModel) as caught:
            type("LongStatus", (Status,), {"__module__": __name__}, of=long, writer="w")
        assert "has 51 characters, and one with a status has at most 50" in caught.value.why[0]


def test_fields_of_every_status_cannot_be_declared_again():
    """The fields that the store sets have one type."""
    with pytest.raises(InvalidModel) as caught:

        class Broken(Status, of=Lamp, writer="w"):
            observed: str = ""  # type: ignore[assignment]  # that is the test

    assert ("the field 'observed' is that of every status, and cannot be declared again",) == caught.value.why


@pytest.mark.parametrize("marker", [unique(), indexed()])
def test_marker_for_lists_is_refused(marker):
    """A status is in no list, so an index of its fields would have no effect."""
    with pytest.raises(InvalidModel):
        type("Broken", (Status,), {"__module__": __name__, "__annotations__": {"x": Annotated[int, marker]}, "x": 0},
             of=Lamp, writer="w")  # fmt: skip


def test_base_class_of_statuses_shares_its_fields():
    """An abstract status is no kind."""

    class Common(Status, abstract=True):
        note: str = ""

    class LampNote(Common, of=Lamp, writer="c"):
        pass

    assert "n" == LampNote(parent=Key("Lamp", "l"), note="n").note


def test_schema_tells_statuses_of_one_kind_apart():
    """A store that meets a resource knows the statuses of all its writers."""
    schema = Schema([Lamp])

    for model in (LampState, LampHeat):
        assert model is schema.model_at(model(parent=Key("Lamp", "l")).key)
    assert schema.model_at(Key("emco__Status_Lamp", "l", "z")) is None


def test_name_of_a_status_is_that_of_its_writer():
    """Another name is refused."""
    assert "a" == LampState(parent=Key("Lamp", "l"), name="a").name
    with pytest.raises(InvalidResource):
        LampState(parent=Key("Lamp", "l"), name="b")


def test_condition_counts_as_unknown_before_it_is_observed():
    """A condition says nothing of a version for which nobody has observed it."""
    condition = yes("Up").model_copy(update={"observed": 3})

    assert [True, True, None] == [condition.at(version).value for version in (2, 3, 4)]
    assert yes("Up").at(1).value is None


def test_conditions_are_values():
    """They compare, can be copied, and refuse what is no text."""
    assert [True, False, None] == [made.value for made in (yes(), no(), unknown())]
    assert yes("Up", "since noon") == copy.deepcopy(yes("Up", "since noon"))
    assert Condition(value=True, reason="Up") == yes("Up")
    with pytest.raises(InvalidResource):
        no("Down", 5)  # type: ignore[arg-type]  # that is the test
