"""LIF-10 and LIF-11: an approval is bound to the content that somebody has looked at."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from emco_store.contracts.guards_of_states import FIRST, GROUP, member, scene
from emco_store.contracts.harness import Lab
from emco_store.contracts.lifecycle_models import Cloud, CloudLifecycle, GroupLifecycle, GroupState, Guest, Member
from emco_store.contracts.lifecycles import a_group
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.errors import Conflict, ContentChanged, InvalidCall, TransitionRefused
from emco_store.ports import Commit

Act = Callable[[Any], Any]


def edited(key: Key) -> Act:
    """Change a resource."""
    return lambda store: store.update(store.get(key).model_copy(update={"note": "changed"}))


CHANGES: dict[str, Act] = {
    "root": edited(GROUP),
    "child": edited(FIRST),
    "new child": member("m9"),
    "child gone": lambda store: store.delete(FIRST),
    "target": edited(Key("Cloud", "c")),
}
"""What changes the content of the group."""


def approved(store: Any) -> Any:
    """Approve the group as it is."""
    return store.apply(store.plan_transition(GROUP, GroupLifecycle.approve))


class ApprovalRules:
    """A group with a member and a cloud is approved and started."""

    @rule("LIF-10")
    def test_content_that_was_not_looked_at_is_not_approved(self, lab: Lab) -> None:
        """Whatever changes after the look refuses the approval, before it or during it (LIF-10)."""
        for name, change in CHANGES.items():
            with scene(lab) as (inner, store):
                member("m1")(store)
                plan = store.plan_transition(GROUP, GroupLifecycle.approve)
                change(store)
                with pytest.raises(ContentChanged) as caught:
                    store.transition(GROUP, GroupLifecycle.approve, digest=plan.digest)
                assert plan.digest == caught.value.digest != caught.value.found, name
                with pytest.raises(ContentChanged):
                    store.apply(plan)
                assert GroupState.CREATED is store.lifecycle(GROUP).state
                assert inner.records()

    @rule("LIF-10")
    def test_retry_approves_nothing_that_nobody_saw(self, lab: Lab) -> None:
        """A change between the reads and the commit is no reason to approve the new content (LIF-10)."""
        racing: dict[str, Act] = {
            "new child": lambda store: store.create(Member(name="m9", parent=Ref(GROUP))),
            "child gone": lambda store: store.delete(FIRST),
            "target": lambda store: store.put(Cloud(name="c", note="changed")),
        }
        for change in racing.values():
            with scene(lab) as (inner, store):
                member("m1")(store)
                digest = store.plan_transition(GROUP, GroupLifecycle.approve).digest
                inner.faults.do(Commit, partial(change, inner.inside(inner.open())))
                with pytest.raises(ContentChanged):
                    store.transition(GROUP, GroupLifecycle.approve, digest=digest)
                assert None is store.lifecycle(GROUP).approved

    @rule("LIF-10")
    def test_approval_records_a_revision_and_its_digest(self, lab: Lab) -> None:
        """The approval names the digest and the number of the revision of its own commit (LIF-10)."""
        with scene(lab) as (_, store):
            member("m1")(store)
            plan = store.plan_transition(GROUP, GroupLifecycle.approve, note="CHG-7")

            record = store.apply(plan)

            assert (plan.digest, 1, 1) == (record.approved.digest, record.approved.revision, record.revision)
            assert "CHG-7" == record.note
            assert 2 == store.transition(GROUP, GroupLifecycle.approve, digest=plan.digest).approved.revision

    @rule("LIF-10")
    def test_plan_that_is_stale_is_refused(self, lab: Lab) -> None:
        """A plan is applied to the state that it was made in, and a refused one not at all (LIF-10)."""
        with scene(lab) as (_, store):
            member("m1")(store)
            early = store.plan_transition(GROUP, GroupLifecycle.start)
            assert early.refusals
            with pytest.raises(TransitionRefused):
                store.apply(early)
            plan = store.plan_transition(GROUP, GroupLifecycle.approve)
            store.apply(plan)
            with pytest.raises(Conflict):
                store.apply(plan)
            edited(FIRST)(store)
            later = store.plan_transition(GROUP, GroupLifecycle.start)
            assert (FIRST,) == later.changes
            assert later.refusals
            assert str(FIRST) in str(later)

    @rule("LIF-11")
    def test_approval_holds_while_the_content_is_the_same(self, lab: Lab) -> None:
        """Each change ends the approval, and the way back restores it, whoever made it (LIF-11)."""
        for name, change in CHANGES.items():
            with scene(lab) as (inner, store):
                store.transition(Key("Cloud", "c"), CloudLifecycle.launch)
                member("m1")(store)
                member("m2")(store)
                approved(store)
                change(store)
                with pytest.raises(TransitionRefused) as caught:
                    store.transition(GROUP, GroupLifecycle.start)
                assert 1 == len(caught.value.reasons), name
                assert inner.records()

    @rule("LIF-11")
    def test_equal_content_is_equal(self, lab: Lab) -> None:
        """Versions, uids, foreign referrers and states are no part of the content (LIF-11)."""
        with scene(lab) as (_, store):
            store.transition(Key("Cloud", "c"), CloudLifecycle.launch)
            member("m1")(store)
            approved(store)
            edited(GROUP)(store)
            store.update(store.get(GROUP).model_copy(update={"note": ""}))
            store.delete(FIRST)
            member("m1")(store)
            store.create(Guest(name="u", group=Ref(GROUP)))

            begun = store.transition(GROUP, GroupLifecycle.start)

            assert (GroupState.STARTING, 1) == (begun.state, begun.revision)
            ended = store.transition(GROUP, GroupLifecycle.started, operation=begun.operation)
            assert 1 == ended.applied

    @rule("LIF-11")
    def test_content_does_not_change_after_the_transition_in_one_transaction(self, lab: Lab) -> None:
        """A transaction that goes on to change what it has approved is refused (LIF-11)."""
        with scene(lab) as (inner, store):
            digest = store.plan_transition(GROUP, GroupLifecycle.approve).digest
            before = inner.records()
            with pytest.raises(InvalidCall), store.transaction() as tx:
                tx.transition(GROUP, GroupLifecycle.approve, digest=digest)
                tx.create(Member(name="m1", parent=Ref(GROUP)))
            assert before == inner.records()

    @rule("LIF-10")
    def test_plan_of_a_transition_without_content_has_no_digest(self, lab: Lab) -> None:
        """A plan shows the states, and a digest only where content matters; it writes nothing (LIF-10)."""
        group = a_group(lab)
        before = lab.records()

        plan = lab.store.plan_transition(group, GroupLifecycle.enter)

        assert (GroupState.CREATED, None, ()) == (plan.state, plan.digest, plan.refusals)
        assert before == lab.records()
        assert GroupState.UP is lab.store.apply(plan).state
