"""Exports: resources as lines of JSON; and imports: such lines, checked, and in an order in which nothing dangles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pydantic_core import from_json

from emco_store.core.diffs import DocumentChange
from emco_store.core.documents import decode, encode, problems_in
from emco_store.core.evolution import without_stamp
from emco_store.core.keys import Key
from emco_store.core.naming import LEASE
from emco_store.core.records import PARENT_PATH, Edge, Record, known_edge
from emco_store.core.reserved import is_reserved, stated
from emco_store.core.revisions import Row
from emco_store.core.rules import Rule
from emco_store.core.wording import count
from emco_store.errors import InvalidResource, StoreError

FORMAT: Final = 1
"""The number of the format, which the first line of an export names."""
_HEAD: Final = "export"
_NAMES: Final = {"key", "document", "references", "unique", "index"}


@dataclass(frozen=True, slots=True)
class Export:
    """The resources of a namespace, or those under one of them, as of one moment: one line of JSON for each.

    The same data gives the same lines on every backend: they are sorted by key, without uids, versions and times. The
    first line says how many follow.

    Attributes:
        lines: The lines, in ASCII and without line ends.
        resources: How many resources it holds.
        outside: The targets of references that are not in it; an import needs them in the store.
        left_out: What else the namespace holds and no export does, such as the states of lifecycles.
    """

    lines: tuple[str, ...] = field(repr=False)
    resources: int
    outside: tuple[Key, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All lines, each with its line end."""
        return "".join(f"{line}\n" for line in self.lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self.lines)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has done, or one that is under way has done so far.

    Attributes:
        created: How many resources were created.
        updated: How many were replaced by what the export says.
        unchanged: How many were there as the export says.
        total: How many the export holds.
    """

    created: int
    updated: int
    unchanged: int
    total: int

    def plus(self, part: Imported) -> Imported:
        """Return the figures with those of one more commit."""
        return Imported(
            self.created + part.created, self.updated + part.updated, self.unchanged + part.unchanged, self.total
        )

    def __str__(self) -> str:
        said = f"{count(self.created, 'resource')} created, {self.updated:,} updated, {self.unchanged:,} unchanged"
        done = self.created + self.updated + self.unchanged
        return said if done == self.total else f"{said}; {done:,} of {self.total:,} done"


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do, as of the moment of planning.

    Attributes:
        creates: The resources that would be created, targets before those that refer to them.
        updates: The resources that are there and differ from the export.
        unchanged: How many resources are there as the export says.
        unresolved: The references that would dangle, each as its place and its target.
        batches: What would be written in each commit.
        replace: Whether resources that differ are replaced.
        refusal: The error with which it is refused; None where nothing speaks against it.
    """

    creates: tuple[Key, ...]
    updates: tuple[DocumentChange, ...]
    unchanged: int
    unresolved: tuple[tuple[str, Key], ...]
    batches: tuple[tuple[Row, ...], ...] = field(repr=False)
    replace: bool = False
    refusal: StoreError | None = field(default=None, repr=False)

    @property
    def begun(self) -> Imported:
        """What is done before anything is written."""
        return Imported(0, 0, self.unchanged, len(self.creates) + len(self.updates) + self.unchanged)

    def __str__(self) -> str:
        figures = f"{count(len(self.creates), 'resource')} to create, {len(self.updates):,} to update"
        commits = f", in {count(len(self.batches), 'commit')}" if self.batches and self.refusal is None else ""
        verdict = f"can be imported{commits}" if self.refusal is None else f"refused: {self.refusal.what}"
        lines = [f"Plan: {figures}, {self.unchanged:,} unchanged; {verdict.rstrip('.')}."]
        lines += [f"  + {key}" for key in self.creates]
        lines += [f"  {line}" for change in self.updates for line in change.lines]
        lines += [f"  ! {place} -> {target}, which is neither in the export nor in the store"
                  for place, target in self.unresolved]  # fmt: skip
        return "\n".join(lines)


# writing


def write_export(records: Iterable[Record], *, under: Key | None, left_out: Sequence[str]) -> Export:
    """Write the lines of an export.

    Raises:
        InvalidResource: A document cannot be read. Leaving it out would lose it.

    Rules: EXP-1.
    """
    found = sorted(records, key=lambda record: record.key.text)
    inside = {record.key for record in found}
    outside = {stated(edge.target) for record in found for edge in record.edges} - inside
    head: dict[str, Any] = {"format": FORMAT, "resources": len(found)}
    if under is not None:
        head["under"] = under.text
    lines = [json.dumps({_HEAD: head}), *map(_line, found)]
    return Export(tuple(lines), len(found), tuple(sorted(outside)), tuple(left_out))


