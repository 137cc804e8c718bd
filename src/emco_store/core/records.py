"""Records: what a backend stores of one resource, with everything that the rules need and no model at all."""

from __future__ import annotations

from collections.abc import Container, Iterable, Set as AbstractSet
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from pydantic_core import from_json, to_json

from emco_store.core.keys import Key
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.rules import RESELECT, Rule
from emco_store.core.selection import Selection, selection_of
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
        selection: What it must match, where it is a reference by selection; its target is the match that it holds.
    """

    target: Key
    path: tuple[str | int, ...]
    rule: Rule
    at_key: bool = False
    default: Key | None = None
    selection: Selection | None = None

    def __hash__(self) -> int:
        return hash(self.target.text)

    @property
    def is_parent(self) -> bool:
        """Whether this is the edge to the parent."""
        return self.path == PARENT_PATH

    @property
    def is_open(self) -> bool:
        """Whether it is a selection for which a match is still to be chosen; such an edge is never stored."""
        selection = self.selection
        return selection is not None and not selection.is_plain and self.target == selection.open_target

    def opened(self) -> Edge:
        """Return the same selection without a match."""
        return self if self.selection is None else open_edge(self.path, self.selection)

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
    of = Rule(rule)
    if of.selects:
        selection = selection_of(default or "")
        is_open = target == selection.open_target.text  # as in a revision of what was written in the same commit
        return Edge(selection.open_target if is_open else Key.parse(target), path, of, at_key, None, selection)
    return Edge(Key.parse(target), path, of, at_key, None if default is None else Key.parse(default))


@lru_cache(maxsize=10_000)
def open_edge(path: tuple[str | int, ...], selection: Selection) -> Edge:
    """Build the edge of a selection for which a match is to be chosen."""
    return Edge(selection.open_target, path, RESELECT, selection=selection)


def with_matches(edges: tuple[Edge, ...], before: Iterable[Edge], absent: Container[Key] = ()) -> tuple[Edge, ...]:
    """Return edges in which open selections hold the match that one of the edges before them holds.

    Args:
        edges: The edges of a resource as it is now.
        before: Those that it had before.
        absent: Matches that must not be held any more.
    """
    if not any(edge.is_open for edge in edges):
        return edges
    held = [(old.selection, old.target) for old in before if old.selection and old.target not in absent]
    return tuple(_closed(edge, held) if edge.is_open else edge for edge in edges)


def without_options(edges: tuple[Edge, ...]) -> tuple[Edge, ...]:
    """Return edges without those selections that need no match and have none."""
    return tuple(edge for edge in edges if not (edge.is_open and edge.selection and edge.selection.is_optional))


def _closed(edge: Edge, held: Iterable[tuple[Selection, Key]]) -> Edge:
    for selection, target in held:
        if edge.selection and edge.selection.covers(selection) and selection.matches(target):
            return replace(edge, target=target, selection=selection)
    return edge


@lru_cache(maxsize=10_000)
def write_edges(edges: tuple[Edge, ...]) -> bytes:
    """Write edges as the JSON text in which backends store them; the same few are written again and again."""
    return to_json([(edge.target.text, edge.path, edge.rule, edge.at_key, _extra(edge)) for edge in edges])


def _extra(edge: Edge) -> str | None:
    """Return what is stored for the rule of an edge."""
    found = edge.selection or edge.default
    return None if found is None else found.text


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
        origin: Who made the newest change, and why.
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
    origin: Origin = NOBODY

    @property
    def stamp(self) -> Stamp:
        """The state that this value shows."""
        # What the constructor of Stamp calls, in a third of the time.
        return tuple.__new__(Stamp, (self.uid, self.version))  # pyright: ignore[reportUnknownMemberType]

    @property
    def seal(self) -> Seal:
        """The guard that this value shows."""
        return tuple.__new__(Seal, (self.uid, self.guard))  # pyright: ignore[reportUnknownMemberType]  # see stamp

    @property
    def parent(self) -> Key | None:
        """The key of its parent, if it has one."""
        for edge in self.edges:
            if edge.path == PARENT_PATH:
                return edge.target
        return None

    @property
    def targets(self) -> frozenset[Key]:
        """The keys that it refers to, its parent's included."""
        return frozenset([edge.target for edge in self.edges])

    def guarded(self, guard: int) -> Record:
        """Return the same with another guard."""
        if guard == self.guard:
            return self
        return Record(
            self.key, self.uid, self.version, self.document, self.edges, self.unique, self.index, self.created_us,
            self.updated_us, guard, self.origin,
        )  # fmt: skip

    def refers_to(self, texts: Container[str]) -> bool:
        """Return whether it has an edge to any of the keys with these texts."""
        for edge in self.edges:  # noqa: SIM110 - a generator takes twice as long, and this is asked of every referrer
            if edge.target.text in texts:
                return True
        return False

    def edges_to(self, targets: AbstractSet[Key]) -> list[Edge]:
        """Return its edges to any of the targets."""
        return [edge for edge in self.edges if edge.target in targets]
