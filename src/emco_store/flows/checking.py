"""Checks: read everything that is stored, one page at a time, find flaws and repair them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emco_store.core.auditing import amended, examine
from emco_store.core.flaws import Flaw, FlawKind, Repair
from emco_store.core.keys import Key
from emco_store.core.query import check_limit
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved, refuse_reserved
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, StoreError, Unavailable, UnknownOutcome
from emco_store.flows.asking import Flow, ask, read, records_at
from emco_store.flows.context import Context
from emco_store.flows.histories import check_history
from emco_store.flows.outcomes import submit
from emco_store.flows.refusals import missing_references, stale, unavailable
from emco_store.flows.selecting import Selecting
from emco_store.flows.unit import Unit
from emco_store.ports import Audit, Mend, Unreachable

STEP = 100
"""Records checked again, or entries mended, in one request."""
_OF_BACKEND = frozenset({Repair.MEND, Repair.DISCARD})


@dataclass(frozen=True, slots=True)
class CheckPage:
    """One page of a check.

    Attributes:
        records: Number of resources checked; the store's own records are checked too, and do not count.
        entries: Number of entries checked: records, and what the backend keeps beside them.
        flaws: The flaws found.
        next: The cursor for ``after=``; None at the end.
    """

    records: int
    entries: int
    flaws: tuple[Flaw, ...]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Repaired:
    """The result of a repair.

    Attributes:
        done: The flaws that were repaired.
        skipped: The other flaws, each with the reason.
    """

    done: tuple[Flaw, ...]
    skipped: tuple[tuple[Flaw, str], ...] = ()


def check(context: Context, *, after: Any, limit: int, unknown_kinds: bool) -> Flow[CheckPage]:
    """Check one page of everything that is stored.

    A reference that seems to dangle is read again together with its target, as of one moment, so that concurrent
    writers cause no false flaws.

    Rules: CHK-1 to CHK-6, RES-4, HIS-12.
    """
    check_limit(limit)
    audited = yield from read(Audit(_cursor(after), limit))
    suspects = [record for record in audited.records if not record.targets.isdisjoint(audited.absent)]
    confirmed: list[tuple[Record, frozenset[Key]]] = []
    for group in _groups(suspects):
        confirmed += yield from _look_again(group, audited.absent)
    doubtful = {record.key for record in suspects}
    sound = [(record, frozenset[Key]()) for record in audited.records if record.key not in doubtful]
    flaws = [
        flaw
        for record, absent in sorted((*sound, *confirmed), key=lambda pair: pair[0].key)
        for flaw in examine(record, context.schema.reader_at(record.key), absent)
    ]
    flaws += yield from check_history(context, audited.records)
    told = _unknown(context, audited.records) if unknown_kinds else ()
    resources = sum(not is_reserved(record.key.kind) for record in audited.records)
    return CheckPage(resources, audited.entries, (*audited.flaws, *flaws, *told), audited.next)


def _look_again(
    suspects: Sequence[Record], absent: frozenset[Key]
) -> Flow[list[tuple[Record, frozenset[Key]]]]:  # fmt: skip
    targets = {target for record in suspects for target in record.targets & absent}
    found = yield from records_at(sorted({*targets, *(record.key for record in suspects)}))
    gone = frozenset(target for target in targets if target not in found)
    return [(found[record.key], gone) for record in suspects if record.key in found]


def _cursor(after: Any) -> str:
    if after is None:
        return ""
    if not isinstance(after, str) or not after:
        raise InvalidCall(
            f"Cannot go on with the check after {after!r:.40}.",
            why=["it is not a cursor"],
            hint="pass page.next unchanged, or None to begin.",
        )
    return after


def _unknown(context: Context, records: Iterable[Record]) -> Iterator[Flaw]:
    kinds = Counter(record.key.kind for record in records)
    for kind in sorted(kinds):
        if context.schema.reader_of(kind) is None and not is_reserved(kind):
            detail = f"{count(kinds[kind], 'record')} on this page, and no model here"
            yield Flaw(FlawKind.UNKNOWN_KIND, kind, "", detail, "check with its model, to have its documents compared")


def repair(context: Context, flaws: Any) -> Flow[Repaired]:
    """Repair each flaw as it says, unless its record has changed since.

    Each record is one commit. It rests on the state in which the flaw was found and on the absence of the targets.

    Rules: CHK-7, CHK-8.
    """
    given = _flaws(flaws)
    done: list[Flaw] = []
    skipped = [(flaw, "it is not for a program to decide") for flaw in given if flaw.repair is None]
    of_backend = [flaw for flaw in given if flaw.repair in _OF_BACKEND]
    entries = [flaw for flaw in of_backend if flaw.kind is not FlawKind.SETUP]
    for group in (*_groups(entries), *_groups([flaw for flaw in of_backend if flaw.kind is FlawKind.SETUP])):
        try:
            yield from ask(Mend(tuple(group)))
        except Unreachable as problem:
            raise unavailable(problem) from problem
        except Unavailable:
            raise
        except StoreError as problem:
            skipped += [(flaw, problem.line) for flaw in group]
        else:
            done += group
    for key, about in _by_record(given).items():
        try:
            yield from _repair_record(context, key, about)
        except (UnknownOutcome, Unavailable):
            raise
        except StoreError as problem:
            skipped += [(flaw, problem.line) for flaw in about]
        else:
            done += about
    return Repaired(tuple(done), tuple(skipped))


def _flaws(flaws: Any) -> list[Flaw]:
    """Return the flaws of one page or of several."""
    try:
        given = list(iter(flaws))
    except TypeError:
        given = [flaws]
    for flaw in given:
        if not isinstance(flaw, Flaw):
            raise InvalidCall(
                f"Cannot repair {flaw!r:.80}.", why=["it is not a flaw"], hint="give page.flaws of a check."
            )
    return list(dict.fromkeys(given))


def _by_record(flaws: Iterable[Flaw]) -> Mapping[str, list[Flaw]]:
    found: dict[str, list[Flaw]] = defaultdict(list)
    for flaw in flaws:
        if flaw.repair is not None and flaw.repair not in _OF_BACKEND:
            found[flaw.key].append(flaw)
    return found


def _repair_record(context: Context, text: str, flaws: Sequence[Flaw]) -> Flow[None]:
    unit = Unit(context)
    key = Key.parse(text)
    lost = {Key.parse(flaw.entry[0]) for flaw in flaws if flaw.kind is FlawKind.DANGLING}
    yield from unit.load([key, *sorted(lost)])
    record = unit.base[key]
    moved = [target for target in lost if unit.base[target] is not None]
    if record is None or moved or any(flaw.stamp not in {None, record.stamp} for flaw in flaws):
        raise stale(moved or [key])
    if any(flaw.repair is Repair.DELETE for flaw in flaws):
        if not record.edges_to(lost):
            refuse_reserved(key.kind)  # what makes a record superfluous is only ever that it refers to nothing
        yield from unit.delete_records([key])
        yield from unit.commit()
        return
    is_rewritten = any(flaw.repair is Repair.REWRITE for flaw in flaws)
    model = context.schema.model_at(key)
    made = amended(record, model, lost, unit.now_us, unit.origin, is_rewritten=is_rewritten)
    selecting = Selecting(unit)
    made = yield from selecting.choose(made, record.edges)
    if selecting.unmatched:
        raise missing_references([(f"{key} {edge.place}", edge.target) for key, edge in selecting.unmatched])
    unit.write_record(made)
    yield from unit.ask_states(is_plan=True)
    new = made.targets - record.targets
    there: Mapping[Key, Record] = yield from records_at(sorted(new))
    absent = frozenset(new - there.keys())
    if absent and not is_rewritten:
        raise stale(sorted(absent))
    commit = yield from unit.proposed()
    yield from submit(replace(commit, require=commit.require - absent), [key])


def _groups(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), STEP):
        yield items[first : first + STEP]
