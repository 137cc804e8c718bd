"""LIF-3: guards decide, and what they have read is what the commit rests on."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import (
    Cloud,
    CloudLifecycle,
    Group,
    GroupLifecycle,
    GroupState,
    GroupStatus,
    Guest,
    Member,
    Switch,
    Zone,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.core.status import no, yes
from emco_store.errors import InvalidCall, TransitionRefused, Unavailable
from emco_store.ports import Commit, Get, ReferrerQuery

Act = Callable[[Any], Any]
CLOUD, ZONE, GROUP = Key("Cloud", "c"), Key("Zone", "z"), Key("Group", "z", "g")
FIRST, SECOND, GUEST = Key("Member", "z", "g", "m1"), Key("Member", "z", "g", "m2"), Key("Guest", "u")


class Case(NamedTuple):
    """What makes one guard false, true, and false again."""

    false: Act
    true: Act
    false_again: Act


def member(name: str, note: str = "") -> Act:
    """Create a member."""
    return lambda store: store.create(Member(name=name, parent=Ref(GROUP), note=note))


def guest(store: Any) -> None:
    """Create a guest and switch it on."""
    store.create(Guest(name="u", group=Ref(GROUP)))
    store.transition(GUEST, Switch.on)


def two_members(store: Any) -> None:
    """Create two members, one of which counts."""
    member("m1", "x")(store)
    member("m2", "y")(store)


def count_second(store: Any) -> None:
    """Change the other one, so that it counts too."""
    store.update(store.get(SECOND).model_copy(update={"note": "x"}))


def nothing(_: Any) -> None:
    """Leave it as it is."""


def switched(key: Key, step: Any) -> Act:
    """Make a transition."""
    return lambda store: store.transition(key, step)


def reported(condition: Any) -> Act:
    """Report whether the group is ready."""
    status = GroupStatus(parent=Ref(GROUP), conditions={"Ready": condition})
    return lambda store: store.set_status(status, observed=1)


CASES = {
    "if_some": Case(two_members, count_second, lambda store: store.delete(FIRST)),
    "if_every": Case(member("m1"), switched(FIRST, Switch.on), member("m2")),
    "if_none": Case(
        lambda store: (member("m1")(store), store.transition(FIRST, Switch.on)),
        switched(FIRST, Switch.off),
        switched(FIRST, Switch.on),
    ),
    "if_target": Case(
        nothing, switched(CLOUD, CloudLifecycle.launch), switched(CLOUD, CloudLifecycle.land)
    ),
    "if_ancestor": Case(nothing, switched(ZONE, Switch.on), switched(ZONE, Switch.off)),
    "if_ready": Case(nothing, reported(yes()), reported(no())),
    "if_unused": Case(guest, switched(GUEST, Switch.off), switched(GUEST, Switch.on)),
}  # fmt: skip


@contextmanager
def scene(outer: Lab) -> Generator[tuple[Lab, Any]]:
    """Open a lab with a store that knows all models, and a group in its initial state."""
    with outer.bench.lab() as lab:
        store = lab.open(models=[Cloud, Zone, Group, Member, Guest])
        cloud, zone = store.create(Cloud(name="c")), store.create(Zone(name="z"))
        store.create(Group(name="g", parent=zone, cloud=cloud.ref))
        yield lab, store


class GuardRules:
    """Each guard, with what makes it false and true."""

    @rule("LIF-2", "LIF-3")
    def test_guard_refuses_until_it_is_true(self, lab: Lab) -> None:
        """Each guard refuses with one reason while it is false, and with none when it is true (LIF-2, LIF-3)."""
        for name, case in CASES.items():
            with scene(lab) as (_, store):
                step = getattr(GroupLifecycle, name)
                case.false(store)
                with pytest.raises(TransitionRefused) as caught:
                    store.transition(GROUP, step)
                assert 1 == len(caught.value.reasons), name

                case.true(store)
                assert GroupState.CREATED is store.transition(GROUP, step).state

    @rule("LIF-3")
    def test_guard_that_another_client_makes_false_is_judged_again(self, lab: Lab) -> None:
        """What changes between the guard and the commit is noticed, whoever joins a set included (LIF-3)."""
        for name, case in CASES.items():
            with scene(lab) as (inner, store):
                rival = inner.open(models=[Cloud, Zone, Group, Member, Guest])
                case.false(store)
                case.true(store)
                inner.faults.do(Commit, partial(case.false_again, inner.inside(rival)))

                with pytest.raises(TransitionRefused):
                    store.transition(GROUP, getattr(GroupLifecycle, name))

    @rule("LIF-3")
    def test_read_that_fails_fails_the_transition(self, lab: Lab) -> None:
        """No guard counts as true because its read has failed (LIF-3)."""
        for name, case in CASES.items():
            with scene(lab) as (inner, store):
                case.false(store)
                case.true(store)
                before = inner.records()
                for kind in (Get, ReferrerQuery):
                    inner.faults.clear()
                    store.plan_transition(GROUP, getattr(GroupLifecycle, name))
                    if inner.faults.count(kind):
                        inner.faults.unreachable(kind)
                        with pytest.raises(Unavailable):
                            store.transition(GROUP, getattr(GroupLifecycle, name))
                assert before == inner.records()

    @rule("LIF-3")
    def test_function_of_a_guard_decides_and_only_reads(self, lab: Lab) -> None:
        """A function refuses with its text; one that writes is an error, and nothing is written (LIF-3)."""
        with scene(lab) as (inner, store):
            assert GroupState.CREATED is store.transition(GROUP, GroupLifecycle.if_even).state
            store.update(store.get(GROUP).model_copy(update={"note": "odd"}))
            with pytest.raises(TransitionRefused) as caught:
                store.transition(GROUP, GroupLifecycle.if_even)
            assert 1 == len(caught.value.reasons)

            store.update(store.get(GROUP).model_copy(update={"note": "write"}))
            before = inner.records()
            with pytest.raises(InvalidCall):
                store.transition(GROUP, GroupLifecycle.if_even)
            assert before == inner.records()
