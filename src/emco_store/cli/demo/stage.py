"""The stage of the demonstration: one style for titles, code, results and verdicts."""

from __future__ import annotations

import inspect

from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule as Line
from rich.syntax import Syntax
from rich.text import Text

from emco_store import Resource, StoreError
from emco_store.cli.screen import Screen, visible


class Stage:
    """Shows one step after another.

    Args:
        screen: The screen.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._step = 0

    def step(self, title: str, story: str) -> None:
        """Begin a step."""
        self._step += 1
        head = Line(Text(f"{self._step}  {title}", style="bold"), align="left", style="cyan")
        self._screen.tell("", head, Text(story, style="italic"), "")

    def code(self, text: str) -> None:
        """Show the code that runs now."""
        if self._screen.is_coloured:
            self.show(Syntax(text, "python", theme="ansi_dark", background_color="default"))
        else:
            self.show(Text("\n".join(f"│ {line}" for line in text.splitlines())))
        self.gap()

    def gap(self) -> None:
        """Write an empty line."""
        self._screen.tell("")

    def show(self, *renderables: RenderableType) -> None:
        """Show results."""
        self._screen.tell(*(Padding(renderable, (0, 0, 0, 2), expand=False) for renderable in renderables))

    def error(self, problem: StoreError) -> None:
        """Show an error that the step provoked."""
        self.show(Text(visible(f"{type(problem).__name__}: {problem}"), style="red"))

    def verdict(self, text: str) -> None:
        """Say what the step has shown."""
        self.show(Text.assemble(("✓ ", "bold green"), (text, "green")))


def source_of(model: type[Resource]) -> str:
    """Return the source of a model, without docstrings."""
    return "".join(line for line in inspect.getsource(model).splitlines(keepends=True) if '"""' not in line).replace(
        ":\n\n", ":\n"
    )
