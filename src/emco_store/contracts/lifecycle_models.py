"""The resources of the suite that have lifecycles: clouds, and groups that hold them, with members and guests."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel

from emco_store.contracts.models import Site
from emco_store.core.guards import ancestor, approved, check, every, none, observed, referrers, some, target
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import content, hold, transition
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.status import Status

WRITER = "agent"
"""The only actor that may attest a group."""


class CloudState(StrEnum):
    """The states of a cloud."""

    CREATED = "Created"
    UP = "Up"
    DOWN = "Down"


class CloudLifecycle(Lifecycle[CloudState]):
    """A cloud is up or down, and parts of it are fixed while it is up."""

    initial = CloudState.CREATED
    launch = transition({CloudState.CREATED, CloudState.DOWN}, to=CloudState.UP)
    land = transition(CloudState.UP, to=CloudState.DOWN)
    deletable = {CloudState.CREATED, CloudState.DOWN}
    frozen = {CloudState.UP: (F.level, F.size.width, F.site)}


class Size(BaseModel, extra="forbid"):
    """A nested model."""

    width: int = 1
    height: int = 1


class Cloud(Resource, lifecycle=CloudLifecycle):
    """A root with frozen fields."""

    level: int = 0
    size: Size = Size()
    site: Annotated[Ref[Site] | None, on_delete(Rule.SET_NULL)] = None
    note: str = ""


class SwitchState(StrEnum):
    """The states of what is on or off, and can be deleted in both."""

    OFF = "Off"
    ON = "On"


class Switch(Lifecycle[SwitchState]):
    """The least lifecycle."""

    initial = SwitchState.OFF
    on = transition(SwitchState.OFF, to=SwitchState.ON)
    off = transition(SwitchState.ON, to=SwitchState.OFF)
    deletable = {SwitchState.OFF, SwitchState.ON}


class Zone(Resource, lifecycle=Switch):
    """The parent of groups."""


class GroupState(StrEnum):
    """The states of a group."""

    CREATED = "Created"
    APPROVED = "Approved"
    STARTING = "Starting"
    UP = "Up"
    STOPPING = "Stopping"
    DOWN = "Down"


def is_even(tx: Any, group: Any) -> Any:
    """Refuse groups whose note says so; write something, which a guard may not, if the note says that."""
    if group.note == "write":
        return tx.delete(group)
    return "its note is odd" if group.note == "odd" else None


C = GroupState.CREATED


class GroupLifecycle(Lifecycle[GroupState]):
    """A group is approved, started and stopped, and holds its cloud meanwhile; for each guard there is a transition."""

    initial = GroupState.CREATED
    scope = content(targets=(Cloud,))
    approve = transition({C, GroupState.APPROVED, GroupState.DOWN}, to=GroupState.APPROVED, approves=True)
    start = transition(
        GroupState.APPROVED, to=GroupState.STARTING, records=True, begins=True, guards=[approved(), some("Member")]
    )
    started = transition(GroupState.STARTING, to=GroupState.UP, ends=True)
    enter = transition({C, GroupState.DOWN}, to=GroupState.UP)
    stop = transition({GroupState.STARTING, GroupState.UP}, to=GroupState.STOPPING, begins=True)
    stopped = transition(GroupState.STOPPING, to=GroupState.DOWN, ends=True)
    leave = transition({GroupState.STOPPING, GroupState.UP}, to=GroupState.DOWN)
    attest = transition(GroupState.UP, to=GroupState.UP, writers={WRITER})
    if_some = transition(C, to=C, guards=[some("Member", where=F.note == "x", at_least=2)])
    if_every = transition(C, to=C, guards=[every("Member", state=SwitchState.ON)])
    if_none = transition(C, to=C, guards=[none("Member", state={SwitchState.ON})])
    if_target = transition(C, to=C, guards=[target(F.cloud, state=CloudState.UP)])
    if_ancestor = transition(C, to=C, guards=[ancestor(Zone, state=SwitchState.ON)])
    if_unused = transition(C, to=C, guards=[referrers("Guest", none_in=SwitchState.ON)])
    if_ready = transition(C, to=C, guards=[observed(WRITER, "Ready")])
    if_even = transition(C, to=C, guards=[check(is_even)])
    deletable = {GroupState.CREATED, GroupState.APPROVED, GroupState.DOWN}
    holds = {
        state: [hold(F.cloud, needs=CloudState.UP)]
        for state in (GroupState.STARTING, GroupState.UP, GroupState.STOPPING)
    }


class Group(Resource, parent=Zone, on_parent_delete=Rule.CASCADE, lifecycle=GroupLifecycle):
    """What is approved and started."""

    cloud: Ref[Cloud] | None = None
    note: str = ""


class GroupStatus(Status, of=Group, writer=WRITER):
    """What the agent reports of a group."""


class Member(Resource, parent=Group, on_parent_delete=Rule.CASCADE, lifecycle=Switch):
    """A part of the content of a group."""

    note: str = ""


class Guest(Resource, lifecycle=Switch):
    """A foreign referrer of a group."""

    group: Ref[Group]
