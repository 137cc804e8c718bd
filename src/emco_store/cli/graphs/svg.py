"""SVG: a graph as a picture, drawn without any other program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from emco_store.cli.graphs.graph import Arrow, Box, Graph
from emco_store.cli.graphs.layers import Link, Node, Route, lay_out
from emco_store.cli.graphs.palette import FAMILIES, INK, LINE, QUIET
from emco_store.core.rules import Rule

MARGIN = 28
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_TITLE, _DETAIL, _PLACE, _RULE = 8.2, 6.7, 6.7, 6.6  # widths of one character, in pixels, with some air
_LONGEST = 36
_PORT = 9.0
_HEAD = 7.0
_LOOP = 28.0
_STYLE = f"""
    text {{ font-family: {SANS}; fill: {INK}; }}
    .title {{ font: 600 13px {MONO}; }}
    .detail {{ font: 11px {MONO}; fill: {QUIET}; }}
    .place {{ font: 11px {MONO}; }}
    .rule {{ font: 700 8.5px {SANS}; letter-spacing: 0.3px; text-anchor: end; }}
    .box {{ fill: #ffffff; stroke: #cbd5e1; stroke-width: 1.2; }}
    .focus {{ fill: #fffbeb; stroke: #d97706; stroke-width: 2.4; }}
    .link {{ fill: none; stroke-width: 1.4; }}
    .parent {{ fill: none; stroke: {LINE}; stroke-width: 2.6; }}
    .legend {{ font: 11px {SANS}; fill: {QUIET}; }}
"""


@dataclass(frozen=True, slots=True)
class _Picture:
    """A graph with all its places.

    Attributes:
        nodes: The node of each box.
        lefts: Where each column begins, in pixels from the left.
        widths: The width of each column.
        ports: For each end of a route, where it meets its box.
        loops: For each box, its references to itself: they take the lower part of its node.
    """

    nodes: Mapping[str, Node]
    routes: Sequence[tuple[Arrow, Route]]
    lefts: Sequence[float]
    widths: Sequence[float]
    ports: Mapping[tuple[int, bool], float]
    loops: Mapping[str, Sequence[Arrow]]
    width: float
    height: float

    def frame(self, box_id: str) -> tuple[float, float, float, float]:
        """Give the rectangle of a box: left, top, width and height."""
        node = self.nodes[box_id]
        height = node.height - len(self.loops[box_id]) * _LOOP
        return self.lefts[node.column], node.y - node.height / 2, node.width, height


def draw_svg(graph: Graph) -> str:
    """Draw the graph: targets and parents on the left, those who refer to them on the right."""
    picture = _arrange(graph)
    rules = sorted({arrow.rule for arrow in graph.arrows if not arrow.is_parent})
    legend = list(_legend(rules, has_parents=any(arrow.is_parent for arrow in graph.arrows)))
    width = max(picture.width, 60.0 + 118 * (len(rules) + 2)) + 2 * MARGIN
    height = picture.height + 2 * MARGIN + (34 if legend else 0)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"  <title>{len(graph.boxes)} boxes, {len(graph.arrows)} arrows</title>",
        f"  <style>{_STYLE}  </style>",
        f'  <rect width="{width:.0f}" height="{height:.0f}" fill="#f8fafc"/>',
        f'  <g transform="translate({MARGIN} {MARGIN})">',
        *_drawn(graph, picture),
        "  </g>",
        f'  <g transform="translate({MARGIN} {height - MARGIN:.0f})">',
        *legend,
        "  </g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _arrange(graph: Graph) -> _Picture:
    arrows = sorted((arrow for arrow in graph.arrows if arrow.source != arrow.target), key=lambda a: not a.is_parent)
    loops = {box.id: [a for a in graph.arrows if a.source == a.target == box.id] for box in graph.boxes}
    nodes, routes, columns = lay_out(_sizes(graph, arrows, loops), [_link(arrow) for arrow in arrows])
    paired = list(zip(arrows, routes, strict=True))
    widths = [max((node.width for node in column), default=0.0) for column in columns]
    for box in nodes.values():
        box.width = widths[box.column]  # so that no line that leaves a narrow box runs under a wide one
    lefts: list[float] = []
    x = 0.0
    for number, width in enumerate(widths):
        lefts.append(x)
        x += width
        if number + 1 < len(columns):
            steepest = max((abs(node.y - other.y) for node in columns[number] for other in node.right), default=0.0)
            x += min(max(32.0, 0.16 * steepest), 84.0)
    height = max((node.y + node.height / 2 for column in columns for node in column), default=0.0)
    middles = {id(node): node.y - len(loops[name]) * _LOOP / 2 for name, node in nodes.items()}
    return _Picture(nodes, paired, lefts, widths, _ports(paired, middles), loops, x, height)


def _sizes(
    graph: Graph, arrows: Sequence[Arrow], loops: Mapping[str, Sequence[Arrow]]
) -> dict[str, tuple[float, float]]:
    """Give each box room for its text, and for the arrows on its busier side."""
    sizes: dict[str, tuple[float, float]] = {}
    for box in graph.boxes:
        held = sum(arrow.source == box.id for arrow in arrows)
        met = sum(arrow.target == box.id and not arrow.is_parent for arrow in arrows) + 1
        width = max(len(_short(box.title)) * _TITLE, len(_short(box.detail)) * _DETAIL) + 28
        own = loops[box.id]
        width = max([width, 90.0, *(_label_size(arrow)[0] + 2 * _LOOP for arrow in own)])
        sizes[box.id] = (width, max(42.0 if box.detail else 34.0, max(held, met) * _PORT + 10) + len(own) * _LOOP)
    return sizes


def _link(arrow: Arrow) -> Link:
    is_plain = arrow.is_parent and arrow.rule is Rule.RESTRICT
    label = None if is_plain else _label_size(arrow)
    return Link(arrow.target, arrow.source, label, weight=2 if arrow.is_parent else 1)


def _label_size(arrow: Arrow) -> tuple[float, float]:
    if arrow.is_parent:
        return len(arrow.rule) * _RULE + 14, 16.0
    return len(_short(arrow.place)) * _PLACE + len(arrow.rule) * _RULE + 22, 18.0


def _ports(routes: Sequence[tuple[Arrow, Route]], middles: Mapping[int, float]) -> dict[tuple[int, bool], float]:
    """Spread the ends of arrows over the sides of their boxes, in the order of where they come from.

    All children of a box meet it in one place, which makes a hierarchy look like one.
    """
    sides: dict[tuple[int, bool], dict[int, list[tuple[float, int]]]] = {}
    for number, (arrow, route) in enumerate(routes):
        for at_right in (False, True):
            box, near = (route.nodes[-1], route.nodes[-2]) if at_right else (route.nodes[0], route.nodes[1])
            shared = -1 if arrow.is_parent else number
            sides.setdefault((id(box), at_right), {}).setdefault(shared, []).append((near.y, number))
    ports: dict[tuple[int, bool], float] = {}
    for (box_id, at_right), groups in sides.items():
        ordered = sorted(groups.values(), key=lambda group: sum(y for y, _ in group) / len(group))
        for place, group in enumerate(ordered):
            y = middles[box_id] + (place - (len(ordered) - 1) / 2) * _PORT
            for _, number in group:
                ports[number, at_right] = y
    return ports


def _drawn(graph: Graph, picture: _Picture) -> Iterator[str]:
    numbered = list(enumerate(picture.routes))
    for number, (arrow, route) in sorted(numbered, key=lambda item: not item[1][0].is_parent):
        yield from _arrow(picture, number, arrow, route)
    families = {family: FAMILIES[n % len(FAMILIES)] for n, family in enumerate(sorted({b.family for b in graph.boxes}))}
    for box in graph.boxes:
        yield from _box(box, picture, families[box.family])
        for number, arrow in enumerate(picture.loops[box.id]):
            yield from _loop(arrow, picture, number)
    for arrow, route in picture.routes:
        if route.label is not None:
            yield from _label(arrow, picture.lefts[route.label.column], route.label)


def _arrow(picture: _Picture, number: int, arrow: Arrow, route: Route) -> Iterator[str]:
    first, *inner, last = route.nodes
    begin = (picture.lefts[first.column] + first.width, picture.ports[number, False])
    end = (picture.lefts[last.column], picture.ports[number, True])
    colour = LINE if arrow.is_parent else arrow.rule.colour
    points_left = not route.is_turned
    tip, back = (begin, 1) if points_left else (end, -1)
    if not arrow.is_parent:  # the line ends where the head begins
        begin, end = ((tip[0] + _HEAD, tip[1]), end) if points_left else (begin, (tip[0] - _HEAD, tip[1]))
    if arrow.is_parent:
        begin = (begin[0] + 2 * _HEAD, begin[1]) if points_left else begin
    path = _path(picture, begin, inner, end)
    style = 'class="parent"' if arrow.is_parent else f'class="link" stroke="{colour}"'
    yield f'    <path {style} d="{path}"/>'
    yield f'    <polygon fill="{colour}" points="{_head(tip, back, is_diamond=arrow.is_parent)}"/>'


def _path(picture: _Picture, begin: tuple[float, float], inner: Sequence[Node], end: tuple[float, float]) -> str:
    """Write a line that leaves and meets everything horizontally, with soft curves between the columns."""
    stops = [begin]
    for node in inner:
        if not picture.widths[node.column]:
            continue  # nothing stands in this column that the line would have to pass by
        left = picture.lefts[node.column]
        stops += [(left, node.y), (left + picture.widths[node.column], node.y)]
    stops.append(end)
    parts = [f"M{begin[0]:.1f} {begin[1]:.1f}"]
    for (x1, y1), (x2, y2) in pairwise(stops):
        middle = (x1 + x2) / 2
        is_level = abs(y1 - y2) < 0.05  # noqa: PLR2004 - less than can be seen
        parts.append(
            f"L{x2:.1f} {y2:.1f}" if is_level else f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        )
    return " ".join(parts)


def _head(tip: tuple[float, float], back: int, *, is_diamond: bool) -> str:
    x, y = tip
    corners = [(x, y), (x + back * _HEAD, y - 4), (x + back * _HEAD, y + 4)]
    if is_diamond:
        corners = [(x, y), (x + back * _HEAD, y - 4.5), (x + back * 2 * _HEAD, y), (x + back * _HEAD, y + 4.5)]
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)


def _box(box: Box, picture: _Picture, colour: str) -> Iterator[str]:
    x, y, width, height = picture.frame(box.id)
    middle = y + height / 2
    name = "focus" if box.is_focus else "box"
    yield f"    <g><title>{escape(box.id)}</title>"
    yield f'      <rect class="{name}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="7"/>'
    yield f'      <rect fill="{colour}" x="{x + 6:.1f}" y="{y + 8:.1f}" width="4" height="{height - 16:.1f}" rx="2"/>'
    title_y = middle - 3 if box.detail else middle + 4.5
    yield f'      <text class="title" x="{x + 18:.1f}" y="{title_y:.1f}">{escape(_short(box.title))}</text>'
    if box.detail:
        yield f'      <text class="detail" x="{x + 18:.1f}" y="{middle + 12:.1f}">{escape(_short(box.detail))}</text>'
    yield "    </g>"


def _label(arrow: Arrow, x: float, node: Node) -> Iterator[str]:
    colour, y = arrow.rule.colour, node.y
    place = "" if arrow.is_parent else _short(arrow.place)
    yield (
        f'    <rect fill="#f8fafc" stroke="{colour}" stroke-opacity="0.35" x="{x:.1f}" y="{y - node.height / 2:.1f}" '
        f'width="{node.width:.1f}" height="{node.height:.1f}" rx="{node.height / 2:.1f}"/>'
    )
    if place:
        yield f'    <text class="place" x="{x + 9:.1f}" y="{y + 3.8:.1f}">{escape(place)}</text>'
    at = x + node.width - 8
    yield f'    <text class="rule" x="{at:.1f}" y="{y + 3.2:.1f}" style="fill:{colour}">{arrow.rule}</text>'


def _loop(arrow: Arrow, picture: _Picture, number: int) -> Iterator[str]:
    """Draw a reference to the own kind beneath the box: out on the left, back on the right."""
    x, y, wide, high = picture.frame(arrow.source)
    bottom, inset = y + high, 12 + 5 * (len(picture.loops[arrow.source]) - 1 - number)
    left, right, level = x + inset, x + wide - inset, bottom + 18 + number * _LOOP
    colour = arrow.rule.colour
    path = f"M{left:.1f} {bottom:.1f} V{level - 8:.1f} q0 8 8 8 H{right - 8:.1f} q8 0 8 -8 V{bottom + _HEAD:.1f}"
    head = f"{right:.1f},{bottom:.1f} {right - 4:.1f},{bottom + _HEAD:.1f} {right + 4:.1f},{bottom + _HEAD:.1f}"
    yield f'    <path class="link" stroke="{colour}" d="{path}"/>'
    yield f'    <polygon fill="{colour}" points="{head}"/>'
    width, height = _label_size(arrow)
    yield from _label(arrow, x + (wide - width) / 2, Node(width, height, y=level))


def _legend(rules: Sequence[Rule], *, has_parents: bool) -> Iterator[str]:
    x = 0
    if has_parents:
        yield f'    <polygon fill="{LINE}" points="{_head((x, -4), 1, is_diamond=True)}"/>'
        yield f'    <path class="parent" d="M{x + 14} -4 h20"/>'
        yield f'    <text class="legend" x="{x + 42}">lies under (RESTRICT unless a label says more)</text>'
        x += 326
    for rule in rules:
        yield f'    <polygon fill="{rule.colour}" points="{_head((x, -4), 1, is_diamond=False)}"/>'
        yield f'    <path class="link" stroke="{rule.colour}" d="M{x + 7} -4 h22"/>'
        yield f'    <text class="legend" x="{x + 36}">{rule}</text>'
        x += 128


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
