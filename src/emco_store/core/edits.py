"""Edits: how a delete rule changes a record, by its document alone and without its model."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import replace
from typing import Any, Final

from emco_store.core.documents import decode, encode
from emco_store.core.indexing import entry_with, index_text
from emco_store.core.keys import Key
from emco_store.core.naming import LEASE
from emco_store.core.origins import Origin
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import lease_of, stated
from emco_store.errors import InvalidResource

Path = tuple[str | int, ...]
_NULL: Final = index_text(None)


def without(record: Record, lost: Sequence[Edge], now_us: int, origin: Origin) -> Record:
    """Return a record as it is once the rules of the lost references have been applied to it.

    Works on the document alone, so it is right for kinds whose model is not known here. Selections are left open: their
    matches are still to be chosen.

    Args:
        record: The record.
        lost: References of it whose rules edit.
        now_us: The time of the change, in microseconds since 1970, UTC.
        origin: The origin of the delete that causes it.

    Raises:
        InvalidResource: The stored document does not hold the references.

    Rules: DEL-4 to DEL-6, ALL-2, BAD-8.
    """
    removed = _Removed(edge.path for edge in lost if edge.rule.removes)
    opened = {edge.path for edge in lost if edge.rule.selects}
    replaced = {
        edge.path: _replacement(edge)
        for edge in lost if not edge.rule.removes and not edge.rule.selects and not removed.holds(edge.path)
    }  # fmt: skip
    document = _edited(record, replaced, removed)
    return replace(
        record,
        version=record.version + 1,
        document=document,
        edges=tuple(_remaining(record.edges, opened, replaced, removed)),
        unique=tuple([pair for pair in _values(record.unique, replaced) if pair[1] != _NULL]),
        index=tuple(_values(record.index, replaced)),
        updated_us=now_us,
        origin=origin,
    )


def _replacement(edge: Edge) -> Key | None:
    """Return the key that the rule of an edge puts into the document, which never names a lease."""
    target = edge.rule.replacement(edge.default)
    return None if target is None else stated(target)


def _edited(record: Record, replaced: Mapping[Path, Key | None], removed: _Removed) -> bytes:
    try:
        document = decode(record.document)
        for path, target in replaced.items():
            _found(document, path[:-1])[path[-1]] = None if target is None else target.text
        removed.take_out_of(document)
    except (ValueError, LookupError, TypeError) as problem:
        raise InvalidResource(
            f"Cannot take references out of {record.key}: its stored document does not hold them.",
            why=[str(problem)],
            hint="put() a correct one in its place, or delete it as well.",
            key=record.key,
            problems=(str(problem),),
        ) from problem
    return encode(document)


def _found(document: Any, path: Path) -> Any:
    for step in path:
        document = document[step]
    return document


def _remaining(
    edges: Iterable[Edge], opened: AbstractSet[Path], replaced: Mapping[Path, Key | None], removed: _Removed
) -> Iterator[Edge]:
    for edge in edges:
        if removed.holds(edge.path):
            continue
        if edge.path in opened and edge.selection is not None:
            yield replace(edge.opened(), path=removed.shifted(edge.path))
            continue
        target: Key | None = edge.target
        if edge.path in replaced and not edge.at_key:
            target = replaced[edge.path]
            if target is not None and edge.target.kind == LEASE:
                target = lease_of(target)
        path = removed.shifted(edge.path)
        if target is edge.target and path is edge.path:
            yield edge
        elif target is not None:
            yield replace(edge, target=target, path=path)


def _values(
    pairs: Iterable[tuple[str, str]], replaced: Mapping[Path, Key | None]
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Yield the entries of indexes with the values that the rules have put."""
    texts = {
        str(path[0]): _NULL if target is None else index_text(target.text)
        for path, target in replaced.items()
        if len(path) == 1
    }
    for name, entry in pairs:
        yield name, entry_with(name, entry, texts)


class _Removed:
    """The entries that are taken out of their lists, sets and maps."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths = frozenset(paths)
        self._steps: dict[Path, list[Any]] = defaultdict(list)
        for path in sorted(self._paths):  # the steps in one container are all numbers, or all names
            self._steps[path[:-1]].append(path[-1])

    def holds(self, path: Path) -> bool:
        """Return whether a path leads to such an entry, or to something inside one."""
        return bool(self._paths) and any(path[:length] in self._paths for length in range(1, len(path) + 1))

    def shifted(self, path: Path) -> Path:
        """Return a path as it is once the entries of lists before it are gone; the same object if nothing moves."""
        if not self._paths:
            return path
        moved = tuple([
            step - bisect_left(self._steps.get(path[:at], ()), step) if isinstance(step, int) else step
            for at, step in enumerate(path)
        ])  # fmt: skip
        return path if moved == path else moved

    def take_out_of(self, document: Any) -> None:
        """Take the entries out of a document: the inner ones first, because the outer ones move them.

        Raises:
            LookupError: It does not hold one of them.
            TypeError: The same.
        """
        for path in sorted(self._steps, key=len, reverse=True):
            container, steps = _found(document, path), self._steps[path]
            if isinstance(container, list):
                entries: list[Any] = container  # pyright: ignore[reportUnknownVariableType]  # JSON
                if steps[-1] >= len(entries):
                    raise IndexError(steps[-1])
                going = frozenset(steps)
                entries[:] = [entry for at, entry in enumerate(entries) if at not in going]
            else:
                for step in steps:
                    del container[step]
