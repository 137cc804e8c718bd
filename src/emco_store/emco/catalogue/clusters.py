# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Cluster providers, their clusters, and what belongs to a cluster: labels, key-value pairs and networks."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from emco_store.core.indexing import indexed
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Name, Spec, Text, Texts, parts
from emco_store.emco.catalogue.lifecycles import NetworksLifecycle


class ClusterProvider(EmcoResource):
    """Who offers clusters."""

    spec: AnySpec | None = None


class KvSpec(Spec):
    """Key-value pairs, free-form."""

    kv: list[Texts]


class ClusterSyncObject(EmcoResource, parent=ClusterProvider):
    """How to reach a place through which clusters are synchronised, such as a Git repository."""

    spec: KvSpec | None = None


class GitOps(Spec):
    """Where a cluster that is managed through Git takes its state from: sync objects of its own provider."""

    gitOpsType: str | None = None
    gitOpsReferenceObject: Annotated[Ref[ClusterSyncObject] | None, parts()] = None
    gitOpsResourceObject: Annotated[Ref[ClusterSyncObject] | None, parts()] = None


class ClusterSpec(Spec):
    """What is said of a cluster beyond its kubeconfig."""

    gitOps: GitOps


class Cluster(EmcoResource, parent=ClusterProvider, lifecycle=NetworksLifecycle):
    """A Kubernetes cluster; ``file`` names its kubeconfig. Its lifecycle is that of its networks."""

    spec: ClusterSpec | None = None


class ClusterLabel(Resource, parent=Cluster):
    """A label by which clusters are chosen; it has no metadata, its document says ``clusterLabel: name``."""

    name: Annotated[Name, indexed()]


class ClusterKv(EmcoResource, parent=Cluster):
    """Key-value pairs of a cluster."""

    spec: KvSpec | None = None


class Subnet(Spec):
    """One subnet of a network."""

    name: Name
    subnet: Annotated[Text, StringConstraints(pattern=r"[-_0-9a-zA-Z]$")]
    gateway: Text | None = None
    excludeIps: Annotated[str, StringConstraints(max_length=1024)] | None = None


class ProviderSubnet(Subnet):
    """One subnet of a provider network."""

    excludeIps: Text | None = None


class NetworkSpec(Spec):
    """What a network is made of."""

    cniType: Name
    ipv4Subnets: list[Subnet] | None = None
    ipv6Subnets: list[Subnet] | None = None

    @model_validator(mode="after")
    def _has_subnets(self) -> Self:
        _check_subnets(self.ipv4Subnets, self.ipv6Subnets)
        return self


def _check_subnets(*subnets: object) -> None:
    if subnets == (None, None):
        message = "at ipv4Subnets: it needs subnets, here or in ipv6Subnets"
        raise ValueError(message)


class Network(EmcoResource, parent=Cluster):
    """A virtual network of a cluster."""

    name: Annotated[Name, indexed()]
    spec: NetworkSpec | None = None


class Vlan(Spec):
    """The VLAN behind a provider network."""

    vlanId: Text
    providerInterfaceName: Text
    logicalInterfaceName: Text
    vlanNodeSelector: Text
    nodeLabelList: list[Text]


class ProviderNetworkSpec(Spec):
    """What a provider network is made of."""

    cniType: Name
    providerNetType: Name
    vlan: Vlan
    ipv4Subnets: list[ProviderSubnet] | None = None
    ipv6Subnets: list[ProviderSubnet] | None = None

    @model_validator(mode="after")
    def _has_subnets(self) -> Self:
        _check_subnets(self.ipv4Subnets, self.ipv6Subnets)
        return self


class ProviderNetwork(EmcoResource, parent=Cluster):
    """A network that reaches out of a cluster."""

    name: Annotated[Name, indexed()]
    spec: ProviderNetworkSpec | None = None
