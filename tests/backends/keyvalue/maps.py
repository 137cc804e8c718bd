"""The map of the example, and one whose writes meet others, or whose replies get lost."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from emco_store.backends.keyvalue.ordered_map import Part, Snapshot, Span, Write

_PATH = Path(__file__).parents[3] / "examples/third_party_backend/map_backend.py"
_spec = importlib.util.spec_from_file_location("map_backend", _PATH)
assert _spec is not None
example = importlib.util.module_from_spec(_spec)
assert _spec.loader is not None
_spec.loader.exec_module(example)


class StruckMap(example.DictMap):
    """A map at which something happens around the next writes.

    Attributes:
        before: Called before the next writes, each once; what it raises takes the place of the write.
        after: The same after them: the write has happened.
        writes: The writes so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], object]] = []
        self.after: list[Callable[[], object]] = []
        self.writes: list[Write] = []

    def write(self, write: Write) -> bool:
        """Write, and let happen what is planned."""
        if self.before:
            self.before.pop(0)()
        self.writes.append(write)
        is_written = super().write(write)
        if self.after:
            self.after.pop(0)()
        return is_written

    def put(self, key: bytes, value: bytes) -> None:
        """Put an entry, as a faulty program would."""
        super().write(Write(puts={key: value}))

    def remove(self, key: bytes) -> None:
        """Remove an entry, as a faulty program would."""
        super().write(Write(deletes=frozenset({key})))

    def keys(self, prefix: bytes) -> list[bytes]:
        """Return the keys that begin with a prefix."""
        return [entry.key for entry in self.later(prefix, 0, 10_000)]


class ShortMap(example.DictMap):
    """A map that ends each part of a span after one entry."""

    @contextmanager
    def snapshot(self) -> Generator[Snapshot]:
        """See :meth:`emco_store.backends.keyvalue.ordered_map.OrderedMap.snapshot`."""
        with super().snapshot() as whole:
            yield _Short(whole)


class _Short:
    """The map as of one moment, a little at a time."""

    def __init__(self, whole: Snapshot) -> None:
        self._whole = whole
        self.get, self.count = whole.get, whole.count

    def scan(self, span: Span) -> Part:
        """Return one entry of a span."""
        return self._whole.scan(replace(span, limit=1))


def raiser(problem: Exception) -> Callable[[], None]:
    """Return what raises a problem."""

    def act() -> None:
        raise problem

    return act
