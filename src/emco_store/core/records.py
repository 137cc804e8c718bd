"""Records: what a backend stores of one resource, with everything that the rules need and no model at all."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from pydantic_core import from_json, to_json

from emco_store.core.keys import Key
from emco_store.core.rules import Rule
from emco_store.core.values import value

PARENT_PATH = ("parent",)
"""The path of the edge to the parent, which stands in no document."""


class Stamp(NamedTuple):
    """One state of one record; a record that is deleted and created again has another uid."""

    uid: str
    version: int


class Seal(NamedTuple):
    """How many references to one record have been made in its life; it moves with each new one."""

    uid: str
    guard: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One reference that a record holds, with its rule.

    Attributes:
        target: The key it points to.
        path: Where it stands in the document; ``("parent",)`` for the parent.
        rule: What the delete of the target does to it.
        at_key: True when it stands in the key of a map, the last step of the path.
        default: The key that is stored for the rule; see :meth:`Rule.replacement`.
    """

    target: Key
    path: tuple[str | int, ...]
    rule: Rule
    at_key: bool = False
    default: Key | None = None

    def __hash__(self) -> int:
        return hash(self.target.text)

    @property
    def is_parent(self) -> bool:
        """Whether this is the edge to the parent."""
        return self.path == PARENT_PATH

    @property
    def place(self) -> str:
        """The path for people: ``clusters[0]``, ``spec.app``, ``intent{name}``."""
        text = ""
        for step in self.path:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        if self.at_key:
            above, _, _ = text.rpartition(f".{self.path[-1]}")
            return f"{above}{{{self.path[-1]}}}"
        return text


@lru_cache(maxsize=10_000)
def known_edge(target: str, path: tuple[str | int, ...], rule: str, at_key: bool, default: str | None) -> Edge:  # noqa: FBT001 - as it is stored
    """Read an edge from its stored parts; the same few are read again and again.

    Raises:
        InvalidResource: A key in it is none.
        ValueError: There is no such rule.
    """
    return Edge(Key.parse(target), path, Rule(rule), at_key, None if default is None else Key.parse(default))


@lru_cache(maxsize=10_000)
def write_edges(edges: tuple[Edge, ...]) -> bytes:
    """Write edges as the JSON text in which backends store them; the same few are written again and again."""
    return to_json(
        [(edge.target.text, edge.path, edge.rule, edge.at_key, edge.default and edge.default.text) for edge in edges]
    )


@lru_cache(maxsize=10_000)
def read_edges(text: bytes) -> tuple[Edge, ...]:
    """Read edges from the JSON text in which they are stored; the same few are read again and again.

    Raises:
        InvalidResource: A key in it is none.
        TypeError: It holds something else than edges.
        ValueError: It is no JSON, or there is no such rule.
    """
    return tuple(
        [
            known_edge(target, tuple(path), rule, at_key, default)
            for target, path, rule, at_key, default in from_json(text)
        ]
    )


@value(frozen=True, slots=True)
class Record:
    """One stored resource.

    Attributes:
        key: Its key.
        uid: Differs for each resource that ever had this key.
        version: 1 when created, and one more with each change.
        document: The resource's JSON text.
        edges: Its references, the parent's first.
        unique: Values that no other record of the kind may have, as pairs of field and text.
        index: Values it can be found and ordered by, as pairs of field and text.
        created_us: Microseconds since 1970, UTC.
        updated_us: Microseconds since 1970, UTC.
        guard: Counts the references made to it. Owned by the backend: the value in a put is ignored.
    """

    key: Key
    uid: str
    version: int
    document: bytes
    edges: tuple[Edge, ...]
    unique: tuple[tuple[str, str], ...]
    index: tuple[tuple[str, str], ...]
    created_us: int
    updated_us: int
    guard: int = 0

    @property
    def stamp(self) -> Stamp:
        """The state that this value shows."""
        return Stamp(self.uid, self.version)

    @property
    def seal(self) -> Seal:
        """The guard that this value shows."""
        return Seal(self.uid, self.guard)

    @property
    def targets(self) -> frozenset[Key]:
        """The keys that it refers to, its parent's included."""
        return frozenset([edge.target for edge in self.edges])

    def guarded(self, guard: int) -> Record:
        """Give the same with another guard."""
        if guard == self.guard:
            return self
        return Record(
            self.key, self.uid, self.version, self.document, self.edges, self.unique, self.index, self.created_us,
            self.updated_us, guard,
        )  # fmt: skip

    def edges_to(self, targets: AbstractSet[Key]) -> list[Edge]:
        """Give its edges to any of the targets."""
        return [edge for edge in self.edges if edge.target in targets]
