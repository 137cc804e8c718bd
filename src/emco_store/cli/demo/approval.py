"""The step of the demonstration about lifecycles: approved content that changes, and a rollback."""

from __future__ import annotations

import inspect
from enum import StrEnum

from rich.text import Text

from emco_store import CASCADE, Lifecycle, Resource, Store, TransitionRefused, approved, transition
from emco_store.cli.demo.stage import Stage
from emco_store.cli.histories import diff_lines
from emco_store.cli.plans import coloured


class State(StrEnum):
    """Where a release is."""

    DRAFT = "Draft"
    APPROVED = "Approved"
    LIVE = "Live"


class ReleaseLifecycle(Lifecycle[State]):
    """A release is approved before it goes live."""

    initial = State.DRAFT
    approve = transition({State.DRAFT, State.APPROVED}, to=State.APPROVED, approves=True)
    publish = transition(State.APPROVED, to=State.LIVE, guards=[approved()])
    withdraw = transition(State.LIVE, to=State.DRAFT)
    deletable = {State.DRAFT, State.APPROVED}


class Release(Resource, lifecycle=ReleaseLifecycle):
    """What is approved and published."""


class Setting(Resource, parent=Release, on_parent_delete=CASCADE):
    """A part of the content of a release."""

    value: str


def change_what_was_approved(stage: Stage, store: Store) -> None:
    """Approve, change a part, be refused, look at the difference, roll back, and publish."""
    release = store.create(Release(name="spring"))
    setting = store.create(Setting(parent=release, name="colour", value="green"))
    stage.step(
        "A change after the approval",
        "A lifecycle is a class. An approval is bound to the content that was looked at, with all that lies under it.",
    )
    stage.code(inspect.getsource(ReleaseLifecycle).rstrip())
    stage.code("store.apply(store.plan_transition(release, ReleaseLifecycle.approve))")
    stage.show(Text(str(store.apply(store.plan_transition(release, ReleaseLifecycle.approve)).state)))
    stage.gap()
    stage.code(
        'store.update(setting.model_copy(update={"value": "red"}))   # somebody else, in another service\n'
        "store.transition(release, ReleaseLifecycle.publish)"
    )
    store.update(setting.model_copy(update={"value": "red"}))
    try:
        store.transition(release, ReleaseLifecycle.publish)
    except TransitionRefused as problem:
        stage.error(problem)
        stage.gap()
    stage.code('store.diff(release, 1, "now")')
    stage.show(*diff_lines(store.diff(release, 1, "now")))
    stage.gap()
    stage.code("plan = store.plan_rollback(release, 1)\nstore.apply(plan)")
    plan = store.plan_rollback(release, 1)
    stage.show(*coloured(str(plan)))
    store.apply(plan)
    stage.gap()
    stage.code("store.transition(release, ReleaseLifecycle.publish)")
    record = store.transition(release, ReleaseLifecycle.publish)
    now = store.get(setting.key).value
    stage.verdict(f"the colour is {now} again, as it was approved, and the release is {record.state}")
