# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Intents for resources of Kubernetes: those to add or change on clusters, and the hardware that workloads need."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt, model_validator

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref, reference
from emco_store.emco.catalogue.applications import App
from emco_store.emco.catalogue.base import AnySpec, EmcoResource, Spec, parts
from emco_store.emco.catalogue.clusters import Cluster
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup
from emco_store.emco.json_data import is_map


class GenericK8sIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A set of resources to add or change."""

    spec: AnySpec | None = None


class ResourceIdentity(Spec):
    """Which resource of Kubernetes is meant."""

    apiVersion: str | None = None
    kind: str | None = None
    name: str | None = None


class GenericResourceSpec(Spec):
    """A resource to add (``newObject`` is ``"true"``) or to change."""

    app: Ref[App]
    newObject: str | None = None
    resourceGVK: ResourceIdentity | None = None


class GenericResource(EmcoResource, parent=GenericK8sIntent):
    """A resource to add or to change; ``file`` names its content."""

    spec: GenericResourceSpec


class ClusterInfo(Spec):
    """The clusters that a customization is for.

    ``cluster`` is a reference only while the customization is for certain clusters, and these are chosen by name.
    Otherwise it stays the text that it is, and holds nobody (EMCO records it all the same, B14).
    """

    scope: str | None = None
    clusterProvider: str | None = None
    cluster: Annotated[
        Ref[Cluster] | None,
        parts("clusterProvider"),
        reference(when={"scope": "name", "clusterSpecific": "true"}),
    ] = None
    clusterLabel: str | None = None
    mode: str | None = None
    clusterSpecific: Annotated[str | None, Field(exclude=True)] = None
    """What the spec around says, handed down; it stands in no document."""


class CustomizationSpec(Spec):
    """A change of a resource, on all clusters or on certain ones."""

    clusterSpecific: str | None = None
    clusterInfo: ClusterInfo | None = None
    patchType: str | None = None
    patchJson: list[Opaque] | None = None
    configMapOptions: AnySpec | None = None
    secretOptions: AnySpec | None = None

    @model_validator(mode="before")
    @classmethod
    def _hand_down(cls, data: Any) -> Any:
        if not is_map(data):
            return data
        info: Any = data.get("clusterInfo")
        if isinstance(info, ClusterInfo):
            info = dict(info)
        if not is_map(info):
            return data
        return {**data, "clusterInfo": {**info, "clusterSpecific": data.get("clusterSpecific")}}


class Customization(EmcoResource, parent=GenericResource):
    """A change of a resource; ``files`` name its content."""

    spec: CustomizationSpec | None = None


class HpaIntentSpec(Spec):
    """The app whose hardware needs are told."""

    app: Ref[App]


class HpaIntent(EmcoResource, parent=DeploymentIntentGroup):
    """The hardware that an app needs."""

    spec: HpaIntentSpec


class HpaConsumerSpec(Spec):
    """A container of a workload."""

    apiVersion: str | None = None
    kind: str | None = None
    name: str | None = None
    container: str | None = None
    replicas: StrictInt | None = None


class HpaConsumer(EmcoResource, parent=HpaIntent):
    """A container that needs hardware."""

    spec: HpaConsumerSpec | None = None


class HpaRequirement(Spec):
    """A label of a node (``key`` and ``value``), or an amount of something (the other fields)."""

    key: str | None = None
    value: str | None = None
    name: str | None = None
    requests: StrictInt | None = None
    limits: StrictInt | None = None
    units: str | None = None


class HpaResourceSpec(Spec):
    """What is needed, and whether it must be."""

    allocatable: StrictBool | None = None
    mandatory: StrictBool | None = None
    weight: StrictInt | None = None
    resource: HpaRequirement | None = None


class HpaResource(EmcoResource, parent=HpaConsumer):
    """Something that a container needs."""

    spec: HpaResourceSpec | None = None
