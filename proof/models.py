"""The resources of the reference races: hot targets, and all kinds of resources that refer to them."""

from __future__ import annotations

from typing import Annotated

from emco_store.core.indexing import unique
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule


class Hub(Resource):
    """A hot target: all others refer to hubs."""

    note: int = 0


class Pin(Resource):
    """Blocks the delete of its hub."""

    to: Ref[Hub]


class Spoke(Resource, parent=Hub, on_parent_delete=Rule.CASCADE):
    """A child that is deleted with its hub."""

    code: Annotated[str | None, unique()] = None


class Rim(Resource, parent=Spoke, on_parent_delete=Rule.CASCADE):
    """A grandchild that is deleted with its parent."""


class Follower(Resource):
    """Is deleted with its hub."""

    to: Annotated[Ref[Hub], on_delete(Rule.CASCADE)]


class Watcher(Resource):
    """Stays, and loses its references to deleted hubs."""

    to: Annotated[Ref[Hub] | None, on_delete(Rule.SET_NULL)] = None
    among: Annotated[list[Ref[Hub]], on_delete(Rule.REMOVE)] = []
