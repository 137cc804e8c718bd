"""Migrations: write the stored documents of a kind as its model does now, page by page, beside other writers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from emco_store.core.diffs import DocumentChange, document_change
from emco_store.core.evolution import split
from emco_store.core.keys import Key
from emco_store.core.migrations import MAX_CHANGES, Migrated, MigrationPlan, Unmigrated, capped
from emco_store.core.query import MAX_PAGE, Order, read_cursor, write_cursor
from emco_store.core.records import Record
from emco_store.core.reserved import refuse_reserved
from emco_store.core.resource import Resource
from emco_store.core.views import refuse_write
from emco_store.errors import Conflict, InvalidCall, InvalidResource, StoreError, Unavailable, UnknownOutcome
from emco_store.flows.asking import Flow, read, records_at
from emco_store.flows.context import Context
from emco_store.flows.holding import Holding
from emco_store.flows.refusals import missing_references, unique_violation
from emco_store.flows.unit import Unit
from emco_store.ports import RecordPage, Scan

BATCH: Final = 100
"""Resources that a migration reads, and writes in one commit, unless it is told otherwise."""


Position = tuple[str, str] | None
"""Where a page begins, as ``after`` of a scan."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A checked request for a migration.

    Attributes:
        model: The model.
        kind: Its kind.
        position: Where it starts; None for the beginning.
        batch: Maximum number of resources in one page.
    """

    model: type[Resource]
    kind: str
    position: Position
    batch: int

    def scan(self, position: Position, limit: int) -> Scan:
        """Return the scan of the page after a position."""
        return Scan(self.kind, f"{self.kind}/", after=position, limit=limit)

    def after(self, cursor: str | None) -> Position:
        """Return the position that a cursor means.

        Raises:
            InvalidCall: It is not one of a migration of this kind.
        """
        return None if cursor is None else read_cursor(cursor, self.kind, Order())


def ask(context: Context, model: Any, *, after: str | None = None, batch: Any = BATCH) -> Migration:
    """Check the arguments of a migration.

    Raises:
        InvalidCall: There is no such model, or it is a view; the cursor or the size cannot be used.
    """
    context.schema.learn(model)
    spec = model.__emco__
    refuse_reserved(spec.kind)
    if spec.is_view:
        refuse_write("migrate", model)
    most = min(MAX_PAGE, context.limits.max_records)
    if type(batch) is not int or not 1 <= batch <= most:
        raise InvalidCall(
            f"Cannot migrate batch={batch!r:.40} resources at once.",
            why=[f"a page of this store has 1 to {most:,} resources"],
            hint="leave batch= out, or give a number in this range.",
        )
    asked = Migration(model, spec.kind, None, batch)
    return Migration(model, spec.kind, asked.after(after), batch)


def page(
    unit_with: Callable[[Holding], Unit], holding: Holding, asked: Migration, position: Position
) -> Flow[Migrated]:  # fmt: skip
    """Migrate one page in one commit; where that is refused, resource by resource up to one that others change.

    Raises:
        Conflict: The first resource of the page was changed meanwhile.

    Rules: MIG-4.
    """
    found = yield from read(asked.scan(position, asked.batch))
    unit = unit_with(holding)
    left: dict[Key, Unmigrated] = {}
    for record in found.records:
        try:
            unit.renew(record)
        except InvalidResource as problem:
            left[record.key] = Unmigrated.of(record.key, problem)
    written = len(unit.puts)
    try:
        if written:
            yield from unit.commit()
    except (Unavailable, UnknownOutcome):
        raise
    except StoreError:
        return (yield from _one_by_one(partial(unit_with, holding), asked, found))
    return _done(asked, len(found.records), written, left.values(), found.next)


def _one_by_one(unit: Callable[[], Unit], asked: Migration, found: RecordPage) -> Flow[Migrated]:
    """Migrate each resource of a page in a commit of its own, and end before the first one that others change."""
    left: list[Unmigrated] = []
    written = 0
    for at, record in enumerate(found.records):
        try:
            alone = unit()
            if alone.renew(record):
                yield from alone.commit()
                written += 1
        except (Unavailable, UnknownOutcome):
            raise
        except Conflict:
            if not at:
                raise
            return _done(asked, at, written, left, ("", found.records[at - 1].key.text))
        except StoreError as problem:
            left.append(Unmigrated.of(record.key, problem))
    return _done(asked, len(found.records), written, left, found.next)


def _done(asked: Migration, seen: int, written: int, left: Iterable[Unmigrated], following: Position) -> Migrated:
    named, number = capped(left)
    cursor = None if following is None else write_cursor(asked.kind, Order(), following)
    return Migrated(asked.kind, seen, written, named, number, cursor)


@dataclass(slots=True)
class _Survey:
    """What a plan has seen so far."""

    read: int = 0
    writes: int = 0
    versions: Counter[int] = field(default_factory=Counter[int])
    changes: list[DocumentChange] = field(default_factory=list[DocumentChange])
    left: dict[Key, Unmigrated] = field(default_factory=dict[Key, Unmigrated])
    owners: dict[tuple[str, str], Key] = field(default_factory=dict[tuple[str, str], Key])


def plan(context: Context, asked: Migration) -> Flow[MigrationPlan]:
    """Read all resources of the kind, and say what a migration would write and what it would leave.

    Rules: MIG-5.
    """
    seen = _Survey()
    scan: Scan | None = asked.scan(asked.position, MAX_PAGE)
    while scan is not None:
        found = yield from read(scan)
        yield from _survey(context, found.records, seen)
        scan = None if found.next is None else replace(scan, after=found.next)
    left, number = capped(seen.left[key] for key in sorted(seen.left))
    version = asked.model.__emco__.evolution.version
    return MigrationPlan(
        asked.kind, version, seen.read, seen.writes, dict(seen.versions), tuple(seen.changes), left, number
    )


def _survey(context: Context, records: Sequence[Record], seen: _Survey) -> Flow[None]:
    made: dict[Key, Record] = {}
    for record in records:
        seen.read += 1
        try:
            seen.versions[split(record.document)[0].readable_by] += 1
            renewed = yield from _renewed(Unit(context), record)
            if renewed is not None:
                made[record.key] = renewed
        except ValueError as problem:
            seen.left[record.key] = Unmigrated(record.key, InvalidResource.code, str(problem))
        except (Conflict, InvalidCall, Unavailable, UnknownOutcome):
            raise
        except StoreError as problem:
            seen.left[record.key] = Unmigrated.of(record.key, problem)
    absent = yield from _absent(made, records)
    for record in records:
        new = made.get(record.key)
        objection = absent.get(record.key) or _taken(seen, record.key, (new or record).unique)
        if objection is not None and record.key not in seen.left:
            seen.left[record.key] = Unmigrated.of(record.key, objection)
        elif new is not None:
            seen.writes += 1
            if len(seen.changes) < MAX_CHANGES:
                seen.changes.append(document_change(record.key, record.document, new.document))


def _renewed(unit: Unit, record: Record) -> Flow[Record | None]:
    """Return a record as a migration would write it; None where it is stored so already.

    Raises:
        StoreError: It would not be written, because of what can be told of it alone.
    """
    if not unit.renew(record):
        return None
    yield from unit.ask_states(is_plan=True)
    _, _, unmatched = yield from unit.judge()
    if unmatched:
        raise missing_references([(f"{key} {edge.place}", edge.target) for key, edge in unmatched])
    return unit.puts[record.key]


def _absent(made: Mapping[Key, Record], records: Sequence[Record]) -> Flow[dict[Key, StoreError]]:
    """Return why resources would refer to what is not there, if the migration makes references of their fields."""
    known = {record.key: record.targets for record in records}
    new = {key: record.targets - known[key] for key, record in made.items()}
    wanted = sorted(frozenset[Key]().union(*new.values()))
    there: Mapping[Key, Record] = yield from records_at(wanted)
    return {
        key: missing_references(list(_places(made[key], targets - there.keys())))
        for key, targets in new.items()
        if not targets <= there.keys()
    }


def _places(record: Record, targets: frozenset[Key]) -> Iterator[tuple[str, Key]]:
    return ((f"{record.key} {edge.place}", edge.target) for edge in record.edges if edge.target in targets)


def _taken(seen: _Survey, key: Key, unique: Sequence[tuple[str, str]]) -> StoreError | None:
    """Return why a resource cannot have its unique values, and take note of those that it has."""
    for name, text in unique:
        owner = seen.owners.setdefault((name, text), key)
        if owner != key:
            return unique_violation(key, name, owner)
    return None
