"""What runs against each other around rollbacks, restores and operations: transactions, and plans that are applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from emco_store.contracts.lifecycle_models import GroupLifecycle
from emco_store.contracts.operation_scripts import GROUP, Operations
from emco_store.contracts.recorded import (
    CHART,
    DESK,
    HALL,
    PLANT,
    Chart,
    Desk,
    Ground,
    Hall,
    Plant,
    PlantLife,
)
from emco_store.contracts.scripts import Script
from emco_store.core.keys import Key
from emco_store.core.refs import Ref

Begin = Callable[[Any], None]
"""Creates data, in one transaction."""


@dataclass(frozen=True, slots=True)
class Call:
    """Calls on a store instead of a transaction: a plan and its application, or what a store repeats by itself.

    Attributes:
        name: For the report.
        does: Makes the calls, and returns what it has seen.
    """

    name: str
    does: Callable[[Any], Any]


Player = Script | Call


def _tx(name: str, does: Callable[[Any], Any]) -> Script:
    return Script(name, (lambda tx, _: does(tx),))


# rollbacks: the hall is to come back with its chart, the desk as it was, and what is new is to go

_PLANT: Any = Plant(parent=Ref("Ground/g"), name="p")
"""Names the plant without reading it, so that only the call itself rests on it."""
_NEW = Key("Hall", "g", "p", "new")
_SECOND = Key("Hall", "g", "p", "h2")


def _create(tx: Any) -> None:
    ground = tx.create(Ground(name="g"))
    chart = tx.create(Chart(name="c", text="first"))
    plant = tx.create(Plant(parent=ground, name="p", text="first"))
    hall = tx.create(Hall(parent=plant, name="h", text="first", chart=chart))
    tx.create(Hall(parent=plant, name="h2", text="first"))
    tx.create(Desk(parent=hall, name="d", text="first"))
    tx.transition(plant, PlantLife.approve, digest=tx.digest(plant))


def _change(tx: Any) -> None:
    for model, key, fields in (
        (Hall, HALL, {"text": "second", "chart": None}),
        (Desk, DESK, {"text": "second"}),
    ):
        tx.update(tx.get(model, *key.segments).model_copy(update=fields))
    tx.delete(_SECOND)
    tx.create(Hall(parent=_PLANT.ref, name="new"))
    _LOOKED_AT["digest"] = tx.digest(_PLANT)


_LOOKED_AT: dict[str, str] = {}
"""The digest of the content at the beginning of the schedule that is being played."""
ROLLBACKS: tuple[Begin, ...] = (_create, _change)


def scripts_of_rollbacks() -> tuple[Player, ...]:
    """Return a rollback, and what may come between its plan and its commit."""

    def roll_back(store: Any, **options: Any) -> Any:
        return str(store.apply(store.plan_rollback(_PLANT, 1, **options)))

    def edit(model: Any, key: Key) -> Callable[[Any], Any]:
        return lambda tx: tx.update(tx.get(model, *key.segments).model_copy(update={"text": "third"})).meta.version

    def approve(tx: Any) -> Any:
        return tx.transition(_PLANT, PlantLife.approve, digest=_LOOKED_AT["digest"]).revision

    def create(name: str) -> Callable[[Any], Any]:
        return lambda tx: tx.create(Hall(parent=_PLANT.ref, name=name, text="third")).meta.version

    return (
        Call("roll back", roll_back),
        Call("roll back, but not the hall", lambda store: roll_back(store, leave_out=[HALL])),
        Call("restore", lambda store: str(store.apply(store.plan_restore(_PLANT, 1)))),
        Call("tag", lambda store: store.tag(_PLANT, 1, "good").tags),
        Call("prune", lambda store: store.prune(_PLANT, keep=1).removed),
        _tx("approve", approve),
        _tx("run", lambda tx: tx.transition(_PLANT, PlantLife.run).revision),
        _tx("save", lambda tx: tx.transition(_PLANT, PlantLife.save).revision),
        _tx("change the root", edit(Plant, PLANT)),
        _tx("change a child", edit(Hall, HALL)),
        _tx("change the grandchild", edit(Desk, DESK)),
        _tx("change the target", edit(Chart, CHART)),
        _tx("delete the target", lambda tx: tx.delete(CHART).deleted),
        _tx("delete a child", lambda tx: tx.delete(HALL).deleted),
        _tx("delete what is new", lambda tx: tx.delete(_NEW).deleted),
        _tx("add under what is new", lambda tx: tx.create(Desk(parent=Ref(_NEW), name="n")).meta.version),
        _tx("add a child", create("late")),
        _tx("create what was deleted", create("h2")),
        _tx("delete the root", lambda tx: tx.delete(PLANT).deleted),
        _tx("delete all", lambda tx: tx.delete(Key("Ground", "g")).deleted),
    )


# operations: a group is being started, and reported on

_UNDER_WAY: Final = Operations()
OPERATIONS: tuple[Begin, ...] = (_UNDER_WAY.begin,)


def scripts_of_operations() -> tuple[Player, ...]:
    """Return the transactions of the suite around an operation, and what a store repeats by itself."""
    return (
        *_UNDER_WAY.scripts(),
        Call("report the end, repeated", lambda store: str(store.transition(
            GROUP, GroupLifecycle.started, operation=_UNDER_WAY.id).state)),
        Call("stop, repeated", lambda store: str(store.transition(GROUP, GroupLifecycle.stop).state)),
    )  # fmt: skip
