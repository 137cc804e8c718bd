"""LIF: lifecycles, whose states change through declared transitions and whose rules every program obeys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import new_class
from typing import Any, cast

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import (
    Cloud,
    CloudLifecycle,
    CloudState,
    Group,
    GroupLifecycle,
    GroupState,
    SwitchState,
    Zone,
)
from emco_store.contracts.models import Site
from emco_store.contracts.rules import rule
from emco_store.core.documents import decode
from emco_store.core.guards import ancestor, target
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import hold, transition
from emco_store.core.lifecycle_records import standing_key
from emco_store.core.query import F
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import (
    AlreadyExists,
    Conflict,
    DeleteRestricted,
    InvalidCall,
    InvalidModel,
    InvalidResource,
    NotFound,
    TransitionRefused,
)
from emco_store.ports import Commit


def a_cloud(lab: Lab, name: str = "c") -> Any:
    """Create a cloud and launch it."""
    cloud = lab.store.create(Cloud(name=name))
    lab.store.transition(cloud, CloudLifecycle.launch)
    return cloud


def a_group(lab: Lab, name: str = "g", *, cloud: Any = None, zone: Any = None) -> Any:
    """Create a group, which holds a cloud later if one is given."""
    zone = zone or lab.store.put(Zone(name="z"))
    return lab.store.create(Group(name=name, parent=zone, cloud=cloud and cloud.ref))


class LifecycleRules:
    """States and transitions."""

    @rule("LIF-1")
    def test_resource_without_a_record_is_in_the_initial_state(self, lab: Lab) -> None:
        """A new resource is in the initial state and has no lifecycle record (LIF-1)."""
        cloud = lab.store.create(Cloud(name="c"))

        record = lab.store.lifecycle(cloud)

        assert (CloudState.CREATED, 0, None) == (record.state, record.version, record.since)
        assert [cloud.key.text] == list(lab.records())

    @rule("LIF-1")
    def test_each_resource_is_listed_in_exactly_one_state(self, lab: Lab) -> None:
        """Lists by state divide the resources, whatever the size of their pages (LIF-1)."""
        clouds = [lab.store.create(Cloud(name=f"c{number}")) for number in range(7)]
        for cloud in clouds[2:6]:
            lab.store.transition(cloud, CloudLifecycle.launch)
        lab.store.transition(clouds[3], CloudLifecycle.land)
        wanted = {CloudState.CREATED: "016", CloudState.UP: "245", CloudState.DOWN: "3"}

        for limit in (1, 2, 100):
            for state, numbers in wanted.items():
                assert [f"c{number}" for number in numbers] == _names(lab, Cloud, state, limit)
        with lab.store.transaction() as tx:
            found = {state: [one.name for one in tx.list(Cloud, state=state, stable=False)] for state in CloudState}
        assert {state: [f"c{number}" for number in numbers] for state, numbers in wanted.items()} == found

    @rule("LIF-1")
    def test_list_by_state_obeys_its_other_arguments(self, lab: Lab) -> None:
        """A list by state follows the hierarchy, conditions and the direction of its order (LIF-1)."""
        zones = [lab.store.create(Zone(name=name)) for name in ("z1", "z10")]
        for zone in zones:
            for name in ("a", "b", "c"):
                group = lab.store.create(Group(name=name, parent=zone, note=name))
                if name != "c":
                    lab.store.transition(group, GroupLifecycle.enter)

        page = lab.store.list(
            Group, parent=zones[0], state=GroupState.UP, where=F.note.in_(["b", "c"]), order_by="-name"
        )
        assert ["Group/z1/b"] == [one.key.text for one in page]
        page = lab.store.list(Group, under=zones[0], state=GroupState.UP, order_by="-key")
        assert ["Group/z1/b", "Group/z1/a"] == [one.key.text for one in page]
        page = lab.store.list(Group, parent=zones[0], state=GroupState.CREATED)
        assert ["Group/z1/c"] == [one.key.text for one in page]

    @rule("LIF-2")
    def test_transition_from_another_state_is_refused_and_writes_nothing(self, lab: Lab) -> None:
        """A state changes through a transition from that state alone; the refusal names those that leave it (LIF-2)."""
        cloud = lab.store.create(Cloud(name="c"))
        before = lab.records()

        with pytest.raises(TransitionRefused) as caught:
            lab.store.transition(cloud, CloudLifecycle.land)

        problem = caught.value
        assert (cloud.key, "land", "Created", ("launch",)) == (
            problem.key, problem.transition, problem.state, problem.allowed,
        )  # fmt: skip
        assert before == lab.records()

    @rule("LIF-2", "LIF-4")
    def test_transition_changes_the_state_and_not_the_resource(self, lab: Lab) -> None:
        """A transition returns the new state and its version; the resource is as it was (LIF-2, LIF-4)."""
        cloud = lab.store.create(Cloud(name="c"))

        first = lab.store.transition(cloud, CloudLifecycle.launch, note="CHG-7")
        second = lab.store.transition(cloud.key, CloudLifecycle.land)

        assert [(CloudState.UP, 1, "CHG-7"), (CloudState.DOWN, 2, "")] == [
            (record.state, record.version, record.note) for record in (first, second)
        ]
        assert second == lab.open().lifecycle(cloud)
        assert cloud == lab.store.get(cloud)

    @rule("LIF-2")
    def test_refusal_names_every_reason(self, lab: Lab) -> None:
        """State, guards and holds that speak against a transition are all named at once (LIF-2)."""
        cloud = lab.store.create(Cloud(name="c"))
        group = a_group(lab, cloud=cloud)

        with pytest.raises(TransitionRefused) as caught:
            lab.store.transition(group, GroupLifecycle.start)

        assert 4 == len(caught.value.reasons)

    @rule("LIF-4")
    def test_transition_never_creates_or_revives(self, lab: Lab) -> None:
        """What is gone, or was created again, has no transition, and no lifecycle record is left (LIF-4)."""
        cloud = lab.store.create(Cloud(name="c"))
        lab.faults.do(Commit, lambda: lab.inside(rival).delete(cloud.key))
        rival = lab.open()

        with pytest.raises(NotFound):
            lab.store.transition(cloud, CloudLifecycle.launch)
        assert {} == lab.records()
        lab.store.create(Cloud(name="c"))
        with pytest.raises(Conflict):
            lab.store.transition(cloud, CloudLifecycle.launch)
        assert CloudState.CREATED is lab.store.lifecycle(cloud.key).state

    @rule("LIF-4")
    def test_two_transitions_and_a_write_are_one_commit(self, lab: Lab) -> None:
        """All of a transaction happens or nothing of it (LIF-4)."""
        cloud, other = (lab.store.create(Cloud(name=name)) for name in "ab")
        before = lab.records()

        with pytest.raises(AlreadyExists), lab.store.transaction() as tx:
            tx.transition(cloud, CloudLifecycle.launch)
            tx.transition(other, CloudLifecycle.launch)
            tx.transition(other, CloudLifecycle.land)
            tx.create(Cloud(name="a"))
        assert before == lab.records()

        with lab.store.transaction() as tx:
            tx.transition(cloud, CloudLifecycle.launch)
            tx.transition(other, CloudLifecycle.launch)
            assert CloudState.DOWN is tx.transition(other, CloudLifecycle.land).state
            new = tx.create(Cloud(name="n"))
            tx.transition(new, CloudLifecycle.launch)
        found = [lab.store.lifecycle(one).state for one in (cloud, other, new)]
        assert [CloudState.UP, CloudState.DOWN, CloudState.UP] == found

    @rule("LIF-4")
    def test_transitions_of_one_resource_come_one_after_the_other(self, lab: Lab) -> None:
        """Of transitions that begin in one state at the same time, one happens and the others are refused (LIF-4)."""
        cloud = lab.store.create(Cloud(name="c"))
        rival = lab.open()
        rival.schema.learn(Cloud)
        lab.faults.do(Commit, lambda: lab.inside(rival).transition(cloud.key, CloudLifecycle.launch))

        with pytest.raises(TransitionRefused):
            lab.store.transition(cloud, CloudLifecycle.launch)

        assert 1 == lab.store.lifecycle(cloud).version

    @rule("LIF-5")
    def test_state_that_is_not_deletable_blocks_every_delete(self, lab: Lab) -> None:
        """Named, by cascade, in a plan and without the model, the delete is refused; a transition allows it (LIF-5)."""
        group = a_group(lab)
        zone = group.parent.key
        lab.store.transition(group, GroupLifecycle.enter)
        before = lab.records()

        for store in (lab.store, lab.open()):
            for keys in ([group.key], [zone], [zone, group.key]):
                with pytest.raises(DeleteRestricted):
                    store.delete(*keys)
                assert store.plan_delete(*keys).blockers
        assert before == lab.records()

        lab.store.transition(group, GroupLifecycle.leave)
        lab.open().delete(zone)
        assert {} == lab.records()

    @rule("LIF-5")
    def test_delete_and_transition_that_meet_do_not_both_happen(self, lab: Lab) -> None:
        """A delete notices a transition into a state that forbids it, the first transition too (LIF-5)."""
        rival = lab.open()
        rival.schema.learn(Cloud)
        for name in ("new", "used"):
            cloud = lab.store.create(Cloud(name=name))
            if name == "used":
                lab.store.transition(cloud, CloudLifecycle.launch)
                lab.store.transition(cloud, CloudLifecycle.land)
            lab.faults.do(Commit, partial(lab.inside(rival).transition, cloud.key, CloudLifecycle.launch))
            with pytest.raises(DeleteRestricted):
                lab.store.delete(cloud)
            assert CloudState.UP is lab.store.lifecycle(cloud).state

    @rule("LIF-2")
    def test_wrong_call_is_refused_before_any_request(self, lab: Lab) -> None:
        """A transition of another lifecycle, as text, or with what it has no use for is InvalidCall (LIF-2)."""
        group = a_group(lab)
        plain = lab.store.create(Cloud(name="c"))
        lab.faults.clear()
        wrong: list[Callable[[], Any]] = [
            lambda: lab.store.transition(group, CloudLifecycle.launch),
            lambda: lab.store.transition(group, "enter"),
            lambda: lab.store.transition(group, GroupLifecycle.approve),
            lambda: lab.store.transition(group, GroupLifecycle.approve, digest=""),
            lambda: lab.store.transition(group, GroupLifecycle.enter, digest="sha256:0"),
            lambda: lab.store.transition(group, GroupLifecycle.started),
            lambda: lab.store.transition(group, GroupLifecycle.started, operation=7),
            lambda: lab.store.transition(group, GroupLifecycle.enter, operation="o"),
            lambda: lab.store.transition(group, GroupLifecycle.enter, note=7),
            lambda: lab.store.transition(standing_key(group.key), GroupLifecycle.enter),
            lambda: lab.open().transition(plain.key, CloudLifecycle.launch),
            lambda: lab.store.list(Cloud, state="Up"),
            lambda: lab.store.list(Cloud, state=GroupState.UP),
            lambda: lab.store.list(Site, state=GroupState.UP),
        ]

        for attempt in wrong:
            with pytest.raises(InvalidCall):
                attempt()

        assert [] == lab.faults.requests

    @rule("LIF-2", "DEL-9")
    def test_plan_of_a_refused_transition_is_refused_as_any_plan(self, lab: Lab) -> None:
        """The plan has the error with which it is refused, and applying it raises that without a request (LIF-2)."""
        group = a_group(lab)
        plan = lab.store.plan_transition(group, GroupLifecycle.start)
        lab.faults.clear()

        with pytest.raises(TransitionRefused) as caught:
            lab.store.apply(plan)

        assert plan.refusals == plan.refusal.reasons == caught.value.reasons
        assert 1 < len(plan.refusals)
        assert [] == lab.faults.requests
        assert None is lab.store.plan_transition(group, GroupLifecycle.enter).refusal

    @rule("LIF-3", "LIF-5")
    def test_lifecycle_record_that_cannot_be_read_fails_closed(self, lab: Lab) -> None:
        """Transitions that rest on it are refused, and deletes obey its edge (LIF-3, LIF-5)."""
        cloud = a_cloud(lab)
        for document in (b"not JSON", b'{"state":"Unknown"}', b'{"state":7}'):
            lab.tamper(standing_key(cloud.key), document)
            with pytest.raises(InvalidResource):
                lab.store.transition(cloud, CloudLifecycle.land)
            with pytest.raises(InvalidResource):
                lab.store.lifecycle(cloud)
            with pytest.raises(DeleteRestricted):
                lab.store.delete(cloud)

    @rule("LIF-4")
    def test_unknown_fields_of_a_lifecycle_record_are_kept(self, lab: Lab) -> None:
        """What a newer program has written into the record is there after a transition (LIF-4)."""
        cloud = a_cloud(lab)
        lab.tamper(standing_key(cloud.key), b'{"state":"Up","later":[1]}')

        lab.store.transition(cloud, CloudLifecycle.land)

        assert [1] == decode(lab.records()[standing_key(cloud.key).text].document)["later"]

    @rule("LIF-9")
    def test_class_that_cannot_work_is_refused_with_all_reasons(self, lab: Lab) -> None:  # noqa: ARG002 - no data
        """Unreachable states, traps, mixed enums and an initial state without a way back are refused (LIF-9)."""
        up, created, down = CloudState.UP, CloudState.CREATED, CloudState.DOWN
        launch = partial(transition, created, to=up)
        wrong: list[tuple[int, dict[str, Any]]] = [
            (1, {"launch": launch(), "land": transition(up, to=created)}),  # nothing leads to DOWN
            (1, {"launch": launch(), "land": transition(up, to=down, ends=True)}),  # UP is a trap
            (1, {"go": transition(created, to=cast("Any", GroupState.UP))}),
            (1, {"initial": GroupState.CREATED}),
            (2, {"deletable": {GroupState.UP}, "holds": {GroupState.UP: []}}),
            (1, {"launch": launch(begins=True, ends=True), "land": transition(up, to=down)}),
            (1, {"launch": launch(guards=[cast("Any", "approved")]), "land": transition(up, to=down)}),
            (1, {"launch": launch(), "land": transition(up, to=down), "frozen": {created: (F.level,)}}),
            (1, {"launch": launch(), "land": transition(up, to=down), "frozen": {up: ("level",)}}),
            (1, {"launch": launch(), "land": transition(up, to=down), "holds": {up: [hold(F.x, needs="Up")]}}),
        ]

        for least, body in wrong:
            whole = {"initial": created, "deletable": {created, down}, **body}
            with pytest.raises(InvalidModel) as caught:
                _lifecycle(CloudState, whole)
            assert len(caught.value.why) >= least
        with pytest.raises(InvalidModel):
            new_class("Wrong", (Lifecycle,))
        with pytest.raises(InvalidModel):
            new_class("Wrong", (CloudLifecycle,))

    @rule("LIF-9")
    def test_lifecycle_that_does_not_fit_its_class_is_refused(self, lab: Lab) -> None:  # noqa: ARG002 - no data
        """Holds need a reference to a lifecycle and no initial state; guards and frozen fields need fields (LIF-9)."""
        wrong: list[dict[str, Any]] = [
            {"holds": {SwitchState.ON: [hold(F.note, needs=CloudState.UP)]}},
            {"holds": {SwitchState.ON: [hold(F.cloud, needs=CloudState.CREATED)]}},
            {"holds": {SwitchState.ON: [hold(F.cloud, needs=GroupState.UP)]}},
            {"holds": {SwitchState.ON: [hold(F.site, needs=CloudState.UP)]}},
            {"frozen": {SwitchState.ON: (F.absent,)}},
            {"on": transition(SwitchState.OFF, to=SwitchState.ON, guards=[target(F.note, state=CloudState.UP)])},
            {"on": transition(SwitchState.OFF, to=SwitchState.ON, guards=[ancestor(Zone, state=SwitchState.ON)])},
        ]

        for body in wrong:
            whole = {
                "initial": SwitchState.OFF,
                "on": transition(SwitchState.OFF, to=SwitchState.ON),
                "off": transition(SwitchState.ON, to=SwitchState.OFF),
                "deletable": {SwitchState.OFF},
                **body,
            }
            lifecycle = _lifecycle(SwitchState, whole)
            with pytest.raises(InvalidModel):
                new_class(
                    "Wrong",
                    (Resource,),
                    {"lifecycle": lifecycle},
                    lambda space: space.update(
                        {
                            "__module__": __name__,
                            "__annotations__": {"cloud": Ref[Cloud] | None, "site": Ref[Site] | None, "note": str},
                            "cloud": None,
                            "site": None,
                            "note": "",
                        }
                    ),
                )
        with pytest.raises(InvalidModel):
            new_class("Wrong", (Resource,), {"lifecycle": CloudState})


def _lifecycle(states: Any, body: dict[str, Any]) -> Any:
    return new_class("Made", (Lifecycle[states],), exec_body=lambda space: space.update(body))


def _names(lab: Lab, model: type[Any], state: Any, limit: int) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = lab.store.list(model, state=state, limit=limit, after=after)
        assert len(page) <= limit
        found += [one.name for one in page]
        after = page.next
        if after is None:
            return found
