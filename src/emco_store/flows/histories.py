"""Checks of histories: revisions whose content is not what it should be, and lifecycle records in no declared state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from emco_store.core.flaws import Flaw, FlawKind
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import freeze_key, read_standing, standing_key
from emco_store.core.naming import FREEZE, LIFECYCLE, REVISION
from emco_store.core.records import Record
from emco_store.core.reserved import resource_of
from emco_store.core.revisions import content_of, part_keys, read_document
from emco_store.errors import InvalidResource, shown
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context

STEP: Final = 20
"""Revisions whose content is read at once."""


def check_history(context: Context, records: Iterable[Record]) -> Flow[list[Flaw]]:
    """Return what is wrong with the revisions and the lifecycle records among some records.

    A revision whose content seems to be missing is read again, because a prune may have come between.

    Rules: HIS-12.
    """
    given = list(records)
    standings = [record for record in given if record.key.kind == LIFECYCLE]
    flaws = [flaw for record in standings for flaw in _states(context, record)]
    freezing = [record.key for record in standings if _frozen(record)]
    doubtful = {resource_of(key) for key in (*freezing, *(one.key for one in given if one.key.kind == FREEZE))}
    flaws += (yield from _freezes(sorted(doubtful))) if doubtful else []
    revisions = [record for record in given if record.key.kind == REVISION]
    for first in range(0, len(revisions), STEP):
        flaws += yield from _contents(revisions[first : first + STEP])
    return flaws


def _freezes(resources: Sequence[Key]) -> Flow[list[Flaw]]:
    """Find lifecycle records that list frozen fields while there is no freeze, and the reverse, as of one moment."""
    pairs = [(standing_key(one), freeze_key(one)) for one in resources]
    found: Mapping[Key, Record] = yield from records_at(key for pair in pairs for key in pair)
    flaws: list[Flaw] = []
    for own, freeze in pairs:
        standing = found.get(own)
        is_frozen = False if standing is None else _frozen(standing)
        if is_frozen is not None and is_frozen != (freeze in found):
            detail = (
                f"it lists {'' if is_frozen else 'no '}frozen fields, and there is {'no' if is_frozen else 'a'} freeze"
            )
            stamp = None if standing is None else standing.stamp
            flaws.append(
                Flaw(FlawKind.INVALID, own.text, "", detail, "make a transition, which sets both", stamp=stamp)
            )
    return flaws


def _frozen(record: Record) -> bool | None:
    """Return whether a lifecycle record freezes fields; None where it cannot be read."""
    try:
        return bool(read_standing(record).frozen)
    except InvalidResource:
        return None


def _contents(revisions: Sequence[Record]) -> Flow[list[Flaw]]:
    parts = yield from records_at(key for record in revisions for key in _parts(record))
    suspects = [record for record in revisions if any(_content(record, parts))]
    if not suspects:
        return []
    keys = [key for record in suspects for key in (record.key, *_parts(record))]
    again: Mapping[Key, Record] = yield from records_at(keys)
    return [flaw for record in suspects if record.key in again for flaw in _content(again[record.key], again)]


def _content(record: Record, parts: Mapping[Key, Record]) -> Iterator[Flaw]:
    try:
        content_of(record, parts)
    except InvalidResource as problem:
        yield _flaw(record, problem, "prune it, or forget the history of a resource that is gone")


def _parts(record: Record) -> list[Key]:
    try:
        return part_keys(record.key, read_document(record).parts)
    except InvalidResource:
        return []


def _states(context: Context, record: Record) -> Iterator[Flaw]:
    model = context.schema.model_of(resource_of(record.key).kind)
    lifecycle = None if model is None else model.__emco__.lifecycle
    try:
        standing = read_standing(record)
        if lifecycle is not None:
            lifecycle.spec.state_at(resource_of(record.key), standing)
    except InvalidResource as problem:
        yield _flaw(
            record, problem, "check with the model that wrote it, or delete the resource if its rules allow that"
        )


def _flaw(record: Record, problem: InvalidResource, hint: str) -> Flaw:
    return Flaw(FlawKind.INVALID, record.key.text, "", "; ".join(shown(problem.problems)), hint, stamp=record.stamp)
