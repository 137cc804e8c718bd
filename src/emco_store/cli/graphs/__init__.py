"""Drawings of models and of data: a graph of either, written as a tree, as Mermaid or as DOT."""

from emco_store.cli.graphs.dot import draw_dot
from emco_store.cli.graphs.graph import Arrow, Box, Graph
from emco_store.cli.graphs.mermaid import draw_mermaid
from emco_store.cli.graphs.sources import MAX_BOXES, graph_around, graph_of_models
from emco_store.cli.graphs.states import (
    StateDiagram,
    Step,
    diagram_of,
    draw_state_dot,
    draw_state_mermaid,
    draw_state_tree,
    lifecycle_of,
)
from emco_store.cli.graphs.tree import draw_tree

__all__ = [
    "MAX_BOXES",
    "Arrow",
    "Box",
    "Graph",
    "StateDiagram",
    "Step",
    "diagram_of",
    "draw_dot",
    "draw_mermaid",
    "draw_state_dot",
    "draw_state_mermaid",
    "draw_state_tree",
    "draw_tree",
    "graph_around",
    "graph_of_models",
    "lifecycle_of",
]
