"""Cycles in a directed graph with labelled edges, in time about linear in its size."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

SEARCHES = 50
"""Number of edges from which a cycle is searched; each costs one search of the component."""


class Edge(NamedTuple):
    """An edge: ``source`` comes before ``target``. A tuple, because there are millions of them.

    Attributes:
        source: A node.
        target: A node.
        kind: The reason.
        about: The list or register that it is about, for people.
    """

    source: int
    target: int
    kind: str
    about: str = ""


@dataclass(slots=True)
class Graph:
    """A graph whose nodes are numbers, from 0."""

    size: int = 0
    edges: list[Edge] = field(default_factory=list[Edge])

    def add_node(self) -> int:
        """Add a node and return it."""
        self.size += 1
        return self.size - 1

    def add(self, source: int, target: int, kind: str, about: str = "") -> None:
        """Add an edge, unless it goes from a node to itself."""
        if source != target:
            self.edges.append(Edge(source, target, kind, about))

    def components(self, kinds: Collection[str], within: Collection[int] | None = None) -> list[set[int]]:
        """Return the sets of two or more nodes that can all be reached from each other, by edges of these kinds."""
        following: dict[int, list[int]] = defaultdict(list)
        for edge in self.edges if within is None else self.inside(within):
            if edge.kind in kinds:
                following[edge.source].append(edge.target)
        return [found for found in _components(following) if len(found) > 1]

    def inside(self, nodes: Collection[int]) -> list[Edge]:
        """Return the edges between these nodes."""
        return [edge for edge in self.edges if edge.source in nodes and edge.target in nodes]


def _components(following: dict[int, list[int]]) -> Iterator[set[int]]:
    """Yield the strongly connected components, by Tarjan's algorithm without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    for root in list(following):
        if root in index:
            continue
        work: list[tuple[int, Iterator[int]]] = [(root, iter(following[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(following.get(target, ()))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _popped(stack, on_stack, node)


def _popped(stack: list[int], on_stack: set[int], until: int) -> set[int]:
    found: set[int] = set()
    while until not in found:
        node = stack.pop()
        on_stack.discard(node)
        found.add(node)
    return found


def _path(leaving: Mapping[int, Sequence[Edge]], source: int, target: int) -> list[Edge] | None:
    """Return a shortest path from one node to another, or None."""
    came: dict[int, Edge] = {}
    queue = deque([source])
    while queue:
        for edge in leaving.get(queue.popleft(), ()):
            if edge.target in came or edge.target == source:
                continue
            came[edge.target] = edge
            if edge.target == target:
                return _walked(came, source, target)
            queue.append(edge.target)
    return None


def _walked(came: Mapping[int, Edge], source: int, target: int) -> list[Edge]:
    walked: list[Edge] = []
    node = target
    while node != source:
        walked.append(came[node])
        node = came[node].source
    return walked[::-1]


def cycle_through(first: Iterable[Edge], others: Iterable[Edge]) -> list[Edge] | None:
    """Return a short cycle of one edge in ``first`` and then edges in ``others``, with a bounded search."""
    leaving: dict[int, list[Edge]] = defaultdict(list)
    for edge in others:
        leaving[edge.source].append(edge)
    best: list[Edge] | None = None
    for edge in islice(first, SEARCHES):
        back = _path(leaving, edge.target, edge.source)
        if back is not None and (best is None or len(back) + 1 < len(best)):
            best = [edge, *back]
    return best
