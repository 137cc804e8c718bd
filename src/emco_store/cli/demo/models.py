"""The models of the demonstration: small, with every delete rule that it shows."""

from __future__ import annotations

from typing import Annotated

from emco_store import CASCADE, REMOVE, SET_NULL, Ref, Resource, indexed, on_delete, unique


class Project(Resource):
    """A root: the parent of everything that one customer has."""

    description: str = ""


class CompositeApp(Resource, parent=Project, key=("name", "version")):
    """A version of an application; a project cannot be deleted while it has one."""

    version: str


class App(Resource, parent=CompositeApp, on_parent_delete=CASCADE):
    """A part of an application; it is deleted with it."""

    chart: Annotated[str, unique()]
    replicas: int = 1


class Provider(Resource):
    """Who runs clusters."""


class Cluster(Resource, parent=Provider):
    """Where apps run."""

    region: Annotated[str, indexed()] = ""


class Placement(Resource, parent=CompositeApp, on_parent_delete=CASCADE):
    """Which app runs on which clusters."""

    app: Ref[App]
    clusters: Annotated[list[Ref[Cluster]], on_delete(REMOVE)] = []
    standby: Annotated[Ref[Cluster] | None, on_delete(SET_NULL)] = None


MODELS: tuple[type[Resource], ...] = (Project, CompositeApp, App, Provider, Cluster, Placement)
