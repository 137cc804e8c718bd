# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Workflows before and after the steps of a deployment, and policies that act on its events."""

from __future__ import annotations

from pydantic import StrictBool, StrictInt

from emco_store.core.opaque import Opaque
from emco_store.core.resource import Resource
from emco_store.emco.catalogue.base import EmcoResource, Name, Spec
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup


class WorkflowClient(Spec):
    """Where the client of a workflow listens."""

    clientEndpointName: str | None = None
    clientEndpointPort: StrictInt | str | None = None


class Temporal(Spec):
    """What a workflow is started with; the options and parameters are those of Temporal, kept as they are."""

    workflowClientName: str | None = None
    workflowStartOptions: Opaque | None = None
    workflowParams: Opaque | None = None


class WorkflowIntentSpec(Spec):
    """A workflow and its client."""

    workflowClient: WorkflowClient | None = None
    temporal: Temporal | None = None


class WorkflowIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A workflow of a deployment."""

    spec: WorkflowIntentSpec | None = None


class WorkflowHookIntentSpec(WorkflowIntentSpec):
    """A workflow, the step that it belongs to (``pre-install``, ``post-update``, …), and whether the step waits."""

    hookType: str | None = None
    hookBlocking: StrictBool | None = None


class WorkflowHookIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A workflow before or after a step of a deployment."""

    spec: WorkflowHookIntentSpec | None = None


class WorkerIntentSpec(Spec):
    """A worker that is a deployment of its own; the deployment is text, as in EMCO's schema."""

    startToCloseTimeout: StrictInt | None = None
    compositeApp: str | None = None
    compositeAppVersion: str | None = None
    deploymentIntentGroup: str | None = None


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
