"""Auditing: what is wrong with one record, judged by its document, its model and the targets that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set as AbstractSet
from contextlib import suppress
from dataclasses import replace
from typing import Any

from emco_store.core.codec import draft, load, load_untyped
from emco_store.core.documents import LARGEST_MAX_BYTES, decode
from emco_store.core.edits import without
from emco_store.core.flaws import Flaw, FlawKind, Repair
from emco_store.core.indexing import dated
from emco_store.core.keys import Key
from emco_store.core.naming import LIFECYCLE, REVISION
from emco_store.core.origins import Origin
from emco_store.core.records import Edge, Record, with_matches, without_options
from emco_store.core.reserved import stated, states_references
from emco_store.core.resource import Resource
from emco_store.errors import InvalidResource, NewerModel, shown

Model = type[Resource]
_Place = tuple[str, str, bool]


def examine(record: Record, model: Model | None, absent: AbstractSet[Key]) -> Iterator[Flaw]:
    """Yield what is wrong with a record.

    Where the model is known, references and values are compared with those that it finds in the document now. The rules
    of references are not: the ones that count are those that the record was written with (ALL-4).

    Args:
        record: The record.
        model: The model of its kind, or a view, which the document is only read by; None where it is not known here.
        absent: Targets that are not there.

    Rules: CHK-2 to CHK-4.
    """
    known: Record | None = None
    try:
        if model is None:
            load_untyped(record)
        elif _is_of_others(record, model):
            load(record, model)
        else:
            known = rederived(record, model, record.updated_us)
    except InvalidResource as problem:
        if record.key.kind not in {LIFECYCLE, REVISION}:  # the check of histories names these
            yield Flaw(
                FlawKind.INVALID, record.key.text, "", "; ".join(shown(problem.problems)),
                "delete it, or check with the version of the model that it was written with"
                if isinstance(problem, NewerModel)
                else "put() a correct one in its place, delete it, or check with the model that it was written with",
                stamp=record.stamp,
            )  # fmt: skip
    else:
        if states_references(record.key.kind):
            yield from _misplaced(record, known)
    if known is not None:
        yield from _differences(record, known)
    for edge in record.edges:
        if edge.target in absent and (known is None or _place(edge) in _places(known.edges)):
            yield _dangling(record, edge, absent)


def _is_of_others(record: Record, model: Model) -> bool:
    """Return whether what is recorded for a document follows from another model: the owner's, or an older version."""
    return model.__emco__.is_view or model.__emco__.evolution.is_outdated(record.document)


def rederived(record: Record, model: Model, now_us: int) -> Record:
    """Return a record as an update with its own value would write it: the same value, and all that follows from it.

    The version moves, because one version names one state.

    Raises:
        InvalidResource: Its document does not fit the model.
    """
    drafted = draft(load(record, model), max_bytes=LARGEST_MAX_BYTES)
    made = drafted.record(
        uid=record.uid, version=record.version + 1, created_us=record.created_us, updated_us=now_us
    )  # fmt: skip
    return replace(made, edges=without_options(with_matches(made.edges, record.edges)))


def broken_by_edit(before: Record, after: Record, model: Model | None) -> list[str]:
    """Return why a record that a rule has edited is not sound any more; nothing where it was not sound before either.

    Args:
        before: The record.
        after: The same record, edited.
        model: The model of its kind; None where it is not known here, so that nothing can be said.

    Rules: DEL-14.
    """
    if model is None:
        return []
    reasons = _faults(after, model)
    return reasons if reasons and not _faults(before, model) else []


def _faults(record: Record, model: Model) -> list[str]:
    try:
        if model.__emco__.storage.is_exact or model.__emco__.evolution.is_outdated(record.document):
            load(record, model)
            return []
        known = rederived(record, model, record.updated_us)
    except InvalidResource as problem:
        return list(problem.problems)
    return [flaw.detail for flaw in _differences(*_without_open(record, known))]


def _without_open(record: Record, known: Record) -> tuple[Record, Record]:
    """Return two forms of a record without the selections for which a match is still to be chosen in the first one."""
    waiting = [edge.selection for edge in record.edges if edge.is_open and edge.selection]
    if not waiting:
        return record, known
    kept = [
        edge
        for edge in known.edges
        if not (edge.is_open and edge.selection and any(map(edge.selection.covers, waiting)))
    ]
    return (
        replace(record, edges=tuple(edge for edge in record.edges if not edge.is_open)),
        replace(known, edges=tuple(kept)),
    )


