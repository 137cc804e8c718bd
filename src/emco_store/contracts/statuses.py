"""GEN: what is observed of a resource stands apart from what is wanted of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.interleavings import check_all
from emco_store.contracts.rules import rule
from emco_store.contracts.status_scripts import (
    PUMP,
    Pump,
    PumpAlarm,
    PumpFlow,
    Tank,
    Valve,
    ValveFlow,
    begin_with_status,
    begin_without_status,
    scripts_of_statuses,
)
from emco_store.core.codec import Untyped
from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.core.status import Status, no, unknown, yes
from emco_store.errors import (
    Conflict,
    DeleteRestricted,
    InvalidCall,
    InvalidModel,
    InvalidResource,
    MissingReference,
    NotFound,
    NotPermitted,
    StoreError,
)
from emco_store.ports import Commit


class StatusRules:
    """The tests of GEN."""

    @rule("GEN-1")
    def test_status_leaves_its_resource_as_it_was(self, lab: Lab) -> None:
        """Neither the first status nor a later one changes the version, times or tag of the resource (GEN-1)."""
        pump = lab.store.create(Pump(name="p"))
        lab.clock.advance()

        lab.store.set_status(PumpFlow(parent=pump, litres=1), observed=pump)
        lab.store.set_status(PumpFlow(parent=pump, litres=2), observed=pump)

        found = lab.store.get(pump)
        assert (pump, pump.meta, pump.meta.etag) == (found, found.meta, found.meta.etag)

    @rule("GEN-1")
    def test_update_never_conflicts_with_a_status(self, lab: Lab) -> None:
        """An update commits, whatever statuses are written between its read and its commit (GEN-1)."""
        pump, other = lab.store.create(Pump(name="p")), lab.open()
        for litres in (1, 2):
            _between(lab, _reporting(PumpFlow(parent=PUMP, litres=litres)))
            with lab.store.transaction() as tx:
                seen = tx.get(pump)
                _between(lab, _reporting(PumpAlarm(parent=PUMP, noise=litres)))
                pump = tx.update(seen.model_copy(update={"level": litres}))

        assert 3 == other.get(pump).meta.version == pump.meta.version
        assert 2 == other.status(pump, PumpAlarm).meta.version

    @rule("GEN-1")
    def test_status_costs_one_request_and_the_commit(self, lab: Lab) -> None:
        """A status takes one request before its commit; one that says the same again is not written (GEN-1)."""
        pump = lab.store.create(Pump(name="p"))
        for litres, requests in ((1, 2), (2, 2), (2, 1)):
            lab.faults.requests.clear()
            stored = lab.store.set_status(PumpFlow(parent=pump, litres=litres), observed=pump)
            assert requests == len(lab.faults.requests)
            assert (litres, litres) == (stored.litres, stored.meta.version)

    @rule("GEN-1")
    def test_later_status_does_not_rest_on_its_resource(self, lab: Lab) -> None:
        """A status of a writer who has written one before commits at once, although the resource changes (GEN-1)."""
        pump = lab.store.create(Pump(name="p"))
        lab.store.set_status(PumpFlow(parent=pump), observed=pump)
        _between(lab, lambda store: store.put(Pump(name="p", level=5)))
        lab.faults.requests.clear()

        lab.store.set_status(PumpFlow(parent=pump, litres=1), observed=pump)

        assert [Key("emco__Status_Pump", "p", "sensor")] == list(lab.faults.asked(Commit)[0].expect)

    @rule("GEN-2")
    def test_each_writer_has_one_status(self, lab: Lab) -> None:
        """A writer's second status replaces its first; that of another writer stands beside it (GEN-2)."""
        pump = lab.store.create(Pump(name="p"))
        assert (None, ()) == (lab.store.status(pump, PumpFlow), lab.store.statuses(pump))
        lab.store.set_status(PumpFlow(parent=pump, litres=1), observed=pump)
        first = lab.store.set_status(PumpFlow(parent=pump, litres=2), observed=pump)
        second = lab.store.set_status(PumpAlarm(parent=pump, noise=3), observed=pump)

        assert ("sensor", 2, 2) == (first.name, first.litres, first.meta.version)
        assert (first, second) == (lab.store.status(pump, PumpFlow), lab.store.status(pump, PumpAlarm))
        assert (second, first) == lab.store.statuses(pump)
        assert [Untyped, Untyped] == [type(one) for one in lab.open().statuses(Key("Pump", "p"))]

    @rule("GEN-2", "LIF-12")
    def test_status_is_reported_by_its_writer(self, lab: Lab) -> None:
        """A store that acts as another than the writer cannot report; one that acts as nobody may (GEN-2, LIF-12)."""
        pump = lab.store.create(Pump(name="p"))
        sensor, other = lab.open(actor="sensor"), lab.open(actor="guard")
        for call in (other.set_status, _in_transaction(other)):
            lab.faults.requests.clear()
            with pytest.raises(NotPermitted) as caught:
                call(PumpFlow(parent=pump), observed=pump)
            assert (pump.key, "guard", ("sensor",)) == (caught.value.key, caught.value.actor, caught.value.writers)
            assert [] == lab.faults.requests

        for store in (sensor, lab.store):
            store.set_status(PumpFlow(parent=pump, litres=1), observed=pump)
        other.set_status(PumpAlarm(parent=pump), observed=pump)

    @rule("GEN-2")
    def test_statuses_of_resources_with_like_names_are_apart(self, lab: Lab) -> None:
        """A status is that of its resource, not of a child or of one whose name begins alike (GEN-2)."""
        pumps = [lab.store.create(Pump(name=name)) for name in ("p", "p1", "p0")]
        valve = lab.store.create(Valve(name="p", parent=pumps[0]))
        made = [lab.store.set_status(PumpFlow(parent=one), observed=one) for one in pumps]
        of_valve = lab.store.set_status(ValveFlow(parent=valve), observed=valve)

        assert [(one,) for one in made] == [lab.store.statuses(one) for one in pumps]
        assert (of_valve,) == lab.store.statuses(valve)

    @rule("GEN-2")
    def test_status_is_deleted_with_its_resource(self, lab: Lab) -> None:
        """It goes with its resource, at any depth of a cascade, and in a store that knows no models (GEN-2)."""
        for store in (lab.store, lab.open()):
            pump = lab.store.create(Pump(name="p"))
            valve = lab.store.create(Valve(name="v", parent=pump))
            lab.store.set_status(PumpFlow(parent=pump), observed=pump)
            lab.store.set_status(ValveFlow(parent=valve), observed=valve)

            store.delete(Key("Pump", "p"))

            assert {} == lab.state()

    @rule("GEN-1", "GEN-2")
    def test_delete_does_not_wait_for_reports_to_end(self, lab: Lab) -> None:
        """A plan and a delete go on, although statuses that go with the resource change meanwhile (GEN-1, GEN-2)."""
        other = lab.open()
        for is_planned in (False, True):
            pump = lab.store.create(Pump(name="p"))
            other.set_status(PumpFlow(parent=pump, litres=1), observed=pump)
            if is_planned:
                plan = lab.store.plan_delete(pump)
                other.set_status(PumpFlow(parent=pump, litres=2), observed=pump)
                assert {"Pump": 1} == lab.store.apply(plan).deleted
            else:
                lab.faults.requests.clear()
                _between(lab, _reporting(PumpFlow(parent=PUMP, litres=2)))
                lab.store.delete(pump)
                assert 2 == lab.faults.count(Commit), "the report, and the delete at its first attempt"
            assert {} == lab.state()

    @rule("GEN-2", "GEN-3")
    def test_delete_rests_on_what_its_transaction_has_read(self, lab: Lab) -> None:
        """A transaction that reads a status and deletes its resource rests on what it has read (GEN-2, GEN-3)."""
        reads: list[Callable[[Any], Any]] = [
            lambda tx: tx.status(PUMP, PumpFlow),
            lambda tx: tx.statuses(PUMP),
            lambda tx: tx.condition(PUMP, "Ready", by=PumpFlow),
            lambda tx: tx.set_status(PumpFlow(parent=PUMP, litres=5), observed=1),
        ]
        pump = lab.store.create(Pump(name="p"))
        lab.store.set_status(PumpFlow(parent=pump), observed=pump)
        for litres, read in enumerate(reads, 6):
            with pytest.raises(Conflict), lab.store.transaction() as tx:
                read(tx)
                tx.delete(pump)
                lab.open().set_status(PumpFlow(parent=pump, litres=litres), observed=1)
        assert 9 == lab.store.status(pump, PumpFlow).litres

    @rule("GEN-2")
    def test_status_of_what_is_gone_is_not_found(self, lab: Lab) -> None:
        """Whoever reports or reads a status of a resource that does not exist gets ``NotFound`` (GEN-2)."""
        calls: list[Callable[[Any], Any]] = [
            lambda store: store.set_status(PumpFlow(parent=PUMP), observed=1),
            lambda store: store.status(PUMP, PumpFlow),
            lambda store: store.statuses(PUMP),
            lambda store: store.condition(PUMP, "Ready").is_true,
            lambda store: store.condition(PUMP, "Ready", by=PumpFlow).is_true,
        ]
        for call in calls:
            for inside in (False, True):
                with pytest.raises(NotFound) as caught:
                    _at(lab.store, call, inside=inside)
                assert (Key("Pump", "p"),) == caught.value.keys
        assert {} == lab.state()

    @rule("GEN-2", "GEN-3")
    def test_status_that_is_overtaken_by_the_delete_is_not_found(self, lab: Lab) -> None:
        """A first or a later status whose resource is deleted before its commit is ``NotFound`` (GEN-2, GEN-3)."""
        for has_status in (False, True):
            pump = lab.store.create(Pump(name="p"))
            if has_status:
                lab.store.set_status(PumpFlow(parent=pump), observed=pump)
            _between(lab, lambda store: store.delete(PUMP))
            with pytest.raises(NotFound):
                lab.store.set_status(PumpFlow(parent=pump, litres=1), observed=1)
            assert {} == lab.state()

    @rule("GEN-3")
    def test_observed_is_a_version_that_the_resource_has_had(self, lab: Lab) -> None:
        """``observed`` is 1 at least and the version at most; nothing else is a version (GEN-3)."""
        pump = lab.store.create(Pump(name="p"))
        pump = lab.store.update(pump.model_copy(update={"level": 1}))
        tank = lab.store.create(Tank(name="t"))
        wrong: tuple[Any, ...] = (0, -1, 3, True, "1", None, 1.0, tank, Pump(name="p"))
        for observed in wrong:
            with pytest.raises(InvalidCall):
                lab.store.set_status(PumpFlow(parent=pump), observed=observed)
        for version in (1, 2):
            assert version == lab.store.set_status(PumpFlow(parent=pump), observed=version).observed

    @rule("GEN-3")
    def test_observed_never_goes_back(self, lab: Lab) -> None:
        """An earlier version than the one that was observed last is a ``Conflict``, and is not tried again (GEN-3)."""
        old = lab.store.create(Pump(name="p"))
        new = lab.store.update(old.model_copy(update={"level": 1}))
        lab.store.set_status(PumpFlow(parent=old, litres=5, conditions={"Ready": yes()}), observed=new)
        before = lab.state()
        for observed in (1, old):
            lab.faults.requests.clear()
            with pytest.raises(Conflict) as caught:
                lab.store.set_status(PumpFlow(parent=old), observed=observed)
            assert caught.value.pinned
            assert 1 == len(lab.faults.requests)
        stale = yes().model_copy(update={"observed": 1})
        with pytest.raises(Conflict):
            lab.store.set_status(PumpFlow(parent=old, conditions={"Ready": stale}), observed=new)
        early = yes().model_copy(update={"observed": 2})
        with pytest.raises(InvalidCall):
            lab.store.set_status(PumpAlarm(parent=old, conditions={"Ready": early}), observed=old)
        assert before == lab.state()

    @rule("GEN-3")
    def test_nobody_reports_on_a_namesake(self, lab: Lab) -> None:
        """What was observed of a resource is not reported of one that was created under its name since (GEN-3)."""
        for has_status in (False, True):
            lab.store.delete(PUMP, missing_ok=True)
            old = lab.store.create(Pump(name="p"))
            if has_status:
                lab.store.set_status(PumpFlow(parent=old), observed=old)
            _between(lab, _create_again)
            with pytest.raises(NotFound):
                lab.store.set_status(PumpFlow(parent=old, litres=1), observed=1)
            with pytest.raises(NotFound):
                lab.store.set_status(PumpFlow(parent=old, litres=1), observed=old)
            assert ["Pump/p"] == list(lab.state())

    @rule("GEN-3")
    def test_first_status_rests_on_its_resource(self, lab: Lab) -> None:
        """In a transaction, the first status ends in ``Conflict`` if its resource is created again (GEN-3)."""
        lab.store.create(Pump(name="p"))
        with pytest.raises(Conflict), lab.store.transaction() as tx:
            tx.set_status(PumpFlow(parent=PUMP), observed=1)
            _create_again(lab.open())
        assert ["Pump/p"] == list(lab.state())

    @rule("GEN-4")
    def test_time_of_a_condition_moves_with_its_value(self, lab: Lab) -> None:
        """``since`` is when the value changed, whatever else was written since; no caller sets it (GEN-4)."""
        pump = lab.store.create(Pump(name="p"))
        started = lab.clock.now()
        told = [
            yes("Up"),
            yes("Up", "for long"),
            no("Down"),
            no("Down").model_copy(update={"since": started}),
            unknown(),
        ]
        times = []
        for at, condition in enumerate(told):
            made = lab.store.set_status(
                PumpFlow(parent=pump, litres=at, conditions={"Ready": condition, f"New{at}": no()}), observed=pump
            )
            assert made.conditions[f"New{at}"].since == lab.clock.now()
            times.append(round((made.conditions["Ready"].since - started).total_seconds()))
            assert made == lab.store.status(pump, PumpFlow)
            lab.clock.advance()

        assert [0, 0, 2, 2, 4] == times

    @rule("GEN-4")
    def test_condition_of_an_earlier_version_counts_as_unknown(self, lab: Lab) -> None:
        """What was true of an earlier version is not true of this one until it is reported again (GEN-4)."""
        pump = lab.store.create(Pump(name="p"))
        asked: tuple[dict[str, Any], ...] = ({}, {"by": PumpFlow})

        def is_true(store: Any = lab.store) -> set[bool]:
            return {_at(store, partial(_is_true, **options), inside=i) for options in asked for i in (False, True)}

        assert {False} == is_true()
        made = lab.store.set_status(PumpFlow(parent=pump, conditions={"Ready": yes()}), observed=pump)
        assert {True} == is_true() == is_true(lab.open())
        pump = lab.store.update(pump.model_copy(update={"level": 1}))
        assert {False} == is_true() == is_true(lab.open())
        assert [True, None] == [made.conditions["Ready"].at(version).value for version in (1, 2)]
        carried = made.model_copy(update={"litres": 1})
        made = lab.store.set_status(carried, observed=pump)
        assert (2, 1) == (made.observed, made.conditions["Ready"].observed)
        assert {False} == is_true(), "a condition that is only carried along was observed when it was"
        for condition, expected in ((yes(), True), (no(), False), (unknown(), False)):
            lab.store.set_status(PumpFlow(parent=pump, conditions={"Ready": condition}), observed=pump)
            assert {expected} == is_true()

    @rule("GEN-4")
    def test_condition_is_true_if_all_who_report_it_say_so(self, lab: Lab) -> None:
        """A condition that one writer calls true and another one false or unknown is not true (GEN-4)."""
        pump = lab.store.create(Pump(name="p"))
        lab.store.set_status(PumpFlow(parent=pump, conditions={"Ready": yes()}), observed=pump)
        lab.store.set_status(PumpAlarm(parent=pump, conditions={"Silent": yes()}), observed=pump)
        assert lab.store.condition(pump, "Ready").is_true
        for condition in (no(), unknown()):
            lab.store.set_status(PumpAlarm(parent=pump, conditions={"Ready": condition}), observed=pump)
            assert not lab.store.condition(pump, "Ready").is_true
            assert lab.store.condition(pump, "Ready", by=PumpFlow).is_true
        lab.store.set_status(PumpAlarm(parent=pump, conditions={"Ready": yes()}), observed=pump)
        assert lab.store.condition(pump, "Ready").is_true

    @rule("GEN-4")
    def test_transaction_rests_on_the_conditions_that_it_reads(self, lab: Lab) -> None:
        """A condition, a status or a writer that changes after a transaction has read it is a ``Conflict`` (GEN-4)."""
        other = lab.open()
        reads: list[Callable[[Any], Any]] = [
            lambda tx: tx.condition(PUMP, "Ready").is_true,
            lambda tx: tx.condition(PUMP, "Ready", by=PumpFlow).is_true,
            lambda tx: tx.statuses(PUMP),
            lambda tx: tx.status(PUMP, PumpFlow),
        ]
        ready = {"Ready": yes()}
        for has_status in (False, True):
            for number, read in enumerate(reads):
                pump = lab.store.put(Pump(name="p"))
                if has_status:
                    lab.store.set_status(PumpFlow(parent=pump, conditions=ready), observed=pump)
                with pytest.raises(Conflict), lab.store.transaction() as tx:
                    read(tx)
                    other.set_status(PumpFlow(parent=pump, litres=7, conditions=ready), observed=1)
                    tx.create(Tank(name=f"t{number}"))
                lab.store.delete(pump)
        assert {} == lab.state()

    @rule("GEN-4", "GEN-2")
    def test_transaction_sees_its_own_statuses(self, lab: Lab) -> None:
        """A status can be reported in the transaction that creates or updates its resource (GEN-2, GEN-4)."""
        with lab.store.transaction() as tx:
            pump = tx.create(Pump(name="p"))
            made = tx.set_status(PumpFlow(parent=pump, conditions={"Ready": yes()}), observed=1)
            assert (made, (made,), True) == (
                tx.status(PUMP, PumpFlow),
                tx.statuses(PUMP),
                tx.condition(PUMP, "Ready").is_true,
            )
        with lab.store.transaction() as tx:
            pump = tx.update(tx.get(pump).model_copy(update={"level": 1}))
            assert (2, False) == (pump.meta.version, tx.condition(PUMP, "Ready").is_true)
            made = tx.set_status(PumpFlow(parent=pump, conditions={"Ready": yes()}), observed=pump)
            assert tx.condition(PUMP, "Ready").is_true
        with lab.store.transaction() as tx:
            tx.delete(PUMP)
            pump = tx.create(Pump(name="p"))
            assert (None, ()) == (tx.status(PUMP, PumpFlow), tx.statuses(PUMP))
            again = tx.set_status(PumpFlow(parent=pump, litres=9), observed=pump)
        assert again == lab.store.status(PUMP, PumpFlow)
        assert (1, 1) == (again.observed, again.meta.version)
        assert again.meta.uid != made.meta.uid

    @rule("GEN-5")
    def test_references_of_a_status_have_rules(self, lab: Lab) -> None:
        """A reference in a status must resolve, blocks a delete, or is edited by its rule (GEN-5)."""
        pump, a, b = (lab.store.create(one) for one in (Pump(name="p"), Tank(name="a"), Tank(name="b")))
        with pytest.raises(MissingReference):
            lab.store.set_status(PumpFlow(parent=pump, feeds=["Tank/none"]), observed=pump)
        lab.store.set_status(PumpFlow(parent=pump, feeds=[a], spare=b), observed=pump)

        for store in (lab.store, lab.open()):
            with pytest.raises(DeleteRestricted):
                store.delete(Key("Tank", "a"))
        lab.open().delete(Key("Tank", "b"))

        found = lab.store.status(pump, PumpFlow)
        assert (None, 2, 1) == (found.spare, found.meta.version, lab.store.get(pump).meta.version)
        lab.store.set_status(PumpFlow(parent=pump), observed=pump)
        lab.store.delete(a)
        lab.store.delete(pump)
        assert {} == lab.state()

    @rule("GEN-5")
    def test_status_is_in_no_list(self, lab: Lab) -> None:
        """A status is in no list, no page of children or referrers, no plan and no figures (GEN-5)."""
        pump, tank = lab.store.create(Pump(name="p")), lab.store.create(Tank(name="t"))
        lab.store.set_status(PumpFlow(parent=pump, spare=tank), observed=pump)

        assert [pump, tank] == list(lab.store.list(Resource))
        assert ((), ()) == (lab.store.children(pump).items, lab.store.referrers(tank).items)
        plan = lab.store.plan_delete(pump)
        assert [pump.key] == [gone.key for gone in plan.deletes]
        assert {"Pump": 1} == lab.store.apply(plan).deleted

    @rule("GEN-2", "GEN-3", "GEN-4")
    def test_misuse_is_refused_before_any_request(self, lab: Lab) -> None:
        """What is no status, no condition or no version costs no request (GEN-2, GEN-3, GEN-4)."""
        pump = lab.store.create(Pump(name="p"))
        broken = PumpFlow.model_construct(name="sensor", parent=pump.ref, litres="many", conditions={}, feeds=[])
        wrong: list[tuple[type[StoreError], Callable[[Any], Any]]] = [
            (InvalidCall, lambda store: store.set_status(pump, observed=1)),
            (InvalidCall, lambda store: store.set_status(PumpFlow(parent=pump), observed=0)),
            (InvalidCall, lambda store: store.status(pump, Pump)),
            (InvalidCall, lambda store: store.status(pump, Status)),
            (InvalidCall, lambda store: store.status(Key("Tank", "t"), PumpFlow)),
            (InvalidCall, lambda store: store.condition(pump, "").is_true),
            (InvalidCall, lambda store: store.condition(pump, "Ready", by=Pump).is_true),
            (InvalidResource, lambda store: store.set_status(broken, observed=1)),
            (InvalidResource, lambda _: PumpFlow(parent=pump, name="other")),
            (InvalidResource, lambda _: PumpFlow(parent=pump, conditions={"": yes()})),
            (InvalidResource, lambda _: yes(5)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # that is the test
        ]
        for expected, call in wrong:
            for inside in (False, True):
                lab.faults.requests.clear()
                with pytest.raises(expected):
                    _at(lab.store, call, inside=inside)
                assert [] == lab.faults.requests
        for arguments in ({}, {"of": Pump}, {"of": PumpFlow, "writer": "x"}, {"of": Pump, "writer": "a/b"}):
            with pytest.raises(InvalidModel):
                type("Broken", (Status,), {"__module__": __name__}, **arguments)

    @rule("GEN-2", "GEN-3")
    def test_unreadable_status_is_replaced_by_the_next(self, lab: Lab) -> None:
        """A status that cannot be read is an error in its place; the writer's next replaces it (GEN-2, GEN-3)."""
        pump = lab.store.create(Pump(name="p"))
        lab.store.set_status(PumpFlow(parent=pump, conditions={"Ready": yes()}), observed=pump)
        lab.tamper(Key("emco__Status_Pump", "p", "sensor"), b'{"conditions": 5}')

        assert [InvalidResource] == [type(one) for one in lab.store.statuses(pump)]
        assert not lab.store.condition(pump, "Ready").is_true
        made = lab.store.set_status(PumpFlow(parent=pump, conditions={"Ready": yes()}), observed=pump)

        assert (made,) == lab.store.statuses(pump)
        assert lab.store.condition(pump, "Ready").is_true

    @rule("GEN-1", "GEN-2", "GEN-3", "OCC-1")
    def test_every_schedule_around_a_first_status_is_serial(self, lab: Lab) -> None:
        """Pairs around the first status of a resource end as in a serial order (GEN-1, GEN-2, GEN-3, OCC-1)."""
        check_all(lab.bench, begin_without_status, scripts_of_statuses())

    @rule("GEN-1", "GEN-2", "GEN-3", "OCC-1")
    def test_every_schedule_around_a_later_status_is_serial(self, lab: Lab) -> None:
        """Pairs around a later status of a resource end as in a serial order (GEN-1, GEN-2, GEN-3, OCC-1)."""
        check_all(lab.bench, begin_with_status, scripts_of_statuses())


def _create_again(store: Any) -> Any:
    """Delete the pump and create another one; awaitable where the store is for asyncio."""
    deleted = store.delete(PUMP)
    if not hasattr(deleted, "__await__"):
        return store.create(Pump(name="p", level=9))

    async def both() -> None:
        await deleted
        await store.create(Pump(name="p", level=9))

    return both()


def _in_transaction(store: Any) -> Callable[..., Any]:
    def report(status: Status, *, observed: Any) -> None:
        with store.transaction() as tx:
            tx.set_status(status, observed=observed)

    return report


def _is_true(place: Any, **options: Any) -> bool:
    return bool(place.condition(PUMP, "Ready", **options).is_true)


def _reporting(status: Status) -> Callable[[Any], Any]:
    return lambda store: store.set_status(status, observed=1)


def _between(lab: Lab, action: Callable[[Any], Any]) -> None:
    """Let another store act between the read and the commit of the next call."""
    other = lab.open()
    lab.faults.do(Commit, lambda: action(lab.inside(other)))


def _at(store: Any, call: Callable[[Any], Any], *, inside: bool) -> Any:
    """Make a call on a store, or inside a transaction of its own."""
    if not inside:
        return call(store)
    with store.transaction() as tx:
        return call(tx)
