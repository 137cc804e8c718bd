"""The services of EMCO, and the kinds that each of them owns: the catalogue as segments of a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from emco_store.core.resource import Resource
from emco_store.core.segments import Segment
from emco_store.emco.catalogue import (
    actions,
    applications,
    certificates,
    clusters,
    deployments,
    logical_clouds,
    networking,
    traffic,
    workflows,
)

SERVICES: Final[Mapping[str, tuple[type[Resource], ...]]] = MappingProxyType({
    "orchestrator": (
        applications.Controller, applications.Project, applications.CompositeApp, applications.App,
        applications.AppDependency, applications.CompositeProfile, applications.AppProfile,
        deployments.DeploymentIntentGroup, deployments.GroupIntent, deployments.GenericPlacementIntent,
        deployments.GenericAppPlacementIntent,
    ),
    "rsync": (deployments.DigStatus,),
    "clm": (
        clusters.ClusterProvider, clusters.Cluster, clusters.ClusterLabel, clusters.ClusterKv,
        clusters.ClusterSyncObject,
    ),
    "ncm": (clusters.ProviderNetwork, clusters.Network),
    "dcm": (
        logical_clouds.LogicalCloud, logical_clouds.ClusterReference, logical_clouds.ClusterQuota,
        logical_clouds.LogicalCloudKv, logical_clouds.UserPermission,
    ),
    "dtc": (
        traffic.TrafficGroupIntent, traffic.InboundServerIntent, traffic.InboundClientsIntent,
        traffic.InboundClientsAccessIntent,
    ),
    "gac": (actions.GenericK8sIntent, actions.GenericResource, actions.Customization),
    "hpa": (actions.HpaIntent, actions.HpaConsumer, actions.HpaResource),
    "ovnaction": (networking.NetControllerIntent, networking.WorkloadIntent, networking.InterfaceIntent),
    "sfc": (
        networking.SfcIntent, networking.SfcLink, networking.SfcClientSelector, networking.SfcProviderNetwork,
    ),
    "sfcclient": (networking.SfcClientIntent,),
    "workflowmgr": (workflows.WorkflowIntent,),
    "tac": (workflows.WorkflowHookIntent, workflows.WorkerIntent),
    "ca-certs": (
        certificates.CaCertCp, certificates.CaCertClusterGroupCp, certificates.CaCertLc,
        certificates.CaCertLogicalCloud, certificates.CaCertClusterGroupLc,
    ),
    "policy": (workflows.PolicyIntent, workflows.PolicyModule, workflows.Agent),
})  # fmt: skip
"""The kinds of each service, as EMCO's reference schema groups them."""


def service_segment(service: str, *, version: int = 1) -> Segment:
    """Return the segment of one of EMCO's services, for ``store.register``.

    Args:
        service: The name of the service; see ``SERVICES``.
        version: The version of the segment.

    Raises:
        KeyError: There is no such service.
    """
    return Segment(service, SERVICES[service], version)