def _line(record: Record) -> str:
    try:
        document = decode(record.document)
    except ValueError as problem:
        raise _unreadable(record.key, str(problem)) from problem
    if not isinstance(document, dict):
        raise _unreadable(record.key, "it is no JSON object")
    values: dict[str, Any] = {"key": record.key.text, "document": document}
    if record.edges:
        values["references"] = [_reference(edge) for edge in record.edges]
    if record.unique:
        values["unique"] = record.unique
    if record.index:
        values["index"] = record.index
    return json.dumps(values, separators=(",", ":"))


def _unreadable(key: Key, reason: str) -> InvalidResource:
    return InvalidResource(
        f"Cannot export {key}: its stored document is no resource.",
        why=[reason],
        hint="put() a correct one in its place, or delete it; without it, the export would not be whole.",
        key=key,
        problems=(reason,),
    )


def _reference(edge: Edge) -> dict[str, Any]:
    """Return an edge as JSON values."""
    values: dict[str, Any] = {"path": edge.path, "target": edge.target.text, "rule": str(edge.rule)}
    if edge.at_key:
        values["at_key"] = True
    if edge.default is not None:
        values["default"] = edge.default.text
    if edge.selection is not None:
        values["selection"] = edge.selection.text
    return values


# reading


def read_export(lines: Iterable[str | bytes] | str | bytes) -> tuple[Row, ...]:
    """Read the lines of an export, in any order and with or without the first one.

    Args:
        lines: The lines, or the text as a whole.

    Returns:
        One row for each resource, sorted by key.

    Raises:
        InvalidResource: Some lines are none of an export, or some are missing; all of them are named.

    Rules: EXP-2.
    """
    rows: dict[Key, tuple[int, Row]] = {}
    announced: int | None = None
    faults: list[str] = []
    for number, line in enumerate(_lines(lines), start=1):
        if not line.strip():
            continue
        try:
            value = _object(line)
            if _HEAD in value:
                announced = (announced or 0) + _announced(value[_HEAD])
                continue
            row = _row(value)
        except ValueError as problem:
            faults.append(f"line {number}: {problem}")
            continue
        first, known = rows.setdefault(row.key, (number, row))
        if known != row:
            faults.append(f"line {number}: line {first} says something else of {row.key}")
    if announced is not None and announced != len(rows) and not faults:
        faults.append(
            f"it says that it holds {count(announced, 'resource')}, and {len(rows):,} are there: "
            f"it was cut off or changed"
        )
        hint = 'export again; to import what is there, take the line that begins with {"export" away.'
    else:
        hint = "give what export() has written."
    if faults:
        raise InvalidResource("Cannot read this export.", why=faults, hint=hint, problems=tuple(faults))
    return tuple(row for _, row in sorted(rows.values(), key=lambda one: one[1].key.text))


def _lines(lines: Iterable[str | bytes] | str | bytes) -> Iterable[str | bytes]:
    if isinstance(lines, bytes):
        return lines.split(b"\n")
    return lines.split("\n") if isinstance(lines, str) else lines


