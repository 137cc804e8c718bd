# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Workflows before and after the steps of a deployment, and policies that act on its events."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, StrictBool, StrictFloat, StrictInt, model_validator

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.emco.catalogue.base import EmcoResource, Name, Port, Shape, Spec, Text, parts, shaped
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup


class WorkflowClient(Spec):
    """Where the client of a workflow listens."""

    clientEndpointName: str | None = None
    clientEndpointPort: Port | None = None


class _StartOptions(Shape):
    ID: str | None = None
    TaskQueue: str
    WorkflowExecutionTimeout: int | None = None
    WorkflowRunTimeout: int | None = None
    WorkflowTaskTimeout: int | None = None
    WorkflowIDReusePolicy: int | None = None


class _RetryPolicy(Shape):
    model_config = ConfigDict(extra="forbid")

    InitialInterval: int
    BackoffCoefficient: StrictInt | StrictFloat
    MaximumInterval: int
    MaximumAttempts: int
    NonRetryableErrorTypes: list[str] | None


class _HookOptions(Shape):
    model_config = ConfigDict(extra="forbid")

    HeartbeatTimeout: int
    ActivityID: str | None = None
    TaskQueue: str | None = None
    RetryPolicy: _RetryPolicy | None = None
    ScheduleToCloseTimeout: int | None = None
    ScheduleToStartTimeout: int | None = None
    StartToCloseTimeout: int | None = None
    WaitForCancellation: bool | None = None

    @model_validator(mode="after")
    def _check_timeout(self) -> Self:
        if self.ScheduleToCloseTimeout is None and self.StartToCloseTimeout is None:
            message = "at StartToCloseTimeout: it is needed here, or ScheduleToCloseTimeout"
            raise ValueError(message)
        return self


class _WorkflowOptions(Shape):
    model_config = ConfigDict(extra="forbid")

    HeartbeatTimeout: int
    ActivityID: str
    TaskQueue: str
    RetryPolicy: _RetryPolicy
    ScheduleToCloseTimeout: int
    ScheduleToStartTimeout: int
    StartToCloseTimeout: int
    WaitForCancellation: bool


class _HookParams(Shape):
    activityOptions: dict[str, _HookOptions] | None = None
    activityParams: dict[str, dict[str, str]] | None = None


class _WorkflowParams(Shape):
    activityOptions: dict[str, _WorkflowOptions] | None = None
    activityParams: dict[str, dict[str, str]] | None = None


class Temporal(Spec):
    """What a workflow is started with; the options and parameters are those of Temporal, kept as they are."""

    workflowClientName: str | None = None
    workflowStartOptions: Annotated[Opaque, shaped(_StartOptions)] | None = None
    workflowParams: Annotated[Opaque, shaped(_WorkflowParams)] | None = None


class HookTemporal(Temporal):
    """What a workflow beside a step is started with; less is needed of its activities."""

    workflowParams: Annotated[Opaque, shaped(_HookParams)] | None = None


class WorkflowIntentSpec(Spec):
    """A workflow and its client."""

    workflowClient: WorkflowClient
    temporal: Temporal


class WorkflowIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A workflow of a deployment."""

    spec: WorkflowIntentSpec | None = None


class WorkflowHookIntentSpec(Spec):
    """A workflow, the step that it belongs to, and whether the step waits."""

    workflowClient: WorkflowClient
    temporal: HookTemporal
    hookType: (
        Literal["pre-install", "post-install", "pre-update", "post-update", "pre-termination", "post-termination"]
        | None
    ) = None
    hookBlocking: StrictBool | None = None


class WorkflowHookIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A workflow before or after a step of a deployment."""

    spec: WorkflowHookIntentSpec | None = None


class WorkerIntentSpec(Spec):
    """A worker that is a deployment of its own, in the same project."""

    startToCloseTimeout: StrictInt
    compositeApp: Text
    compositeAppVersion: Text
    deploymentIntentGroup: Annotated[Ref[DeploymentIntentGroup], parts("compositeApp", "compositeAppVersion")]


class WorkerIntent(EmcoResource, parent=WorkflowHookIntent):
    """A worker of a workflow."""

    spec: WorkerIntentSpec | None = None


class PolicyIntent(EmcoResource, parent=DeploymentIntentGroup):
    """What happens on an event of a deployment; the spec is the policy engine's own, kept as it is."""

    spec: Opaque | None = None


class PolicyModule(Resource):
    """The policy service itself: one resource named ``Agent``, which EMCO makes and no document states."""

    name: Name


class Agent(Resource, parent=PolicyModule):
    """A source of events; it has no metadata and no spec, its document says ``addr`` at the top."""

    name: Name
    id: str | None = None
    addr: str | None = None
