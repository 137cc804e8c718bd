"""Imports: check what an export holds against what is there, and write it in batches in which nothing dangles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, cast

from emco_store.core.auditing import stands
from emco_store.core.diffs import DocumentChange, document_change
from emco_store.core.documents import decode
from emco_store.core.exports import Imported, ImportPlan, in_batches, in_groups, read_export
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.revisions import Row
from emco_store.core.selection import Selection
from emco_store.core.wording import count
from emco_store.errors import AlreadyExists, InvalidCall, InvalidResource, StoreError, shown
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context
from emco_store.flows.holding import Holding
from emco_store.flows.refusals import missing_references
from emco_store.flows.unit import Unit
from emco_store.flows.writing import is_same

BATCH: Final = 500
"""Resources that an import writes in one commit, unless it is told otherwise."""
_READ: Final = 500


def plan_import(context: Context, lines: Any, *, replace: bool, batch: int) -> Flow[ImportPlan]:
    """Compare an export with what is there, and look for the targets of its references.

    Raises:
        InvalidResource: Lines are none of an export, or documents do not fit the models that are known here.
        NewerModel: A resource to be replaced takes a newer version of its model.

    Rules: EXP-2, EXP-3, MIG-3.
    """
    _check_batch(context, batch)
    given = _rows(lines)
    rows = _by_models(context, given)
    there: dict[Key, Record] = yield from _there([row.key for row in rows])
    changed = [row for row in rows if row.key not in there or not is_same(there[row.key], _record(row, None, ""))]
    if replace:
        for row in changed:
            if row.key in there:
                context.refuse_newer(there[row.key])
    known = {row.key for row in rows}
    wanted = {edge.target for row in changed for edge in _fixed(row)} - known
    targets = yield from _there(sorted(wanted))
    unresolved = tuple(
        (f"{row.key} {edge.place}", edge.target)
        for row in changed
        for edge in _fixed(row)
        if edge.target in wanted and edge.target not in targets
    )
    updates = tuple(
        document_change(row.key, there[row.key].document, row.document) for row in changed if row.key in there
    )
    made = {row.key: row for row in changed}
    groups = in_groups(_targets(made, {row.key: row for row in given}))
    batches = tuple(tuple([made[key] for key in keys]) for keys in in_batches(groups, batch))
    return ImportPlan(
        creates=tuple(row.key for part in batches for row in part if row.key not in there),
        updates=updates,
        unchanged=len(rows) - len(changed),
        unresolved=unresolved,
        batches=batches,
        replace=replace,
        refusal=_refusal(unresolved, () if replace else updates),
    )


def commit_batch(
    unit_with: Callable[[Holding], Unit], rows: Sequence[Row], holding: Holding, *, replace: bool
) -> Flow[Imported]:
    """Write one batch, in a unit of its own; what is there as the export says stays as it is.

    Raises:
        AlreadyExists: A resource is there by now, and differs.
        MissingReference: A target is gone by now, or nothing matches a selection.
        UniqueViolation: Another resource has a value that must be unique.

    Rules: EXP-2, EXP-3.
    """
    unit = unit_with(holding)
    yield from unit.fetch([row.key for row in rows])
    done = {"created": 0, "updated": 0, "unchanged": 0}
    for row in rows:
        old = unit.current(row.key)
        made = _record(row, old, unit.context.new_id(), unit.now_us)
        if old is None:
            done["created"] += 1
        elif is_same(old, made):
            done["unchanged"] += 1
            continue
        elif replace:
            unit.context.refuse_newer(old)
            done["updated"] += 1
        else:
            raise _differ([document_change(row.key, old.document, row.document)])
        unit.write_record(made)
    yield from unit.commit()
    return Imported(**done, total=len(rows))


def _check_batch(context: Context, batch: Any) -> None:
    most = context.limits.max_records
    if type(batch) is not int or not 1 <= batch <= most:
        raise InvalidCall(
            f"Cannot write batch={batch!r:.40} resources in each commit.",
            why=[f"a commit of this store writes 1 to {most:,} records"],
            hint="leave batch= out, or give a number in this range.",
        )


def _rows(lines: Any) -> tuple[Row, ...]:
    if not isinstance(lines, Iterable):
        raise InvalidCall(
            f"Cannot import {lines!r:.80}.", why=["it is no text and no lines"], hint="give what export() returned."
        )
    return read_export(cast("Any", lines))


def _by_models(context: Context, rows: Iterable[Row]) -> list[Row]:
    """Return rows as the models that are known here write them; the others must hold what they say that they hold."""
    made: list[Row] = []
    faults: list[str] = []
    for row in rows:
        record = _record(row, None, "")
        try:
            context.schema.check_key(row.key)
            if context.schema.model_of(row.key.kind) is None:
                _check_alone(context, row)
                made.append(Row.of(record))
            else:
                made.append(Row.of(context.by_model(record)))
        except StoreError as problem:
            faults += [f"{row.key}: {reason}" for reason in problem.fields.get("problems") or problem.why]
    if faults:
        raise InvalidResource(
            "Cannot import: documents do not fit their models.",
            why=faults,
            hint="correct the lines, or import through a store that does not know these models.",
            problems=tuple(faults),
        )
    return made


def _check_alone(context: Context, row: Row) -> None:
    """Check what can be checked without a model: the size, and that the document holds the references."""
    problems: list[str] = []
    if len(row.document) > context.limits.max_bytes:
        problems.append(
            f"its document has {count(len(row.document), 'byte')}, the limit of this store is "
            f"{context.limits.max_bytes:,}"
        )
    document = decode(row.document)
    problems += [
        f"{edge.place} -> {edge.target} is not in its document"
        for edge in row.edges
        if not edge.is_parent and not stands(edge, document)
    ]
    if problems:
        raise InvalidResource(f"Cannot store {row.key}.", why=problems, key=row.key, problems=tuple(problems))


def _there(keys: Sequence[Key]) -> Flow[dict[Key, Record]]:
    found: dict[Key, Record] = {}
    for at in range(0, len(keys), _READ):
        part: Mapping[Key, Record] = yield from records_at(keys[at : at + _READ])
        found |= part
    return found


def _targets(made: Mapping[Key, Row], given: Mapping[Key, Row]) -> dict[Key, set[Key]]:
    """Return what each row needs to be there before it; for a selection, the match that it held, or the first one."""
    found: dict[Key, set[Key]] = {}
    matches: dict[Selection, list[Key]] = {}
    for key, row in made.items():
        held = {edge.target for edge in given[key].edges}
        found[key] = {edge.target for edge in row.edges} | held
        for selection in [edge.selection for edge in row.edges if edge.selection is not None]:
            if not any(selection.matches(one) for one in held if one in made):
                if selection not in matches:  # two are enough, because a resource does not match its own
                    matches[selection] = list(islice((one for one in made if selection.matches(one)), 2))
                found[key].update([one for one in matches[selection] if one != key][:1])
    return found


def _fixed(row: Row) -> Iterator[Any]:
    """Yield the references of a row, without those by selection: the commit chooses what they hold."""
    return (edge for edge in row.edges if edge.selection is None)


def _record(row: Row, old: Record | None, uid: str, now_us: int = 0) -> Record:
    return Record(
        row.key, old.uid if old else uid, old.version + 1 if old else 1, row.document,
        tuple([edge.opened() for edge in row.edges]), row.unique, row.index,
        old.created_us if old else now_us, now_us,
    )  # fmt: skip


def _refusal(unresolved: Sequence[tuple[str, Key]], updates: Sequence[DocumentChange]) -> StoreError | None:
    if unresolved:
        return missing_references(unresolved)
    return _differ(updates) if updates else None


def _differ(updates: Sequence[DocumentChange]) -> AlreadyExists:
    return AlreadyExists(
        f"Cannot import: {count(len(updates), 'resource')} of the export exist and differ.",
        why=[f"{change.key}: {_fields(change)}" for change in updates],
        hint="replace=True replaces them; plan_import(…) shows what differs.",
        key=updates[0].key,
    )


def _fields(change: DocumentChange) -> str:
    """Name what differs in a document; its references or indexed values alone may differ, too."""
    return ", ".join(shown([one.place for one in change.fields])) or "references, or values that are unique or indexed"
