# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Cluster providers, their clusters, and what belongs to a cluster: labels, key-value pairs and networks."""

from __future__ import annotations

from emco_store.core.opaque import Opaque
from emco_store.core.resource import Resource
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Name, Spec


class ClusterProvider(EmcoResource):
    """Who offers clusters."""

    spec: AnySpec | None = None


class GitOps(Spec):
    """Where a cluster that is managed through Git takes its state from."""

    gitOpsType: str | None = None
    gitOpsReferenceObject: str | None = None
    gitOpsResourceObject: str | None = None


class ClusterSpec(Spec):
    """What is said of a cluster beyond its kubeconfig."""

    gitOps: GitOps | None = None


class Cluster(EmcoResource, parent=ClusterProvider):
    """A Kubernetes cluster; ``file`` names its kubeconfig."""

    spec: ClusterSpec | None = None


class ClusterLabel(Resource, parent=Cluster):
    """A label by which clusters are chosen; it has no metadata, its document says ``clusterLabel: name``."""

    name: Name


class KvSpec(Spec):
    """Key-value pairs, free-form."""

    kv: list[Opaque] | None = None


class ClusterKv(EmcoResource, parent=Cluster):
    """Key-value pairs of a cluster."""

    spec: KvSpec | None = None


class ClusterSyncObject(EmcoResource, parent=ClusterProvider):
    """How to reach a place through which clusters are synchronised, such as a Git repository."""

    spec: KvSpec | None = None


class Subnet(Spec):
    """One subnet of a network."""

    name: str | None = None
    subnet: str | None = None
    gateway: str | None = None
    excludeIps: str | None = None


class NetworkSpec(Spec):
    """What a network is made of."""

    cniType: str | None = None
    ipv4Subnets: list[Subnet] | None = None
    ipv6Subnets: list[Subnet] | None = None


class Network(EmcoResource, parent=Cluster):
    """A virtual network of a cluster."""

    spec: NetworkSpec | None = None


class Vlan(Spec):
    """The VLAN behind a provider network."""

    vlanId: str | None = None
    providerInterfaceName: str | None = None
    logicalInterfaceName: str | None = None
    vlanNodeSelector: str | None = None
    nodeLabelList: list[str] | None = None


class ProviderNetworkSpec(NetworkSpec):
    """What a provider network is made of."""

    providerNetType: str | None = None
    vlan: Vlan | None = None


class ProviderNetwork(EmcoResource, parent=Cluster):
    """A network that reaches out of a cluster."""

    spec: ProviderNetworkSpec | None = None
