"""RES-5: what people read names resources, and never shows the key of one of the store's own records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from emco_store.contracts.checks import checked
from emco_store.contracts.harness import Lab
from emco_store.contracts.lease_models import DutyToFree, Runner
from emco_store.contracts.recorded import PLANT, PlantLife, begin
from emco_store.contracts.rules import rule
from emco_store.contracts.status_scripts import Pump, PumpFlow, Tank
from emco_store.core.keys import Key
from emco_store.core.naming import FREEZE, LIFECYCLE, PREFIX, REVISION
from emco_store.core.reserved import beside, numbered
from emco_store.core.status import status_key
from emco_store.errors import StoreError

PUMP = Key("Pump", "p")
FLOW = status_key(PUMP, "sensor")
TOO_LONG = 2_000


class ReservedNameRules:
    """Provoke errors about every kind of reserved record, and read them."""

    @rule("RES-5")
    def test_no_error_shows_a_reserved_key(self, lab: Lab) -> None:
        """Errors about statuses, states, revisions and leases name the resource, and the writer (RES-5)."""
        begin(lab.store)
        lab.store.transition(PLANT, PlantLife.approve, digest=lab.store.digest(PLANT))
        lab.store.transition(PLANT, PlantLife.run)
        pump = lab.store.create(Pump(name="p"))
        lab.store.create(Tank(name="t"))
        lab.store.set_status(PumpFlow(parent=pump, feeds=["Tank/t"]), observed=pump)
        lab.store.create(Runner(name="r", zone="eu"))

        said: list[str] = []
        for provoke in (*_of_statuses(lab, pump), *_of_leases(lab), *_of_lifecycles(lab)):
            try:
                provoke()
            except StoreError as problem:
                said.append(f"{problem} {problem.line}")
            else:
                raise AssertionError(f"nothing was refused after {said[-1:]}")

        assert [] == [text for text in said if PREFIX in text]
        assert any("the status of Pump/p by sensor" in text for text in said)
        assert any("the lease of Runner/r" in text for text in said)
        assert any("the lifecycle of Plant/g/p" in text for text in said)

    @rule("RES-5")
    def test_no_flaw_shows_a_reserved_key(self, lab: Lab) -> None:
        """A check tells people whose state, status or revision is damaged (RES-5)."""
        begin(lab.store)
        lab.store.transition(PLANT, PlantLife.approve, digest=lab.store.digest(PLANT))
        pump = lab.store.create(Pump(name="p"))
        lab.store.set_status(PumpFlow(parent=pump), observed=pump)
        uid = lab.store.get(PLANT).meta.uid
        damaged = (beside(LIFECYCLE, PLANT), numbered(REVISION, PLANT, uid, 1), FLOW)
        for key in damaged:
            lab.tamper(key, b"[]")

        flaws = checked(lab.store)

        assert {key.text for key in damaged} <= {flaw.key for flaw in flaws}
        said = "\n".join(map(str, flaws))
        assert PREFIX not in said
        assert all(str(key) in said for key in damaged)


def _of_statuses(lab: Lab, pump: Any) -> Iterator[Callable[[], object]]:
    """Yield calls that refuse a status: too long, without a target, changed meanwhile, or unreadable."""
    small = lab.open(max_bytes=TOO_LONG)
    flow = PumpFlow(parent=pump, feeds=["Tank/t"])
    yield lambda: small.set_status(PumpFlow(parent=pump, feeds=["Tank/" + "t" * 250] * 10), observed=pump)
    yield lambda: lab.store.set_status(flow.model_copy(update={"litres": "many"}), observed=pump)
    yield lambda: lab.store.set_status(PumpFlow(parent=pump, feeds=["Tank/gone"]), observed=pump)
    yield lambda: lab.store.delete(Key("Tank", "t"))

    def overtaken() -> None:
        with lab.store.transaction() as tx:
            assert tx.status(pump, PumpFlow) is not None
            lab.store.set_status(PumpFlow(parent=pump, litres=7, feeds=["Tank/t"]), observed=pump)
            tx.create(Tank(name="late"))

    yield overtaken
    lab.tamper(FLOW, b'{"litres": "many"}')
    yield lambda: lab.store.status(pump, PumpFlow)


def _of_leases(lab: Lab) -> Iterator[Callable[[], object]]:
    """Yield calls that a lease refuses: it is held, was ended, or is not there."""
    runner = Key("Runner", "r")
    yield lambda: lab.store.create(DutyToFree(name="d", runner=runner))

    def taken_twice() -> None:
        with lab.store.lease(runner), lab.open(models=[Runner]).lease(runner):
            pass

    def ended() -> None:
        with lab.store.lease(runner) as lease:
            lab.open(models=[Runner]).expire(runner)
            with lab.store.transaction() as tx:
                tx.require(lease)

    yield taken_twice
    yield ended


def _of_lifecycles(lab: Lab) -> Iterator[Callable[[], object]]:
    """Yield calls that a state refuses, or that meet a record of a lifecycle which another commit or a hand changed."""
    plant = lab.store.get(PLANT)
    yield lambda: lab.store.update(plant.model_copy(update={"site": "moved"}))
    yield lambda: lab.store.delete(PLANT)
    yield lambda: lab.store.transition(PLANT, PlantLife.run)

    def overtaken() -> None:
        with lab.store.transaction() as tx:
            tx.transition(PLANT, PlantLife.update)
            lab.store.transition(PLANT, PlantLife.update)

    yield overtaken
    uid = lab.store.get(PLANT).meta.uid
    lab.tamper(numbered(REVISION, PLANT, uid, 1), b"[]")
    yield lambda: lab.store.revision(PLANT, 1)
    yield lambda: lab.store.plan_rollback(PLANT, 1)
    lab.tamper(beside(FREEZE, PLANT), b"[]")
    lab.tamper(beside(LIFECYCLE, PLANT), b"[]")
    yield lambda: lab.store.lifecycle(PLANT)
    yield lambda: lab.store.transition(PLANT, PlantLife.stop)
    yield lambda: lab.store.update(plant.model_copy(update={"text": "late"}))
