"""Models with lifecycles, as a user of ``--models`` would have them."""

from __future__ import annotations

from enum import StrEnum

from emco_store import CASCADE, F, Lifecycle, Ref, Resource, Status, Trail, approved, check, hold, some, transition


class CloudState(StrEnum):
    """The states of a cloud."""

    CREATED = "Created"
    UP = "Up"
    DOWN = "Down"


class CloudLifecycle(Lifecycle[CloudState]):
    """A cloud goes up and down."""

    initial = CloudState.CREATED
    instantiate = transition({CloudState.CREATED, CloudState.DOWN}, to=CloudState.UP)
    terminate = transition(CloudState.UP, to=CloudState.DOWN)
    deletable = {CloudState.CREATED, CloudState.DOWN}
    frozen = {CloudState.UP: (F.level,)}


class Cloud(Resource, lifecycle=CloudLifecycle):
    """A root with a lifecycle."""

    level: int = 0


class GroupState(StrEnum):
    """The states of a group."""

    DRAFT = "Draft"
    STARTING = "Starting"
    UP = "Up; 100 %"


def is_fine(tx: object, group: object) -> None:
    """Say nothing against it."""


class GroupLifecycle(Lifecycle[GroupState]):
    """A group holds its cloud."""

    initial = GroupState.DRAFT
    start = transition(GroupState.DRAFT, to=GroupState.STARTING, begins=True, guards=[some("Part"), check(is_fine)])
    started = transition(GroupState.STARTING, to=GroupState.UP, ends=True, writers={"worker"})
    reset = transition({GroupState.STARTING, GroupState.UP}, to=GroupState.DRAFT)
    deletable = {GroupState.DRAFT}
    holds = {state: [hold(F.cloud, needs=CloudState.UP)] for state in (GroupState.STARTING, GroupState.UP)}


class Group(Resource, lifecycle=GroupLifecycle):
    """What holds a cloud."""

    cloud: Ref[Cloud]


class Part(Resource, parent=Group, on_parent_delete=CASCADE):
    """A member of a group; it has no lifecycle."""


class ReleaseState(StrEnum):
    """The states of a release."""

    DRAFT = "Draft"
    APPROVED = "Approved"
    LIVE = "Live"


class ReleaseLifecycle(Lifecycle[ReleaseState]):
    """A release is approved before it goes live."""

    initial = ReleaseState.DRAFT
    approve = transition({ReleaseState.DRAFT, ReleaseState.APPROVED}, to=ReleaseState.APPROVED, approves=True)
    publish = transition(ReleaseState.APPROVED, to=ReleaseState.LIVE, records=True, guards=[approved()])
    withdraw = transition(ReleaseState.LIVE, to=ReleaseState.DRAFT)
    deletable = {ReleaseState.DRAFT, ReleaseState.APPROVED}


class Release(Resource, lifecycle=ReleaseLifecycle):
    """What has revisions."""

    title: str = ""


class Page(Resource, parent=Release, on_parent_delete=CASCADE):
    """A member of the content of a release."""

    text: str = ""


class ReleaseStatus(Status, of=Release, writer="worker"):
    """What a worker sees of a release."""


class Server(Resource, trail=Trail(keep=10)):
    """What has a trail."""

    region: str = ""
