"""The resources with lifecycles, statuses and histories that bad input is tried on."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from emco_store import (
    CASCADE,
    F,
    Key,
    Lifecycle,
    Ref,
    Resource,
    Status,
    approved,
    check,
    content,
    hold,
    some,
    transition,
)


class Power(StrEnum):
    """The states of a cloud."""

    OFF = "Off"
    ON = "On"


class CloudLifecycle(Lifecycle[Power]):
    """A cloud is on or off."""

    initial = Power.OFF
    turn_on = transition(Power.OFF, to=Power.ON)
    turn_off = transition(Power.ON, to=Power.OFF)
    deletable = frozenset({Power.OFF})
    frozen = {Power.ON: [F.region]}


class Cloud(Resource, lifecycle=CloudLifecycle):
    """What deployments hold."""

    region: str = ""
    level: int = 1


class Stage(StrEnum):
    """The states of a deployment."""

    DRAFT = "Draft"
    APPROVED = "Approved"
    STARTING = "Starting"
    RUNNING = "Running"


def has_no_second_name(_: Any, deployment: Any) -> str | None:
    """Refuse a deployment whose title says so."""
    return "its title is bad" if deployment.title == "bad" else None


class DeploymentLifecycle(Lifecycle[Stage]):
    """Approved, started with a worker, and stopped without."""

    initial = Stage.DRAFT
    scope = content(targets=[Cloud])
    approve = transition({Stage.DRAFT, Stage.APPROVED}, to=Stage.APPROVED, approves=True)
    start = transition(
        Stage.APPROVED,
        to=Stage.STARTING,
        records=True,
        begins=True,
        guards=[approved(), some("Part"), check(has_no_second_name)],
    )
    started = transition(Stage.STARTING, to=Stage.RUNNING, ends=True, writers={"worker"})
    stop = transition({Stage.STARTING, Stage.RUNNING}, to=Stage.DRAFT)
    deletable = frozenset({Stage.DRAFT, Stage.APPROVED})
    holds = {state: [hold(F.cloud, needs=Power.ON)] for state in (Stage.STARTING, Stage.RUNNING)}


class Deployment(Resource, lifecycle=DeploymentLifecycle):
    """The root of a content."""

    cloud: Ref[Cloud]
    title: str = ""


class Part(Resource, parent=Deployment, on_parent_delete=CASCADE):
    """A member of the content."""

    image: str = ""


class DeploymentStatus(Status, of=Deployment, writer="worker"):
    """What the worker reports."""


class CloudStatus(Status, of=Cloud, writer="worker"):
    """A status of something else."""


CLOUD = Key("Cloud", "c")
DEPLOYMENT = Key("Deployment", "d")
PART = Key("Part", "d", "p")


def learn(world: Any) -> None:
    """Make the models known, and nothing else."""
    world.store.list(Cloud)
    world.store.list(Deployment)


def create(world: Any) -> None:
    """Create a cloud, and a deployment with a part."""
    world.store.create(Cloud(name="c"))
    world.store.create(Deployment(name="d", cloud="Cloud/c"))
    world.store.create(Part(parent=DEPLOYMENT, name="p"))


def approve(world: Any) -> None:
    """Approve the deployment, which records its first revision."""
    create(world)
    world.store.apply(world.store.plan_transition(DEPLOYMENT, DeploymentLifecycle.approve))


def start(world: Any) -> None:
    """Start it on a cloud that is on."""
    create(world)
    world.store.transition(CLOUD, CloudLifecycle.turn_on)
    world.store.apply(world.store.plan_transition(DEPLOYMENT, DeploymentLifecycle.approve))
    world.store.transition(DEPLOYMENT, DeploymentLifecycle.start)


def delete(world: Any) -> None:
    """Approve the deployment, and delete it."""
    approve(world)
    world.store.delete(DEPLOYMENT)


def report_twice(world: Any) -> None:
    """Report on the second version of the deployment."""
    create(world)
    made = world.store.get(DEPLOYMENT)
    world.store.update(made.model_copy(update={"title": "two"}))
    world.store.set_status(DeploymentStatus(parent=DEPLOYMENT), observed=2)
