"""Selections: references to at least one of the resources whose keys fit a pattern.

A selection rests on names in keys alone. These never change, so a resource that matches does so until it is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from emco_store.core.keys import Key, encode_segment, key_prefix

Name = str | None
"""One name of a pattern; None for any."""


class Pattern(NamedTuple):
    """The keys of one kind that fit.

    Attributes:
        kind: The kind.
        names: For each name of the key the one that it must be; None for any.
        indexed: The field of the kind that holds the last name and has an index; empty where there is none.
    """

    kind: str
    names: tuple[Name, ...]
    indexed: str = ""

    @property
    def prefix(self) -> str:
        """The text with which the keys begin."""
        known = next((at for at, name in enumerate(self.names) if name is None), len(self.names) - 1)
        return key_prefix(self.kind, tuple(name for name in self.names[:known] if name is not None))

    @property
    def key(self) -> Key | None:
        """The only key that fits; None where several might."""
        names = tuple(name for name in self.names if name is not None)
        return Key.trusted(self.kind, names) if len(names) == len(self.names) else None

    def matches(self, key: Key) -> bool:
        """Tell whether a key fits."""
        return (
            key.kind == self.kind
            and len(key.segments) == len(self.names)
            and all(name is None or name == given for name, given in zip(self.names, key.segments, strict=True))
        )

    def __str__(self) -> str:
        return "/".join((self.kind, *("*" if name is None else encode_segment(name) for name in self.names)))


@dataclass(frozen=True)
class Selection:
    """What a reference by selection looks for.

    Attributes:
        text: How it is stored: alternatives separated by ``;``, patterns of one by ``|``, an index after ``?``, and
            ``~`` before one that needs no match. None of these, nor ``*``, stands in a key: they are percent-encoded.
    """

    text: str

    def __reduce__(self) -> tuple[Any, ...]:
        return selection_of, (self.text,)

    @cached_property
    def alternatives(self) -> tuple[tuple[Pattern, ...], ...]:
        """The patterns of each alternative, in the order of preference.

        Raises:
            ValueError: The text is not that of a selection.
        """
        return tuple(tuple(map(_read_pattern, text.lstrip("~").split("|"))) for text in self.text.split(";"))

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns of all alternatives."""
        return tuple(pattern for alternative in self.alternatives for pattern in alternative)

    @property
    def is_optional(self) -> bool:
        """Whether it selects nothing where there is no match when its resource is written."""
        return all(text.startswith("~") for text in self.text.split(";"))

    @property
    def is_plain(self) -> bool:
        """Whether it must be one certain resource, so that it is an ordinary reference."""
        return len(self.patterns) == 1 and self.patterns[0].key is not None and not self.is_optional

    @cached_property
    def open_target(self) -> Key:
        """What stands as the target of an edge for which no match is chosen yet; it is the key of no resource."""
        first = self.patterns[0]
        if self.is_plain and first.key is not None:
            return first.key
        return Key.trusted(first.kind, ("*",), f"any {self}" if self.is_optional else str(self))

    def matches(self, key: Key) -> bool:
        """Tell whether a resource with this key is a match."""
        return any(pattern.matches(key) for pattern in self.patterns)

    def covers(self, other: Selection) -> bool:
        """Tell whether the other one is one of its alternatives."""
        return other.text in self.text.split(";")

    def narrowed(self) -> Iterator[Selection]:
        """Yield its alternatives, each as a selection."""
        return map(selection_of, self.text.split(";"))

    def __str__(self) -> str:
        return " or ".join(map(str, self.patterns))


@lru_cache(maxsize=10_000)
def selection_of(text: str) -> Selection:
    """Return the selection with this text; the same few are read again and again.

    Raises:
        ValueError: The text is not that of a selection.
    """
    made = Selection(text)
    _ = made.alternatives
    return made


def _read_pattern(text: str) -> Pattern:
    path, _, indexed = text.partition("?")
    kind, *names = path.split("/")
    if not kind or not names or not all(names):
        message = f"{text!r:.100} is not a pattern of keys"
        raise ValueError(message)
    return Pattern(kind, tuple(None if name == "*" else unquote(name) for name in names), indexed)
