"""Simple plots as SVG, with logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Any

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#000000")
"""Okabe and Ito's, which the colour-blind can tell apart."""


def plot(curve: Mapping[str, Any]) -> str:
    """Draw one curve of the results file."""
    series = [(one["name"], [(x, y) for x, y in one["points"] if x > 0 and y > 0]) for one in curve["series"]]
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    if not xs:
        return ""
    across, up = _Scale(xs, LEFT, WIDTH - RIGHT), _Scale(ys, HEIGHT - BOTTOM, TOP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>{escape(curve["title"])}</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff"/>'
    )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts = [
        head,
        _text(LEFT, 22, curve["title"], 'font-weight="bold"'),
        *(_tick_x(across.at(10.0**power), power) for power in across.powers),
        *(_tick_y(up.at(10.0**power), power) for power in up.powers),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, curve["x"], 'text-anchor="middle"'),
        _text(14, middle, curve["y"], f'text-anchor="middle" transform="rotate(-90 14 {middle})"'),
    ]
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        places = [(across.at(x), up.at(y)) for x, y in points]
        parts.append(_line(places, colour))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        row = TOP + 12 + 20 * number
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{row - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 32, row, name))
    return "\n".join([*parts, "</svg>", ""])


class _Scale:
    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self._low, self._high = floor(log10(min(values))), ceil(log10(max(values)))
        if self._low == self._high:
            self._high += 1
        self._begin, self._end = begin, end

    @property
    def powers(self) -> range:
        return range(self._low, self._high + 1)

    def at(self, value: float) -> float:
        part = (log10(value) - self._low) / (self._high - self._low)
        return self._begin + part * (self._end - self._begin)


def _line(places: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _tick_x(x: float, power: int) -> str:
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#dddddd"/>'
    return line + _text(x, HEIGHT - BOTTOM + 18, _number(power), 'text-anchor="middle"')


def _tick_y(y: float, power: int) -> str:
    line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>'
    return line + _text(LEFT - 8, y + 4, _number(power), 'text-anchor="end"')


def _number(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:.{-power}f}"


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#222222" {more}>{escape(text)}</text>'