def amended(
    record: Record, model: Model | None, absent: AbstractSet[Key], now_us: int, origin: Origin, *, is_rewritten: bool
) -> Record:
    """Return a record as it is once it has been repaired.

    Args:
        record: The record.
        model: The model of its kind; None where it is not known here.
        absent: Targets of references that go, where their rule lets them.
        now_us: The time of the change, in microseconds since 1970, UTC.
        origin: The origin of the repair.
        is_rewritten: Whether references and values are taken from the document.

    Raises:
        InvalidResource: Its document does not hold what is to be changed, or would not fit the model afterwards.
    """
    begun = record
    if is_rewritten and model is not None:
        with suppress(InvalidResource):  # then it is written again as it is
            begun = rederived(record, model, now_us)
    lost = [edge for edge in begun.edges if edge.target in absent and _repair_of(edge, absent) is Repair.EDIT]
    changed = without(begun, lost, now_us, origin) if lost else begun
    reasons = broken_by_edit(begun, changed, model) if lost else []
    if reasons:
        raise InvalidResource(
            f"Cannot take references out of {record.key}: without them, it would not fit its model.",
            why=reasons,
            hint="update() it with other references, or delete it.",
            key=record.key,
            problems=tuple(reasons),
        )
    return replace(changed, version=record.version + 1, updated_us=now_us, origin=origin)


def _dangling(record: Record, edge: Edge, absent: AbstractSet[Key]) -> Flaw:
    repair = _repair_of(edge, absent)
    if repair is Repair.EDIT:
        hint = f"{edge.rule.effect}, as its rule says"
    elif repair is Repair.DELETE:
        hint = "deletes it, with all that the rules take along"
    else:
        hint = f"create {edge.target} again, or change or delete {record.key}"
    detail = f"refers to {edge.target}, which is not there ({edge.rule})"
    return Flaw(
        FlawKind.DANGLING, record.key.text, edge.place, detail, hint, repair, record.stamp, (edge.target.text,)
    )  # fmt: skip


def _repair_of(edge: Edge, absent: AbstractSet[Key]) -> Repair | None:
    """Return what a program may do about a reference whose target is absent."""
    if edge.rule.cascades:
        return Repair.DELETE
    return Repair.EDIT if edge.rule.can_edit(edge.default, absent) else None


def _misplaced(record: Record, known: Record | None) -> Iterator[Flaw]:
    """Find references that do not stand in the document, so that no rule could take them out."""
    document = decode(record.document)
    wrong = [edge for edge in record.edges if not edge.is_parent and not stands(edge, document)]
    if wrong and (known is None or _places(known.edges) == _places(record.edges)):
        yield _rewritable(FlawKind.EDGES, record, wrong[0].place, _told("not in the document", _places(wrong)), known)


def stands(edge: Edge, document: Any) -> bool:
    """Tell whether the document holds a reference; what a selection says in its place only its model knows."""
    try:
        for step in edge.path[:-1]:
            document = document[step]
        last = edge.path[-1]
        if edge.selection is not None:
            return document[last] is not None
        return bool(last in document if edge.at_key else document[last] == stated(edge.target).text)
    except (LookupError, TypeError):
        return False


def _differences(record: Record, known: Record) -> Iterator[Flaw]:
    found: Iterable[tuple[FlawKind, str, AbstractSet[Any], AbstractSet[Any]]] = (
        (FlawKind.EDGES, "", _places(known.edges), _places(record.edges)),
        (FlawKind.VALUES, "unique", set(known.unique), set(record.unique)),
        (FlawKind.VALUES, "indexed", set(dated(known.index, record.created_us, record.updated_us)), set(record.index)),
    )
    for kind, place, wanted, recorded in found:
        if wanted != recorded:
            reasons = (_told("not recorded", wanted - recorded), _told("not in the document", recorded - wanted))
            yield _rewritable(kind, record, place, "; ".join(filter(None, reasons)), known)


def _rewritable(kind: FlawKind, record: Record, place: str, detail: str, known: Record | None) -> Flaw:
    if known is None:
        hint, repair = "check with the model of its kind, or put() it again", None
    else:
        hint, repair = "writes it again, with what its document says", Repair.REWRITE
    return Flaw(kind, record.key.text, place, detail, hint, repair, record.stamp)


def _told(what: str, found: AbstractSet[tuple[Any, ...]]) -> str:
    """Name references by place and target, and values by their field."""
    names = sorted({f"{one[0]} -> {one[1]}" if len(one) > len(("field", "text")) else str(one[0]) for one in found})
    return f"{what}: {', '.join(shown(names))}" if names else ""


def _places(edges: Iterable[Edge]) -> set[_Place]:
    return {_place(edge) for edge in edges}


def _place(edge: Edge) -> _Place:
    """Return the place of a reference, whatever its number in a list: a rule may leave a set in another order."""
    path = ".".join("[]" if isinstance(step, int) else step for step in edge.path)
    return path, edge.target.text, edge.at_key
