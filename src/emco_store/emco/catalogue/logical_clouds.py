# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Logical clouds: the clusters that a project may use, with its quotas and permissions there."""

from __future__ import annotations

from typing import Annotated

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref
from emco_store.emco.catalogue.applications import Project
from emco_store.emco.catalogue.base import EmcoResource, Spec, parts
from emco_store.emco.catalogue.clusters import Cluster, KvSpec


class LogicalCloudUser(Spec):
    """As whom a logical cloud acts."""

    userName: str | None = None
    type: str | None = None


class LogicalCloudSpec(Spec):
    """A logical cloud: level ``"0"`` is the clusters' administrator, else a namespace and its user."""

    level: str | None = None
    namespace: str | None = None
    labels: Opaque | None = None
    user: LogicalCloudUser | None = None


class LogicalCloud(EmcoResource, parent=Project):
    """A namespace on several clusters."""

    spec: LogicalCloudSpec | None = None


class ClusterReferenceSpec(Spec):
    """The cluster that is meant."""

    clusterProvider: str | None = None
    cluster: Annotated[Ref[Cluster], parts("clusterProvider")]
    loadbalancerIp: str | None = None
    certificate: str | None = None


class ClusterReference(EmcoResource, parent=LogicalCloud):
    """A cluster of a logical cloud."""

    spec: ClusterReferenceSpec


class ClusterQuota(EmcoResource, parent=LogicalCloud):
    """What a logical cloud may use of each cluster; the keys are Kubernetes' own, dots included."""

    spec: Opaque | None = None


class LogicalCloudKv(EmcoResource, parent=LogicalCloud):
    """Key-value pairs of a logical cloud."""

    spec: KvSpec | None = None


class UserPermissionSpec(Spec):
    """What the user of a logical cloud may do."""

    namespace: str | None = None
    apiGroups: list[str] | None = None
    resources: list[str] | None = None
    verbs: list[str] | None = None


class UserPermission(EmcoResource, parent=LogicalCloud):
    """A permission of the user of a logical cloud."""

    spec: UserPermissionSpec | None = None
