"""Variants that are one line of a backend written differently."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emco_store.ports import Backend
from proof.variants.broken import Variant


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a module, and what stands in its place.

    Attributes:
        name: The name of the variant.
        what: What is wrong with it.
        module: The module, by its full name.
        right: A part of the source that stands in it once.
        wrong: What stands in its place.
    """

    name: str
    what: str
    module: str
    right: str
    wrong: str

    def broken(self, source: str) -> str:
        """Return the source with the other line.

        Raises:
            ValueError: The line does not stand in it once.
        """
        if source.count(self.right) != 1:
            raise ValueError(f"{self.name}: {self.right!r} stands {source.count(self.right)} times in {self.module}")
        return source.replace(self.right, self.wrong)


def of_line(line: Line, modules: Sequence[str], make: Callable[[], Backend]) -> Variant:
    """Build the variant of a line. Its backend is made in a process that makes no other.

    Args:
        line: The line.
        modules: The modules of the backend, each after those that it imports from: all are run again.
        make: Makes the backend, of what is in the modules by then.
    """

    def backend() -> Backend:
        for name in modules:
            module: Any = importlib.import_module(name)
            source = Path(module.__file__).read_text("utf-8")
            text = line.broken(source) if name == line.module else source
            exec(compile(text, module.__file__, "exec"), module.__dict__)  # noqa: S102 - our own source
        return make()

    return Variant(line.name, line.what, backend)
