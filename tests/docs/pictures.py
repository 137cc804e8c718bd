"""Draw the pictures of the landing page from its own code: ``python -m tests.docs.pictures`` writes them.

The Python blocks of ``docs/index.md`` run; what they made is planned, changed by two services and drawn. So a picture
shows what the library says and does, and a test compares the files with it. Graphviz, which must be installed to write
them, lays the graph out; its versions do not draw alike, so a drawing names the text that it was made from.
"""

from __future__ import annotations

import colorsys
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.style import Style

from emco_store import Conflict, MemoryBackend, Resource, Store, Transaction, connect
from emco_store.cli.graphs import draw_dot, graph_of_models
from emco_store.cli.plans import plan_tree
from tests.docs.typed_blocks import module_of

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "pictures"
WIDTH = 72
"""Columns of the terminal."""
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_BACKGROUND = {"light": "#ffffff", "dark": "#131416"}
"""The page, behind the picture."""


def pictures() -> dict[str, str]:
    """Return the text of each picture, and of the graph before it is laid out, by the name of its file."""
    source = DOCS / "index.md"
    page: dict[str, Any] = {"__name__": "models"}
    code = compile(module_of(source.read_text("utf-8")), source, "exec", dont_inherit=True)
    exec(code, page)  # noqa: S102 - our own page, which runs as a test as well
    models = [value for value in page.values() if _is_kind(value)]
    return {
        "plan.html": _terminal(
            "emco-store delete Project/shop --plan --store $URL", plan_tree(page["store"].plan_delete(page["shop"]))
        ),
        "lost-update.html": _lost_update(page["Cluster"]),
        "graph.dot": draw_dot(graph_of_models(models)),
    }


def drawings(dot: str) -> dict[str, str]:
    """Return the graph as Graphviz lays it out, for each theme, by the name of its file."""
    command = ["dot", "-Tsvg", f"-Gbgcolor={_BACKGROUND['light']}", "-Gpad=0.2"]
    svg = subprocess.run(command, input=dot, capture_output=True, text=True, check=True).stdout
    svg = f"{svg[svg.index('<svg') :].rstrip()}\n{mark_of(dot)}\n"
    return {
        "graph-light.svg": svg,
        "graph-dark.svg": _COLOUR.sub(lambda found: _darkened(found[0]), svg.replace("white", _BACKGROUND["light"])),
    }


def mark_of(dot: str) -> str:
    """Return the comment by which a drawing names the text that it was made from."""
    return f"<!-- of the text with the SHA-256 {hashlib.sha256(dot.encode()).hexdigest()} -->"


def _is_kind(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Resource) and value is not Resource


# a terminal


def _terminal(command: str, shown: RenderableType) -> str:
    """Return what a command shows as HTML, with a class for each colour."""
    console = Console(file=StringIO(), width=WIDTH, force_terminal=True, color_system="standard", legacy_windows=False)
    text = "".join(_span(part.text, part.style) for part in console.render(shown) if not part.control)
    prompt = f'<span class="t-dim">$ </span><span class="t-bold">{escape(command)}</span>'
    return f'<pre class="picture terminal">{prompt}\n{text.rstrip()}</pre>\n'


def _span(text: str, style: Style | None) -> str:
    names = list(_names(style)) if style and text.strip() else []
    return f'<span class="{" ".join(names)}">{escape(text)}</span>' if names else escape(text)


def _names(style: Style) -> Iterator[str]:
    if style.bold:
        yield "t-bold"
    if style.dim:
        yield "t-dim"
    if style.color is not None and style.color.name != "default":
        yield f"t-{style.color.name.replace('_', '-')}"


# two services


class _Service:
    """One of two services: what it does is shown in its column.

    Args:
        column: Its number, from 1.
        store: Its store.
        rows: The rows of the picture; each call adds one.
    """

    def __init__(self, column: int, store: Store, rows: list[str]) -> None:
        self.store = store
        self._column = column
        self._rows = rows

    def say(self, call: str, result: str, mood: str = "") -> None:
        """Add a call and its result."""
        self._rows.append(
            f'<div class="step column-{self._column} {mood}" style="grid-row: {len(self._rows) + 2}">'
            f"<code>{escape(call)}</code><span>{escape(result)}</span></div>"
        )


def _lost_update(model: type[Any]) -> str:
    """Return the race of two services for one resource as HTML, with the versions and texts of the library."""
    backend, rows = MemoryBackend(), list[str]()
    with connect(backend, namespace="race") as one, connect(backend, namespace="race") as two:
        first, second = _Service(1, one, rows), _Service(2, two, rows)
        cluster = one.create(model(name="eu"))

        def read(service: _Service) -> Any:
            found = service.store.get(cluster)
            service.say('get(Cluster, "eu")', f"version {found.meta.version}, nodes={found.nodes}")
            return found

        def more(found: Any) -> Any:
            return found.model_copy(update={"nodes": found.nodes + 1})

        seen, also_seen = read(first), read(second)
        written = one.update(more(seen))
        first.say(f"update(nodes={written.nodes})", f"version {written.meta.version}", "good")
        try:
            two.update(more(also_seen))
        except Conflict as error:
            second.say(f"update(nodes={also_seen.nodes + 1})", f"Conflict: {error.what}", "bad")

        def add_a_node(tx: Transaction) -> Any:
            return tx.update(more(tx.get(cluster)))

        end = two.run(add_a_node)
        second.say("run(add_a_node)", f"version {end.meta.version}, nodes={end.nodes}", "good")
    return "\n".join(
        [
            '<div class="picture race">',
            '<div class="head column-1">one service</div><div class="head column-2">another service</div>',
            *rows,
            "</div>\n",
        ]
    )


# a graph


def _darkened(colour: str) -> str:
    """Return a colour of the same hue that is about as far from black as this one is from white."""
    if colour == _BACKGROUND["light"]:
        return _BACKGROUND["dark"]
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    turned = colorsys.hls_to_rgb(hue, max(0.13, 1 - light, 0.68 if 0.3 < light < 0.7 else 0), saturation)
    return "#" + "".join(f"{round(part * 255):02x}" for part in turned)


def main() -> int:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    texts = pictures()
    for name, text in (texts | drawings(texts["graph.dot"])).items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
