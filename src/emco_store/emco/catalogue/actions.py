# ruff: noqa: N815 - a field is named as in EMCO's documents, so that a path in an error is a path in the document
"""Intents for resources of Kubernetes: those to add or change on clusters, and the hardware that workloads need."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, model_validator

from emco_store.core.opaque import Opaque
from emco_store.core.refs import Ref, reference
from emco_store.core.some_of import some_of
from emco_store.emco.catalogue.applications import App
from emco_store.emco.catalogue.base import NAME, AnySpec, EmcoResource, Shape, Spec, Text, check_name, parts, shaped
from emco_store.emco.catalogue.clusters import Cluster, ClusterLabel
from emco_store.emco.catalogue.deployments import DeploymentIntentGroup
from emco_store.emco.json_data import is_map

YesOrNo = Literal["true", "false"]
Filled = Annotated[str, StringConstraints(min_length=1)]
Positive = Annotated[int, Field(strict=True, ge=1)]


class GenericK8sIntent(EmcoResource, parent=DeploymentIntentGroup):
    """A set of resources to add or change."""

    spec: AnySpec | None = None


class ResourceIdentity(Spec):
    """Which resource of Kubernetes is meant."""

    apiVersion: Text
    kind: Text
    name: Text


class GenericResourceSpec(Spec):
    """A resource to add (``newObject`` is ``"true"``) or to change."""

    app: Ref[App]
    newObject: YesOrNo
    resourceGVK: ResourceIdentity | None = None


class GenericResource(EmcoResource, parent=GenericK8sIntent):
    """A resource to add or to change; ``file`` names its content."""

    spec: GenericResourceSpec


class ClusterInfo(Spec):
    """The clusters that a customization is for.

    ``cluster`` is a reference, and ``clusterLabel`` a selection, only while the customization is for certain clusters,
    and these are chosen that way. Otherwise it stays text and holds nothing (EMCO records it all the same, B14).
    """

    scope: Literal["label", "name"]
    clusterProvider: Text
    cluster: Annotated[
        Ref[Cluster] | None,
        parts("clusterProvider"),
        reference(when={"scope": "name", "clusterSpecific": "true"}),
        AfterValidator(check_name),
    ] = None
    clusterLabel: Annotated[
        Text | None,
        some_of(ClusterLabel, where={"ClusterProvider": "clusterProvider"}),
        reference(when={"scope": "label", "clusterSpecific": "true"}),
    ] = None
    mode: Literal["allow", "deny"]
    clusterSpecific: Annotated[str | None, Field(exclude=True)] = None
    """What the spec around says, handed down; it stands in no document."""

    @model_validator(mode="after")
    def _check_choice(self) -> Self:
        wanted = "cluster" if self.scope == "name" else "clusterLabel"
        if self.clusterSpecific == "true" and not getattr(self, wanted):
            message = f"at {wanted}: it is needed where the scope is {self.scope}"
            raise ValueError(message)
        return self


class Patch(Shape):
    """One step of a JSON patch."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"]
    path: Text
    value: Any


class DataKey(Spec):
    """Which file becomes which key of a ConfigMap or a Secret."""

    fileName: Text
    keyName: Text
    mergePatch: YesOrNo | None = None


class DataOptions(Spec):
    """Which files become which keys."""

    dataKeyOptions: list[DataKey] | None = None


class CustomizationSpec(Spec):
    """A change of a resource, on all clusters or on certain ones."""

    clusterSpecific: YesOrNo
    clusterInfo: ClusterInfo
    patchType: Literal["json", "merge", ""] | None = None
    patchJson: list[Annotated[Opaque, shaped(Patch)]] | None = None
    configMapOptions: DataOptions | None = None
    secretOptions: DataOptions | None = None

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

    apiVersion: Filled | None = None
    kind: Filled | None = None
    name: Filled
    container: Filled | None = None
    replicas: Positive | None = None


class HpaConsumer(EmcoResource, parent=HpaIntent):
    """A container that needs hardware."""

    spec: HpaConsumerSpec | None = None


class HpaRequirement(Spec):
    """A label of a node (``key`` and ``value``), or an amount of something (the other fields)."""

    key: str | None = None
    value: str | None = None
    name: str | None = None
    requests: Positive | None = None
    limits: Positive | None = None
    units: Annotated[str, StringConstraints(pattern=NAME)] | None = None

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        label = self.key is not None and self.value is not None
        amount = self.name is not None and self.requests is not None
        if label == amount:
            message = "at name: either name and requests, or key and value are needed here"
            raise ValueError(message)
        return self


class HpaResourceSpec(Spec):
    """What is needed, and whether it must be."""

    allocatable: StrictBool
    mandatory: StrictBool | None = None
    weight: Positive | None = None
    resource: HpaRequirement


class HpaResource(EmcoResource, parent=HpaConsumer):
    """Something that a container needs."""

    spec: HpaResourceSpec | None = None
