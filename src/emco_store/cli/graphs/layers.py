"""Layers: put boxes into columns, so that every link goes from left to right and crosses few others.

The way of Sugiyama, Tagawa and Toda ("Methods for visual understanding of hierarchical system structures", 1981): break
cycles, give each box a rank, let long links and labels take room as nodes of their own, order the columns by
barycentres, then move the nodes towards their neighbours.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 24
"""Rounds of ordering and of placing; more change nothing that could be seen."""


@dataclass(slots=True)
class Node:
    """Something that takes room in a column: a box, a label, or the passage of a long link (of no width).

    Attributes:
        column: Its column; boxes stand in the even ones.
        y: The height of its middle.
    """

    width: float
    height: float
    column: int = 0
    y: float = 0.0
    is_box: bool = False
    left: list[Node] = field(default_factory=list, repr=False)
    right: list[Node] = field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A link to be laid out.

    Attributes:
        left: The box on its left, unless that would close a cycle.
        right: The box on its right.
        label: Width and height of its label; None without one.
        weight: How much it matters that it is short.
    """

    left: str
    right: str
    label: tuple[float, float] | None
    weight: int


@dataclass(frozen=True, slots=True)
class Route:
    """A link as it was laid out: its nodes from left to right, boxes included, and the one that holds the label."""

    nodes: tuple[Node, ...]
    label: Node | None
    is_turned: bool


def lay_out(
    sizes: Mapping[str, tuple[float, float]], links: Sequence[Link]
) -> tuple[dict[str, Node], list[Route], list[list[Node]]]:
    """Give each box a node with its column and height, each link its route, and all nodes by column.

    Args:
        sizes: Width and height of each box; their order is the order to prefer.
        links: The links, the most important first; none from a box to itself.
    """
    turned = _turned(links)
    ends = [
        (link.right, link.left) if turn else (link.left, link.right) for link, turn in zip(links, turned, strict=True)
    ]
    ranks = _ranks(list(sizes), ends, [link.weight for link in links])
    boxes = {name: Node(width, height, 2 * ranks[name], is_box=True) for name, (width, height) in sizes.items()}
    routes = [
        _route(boxes[left], boxes[right], link, is_turned=turn)
        for link, turn, (left, right) in zip(links, turned, ends, strict=True)
    ]
    columns = _columns(boxes, routes)
    _order(columns)
    _place(columns)
    return boxes, routes, columns


def _turned(links: Sequence[Link]) -> list[bool]:
    """Tell which links must run the other way, because they would close a cycle with those before them."""
    after: dict[str, set[str]] = defaultdict(set)
    turned: list[bool] = []
    for link in links:
        turn = _reaches(after, link.right, link.left)
        turned.append(turn)
        if turn:
            after[link.right].add(link.left)
        else:
            after[link.left].add(link.right)
    return turned


def _reaches(after: Mapping[str, set[str]], start: str, end: str) -> bool:
    seen, stack = {start}, [start]
    while stack:
        at = stack.pop()
        if at == end:
            return True
        fresh = after.get(at, set()) - seen
        seen |= fresh
        stack.extend(fresh)
    return False


def _ranks(names: Sequence[str], ends: Sequence[tuple[str, str]], weights: Sequence[int]) -> dict[str, int]:
    """Rank each box behind all on its left, then pull it to the side where more of its links are."""
    ranks = dict.fromkeys(names, 0)
    for _ in names:
        before = dict(ranks)
        for left, right in ends:
            ranks[right] = max(ranks[right], ranks[left] + 1)
        if ranks == before:
            break
    lefts: dict[str, list[str]] = defaultdict(list)
    rights: dict[str, list[str]] = defaultdict(list)
    pull: dict[str, int] = defaultdict(int)
    for (left, right), weight in zip(ends, weights, strict=True):
        rights[left].append(right)
        lefts[right].append(left)
        pull[left] += weight
        pull[right] -= weight
    for _ in range(SWEEPS):
        for name in sorted(names, key=lambda name: -ranks[name]):
            if pull[name] > 0 and rights[name]:
                ranks[name] = min(ranks[other] for other in rights[name]) - 1
            elif pull[name] < 0 and lefts[name]:
                ranks[name] = max(ranks[other] for other in lefts[name]) + 1
    least = min(ranks.values(), default=0)
    return {name: rank - least for name, rank in ranks.items()}


def _route(left: Node, right: Node, link: Link, *, is_turned: bool) -> Route:
    """Make the nodes between two boxes; the label stands next to the box that holds the reference."""
    inner = [Node(0, 6, column) for column in range(left.column + 1, right.column)]
    label = None
    if link.label is not None:
        label = inner[0] if is_turned else inner[-1]
        label.width, label.height = link.label
    nodes = (left, *inner, right)
    for before, behind in pairwise(nodes):
        before.right.append(behind)
        behind.left.append(before)
    return Route(nodes, label, is_turned)