def _object(line: str | bytes) -> dict[str, Any]:
    try:
        value = from_json(line)
    except ValueError as problem:
        raise ValueError(f"it is no JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - one of many faults in a line
    return cast("dict[str, Any]", value)


def _announced(head: Any) -> int:
    if not isinstance(head, dict) or cast("Any", head).get("format") != FORMAT:
        raise ValueError(f"it is an export in another format than {FORMAT}, which a newer version may read")
    number = cast("Any", head).get("resources")
    if type(number) is not int:
        raise ValueError("it does not say how many resources follow")
    return number


def _row(value: dict[str, Any]) -> Row:
    strange = sorted(value.keys() - _NAMES)
    if strange or "key" not in value or not isinstance(value.get("document"), dict):
        raise ValueError(f"it has {', '.join(strange)}" if strange else "it needs a key and a document")
    key = _key(value["key"])
    if is_reserved(key.kind):
        raise ValueError(f"{key.kind} is a kind of the store's own records")
    edges = tuple([_edge(key, number, one) for number, one in enumerate(_list(value, "references"))])
    keys = {str(edge.path[-1]) for edge in edges if edge.at_key}
    problems = problems_in(without_stamp(value["document"]), keys=keys)
    if problems:
        raise ValueError(f"{key}: {'; '.join(problems)}")
    return Row(key, encode(value["document"]), edges, _pairs(value, "unique"), _pairs(value, "index"))


def _key(text: Any) -> Key:
    if not isinstance(text, str):
        raise ValueError(f"{text!r:.80} is no key")  # noqa: TRY004 - one of many faults in a line
    try:
        return Key.parse(text)
    except StoreError as problem:
        raise ValueError(f"{text!r:.80} is no key: {'; '.join(problem.why)}") from problem


def _list(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name, [])
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list")  # noqa: TRY004 - one of many faults in a line
    return found  # pyright: ignore[reportUnknownVariableType]  # of any values


def _pairs(value: dict[str, Any], name: str) -> tuple[tuple[str, str], ...]:
    found: list[Any] = _list(value, name)
    if not all(isinstance(one, list) and [str, str] == [type(part) for part in cast("Any", one)] for one in found):
        raise ValueError(f"{name} is no list of pairs of text")
    return tuple([(one[0], one[1]) for one in found])


def _edge(key: Key, number: int, value: Any) -> Edge:
    """Read a reference; the first one, if its path is that of the parent, leads to the parent."""
    try:
        path, rule, target = tuple(value["path"]), Rule(value["rule"]), _key(value["target"])
        more = value.get("selection") if rule.selects else value.get("default")
        made = known_edge(target.text, path, str(rule), bool(value.get("at_key", False)), more)
    except (KeyError, TypeError, ValueError, AttributeError, InvalidResource) as problem:
        raise ValueError(f"{key}: reference {number + 1} is none: {problem}") from problem
    if not path or not all(type(step) in {str, int} for step in path):
        raise ValueError(f"{key}: reference {number + 1} has no path")
    if is_reserved(target.kind) and target.kind != LEASE:
        raise ValueError(f"{key}: reference {number + 1} leads to a record of the store's own")
    names = target.segments
    if path == PARENT_PATH and (number or names != key.segments[: len(names)] or len(names) == len(key.segments)):
        raise ValueError(f"{key}: {target} is not its parent")
    return made


# order


def in_groups(targets: Mapping[Key, Iterable[Key]]) -> Iterator[tuple[Key, ...]]:
    """Yield keys so that each comes after those that it refers to; those that refer to each other in a cycle together.

    These are the strongly connected components in the order of Tarjan's algorithm (SIAM J. Comput. 1 (1972) 146),
    without recursion.

    Args:
        targets: For each key, those that it refers to; what is no key of the mapping does not count.

    Rules: EXP-2.
    """
    order: dict[Key, int] = {}
    low: dict[Key, int] = {}
    open_keys: list[Key] = []
    is_open: set[Key] = set()
    for start in targets:
        path = [] if start in order else [start]
        ways: list[Iterator[Key]] = []
        while path:
            key = path[-1]
            if len(ways) < len(path):
                order[key] = low[key] = len(order)
                open_keys.append(key)
                is_open.add(key)
                ways.append(iter([target for target in targets[key] if target in targets]))
            following = next((target for target in ways[-1] if target not in order or target in is_open), None)
            if following is not None and following not in order:
                path.append(following)
            elif following is not None:
                low[key] = min(low[key], order[following])
            else:
                path.pop()
                ways.pop()
                if path:
                    low[path[-1]] = min(low[path[-1]], low[key])
                if low[key] == order[key]:
                    yield tuple(sorted(_closed(key, open_keys, is_open)))


def _closed(key: Key, open_keys: list[Key], is_open: set[Key]) -> list[Key]:
    """Take the component that begins with a key from the end of those that are open."""
    group: list[Key] = []
    while not group or group[-1] != key:
        group.append(open_keys.pop())
    is_open.difference_update(group)
    return group


def in_batches(groups: Iterable[tuple[Key, ...]], size: int) -> Iterator[tuple[Key, ...]]:
    """Yield batches of whole groups, each of ``size`` keys or fewer unless one group alone has more."""
    batch: tuple[Key, ...] = ()
    for group in groups:
        if batch and len(batch) + len(group) > size:
            yield batch
            batch = ()
        batch += group
    if batch:
        yield batch
