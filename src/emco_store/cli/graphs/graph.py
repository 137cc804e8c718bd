"""A graph to be drawn: boxes for kinds or resources, arrows for parents and references."""

from __future__ import annotations

from dataclasses import dataclass

from emco_store.core.rules import Rule


@dataclass(frozen=True, slots=True)
class Box:
    """A kind, or one resource.

    Attributes:
        id: Tells it from all other boxes of the graph.
        kind: The name of its kind.
        title: What a reader looks for first.
        detail: A second line: of a kind the fields of its key, unless it is the name alone; of a resource its kind.
        family: The kind at the top of its hierarchy.
        is_focus: True for the resource that the graph was asked for.
    """

    id: str
    kind: str
    title: str
    detail: str
    family: str
    is_focus: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """One reference, or the place of one in a model.

    Attributes:
        source: The box that holds it.
        target: The box that it points to; for a parent edge the parent.
        place: Where it stands: ``clusters[0]`` in a resource, ``clusters[]`` in a model, ``parent``.
        rule: What the delete of the target does to it.
    """

    source: str
    target: str
    place: str
    rule: Rule
    is_parent: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes and arrows, each in the order of their ids.

    Attributes:
        boxes: The boxes.
        arrows: The arrows; both ends of each are among the boxes.
        cut: How many boxes were left out because there are too many; at least so many.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    cut: int = 0