def _columns(boxes: Mapping[str, Node], routes: Sequence[Route]) -> list[list[Node]]:
    """Sort all nodes into columns, in the order in which a walk along the links meets them."""
    count = max((node.column for node in boxes.values()), default=-1) + 1
    columns: list[list[Node]] = [[] for _ in range(count)]
    seen: set[int] = set()
    for box in boxes.values():
        stack = [box] if not box.left else []
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            columns[node.column].append(node)
            stack.extend(reversed(node.right))
    assert all(id(node) in seen for route in routes for node in route.nodes)  # noqa: S101 - every node has a leftmost one
    return columns


def _order(columns: list[list[Node]]) -> None:
    """Order the nodes of each column by the middle of their neighbours, and keep the best of all rounds."""
    best, fewest = [list(column) for column in columns], _crossings(columns)
    for sweep in range(SWEEPS):
        to_right = sweep % 2 == 0
        for column in columns if to_right else reversed(columns):
            at = {id(node): place for other in columns for place, node in enumerate(other)}
            column.sort(key=lambda node: _barycentre(node.left if to_right else node.right, at, node))
        crossings = _crossings(columns)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    columns[:] = best
    _exchange(columns)


def _barycentre(neighbours: Sequence[Node], at: Mapping[int, int], node: Node) -> float:
    if not neighbours:
        return at[id(node)]
    return sum(at[id(other)] for other in neighbours) / len(neighbours)


def _crossings(columns: Sequence[Sequence[Node]]) -> int:
    return sum(_crossings_between(left, right) for left, right in pairwise(columns))


def _crossings_between(left: Sequence[Node], right: Sequence[Node]) -> int:
    at = {id(node): place for place, node in enumerate(right)}
    seen: list[int] = []
    crossings = 0
    for node in left:
        ends = sorted(at[id(other)] for other in node.right)
        crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
        for end in ends:
            insort(seen, end)
    return crossings


def _exchange(columns: list[list[Node]]) -> None:
    """Exchange neighbours in a column wherever that takes crossings away."""
    for _ in range(SWEEPS):
        gained = False
        for column in columns:
            for place in range(len(column) - 1):
                upper, lower = column[place : place + 2]
                if _pair_crossings(lower, upper, columns) < _pair_crossings(upper, lower, columns):
                    column[place : place + 2] = [lower, upper]
                    gained = True
        if not gained:
            return


def _pair_crossings(upper: Node, lower: Node, columns: Sequence[Sequence[Node]]) -> int:
    crossings = 0
    for side, mine, others in ((-1, upper.left, lower.left), (1, upper.right, lower.right)):
        if mine and others:
            at = {id(node): place for place, node in enumerate(columns[upper.column + side])}
            crossings += sum(at[id(a)] > at[id(b)] for a in mine for b in others)
    return crossings


def _place(columns: Sequence[Sequence[Node]]) -> None:
    """Give each node its height: as near to its neighbours as the others of its column allow."""
    for column in columns:
        for place, node in enumerate(column):
            node.y = 0.0 if place == 0 else column[place - 1].y + _distance(column[place - 1], node)
    for sweep in range(2 * SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wishes = [_wish(node) for node in column]
            _settle(column, wishes)
    top = min((node.y - node.height / 2 for column in columns for node in column), default=0.0)
    for column in columns:
        for node in column:
            node.y -= top


def _distance(upper: Node, lower: Node) -> float:
    gap = 16.0 if upper.is_box and lower.is_box else 7.0
    return (upper.height + lower.height) / 2 + gap


def _wish(node: Node) -> tuple[float, float]:
    """Give the height that a node would like, and how much it insists; a long link insists on being straight."""
    total = weight = 0.0
    for other in (*node.left, *node.right):
        pull = 1.0 if node.is_box and other.is_box else 2.0 if node.is_box or other.is_box else 8.0
        total += pull * other.y
        weight += pull
    return (total / weight, weight) if weight else (node.y, 1.0)


def _settle(column: Sequence[Node], wishes: Sequence[tuple[float, float]]) -> None:
    """Place a column nearest to its wishes (least squares) without changing its order.

    The pool-adjacent-violators algorithm: nodes that would overlap form a block, which stands at its members' mean.
    """
    offsets = [0.0]
    for upper, lower in pairwise(column):
        offsets.append(offsets[-1] + _distance(upper, lower))
    blocks: list[tuple[float, float, int]] = []
    for (wish, weight), offset in zip(wishes, offsets, strict=False):
        middle, total, size = wish - offset, weight, 1
        while blocks and blocks[-1][0] > middle:
            above, its_weight, its_size = blocks.pop()
            middle = (middle * total + above * its_weight) / (total + its_weight)
            total, size = total + its_weight, size + its_size
        blocks.append((middle, total, size))
    heights = [middle for middle, _, size in blocks for _ in range(size)]
    for node, height, offset in zip(column, heights, offsets, strict=False):
        node.y = height + offset
