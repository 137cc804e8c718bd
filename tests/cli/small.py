"""Small models, as a user of ``--models`` would have them: every form of edge that a drawing shows."""

from __future__ import annotations

from typing import Annotated

from emco_store import CASCADE, REMOVE, SET_NULL, Ref, Resource, indexed, on_delete


class Shelf(Resource):
    """A root."""

    floor: Annotated[int, indexed()] = 0
    labels: set[str] = set()


class Box(Resource, parent=Shelf, on_parent_delete=CASCADE, key=("name", "size")):
    """A child with a reference to its own kind."""

    size: str
    beside: Annotated[Ref[Box] | None, on_delete(SET_NULL)] = None


class Tag(Resource):
    """What refers to several."""

    boxes: Annotated[list[Ref[Box]], on_delete(REMOVE)] = []
    home: Ref[Shelf]
