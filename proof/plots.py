"""Small bar charts as SVG, without any library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10
from typing import Final

_WIDTH: Final = 720
_LABEL: Final = 260
_NUMBER: Final = 90
_ROW: Final = 24
_HEAD: Final = 40
_STYLE: Final = "font-family='sans-serif' font-size='12' fill='#222'"


def bars(title: str, rows: Sequence[tuple[str, float]], *, unit: str = "", logarithmic: bool = False) -> str:
    """Draw one bar for each row.

    Args:
        title: The title.
        rows: A label and a value (>= 0) for each bar.
        unit: The unit, written after the values.
        logarithmic: Whether the scale is logarithmic, for values that differ widely.
    """
    height = _HEAD + _ROW * len(rows) + 8
    longest = max((_length(value, logarithmic=logarithmic) for _, value in rows), default=0.0) or 1.0
    head = f"{title} (logarithmic)" if logarithmic else title
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' role='img'>",
        f"<title>{escape(title)}</title>",
        "<rect width='100%' height='100%' fill='#fff'/>",
        f"<text x='8' y='22' {_STYLE} font-weight='bold'>{escape(head)}</text>",
    ]
    for at, (label, value) in enumerate(rows):
        y = _HEAD + at * _ROW
        width = (_WIDTH - _LABEL - _NUMBER) * _length(value, logarithmic=logarithmic) / longest
        shown = f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"
        parts += [
            f"<text x='8' y='{y + 14}' {_STYLE}>{escape(label)}</text>",
            f"<rect x='{_LABEL}' y='{y + 2}' width='{max(width, 1):.1f}' height='{_ROW - 8}' fill='#2a6f97'/>",
            f"<text x='{_LABEL + width + 6:.1f}' y='{y + 14}' {_STYLE}>{shown} {escape(unit)}</text>",
        ]
    return "\n".join([*parts, "</svg>", ""])


def _length(value: float, *, logarithmic: bool) -> float:
    return log10(1 + value) if logarithmic else value
