"""A whole deployment of EMCO's catalogue, and steps of its life, for the breakages of lifecycles."""

from __future__ import annotations

from typing import Any

from emco_store import Key, Resource
from emco_store.emco import (
    App,
    AppProfile,
    CloudLifecycle,
    Cluster,
    ClusterProvider,
    ClusterReference,
    CompositeApp,
    CompositeProfile,
    DeploymentIntentGroup,
    DigLifecycle,
    GenericAppPlacementIntent,
    GenericPlacementIntent,
    GroupIntent,
    LogicalCloud,
    Project,
)


def group_of(name: str, version: str = "v1") -> Key:
    """Return the key of the deployment in a project."""
    return Key("DeploymentIntentGroup", name, "shop", version, "g")


def cloud_of(name: str) -> Key:
    """Return the key of the logical cloud of a project."""
    return Key("LogicalCloud", name, "lc")


def placement(name: str, own: str = "web", version: str = "v1") -> GenericAppPlacementIntent:
    """Return a placement of the app on the one cluster."""
    return GenericAppPlacementIntent(
        parent=Key("GenericPlacementIntent", name, "shop", version, "g", "place"), name=own,
        spec={"app": "web", "intent": {"allOf": [{"clusterProvider": name, "cluster": "c1"}]}},
    )  # fmt: skip


def application(name: str, version: str = "v1") -> list[Resource]:
    """Return a version of the composite application, with its deployment, in an order in which it can be created."""
    composite, group = Key("CompositeApp", name, "shop", version), group_of(name, version)
    spec = {"compositeProfile": "small", "version": "r1", "logicalCloud": "lc"}
    return [
        CompositeApp(parent=Key("Project", name), name="shop", version=version),
        App(parent=composite, name="web", file="web-1.tgz"),
        CompositeProfile(parent=composite, name="small"),
        AppProfile(parent=Key("CompositeProfile", *composite.segments, "small"), name="web", spec={"app": "web"}),
        DeploymentIntentGroup(parent=composite, name="g", spec=spec),
        GenericPlacementIntent(parent=group, name="place"),
        placement(name, version=version),
        GroupIntent(parent=group, name="intents", spec={"intent": {"genericPlacementIntent": "place"}}),
    ]


def deployment(name: str) -> list[Resource]:
    """Return all that a deployment needs, in an order in which it can be created."""
    return [
        Project(name=name),
        ClusterProvider(name=name),
        Cluster(parent=Key("ClusterProvider", name), name="c1"),
        LogicalCloud(parent=Key("Project", name), name="lc", spec={"level": "1", "namespace": "ns"}),
        ClusterReference(parent=cloud_of(name), name="r", spec={"clusterProvider": name, "cluster": "c1"}),
        *application(name),
    ]


def launch_cloud(on: Any, name: str) -> None:
    """Instantiate the logical cloud, through a store or a transaction."""
    on.transition(on.get(LogicalCloud, *cloud_of(name).segments), CloudLifecycle.instantiate)


def approve(on: Any, name: str, version: str = "v1") -> None:
    """Approve the deployment as it is, through a transaction."""
    group = on.get(DeploymentIntentGroup, *group_of(name, version).segments)
    on.transition(group, DigLifecycle.approve, digest=on.digest(group))


def furnish(store: Any, name: str = "p") -> None:
    """Store a deployment that is approved, in a logical cloud that is instantiated."""
    with store.transaction() as tx:
        for resource in deployment(name):
            tx.create(resource)
        launch_cloud(tx, name)
        approve(tx, name)


def start(store: Any, name: str = "p", version: str = "v1") -> Any:
    """Instantiate the deployment, and return its lifecycle record."""
    return store.transition(
        store.get(DeploymentIntentGroup, *group_of(name, version).segments), DigLifecycle.instantiate
    )


def report(rsync: Any, step: Any, name: str = "p", version: str = "v1") -> Any:
    """Report the end of the operation that is under way, as rsync."""
    group = rsync.get(DeploymentIntentGroup, *group_of(name, version).segments)
    return rsync.transition(group, step, operation=rsync.lifecycle(group).operation)
