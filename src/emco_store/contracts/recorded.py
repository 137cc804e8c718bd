"""The models with which the rules of digests, revisions and rollbacks are tested, and how their tests begin."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from emco_store.contracts.harness import Lab
from emco_store.core.guards import approved
from emco_store.core.indexing import indexed
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import content, transition
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import CASCADE, RESTRICT, SET_NULL


class PlantState(StrEnum):
    """The states of a plant."""

    DRAFT = "Draft"
    APPROVED = "Approved"
    RUNNING = "Running"


class Chart(Resource):
    """A target outside that belongs to the content of a plant."""

    text: str = ""


class Ground(Resource):
    """The parent of plants."""


class PlantLife(Lifecycle[PlantState]):
    """A lifecycle with approval, which begins and ends deletable."""

    initial = PlantState.DRAFT
    scope = content(targets=(Chart,))
    approve = transition({PlantState.DRAFT, PlantState.APPROVED}, to=PlantState.APPROVED, approves=True)
    save = transition({PlantState.DRAFT, PlantState.APPROVED}, to=PlantState.DRAFT, records=True)
    run = transition({PlantState.APPROVED}, to=PlantState.RUNNING, records=True, guards=[approved()])
    update = transition({PlantState.RUNNING}, to=PlantState.RUNNING, records=True)
    stop = transition({PlantState.RUNNING}, to=PlantState.DRAFT)
    deletable = {PlantState.DRAFT, PlantState.APPROVED}
    frozen = {PlantState.RUNNING: (F.site,)}


class Plant(Resource, parent=Ground, on_parent_delete=CASCADE, lifecycle=PlantLife):
    """The root of a subtree that is approved and recorded as a whole."""

    text: str = ""
    site: str = ""


class Hall(Resource, parent=Plant, on_parent_delete=CASCADE):
    """A child, which refers to a target."""

    text: Annotated[str, indexed()] = ""
    chart: Annotated[Ref[Chart] | None, on_delete(RESTRICT)] = None


class Desk(Resource, parent=Hall, on_parent_delete=CASCADE):
    """A grandchild."""

    text: str = ""


class Guest(Resource):
    """Refers to members of the subtree, and is none."""

    desk: Annotated[Ref[Desk] | None, on_delete(RESTRICT)] = None
    hall: Annotated[Ref[Hall] | None, on_delete(SET_NULL)] = None


class Plain(Resource):
    """Has no lifecycle."""


PLANT = Key("Plant", "g", "p")
HALL = Key("Hall", "g", "p", "h")
DESK = Key("Desk", "g", "p", "h", "d")
CHART = Key("Chart", "c")


def begin(store: Any) -> None:
    """Create a plant with a child, a grandchild and a target."""
    ground = store.create(Ground(name="g"))
    chart = store.create(Chart(name="c", text="first"))
    plant = store.create(Plant(parent=ground, name="p", text="first", site="north"))
    hall = store.create(Hall(parent=plant, name="h", text="first", chart=chart))
    store.create(Desk(parent=hall, name="d", text="first"))


def write(store: Any, key: Key, **fields: Any) -> None:
    """Change fields of a resource."""
    store.update(store.get(key).model_copy(update=fields))


def approve(store: Any) -> Any:
    """Approve the content of the plant as it is now."""
    return store.transition(PLANT, PlantLife.approve, digest=store.digest(PLANT), note="seen")


def saved(lab: Lab, *texts: str) -> None:
    """Record a revision for each text of the plant."""
    for text in texts:
        write(lab.store, PLANT, text=text)
        lab.store.transition(PLANT, PlantLife.save)
