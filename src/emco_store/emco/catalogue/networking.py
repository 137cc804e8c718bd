# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Network intents of a deployment: interfaces of workloads, and chains of network functions with their clients."""

from __future__ import annotations

from typing import Annotated

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref
from emco_store.emco.catalogue.applications import App
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Spec, parts
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup


class NetControllerIntent(EmcoResource, parent=DeploymentIntentGroup):
    """The network interfaces of a deployment."""

    spec: AnySpec | None = None


class WorkloadIntentSpec(Spec):
    """A workload of an app."""

    app: Ref[App]
    workloadResource: str | None = None
    type: str | None = None


class WorkloadIntent(EmcoResource, parent=NetControllerIntent):
    """The network interfaces of one workload."""

    spec: WorkloadIntentSpec


class InterfaceIntentSpec(Spec):
    """An interface; ``name`` is that of a network on whichever cluster the workload is placed, and so is text."""

    interface: str | None = None
    name: str | None = None
    defaultGateway: str | None = None
    ipAddress: str | None = None
    macAddress: str | None = None


class InterfaceIntent(EmcoResource, parent=WorkloadIntent):
    """One network interface of a workload."""

    spec: InterfaceIntentSpec | None = None


class SfcIntentSpec(Spec):
    """How a chain is made."""

    chainType: str | None = None
    namespace: str | None = None


class SfcIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A chain of network functions."""

    spec: SfcIntentSpec | None = None


class SfcLinkSpec(Spec):
    """One function of a chain, and the networks on both sides of it."""

    leftNet: str | None = None
    rightNet: str | None = None
    linkLabel: str | None = None
    app: Ref[App]
    workloadResource: str | None = None
    resourceType: str | None = None


class SfcLink(EmcoResource, parent=SfcIntent):
    """One function of a chain."""

    spec: SfcLinkSpec


class LabelSelector(Spec):
    """Kubernetes' label selector; its labels may hold dots."""

    matchLabels: Opaque | None = None
    matchExpressions: list[Opaque] | None = None


class SfcClientSelectorSpec(Spec):
    """Which pods are clients at one end of a chain."""

    chainEnd: str | None = None
    podSelector: LabelSelector | None = None
    namespaceSelector: LabelSelector | None = None


class SfcClientSelector(EmcoResource, parent=SfcIntent):
    """The clients at one end of a chain."""

    spec: SfcClientSelectorSpec | None = None


class SfcProviderNetworkSpec(Spec):
    """The network at one end of a chain; it lies on whichever cluster the chain is placed, and so is text."""

    chainEnd: str | None = None
    providerNetwork: str | None = None
    gatewayIp: str | None = None
    subnet: str | None = None


class SfcProviderNetwork(EmcoResource, parent=SfcIntent):
    """The network at one end of a chain."""

    spec: SfcProviderNetworkSpec | None = None


class SfcClientIntentSpec(Spec):
    """A chain in another deployment of the project, and the app of this one that joins it."""

    chainEnd: str | None = None
    sfcIntent: Annotated[Ref[SfcIntent], parts("compositeApp", "compositeAppVersion", "deploymentIntentGroup")]
    compositeApp: str | None = None
    compositeAppVersion: str | None = None
    deploymentIntentGroup: str | None = None
    app: Ref[App]
    workloadResource: str | None = None
    resourceType: str | None = None


class SfcClientIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A client of a chain that another deployment has."""

    spec: SfcClientIntentSpec
