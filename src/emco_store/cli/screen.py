"""The screen: results on standard output, everything else on standard error, colours on terminals only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import IO, NoReturn

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from emco_store import StoreError
from emco_store.cli.hints import in_commands
from emco_store.cli.secrets import masked

PIPED_WIDTH = 100
"""Width of text that is not for a terminal, in columns."""
_UNLIMITED = 100_000


class _Console(Console):
    """A console that leaves a broken pipe to the program."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the error again: rich would turn it into the exit code 1."""
        raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError


class Screen:
    """The output of a command.

    rich respects ``NO_COLOR`` and ``TERM=dumb``.
    """

    def __init__(self) -> None:
        self._narrow = _console(sys.stdout, width=PIPED_WIDTH)
        self._wide = _console(sys.stdout, width=_UNLIMITED)
        self._err = _console(sys.stderr, width=_UNLIMITED)

    def show(self, *renderables: RenderableType) -> None:
        """Show results for people: on a terminal cut to its width, elsewhere in full."""
        _print(self._wide, renderables)

    def tell(self, *renderables: RenderableType, width: int = PIPED_WIDTH) -> None:
        """Show text for people, in lines of at most ``width`` columns."""
        _print(self._narrow, renderables, min(width, self._narrow.width))

    def write(self, text: str) -> None:
        """Write text for programs, unchanged."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Show a remark about the result."""
        self._err.print(Text(visible(masked(text)), style="dim"), soft_wrap=True)

    def error(self, problem: StoreError) -> None:
        """Show an error: what was refused, which object, why, and the hint, which names commands."""
        what, *rest = visible(masked(in_commands(problem))).split("\n")
        self._err.print(Text(what, style="bold red"), *(Text(line) for line in rest), sep="\n", soft_wrap=True)

    @property
    def is_coloured(self) -> bool:
        """Whether colours are shown."""
        return self._narrow.color_system is not None

    @contextmanager
    def progress(self, text: str) -> Generator[Callable[[str], None], None, None]:
        """Show progress, on a terminal only; give a function that changes the text."""
        if not self._err.is_terminal:
            yield _show_nothing
            return
        with self._err.status(text) as status:
            yield status.update

    @contextmanager
    def redrawing(self) -> Generator[Callable[..., None], None, None]:
        """Give a function that shows results in place of those before; outside a terminal, below them."""
        if not self._wide.is_terminal:

            def below(*renderables: RenderableType) -> None:
                self.show(*renderables, "")
                self.flush()

            yield below
            return
        with Live(console=self._wide, auto_refresh=False) as live:
            yield lambda *renderables: live.update(Group(*renderables), refresh=True)

    def flush(self) -> None:
        """Flush the output, so that its errors are raised here."""
        if sys.stdout is not None:
            sys.stdout.flush()


def _show_nothing(_: str) -> None:
    """Take note of progress that nobody looks at."""


def _console(stream: IO[str] | None, *, width: int) -> _Console:
    is_terminal = stream is not None and stream.isatty()
    return _Console(
        file=stream, width=None if is_terminal else width, highlight=False, markup=False, emoji=False, soft_wrap=False
    )


def _print(console: Console, renderables: Iterable[RenderableType], width: int | None = None) -> None:
    """Print; outside a terminal without the blanks that fill up lines."""
    for renderable in renderables:
        if console.is_terminal:
            console.print(renderable, width=width)
            continue
        with console.capture() as captured:
            console.print(renderable, width=width)
        console.file.write("\n".join(line.rstrip() for line in captured.get().split("\n")))


def visible(text: str) -> str:
    """Escape characters that would steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in "\n\t" else ascii(character)[1:-1] for character in text
    )
