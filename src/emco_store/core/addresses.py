"""Addresses: how the text of a reference to one kind becomes a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from emco_store.core.keys import Key, name_problem
from emco_store.core.wording import count


@dataclass(frozen=True, slots=True)
class Address:
    """What the text of a reference to one kind must hold.

    Attributes:
        kind: The target's kind.
        length: The number of names in the target's key; 0 where only its owner knows it.
        shared: How many of the first names can be taken from the referrer's own key.
        fixed: Names that are always the same, by position.
    """

    kind: str
    length: int
    shared: int
    fixed: Mapping[int, str]

    def complete(self, text: str, own: tuple[str, ...]) -> Key:
        """Return the key that ``text``, found in a resource with the names ``own``, stands for.

        Raises:
            ValueError: It stands for none.
        """
        parts = text.split("/")
        if not self.length:
            return self._whole(text, parts)
        if len(parts) == self.length + 1 and parts[0] == self.kind:
            key = Key.parse(text)
            self.check_fixed(key)
            return key
        free = [at for at in range(self.length) if at not in self.fixed]
        inherited = free[: -len(parts)]
        if len(parts) > len(free) or any(at >= self.shared for at in inherited):
            least = sum(at >= self.shared for at in free)
            most = count(len(free), "name")
            message = (
                f"{text!r:.100} is no reference to {self.kind}: give its whole key, or its last "
                f"{most if least == len(free) else f'{least} to {most}'} separated by '/'"
            )
            raise ValueError(message)
        names = {**{at: own[at] for at in inherited}, **self.fixed}
        names.update(zip(free[len(inherited) :], (unquote(part) for part in parts), strict=True))
        for name in names.values():
            problem = name_problem(name)
            if problem:
                message = f"{text!r:.100} is no reference to {self.kind}: {problem}"
                raise ValueError(message)
        return Key.trusted(self.kind, tuple(names[at] for at in range(self.length)))

    def _whole(self, text: str, parts: list[str]) -> Key:
        if len(parts) > 1 and parts[0] == self.kind:
            return Key.parse(text)
        message = f"{text!r:.100} is no reference to {self.kind}: give its whole key, {self.kind}/…"
        raise ValueError(message)

    def check_fixed(self, key: Key) -> None:
        """Refuse a key that differs from a fixed name."""
        for at, name in self.fixed.items():
            if key.segments[at] != name:
                message = f"{key} must have {name!r} as name {at + 1} of its key"
                raise ValueError(message)
