"""Plans: what a delete would take with it, change, and be blocked by; and how a rule changes one record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from emco_store.core.documents import decode, encode
from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record
from emco_store.core.rules import Rule
from emco_store.core.wording import count
from emco_store.errors import InvalidResource


@dataclass(frozen=True, slots=True)
class Blocker:
    """A reference that forbids a delete.

    Attributes:
        referrer: The resource that holds the reference.
        place: Its place in that resource.
        rule: The rule that blocks.
        target: The resource that cannot be deleted.
    """

    referrer: Key
    place: str
    rule: Rule
    target: Key

    def __str__(self) -> str:
        return f"{self.referrer} {self.place} -> {self.target} ({self.rule})"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A resource that would be deleted.

    Attributes:
        key: The resource.
        via: The reference through which a cascade reaches it; None if the call named it.
    """

    key: Key
    via: Edge | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A resource that would stay and lose a reference.

    Attributes:
        key: The resource.
        edge: The reference; its rule says what happens to it.
    """

    key: Key
    edge: Edge

    def __str__(self) -> str:
        rule = self.edge.rule
        return f"{self.key} {self.edge.place} -> {rule.becomes(self.edge.default)} ({rule})"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a delete would do, as of the moment of planning; ``store.apply(plan)`` carries it out, all or nothing.

    Attributes:
        deletes: The resources that would be deleted: first those that the call names, then level by level.
        updates: The resources that would stay and lose a reference.
        blockers: The references that forbid the delete. A plan with blockers cannot be applied.
        commit: The commit that the backend would get.
    """

    deletes: tuple[Deletion, ...]
    updates: tuple[Change, ...]
    blockers: tuple[Blocker, ...]
    commit: Any = field(repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join(_describe(self))


def _describe(plan: Plan) -> Iterable[str]:
    gone, kept = len(plan.deletes), len({change.key for change in plan.updates})
    verdict = f"blocked by {count(len(plan.blockers), 'reference')}" if plan.blockers else "can be applied"
    yield f"Plan: {count(gone, 'resource')} would go, {count(kept, 'resource')} would change; {verdict}."
    below: dict[Key | None, list[Deletion]] = defaultdict(list)
    for deletion in plan.deletes:
        below[deletion.via.target if deletion.via else None].append(deletion)
    stack = [(deletion, 0) for deletion in reversed(below[None])]
    while stack:
        deletion, depth = stack.pop()
        via = f"  ({deletion.via.place}, {deletion.via.rule})" if deletion.via else ""
        yield f"  {'  ' * depth}- {deletion.key}{via}"
        stack.extend((inner, depth + 1) for inner in reversed(below[deletion.key]))
    for change in plan.updates:
        yield f"  ~ {change}"
    for blocker in plan.blockers:
        yield f"  ! {blocker}"


def without(record: Record, lost: Sequence[Edge], now_us: int) -> Record:
    """Return a record as it is once the rules of the lost edges have been applied to it.

    Works on the document alone, so it is right for kinds whose model is not known here. Selections are left open: their
    matches are still to be chosen.

    Args:
        record: The record.
        lost: Edges of it whose rules edit.
        now_us: The time of the change, in microseconds since 1970, UTC.

    Raises:
        InvalidResource: The stored document is not the one that the edges were found in.

    Rules: DEL-4 to DEL-6, ALL-2, BAD-8.
    """
    removed = sorted({edge.path for edge in lost if edge.rule.removes}, reverse=True)
    reselected = {edge for edge in lost if edge.rule.selects}
    replaced = {
        edge.path: edge.rule.replacement(edge.default)
        for edge in lost
        if not edge.rule.removes and edge not in reselected and not _lies_in(edge.path, removed)
    }
    document = _edited(record, replaced, removed)
    edges: list[Edge] = []
    for edge in record.edges:
        if _lies_in(edge.path, removed):
            continue
        if edge in reselected:
            edge = edge.opened()  # noqa: PLW2901 - the edge as it is from here on
        elif edge.path in replaced and not edge.at_key:
            target = replaced[edge.path]
            if target is None:
                continue
            edge = replace(edge, target=target)  # noqa: PLW2901 - the edge as it is from here on
        edges.append(replace(edge, path=_shifted(edge.path, removed)))
    return replace(
        record,
        version=record.version + 1,
        document=document,
        edges=tuple(edges),
        unique=tuple(_values(record.unique, replaced, keep_null=False)),
        index=tuple(_values(record.index, replaced, keep_null=True)),
        updated_us=now_us,
    )


def _edited(
    record: Record, replaced: Mapping[tuple[str | int, ...], Key | None], removed: Iterable[tuple[str | int, ...]]
) -> bytes:
    try:
        document = decode(record.document)
        for path, target in replaced.items():
            _container(document, path)[path[-1]] = None if target is None else target.text
        for path in removed:
            del _container(document, path)[path[-1]]
    except (ValueError, LookupError, TypeError) as problem:
        raise InvalidResource(
            f"Cannot take references out of {record.key}: its stored document does not hold them.",
            why=[str(problem)],
            hint="put() a correct one in its place, or delete it as well.",
            key=record.key,
            problems=(str(problem),),
        ) from problem
    return encode(document)


def _container(document: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


def _lies_in(path: tuple[str | int, ...], removed: Iterable[tuple[str | int, ...]]) -> bool:
    return any(path[: len(entry)] == entry for entry in removed)


def _shifted(path: tuple[str | int, ...], removed: Iterable[tuple[str | int, ...]]) -> tuple[str | int, ...]:
    """Give a path as it reads once entries of lists before it are gone."""
    steps = list(path)
    for entry in removed:
        at = len(entry) - 1
        step = path[at] if len(path) > at else None
        last = entry[-1]
        if isinstance(last, int) and isinstance(step, int) and path[:at] == entry[:-1] and step > last:
            steps[at] = int(steps[at]) - 1
    return tuple(steps)


def _values(
    pairs: Iterable[tuple[str, str]], replaced: Mapping[tuple[str | int, ...], Key | None], *, keep_null: bool
) -> Iterable[tuple[str, str]]:
    for name, text in pairs:
        target = replaced.get((name,))
        if (name,) not in replaced:
            yield name, text
        elif target is not None:
            yield name, index_text(target.text)
        elif keep_null:
            yield name, index_text(None)
