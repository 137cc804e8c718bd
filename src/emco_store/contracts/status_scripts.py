"""The resources and statuses of the suite, and the transactions around them that run against each other."""

from __future__ import annotations

from typing import Annotated, Any

from emco_store.contracts.scripts import Script, Step
from emco_store.core.keys import Key
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.status import Status, no, yes


class Tank(Resource):
    """What statuses refer to."""


class Pump(Resource):
    """What is observed."""

    level: int = 0


class Valve(Resource, parent=Pump, on_parent_delete=Rule.CASCADE):
    """A part of it, which is observed too."""


class PumpFlow(Status, of=Pump, writer="sensor"):
    """What one writer observes of a pump."""

    litres: int = 0
    feeds: list[Ref[Tank]] = []
    spare: Annotated[Ref[Tank] | None, on_delete(Rule.SET_NULL)] = None


class PumpAlarm(Status, of=Pump, writer="guard"):
    """What another writer observes of it."""

    noise: int = 0


class ValveFlow(Status, of=Valve, writer="sensor"):
    """What the first writer observes of a part."""


PUMP: Any = Key("Pump", "p")
"""What most transactions are about."""


def begin_without_status(tx: Any) -> None:
    """Create the data of :func:`scripts_of_statuses`, of which nothing was reported yet."""
    for made in (Tank(name="t"), Tank(name="u"), Pump(name="p"), Valve(name="v", parent="Pump/p")):
        tx.create(made)


def begin_with_status(tx: Any) -> None:
    """Create the data of :func:`scripts_of_statuses`, with a status of the first writer."""
    begin_without_status(tx)
    tx.set_status(PumpFlow(parent=PUMP, litres=1, spare="Tank/t", conditions={"Ready": yes()}), observed=1)


def scripts_of_statuses() -> tuple[Script, ...]:
    """Return the transactions around the statuses of one resource."""

    def report(litres: int) -> Step:
        status = PumpFlow(parent=PUMP, litres=litres, feeds=["Tank/u"], conditions={"Ready": yes()})
        return lambda tx, _: tx.set_status(status, observed=1) and None

    def read(tx: Any, notes: dict[str, Any]) -> int:
        notes["pump"] = tx.get(Pump, "p")
        return int(notes["pump"].level)

    def report_it(tx: Any, notes: dict[str, Any]) -> None:
        tx.set_status(PumpFlow(parent=PUMP, litres=notes["pump"].level), observed=notes["pump"])

    def add(tx: Any, _: dict[str, Any]) -> None:
        before = tx.status(PUMP, PumpFlow)
        tx.set_status(PumpFlow(parent=PUMP, litres=10 + (before.litres if before else 0)), observed=1)

    def see(tx: Any, notes: dict[str, Any]) -> tuple[Any, ...]:
        notes["seen"] = tuple((one.meta.key.name, one.meta.version) for one in tx.statuses(PUMP))
        return tuple(notes["seen"])

    def judge(tx: Any, notes: dict[str, Any]) -> bool:
        notes["seen"] = ("ready",) * tx.condition(PUMP, "Ready", by=PumpFlow).is_true
        return bool(notes["seen"])

    def note(tx: Any, notes: dict[str, Any]) -> None:
        tx.create(Pump(name="note", level=len(notes["seen"])))

    def change(tx: Any, notes: dict[str, Any]) -> None:
        tx.update(notes["pump"].model_copy(update={"level": 7}))

    def alarm(tx: Any, _: dict[str, Any]) -> None:
        tx.set_status(PumpAlarm(parent=PUMP, conditions={"Ready": no()}), observed=1)

    return (
        Script("report", (report(5),)),
        Script("report otherwise", (report(6),)),
        Script("add to the report", (add,)),
        Script("look and report", (read, report_it)),
        Script("report as another writer", (alarm,)),
        Script("update", (read, change)),
        Script("update blindly", (lambda tx, _: tx.put(Pump(name="p", level=8)) and None,)),
        Script("report and update", (read, report_it, change)),
        Script("delete", (lambda tx, _: tx.delete(PUMP) and None,)),
        Script("see and delete", (see, lambda tx, _: tx.delete(PUMP) and None, note)),
        Script("create again", (_create_again_in,)),
        Script("see the statuses", (see, note)),
        Script("judge a condition", (judge, note)),
        Script("add a part", (lambda tx, _: tx.create(Valve(name="w", parent=PUMP)) and None,)),
        Script("delete what it may refer to", (lambda tx, _: tx.delete(Key("Tank", "t")) and None,)),
        Script("delete what it will refer to", (lambda tx, _: tx.delete(Key("Tank", "u")) and None,)),
    )


def _create_again_in(tx: Any, _: dict[str, Any]) -> None:
    tx.delete(PUMP)
    tx.create(Pump(name="p", level=9))
