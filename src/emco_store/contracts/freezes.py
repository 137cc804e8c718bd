"""LIF-7: what a state freezes is frozen for every program, whatever its own classes say."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pytest

from emco_store.contracts.checks import checked, take_away
from emco_store.contracts.deletes import sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import Cloud, CloudLifecycle, CloudState, Size, Zone
from emco_store.contracts.models import Site
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import transition
from emco_store.core.lifecycle_records import freeze_key, standing_key
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, StateForbids
from emco_store.ports import Commit


class OldLifecycle(Lifecycle[CloudState]):
    """The lifecycle of clouds in an earlier version of a program: it freezes nothing."""

    initial = CloudState.CREATED
    launch = transition({CloudState.CREATED, CloudState.DOWN}, to=CloudState.UP)
    attest = transition(CloudState.UP, to=CloudState.UP)
    land = transition(CloudState.UP, to=CloudState.DOWN)
    deletable = {CloudState.CREATED, CloudState.DOWN}


class OldCloud(Resource, kind="Cloud", lifecycle=OldLifecycle):
    """A cloud in that version."""

    level: int = 0
    size: Size = Size()
    site: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    note: str = ""


class FreezeRules:
    """The tests of LIF-7 that need two versions of a program."""

    @rule("LIF-7")
    def test_class_that_freezes_nothing_obeys(self, lab: Lab) -> None:
        """A program whose class does not freeze a field cannot change it either, as long as it is frozen (LIF-7)."""
        old = lab.open(models=[OldCloud])
        lab.store.create(Cloud(name="c"))
        cloud = old.get(OldCloud, "c")
        lab.store.transition(cloud.key, CloudLifecycle.launch)
        changed = cloud.model_copy(update={"level": 1})
        before = lab.records()

        for write in (old.update, lambda one: old.put(OldCloud(**dict(one))), partial(_in_transaction, old)):
            with pytest.raises(StateForbids) as caught:
                write(changed)
            assert (("level",), "Up") == (caught.value.frozen, caught.value.state)
        assert before == lab.records()

        free = old.update(cloud.model_copy(update={"note": "y"}))
        lab.store.transition(cloud.key, CloudLifecycle.land)
        assert 5 == old.update(free.model_copy(update={"level": 5})).level

    @rule("LIF-7")
    def test_delete_without_the_model_does_not_change_a_frozen_field(self, lab: Lab) -> None:
        """A program that does not know the model changes no frozen field by a delete rule, nor plans it (LIF-7)."""
        (site,) = sites(lab, "a")
        cloud = lab.store.create(Cloud(name="c", site=site.ref))
        lab.store.transition(cloud, CloudLifecycle.launch)
        before = lab.records()

        for other in (lab.open(), lab.open(models=[OldCloud])):
            for attempt in (other.delete, other.plan_delete):
                with pytest.raises(StateForbids):
                    attempt(site.key)
        assert before == lab.records()

        lab.store.transition(cloud, CloudLifecycle.land)
        lab.open().delete(site.key)
        assert None is lab.store.get(cloud).site

    @rule("LIF-7")
    def test_write_that_meets_a_freeze_is_refused(self, lab: Lab) -> None:
        """A write of another version and a transition that freezes what it changes do not both happen (LIF-7)."""
        old, (site,) = lab.open(models=[OldCloud]), sites(lab, "a")
        for number, change in enumerate(({"level": 1}, {"site": None})):
            cloud = lab.store.create(Cloud(name=f"c{number}", site=site.ref))
            seen = old.get(OldCloud, cloud.name)
            _freeze_meanwhile(lab, cloud)
            with pytest.raises(StateForbids):
                old.update(seen.model_copy(update=change))
            assert cloud == lab.store.get(cloud)
            lab.store.transition(cloud, CloudLifecycle.land)
            _freeze_meanwhile(lab, cloud)
            with pytest.raises(StateForbids):
                lab.open().delete(site.key)

    @rule("LIF-7", "DEL-9")
    def test_plan_that_meets_a_freeze_is_refused(self, lab: Lab) -> None:
        """A plan of a program without the model is not applied once a field that it edits is frozen (LIF-7, DEL-9)."""
        (site,) = sites(lab, "a")
        cloud, other = lab.store.create(Cloud(name="c", site=site.ref)), lab.open()
        plan = other.plan_delete(site.key)
        lab.store.transition(cloud, CloudLifecycle.launch)

        with pytest.raises(Conflict):
            other.apply(plan)
        assert cloud == lab.store.get(cloud)

    @rule("LIF-7")
    def test_transition_of_another_version_thaws(self, lab: Lab) -> None:
        """A transition of a program whose class freezes nothing leaves the frozen state as any other does (LIF-7)."""
        old = lab.open(models=[OldCloud])
        cloud = lab.store.create(Cloud(name="c"))
        leave = partial(old.transition, cloud.key, OldLifecycle.land)
        for thaw in (leave, partial(_leave_twice, lab)):
            lab.store.transition(cloud, CloudLifecycle.launch)
            assert freeze_key(cloud.key).text in lab.records()
            thaw()
            assert freeze_key(cloud.key).text not in lab.records()
            cloud = lab.store.put(Cloud(name="c", level=cloud.level + 1))
        lab.store.transition(cloud, CloudLifecycle.launch)
        lab.store.transition(cloud, CloudLifecycle.land)
        lab.store.delete(cloud)
        assert {} == lab.records()

    @rule("LIF-7")
    def test_writes_of_other_versions_cost_no_request(self, lab: Lab) -> None:
        """Where a class freezes nothing, an update is one request, and three if the state freezes fields (LIF-7)."""
        old = lab.open(models=[OldCloud])
        cloud = lab.store.create(Cloud(name="c"))
        zone = lab.store.create(Zone(name="z"))
        costs: list[int] = []
        for step in (None, CloudLifecycle.launch, CloudLifecycle.land):
            if step is not None:
                lab.store.transition(cloud, step)
            seen = old.get(OldCloud, "c")
            lab.faults.clear()
            old.update(seen.model_copy(update={"note": f"{step}"}))
            costs.append(len(lab.faults.requests))
        lab.faults.clear()
        lab.store.update(zone.model_copy())
        costs.append(len(lab.faults.requests))

        assert [1, 3, 1, 1] == costs

    @rule("LIF-7", "CHK-7")
    def test_repair_does_not_change_a_frozen_field(self, lab: Lab) -> None:
        """A repair does not take a frozen reference out; it does once the state allows it (LIF-7, CHK-7)."""
        (site,) = sites(lab, "a")
        cloud = lab.store.create(Cloud(name="c", site=site.ref))
        lab.store.transition(cloud, CloudLifecycle.launch)
        take_away(lab, site.key)
        before = lab.records()

        for store in (lab.store, lab.open()):
            repaired = store.repair(checked(store))
            assert (0, 1) == (len(repaired.done), len(repaired.skipped))
            assert "site" in repaired.skipped[0][1]
        assert before == lab.records()

        lab.store.transition(cloud, CloudLifecycle.land)
        assert 1 == len(lab.open().repair(checked(lab.open())).done)
        assert None is lab.store.get(cloud).site

    @rule("LIF-7", "HIS-12")
    def test_check_finds_a_freeze_that_does_not_fit(self, lab: Lab) -> None:
        """A check finds frozen fields without a freeze and a freeze without frozen fields (LIF-7, HIS-12)."""
        cloud = lab.store.create(Cloud(name="c"))
        lab.store.transition(cloud, CloudLifecycle.launch)
        own = standing_key(cloud.key)
        sound = lab.records()[own.text].document
        assert [] == checked(lab.store)

        lab.tamper(own, b'{"state":"Up"}')
        assert [own.text] == [flaw.key for flaw in checked(lab.store)]
        lab.store.transition(cloud, CloudLifecycle.land)
        assert [] == checked(lab.store)
        lab.tamper(own, sound)
        assert [own.text] == [flaw.key for flaw in checked(lab.store)]


def _in_transaction(store: Any, changed: Resource) -> None:
    with store.transaction() as tx:
        tx.update(changed)


def _leave_twice(lab: Lab) -> None:
    """Leave the state, come back, and leave again, in one transaction."""
    with lab.store.transaction() as tx:
        for step in (CloudLifecycle.land, CloudLifecycle.launch, CloudLifecycle.land):
            tx.transition(Key("Cloud", "c"), step)


def _freeze_meanwhile(lab: Lab, cloud: Cloud) -> None:
    """Let the state freeze fields just before the next commit."""
    lab.faults.do(Commit, partial(lab.inside(lab.store).transition, cloud.key, CloudLifecycle.launch))
