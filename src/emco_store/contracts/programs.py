"""Random programs for the state machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import strategies as st

from emco_store.contracts.naive import Fields, Program

NODES = ["Node/main", "Node/a", "Node/b", "Node/c", "Node/d"]
LEAVES = [f"Leaf/{node}/l" for node in "ab"]
TWIGS = [f"Twig/{node}/t" for node in "bc"]
HOOKS = ["Hook/h", "Hook/k"]
KEYS = [*NODES, *LEAVES, *TWIGS, *HOOKS]


class Author:
    """Writes random programs that mostly make sense: they usually name resources that exist."""

    def __init__(self, draw: Any, there: Iterable[str]) -> None:
        self._draw = draw
        self._there = set(there)

    def program(self, most: int) -> Program:
        """Return a program with a maximum number of steps."""
        return [self._step() for _ in range(self._draw(st.integers(1, most)))]

    def keys(self, most: int) -> list[str]:
        """Return different keys, up to a maximum number."""
        return list(dict.fromkeys(self._key(KEYS) for _ in range(self._draw(st.integers(1, most)))))

    def _step(self) -> tuple[Any, ...]:
        name = self._draw(st.sampled_from(["update", "create", "put", "delete", "update"]))
        if name == "delete":
            keys = self.keys(2)
            self._there -= set(keys)
            return name, *keys
        free = [key for key in KEYS if key not in self._there]
        key = self._draw(st.sampled_from(free)) if name == "create" and free and self._often() else self._key(KEYS)
        fields = self._fields(key)
        self._there.add(key)
        return name, key, fields

    def _often(self) -> bool:
        return bool(self._draw(st.integers(0, 7)))

    def _key(self, keys: Sequence[str]) -> str:
        there = [key for key in keys if key in self._there]
        return str(self._draw(st.sampled_from(there if there and self._often() else keys)))

    def _maybe(self, keys: Sequence[str]) -> str | None:
        return self._key(keys) if self._draw(st.booleans()) else None

    def _several(self, keys: Sequence[str], most: int = 3) -> list[str]:
        return [self._key(keys) for _ in range(self._draw(st.integers(0, most)))]

    def _fields(self, key: str) -> Fields:
        kind, *names = key.split("/")
        nodes = [node for node in NODES if node != key]
        if kind == "Node":
            fields: Fields = {name: self._maybe(nodes) for name in ("hard", "guard", "soft", "weak")}
            code = self._draw(st.sampled_from([None, None, "x", "y"]))
            return fields | {"code": code, "rank": self._draw(st.integers(-1, 1))}
        if kind == "Leaf":
            return {"parent": f"Node/{names[0]}", "weak": self._maybe(TWIGS)}
        if kind == "Twig":
            return {"parent": f"Node/{names[0]}", "soft": self._maybe(LEAVES)}
        return {
            "to": self._key(nodes),
            "listed": self._several(nodes),
            "chosen": sorted(set(self._several(nodes))),
            "by_node": dict.fromkeys(self._several(nodes), "x"),
            "grid": [self._several(nodes, 2) for _ in range(self._draw(st.integers(0, 2)))],
        }
