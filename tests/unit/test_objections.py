"""What the hint of a refused transition says."""

from __future__ import annotations

from enum import StrEnum

import pytest

from emco_store import Key, Lifecycle, Objection, Resource, transition
from emco_store.core.objections import hint_of, steps_between, to_enter, to_leave


class Light(StrEnum):
    """The states of a lamp."""

    OFF = "Off"
    WARM = "Warm"
    ON = "On"
    BROKEN = "Broken"


class LampLifecycle(Lifecycle[Light]):
    """A lamp that warms up, and breaks for ever."""

    initial = Light.OFF
    heat = transition(Light.OFF, to=Light.WARM)
    light = transition(Light.WARM, to=Light.ON)
    drop = transition({Light.OFF, Light.WARM, Light.ON}, to=Light.BROKEN)
    dim = transition(Light.ON, to=Light.WARM)
    cool = transition({Light.WARM, Light.ON}, to=Light.OFF)
    deletable = frozenset({Light.OFF, Light.BROKEN})


class Lamp(Resource, lifecycle=LampLifecycle):
    """A resource with it."""


class Shelf(Resource):
    """A resource without any."""


LAMP = Key("Lamp", "l")


@pytest.mark.parametrize(
    ("model", "state", "wanted", "steps"),
    [
        (Lamp, "Off", ["On"], ("heat", "light")),
        (Lamp, "On", ["Off"], ("cool",)),
        (Lamp, "On", ["Warm", "On"], ()),
        (Lamp, "Broken", ["On"], ()),
        (Lamp, "Molten", ["On"], ()),
        (Lamp, None, ["On"], ()),
        (Shelf, "Off", ["On"], ()),
        (None, "Off", ["On"], ()),
    ],
)
def test_way_is_the_shortest_one(model, state, wanted, steps):
    """The way from a state to one of others has the fewest transitions, and is empty where there is none."""
    assert steps == steps_between(model, state, wanted)


def test_text_names_the_transitions_where_they_are_known():
    """A hint names the resource, the states and the way, and says less where less is known."""
    assert "bring Lamp/l to On (heat, then light)" == to_enter(Lamp, LAMP, "Off", ["On"])
    assert "bring Lamp/l to Warm or On" == to_enter(None, LAMP, "Off", ["Warm", "On"])
    assert "bring Lamp/l out of On (dim)" == to_leave(Lamp, LAMP, "On", {"On", "Broken"})
    assert "bring Lamp/l out of On" == to_leave(None, LAMP, "On", {"On"})


def test_hints_are_said_once_and_counted():
    """Equal hints are one, more than five are counted, and without any there is another text."""
    many = [Objection(f"reason {number}", f"do {number % 8}") for number in range(16)]

    assert "do 0; do 1; do 2; do 3; do 4; and so on for 3 more." == hint_of(many, "")
    assert "ask." == hint_of([Objection("a function says no")], "ask")
