"""A part of EMCO's catalogue, as far as the breakages need it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel

from emco_store import CASCADE, Opaque, Ref, Resource, Store, indexed, on_delete, reference, some_of


class Project(Resource):
    """A tenant."""

    description: str = ""


class CompositeApp(Resource, parent=Project, key=("name", "version")):
    """An application made of several."""

    version: str
    description: str = ""


class App(Resource, parent=CompositeApp):
    """One application, with its chart."""

    chart: str = ""


class CompositeProfile(Resource, parent=CompositeApp):
    """Values for the charts of a composite app."""


class AppProfile(Resource, parent=CompositeProfile):
    """Values for one chart."""

    app: Annotated[Ref[App], indexed()]


class LogicalCloud(Resource, parent=Project):
    """Where a project may deploy."""


class Action(BaseModel, extra="forbid"):
    """One entry in the history of a group."""

    state: str
    instance: str = ""


class Group(Resource, parent=CompositeApp):
    """A deployment intent group: what is deployed, with which profile, where, and its history."""

    profile: Ref[CompositeProfile]
    cloud: Ref[LogicalCloud]
    overrides: dict[str, Any] = {}
    history: list[Action] = []


class Intent(Resource, parent=Group, on_parent_delete=CASCADE):
    """A part of a group's intent."""

    app: Ref[App] | None = None
    content: str = ""


class Provider(Resource):
    """Who provides clusters."""


class SyncObject(Resource, parent=Provider):
    """Something else under a provider."""


class Cluster(Resource, parent=Provider):
    """One cluster."""


class Kubeconfig(Resource, parent=Cluster, on_parent_delete=CASCADE):
    """How a cluster is reached."""

    text: Opaque = {}


class ClusterReference(Resource, parent=LogicalCloud):
    """A cluster that a logical cloud may use."""

    cluster: Ref[Cluster]


class Label(Resource, parent=Cluster):
    """What clusters are chosen by."""

    name: Annotated[str, indexed()]


class Placement(Resource, parent=Group, on_parent_delete=CASCADE):
    """Where something goes: to the clusters of a provider that bear a label."""

    provider: str
    label: Annotated[str, some_of(Label, where={"Provider": "provider"})]


class Customization(Resource, parent=Group):
    """A change that is meant for one cluster only while it says so."""

    specific: bool = False
    scope: str = ""
    cluster: Annotated[Ref[Cluster] | None, reference(when={"specific": True, "scope": "name"})] = None


class Controller(Resource, key=("group", "name")):
    """A service, in one of several groups."""

    group: str
    port: int = 0


class Registration(Resource):
    """Who needs which controller."""

    controller: Annotated[Ref[Controller], on_delete(CASCADE)]
    needed: Ref[Controller] | None = None


def furnish(store: Store) -> dict[str, Any]:
    """Create what most breakages begin with, and give it by name."""
    project = store.create(Project(name="p"))
    composite = store.create(CompositeApp(parent=project, name="shop", version="v1"))
    app = store.create(App(parent=composite, name="web"))
    profile = store.create(CompositeProfile(parent=composite, name="small"))
    cloud = store.create(LogicalCloud(parent=project, name="lc"))
    group = store.create(Group(parent=composite, name="g", profile=profile, cloud=cloud))
    provider = store.create(Provider(name="edge"))
    cluster = store.create(Cluster(parent=provider, name="c1"))
    return {
        "project": project,
        "composite": composite,
        "app": app,
        "profile": profile,
        "cloud": cloud,
        "group": group,
        "provider": provider,
        "cluster": cluster,
    }
