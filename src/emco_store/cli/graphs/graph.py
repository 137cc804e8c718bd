"""Graphs to draw: boxes for kinds or resources, arrows for parents and references."""

from __future__ import annotations

from dataclasses import dataclass

from emco_store.core.rules import Rule


@dataclass(frozen=True, slots=True)
class Box:
    """A kind, or one resource.

    Attributes:
        id: Unique in the graph.
        kind: The name of its kind.
        title: The first line.
        detail: The second line: the key fields of a kind, unless ``name`` is the only one; the kind of a resource.
        family: The root of its hierarchy of kinds.
        is_focus: True for the resource around which the graph was drawn.
    """

    id: str
    kind: str
    title: str
    detail: str
    family: str
    is_focus: bool = False


@dataclass(frozen=True, slots=True)
class Arrow:
    """One reference, or a field for references in a model.

    Attributes:
        source: The box of the referrer.
        target: The box of the target; for a parent edge, the parent.
        place: Its path: ``clusters[0]`` in a resource, ``clusters[]`` in a model, ``parent``.
        rule: Its delete rule.
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
        cut: Minimum number of boxes that were left out because there are too many.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    cut: int = 0
