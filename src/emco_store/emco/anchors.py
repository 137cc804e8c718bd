"""Anchors: the path in an emcoctl document, and which model, key or action it stands for; one table, both directions.

A path is read word by word and name by name, from the root down, so a name may be any word: a project may be called
``controllers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emco_store.core.keys import Key
from emco_store.core.resource import Resource
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

ACTIONS = frozenset({"approve", "instantiate", "apply", "terminate", "stop", "update", "rollback", "migrate", "status"})
"""Last words of a path that ask for a step in the life of a resource."""
_PHASES: dict[type[Resource], set[str]] = {
    certificates.CaCertCp: {"enrollment", "distribution"},
    certificates.CaCertLc: {"enrollment", "distribution"},
}
POLICY_MODULE = "Agent"
"""The name of the only policy module."""


class UnknownAnchor(ValueError):
    """A path that leads to no collection and asks for no action."""


@dataclass(frozen=True, slots=True)
class Collection:
    """How resources of one model are addressed.

    Attributes:
        model: The model.
        path: The words after the path of the parent.
        fixed: Key fields whose values the words imply.
        above: The parent's names, where the path does not show them.
        is_named: Whether the path goes on to the resource's own name; else its metadata say it.
    """

    model: type[Resource]
    path: str
    fixed: Mapping[str, str] = field(default_factory=dict[str, str])
    above: tuple[str, ...] = ()
    is_named: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """The key fields that the path of one resource ends with."""
        return tuple(name for name in self.model.__emco__.key_fields if name not in self.fixed)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document puts a resource: its collection, the names above it, and its own if the path holds it."""

    collection: Collection
    above: tuple[str, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What a document asks to be done, and with which resource."""

    target: Key
    verb: str


COLLECTIONS = (
    Collection(applications.Project, "projects"),
    Collection(applications.Controller, "controllers", fixed={"group": "orchestrator"}),
    Collection(applications.Controller, "dtc-controllers", fixed={"group": "dtc"}),
    Collection(applications.Controller, "clm-controllers", fixed={"group": "cluster"}),
    Collection(clusters.ClusterProvider, "cluster-providers"),
    Collection(clusters.Cluster, "clusters"),
    Collection(clusters.ClusterLabel, "labels"),
    Collection(clusters.ClusterKv, "kv-pairs"),
    Collection(clusters.Network, "networks"),
    Collection(clusters.ProviderNetwork, "provider-networks"),
    Collection(clusters.ClusterSyncObject, "cluster-sync-objects"),
    Collection(certificates.CaCertCp, "ca-certs"),
    Collection(certificates.CaCertClusterGroupCp, "clusters"),
    Collection(logical_clouds.LogicalCloud, "logical-clouds"),
    Collection(logical_clouds.ClusterReference, "cluster-references"),
    Collection(logical_clouds.ClusterQuota, "cluster-quotas"),
    Collection(logical_clouds.UserPermission, "user-permissions"),
    Collection(logical_clouds.LogicalCloudKv, "kv-pairs"),
    Collection(certificates.CaCertLc, "ca-certs"),
    Collection(certificates.CaCertLogicalCloud, "logical-clouds"),
    Collection(certificates.CaCertClusterGroupLc, "clusters"),
    Collection(applications.CompositeApp, "composite-apps"),
    Collection(applications.App, "apps"),
    Collection(applications.AppDependency, "dependency"),
    Collection(applications.CompositeProfile, "composite-profiles"),
    Collection(applications.AppProfile, "profiles"),
    Collection(deployments.DeploymentIntentGroup, "deployment-intent-groups"),
    Collection(deployments.GroupIntent, "intents"),
    Collection(deployments.GenericPlacementIntent, "generic-placement-intents"),
    Collection(deployments.GenericAppPlacementIntent, "app-intents"),
    Collection(networking.NetControllerIntent, "network-controller-intent"),
    Collection(networking.WorkloadIntent, "workload-intents"),
    Collection(networking.InterfaceIntent, "interfaces"),
    Collection(networking.SfcIntent, "network-chains"),
    Collection(networking.SfcLink, "links"),
    Collection(networking.SfcClientSelector, "client-selectors"),
    Collection(networking.SfcProviderNetwork, "provider-networks"),
    Collection(networking.SfcClientIntent, "sfc-clients"),
    Collection(traffic.TrafficGroupIntent, "traffic-group-intents"),
    Collection(traffic.InboundServerIntent, "inbound-intents"),
    Collection(traffic.InboundClientsIntent, "clients"),
    Collection(traffic.InboundClientsAccessIntent, "access-points"),
    Collection(actions.GenericK8sIntent, "generic-k8s-intents"),
    Collection(actions.GenericResource, "resources"),
    Collection(actions.Customization, "customizations"),
    Collection(actions.HpaIntent, "hpa-intents"),
    Collection(actions.HpaConsumer, "hpa-resource-consumers"),
    Collection(actions.HpaResource, "resource-requirements"),
    Collection(workflows.WorkflowIntent, "temporal-workflow-intents"),
    Collection(workflows.WorkflowHookIntent, "temporal-action-controller"),
    Collection(workflows.WorkerIntent, "workers"),
    Collection(workflows.PolicyIntent, "policy-intents", is_named=True),
    Collection(workflows.Agent, "policy/agents", above=(POLICY_MODULE,), is_named=True),
)
"""Every model but ``PolicyModule``, whose one resource no document states."""


def _parent_of(collection: Collection) -> type[Resource] | None:
    return None if collection.above else collection.model.__emco__.parent


_BY_WORDS: dict[tuple[object, ...], Collection] = {
    (_parent_of(entry), *entry.path.split("/")): entry for entry in COLLECTIONS
}


def read_anchor(anchor: str) -> Place | Step:
    """Say what a path stands for: a collection in which a document puts a resource, or a step in a resource's life.

    Raises:
        UnknownAnchor: It stands for neither.
        InvalidResource: A name in it is not acceptable.
    """
    rest = anchor.split("/")
    parent: type[Resource] | None = None
    names: tuple[str, ...] = ()
    while True:
        entry, words = _next(parent, rest)
        if entry is None:
            return _step(anchor, parent, names, rest)
        rest = rest[words:]
        names += entry.above
        if not rest and not entry.is_named:
            return Place(entry, names)
        shown = len(entry.shown)
        if len(rest) < shown:
            message = f"{anchor!r:.200} ends in the middle of a name"
            raise UnknownAnchor(message)
        own = dict(zip(entry.shown, rest[:shown], strict=True)) | dict(entry.fixed)
        rest = rest[shown:]
        if not rest:
            if entry.is_named:
                return Place(entry, names, own["name"])
            message = f"{anchor!r:.200} is the path of one resource; an anchor ends with the collection or an action"
            raise UnknownAnchor(message)
        names += tuple(own[name] for name in entry.model.__emco__.key_fields)
        parent = entry.model


def _next(parent: type[Resource] | None, rest: list[str]) -> tuple[Collection | None, int]:
    for words in (1, 2):
        entry = _BY_WORDS.get((parent, *rest[:words]))
        if entry is not None:
            return entry, words
    return None, 0


def _step(anchor: str, target: type[Resource] | None, names: tuple[str, ...], rest: list[str]) -> Step:
    phases = _PHASES.get(target, ()) if target is not None else ()
    is_known = rest[-1] in ACTIONS and (len(rest) == 1 or (len(rest) == 2 and rest[0] in phases))  # noqa: PLR2004 - a phase and a verb
    if target is None or not is_known:
        message = f"{anchor!r:.200} leads nowhere: {'/'.join(rest)!r:.80} is unknown{_after(target)}"
        raise UnknownAnchor(message)
    return Step(Key(target.__emco__.kind, *names), "/".join(rest))


def _after(model: type[Resource] | None) -> str:
    return "" if model is None else f" below {model.__emco__.kind}"


def collection_of(key: Key) -> Collection | None:
    """Return the collection that a key lies in; None where no path leads to it."""
    for entry in COLLECTIONS:
        spec = entry.model.__emco__
        if spec.kind == key.kind:
            own = dict(zip(spec.key_fields, key.segments[-len(spec.key_fields) :], strict=True))
            above = key.segments[: -len(spec.key_fields)]
            if dict(entry.fixed).items() <= own.items() and entry.above in {(), above}:
                return entry
    return None


def write_anchor(key: Key) -> str | None:
    """Return the anchor of the document that states the resource with this key; None where there is none."""
    entry = collection_of(key)
    if entry is None:
        return None
    path = _path(entry.model, entry, key.segments)
    return path if entry.is_named else path.rsplit("/", len(entry.shown))[0]


def _path(model: type[Any], entry: Collection, names: tuple[str, ...]) -> str:
    """Return the path of one resource."""
    spec = model.__emco__
    own = dict(zip(spec.key_fields, names[-len(spec.key_fields) :], strict=True))
    path = "/".join((entry.path, *(own[name] for name in entry.shown)))
    if spec.parent is None or entry.above:
        return path
    parent = next(found for found in COLLECTIONS if found.model is spec.parent)
    return f"{_path(spec.parent, parent, names[: -len(spec.key_fields)])}/{path}"
