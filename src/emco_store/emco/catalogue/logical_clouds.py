# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Logical clouds: the clusters that a project may use, with its quotas and permissions there."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref
from emco_store.emco.catalogue.applications import Project
from emco_store.emco.catalogue.base import EmcoResource, Spec, Text, Texts, parts, shaped
from emco_store.emco.catalogue.clusters import Cluster, KvSpec
from emco_store.emco.catalogue.lifecycles import CloudLifecycle


class LogicalCloudUser(Spec):
    """As whom a logical cloud acts."""

    userName: Annotated[str, StringConstraints(max_length=20)] | None = None
    type: Text | None = None


class LogicalCloudSpec(Spec):
    """A logical cloud: level ``"0"`` is the clusters' administrator, else a namespace and its user."""

    level: Annotated[str, StringConstraints(max_length=2)] | None = None
    namespace: Text | None = None
    labels: Texts | None = None
    user: LogicalCloudUser | None = None


class LogicalCloud(EmcoResource, parent=Project, lifecycle=CloudLifecycle):
    """A namespace on several clusters."""

    spec: LogicalCloudSpec | None = None


class ClusterReferenceSpec(Spec):
    """The cluster that is meant."""

    clusterProvider: Text | None = None
    cluster: Annotated[Ref[Cluster], parts("clusterProvider")]
    loadbalancerIp: Annotated[str, StringConstraints(max_length=16)] | None = None
    certificate: str | None = None


class ClusterReference(EmcoResource, parent=LogicalCloud):
    """A cluster of a logical cloud."""

    spec: ClusterReferenceSpec


_QUOTAS = frozenset(
    {
        *(f"{side}.{what}" for side in ("limits", "requests") for what in ("cpu", "memory", "ephemeral-storage")),
        *(f"count/{what}.apps" for what in ("deployments", "replicasets", "statefulsets")),
        *("count/jobs.batch", "count/cronjobs.batch", "count/deployments.extensions", "count/replicationcontrollers"),
        *("services", "services.loadbalancers", "services.nodeports", "secrets", "configmaps", "pods"),
        *("requests.storage", "persistentvolumeclaims", "replicationcontrollers", "resourcequotas"),
    }
)
"""The resources whose amount EMCO demands to be text."""


def _known_quotas(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name.lower() in _QUOTAS}


class ClusterQuota(EmcoResource, parent=LogicalCloud):
    """What a logical cloud may use of each cluster; the keys are Kubernetes' own, dots included."""

    spec: Annotated[Opaque, shaped(Annotated[dict[str, Text], BeforeValidator(_known_quotas)])] | None = None


class LogicalCloudKv(EmcoResource, parent=LogicalCloud):
    """Key-value pairs of a logical cloud."""

    spec: KvSpec | None = None


class UserPermissionSpec(Spec):
    """What the user of a logical cloud may do."""

    namespace: Text | None = None
    apiGroups: list[str] | None = None
    resources: list[str] | None = None
    verbs: list[str] | None = None


class UserPermission(EmcoResource, parent=LogicalCloud):
    """A permission of the user of a logical cloud."""

    spec: UserPermissionSpec | None = None
