# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Network intents of a deployment: interfaces of workloads, and chains of network functions with their clients."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref
from emco_store.core.some_of import some_of
from emco_store.emco.catalogue.applications import App
from emco_store.emco.catalogue.base import NAME, AnySpec, EmcoResource, LongTexts, Name, Spec, Text, parts
from emco_store.emco.catalogue.clusters import Network, ProviderNetwork
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup

ChainEnd = Literal["left", "right"]
NameOrNothing = Annotated[Text, StringConstraints(pattern=rf"^$|{NAME}")]
_PREFIX = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
_WORD = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def _check_ipv4(text: str) -> str:
    IPv4Address(text)
    return text


class NetControllerIntent(EmcoResource, parent=DeploymentIntentGroup):
    """The network interfaces of a deployment."""

    spec: AnySpec | None = None


class WorkloadIntentSpec(Spec):
    """A workload of an app."""

    app: Ref[App]
    workloadResource: Annotated[str, StringConstraints(max_length=254, pattern=NAME)]
    type: Name


class WorkloadIntent(EmcoResource, parent=NetControllerIntent):
    """The network interfaces of one workload."""

    spec: WorkloadIntentSpec


class SfcIntentSpec(Spec):
    """How a chain is made."""

    chainType: Literal["Routing"] | None = None
    namespace: Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9-]+$")] | None = None


class SfcIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A chain of network functions."""

    spec: SfcIntentSpec | None = None


class InterfaceIntentSpec(Spec):
    """An interface; ``name`` is that of a network on whichever cluster the workload is placed.

    At least one cluster has a network of that name. If none has, the deployment has a chain of network functions, which
    makes networks of its own.
    """

    interface: Name
    name: Annotated[Name, some_of(Network, ProviderNetwork), some_of(SfcIntent, where={"SfcIntent": None})]
    defaultGateway: Text | None = None
    ipAddress: Text | None = None
    macAddress: Text | None = None


class InterfaceIntent(EmcoResource, parent=WorkloadIntent):
    """One network interface of a workload."""

    spec: InterfaceIntentSpec | None = None


class SfcLinkSpec(Spec):
    """One function of a chain, and the networks on both sides of it."""

    leftNet: Name
    rightNet: Name
    linkLabel: Annotated[str, StringConstraints(max_length=381, pattern=rf"^{_PREFIX}{_WORD}={_WORD}$")]
    app: Ref[App]
    workloadResource: NameOrNothing
    resourceType: NameOrNothing


class SfcLink(EmcoResource, parent=SfcIntent):
    """One function of a chain."""

    spec: SfcLinkSpec


class LabelSelector(Spec):
    """Kubernetes' label selector; its labels may hold dots."""

    matchLabels: LongTexts
    matchExpressions: list[Opaque] | None = None


class SfcClientSelectorSpec(Spec):
    """Which pods are clients at one end of a chain."""

    chainEnd: ChainEnd
    podSelector: LabelSelector
    namespaceSelector: LabelSelector


class SfcClientSelector(EmcoResource, parent=SfcIntent):
    """The clients at one end of a chain."""

    spec: SfcClientSelectorSpec | None = None


class SfcProviderNetworkSpec(Spec):
    """The network at one end of a chain; at least one cluster has a provider network of that name."""

    chainEnd: ChainEnd
    providerNetwork: Annotated[Name, some_of(ProviderNetwork)]
    gatewayIp: Annotated[str, AfterValidator(_check_ipv4)]
    subnet: (
        Annotated[str, StringConstraints(pattern=r"^([0-9]{1,3}[.]){3}[0-9]{1,3}(/([0-9]|[1-2][0-9]|3[0-2]))?$")] | None
    ) = None


class SfcProviderNetwork(EmcoResource, parent=SfcIntent):
    """The network at one end of a chain."""

    spec: SfcProviderNetworkSpec | None = None


class SfcClientIntentSpec(Spec):
    """A chain in another deployment of the project, and the app of this one that joins it."""

    chainEnd: ChainEnd
    sfcIntent: Annotated[Ref[SfcIntent], parts("compositeApp", "compositeAppVersion", "deploymentIntentGroup")]
    compositeApp: Name | None = None
    compositeAppVersion: Name | None = None
    deploymentIntentGroup: Name | None = None
    app: Ref[App]
    workloadResource: Name
    resourceType: Name


class SfcClientIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A client of a chain that another deployment has."""

    spec: SfcClientIntentSpec
