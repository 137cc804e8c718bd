"""Plans of transactions: what a unit of work would do, and everything that speaks against it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from emco_store.core.diffs import DocumentChange, document_change
from emco_store.core.keys import Key
from emco_store.core.plan import Blocker, Change
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import is_reserved
from emco_store.core.transaction_plans import TransactionPlan
from emco_store.errors import InvalidCall, StateForbids, StoreError
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.cascade import Cascade
from emco_store.flows.refusals import (
    already_exists,
    first_blockers,
    missing_references,
    restricted,
    stale,
    unique_violation,
)
from emco_store.flows.uniques import claims_of, taken
from emco_store.flows.unit import Unit
from emco_store.ports import Commit

T = TypeVar("T")


class PlannedUnit(Unit):
    """A unit of work that is planned and not committed."""

    def commit(self) -> Flow[None]:
        """Refuse to write anything.

        Raises:
            InvalidCall: Always.

        Rules: OCC-16.
        """
        raise InvalidCall(
            "Cannot commit this transaction.",
            why=["it is only planned"],
            hint="leave the commit to store.apply(plan), or give the function to store.run().",
        )


def plan(unit: Unit, result: T) -> Flow[TransactionPlan[T]]:
    """Plan the commit of a unit: what it would write, and what speaks against it.

    Takes a request for what the unit writes and has not read, one for the targets of its references, and one for each
    unique value that is new.

    Raises:
        InvalidCall: The unit makes a transition.

    Rules: OCC-16.
    """
    if any(is_reserved(key.kind) for key in unit.puts):
        raise InvalidCall(
            "Cannot plan this transaction.",
            why=["it makes a transition, or reports a status"],
            hint="plan_transition() plans a transition; plan the rest apart from it.",
        )
    cascade, blockers, unmatched = yield from unit.judge()
    before = yield from _before(unit)
    changes = [one for one in cascade.changes_in(unit) if not is_reserved(one.key.kind)]
    creates = [key for key, record in unit.puts.items() if record.version == 1]
    unresolved = yield from _places(unit, unmatched, blockers, {one.key for one in changes})
    claims = [claim for key in unit.puts for claim in claims_of(unit.puts[key], before.get(key))]
    owned = yield from taken(unit, claims)
    written = [before[key] for key in unit.puts if key in before and key not in creates]
    found: list[StoreError] = [already_exists(key) for key in creates if key in before and key not in unit.gone]
    found += [stale([one.key]) for one in written if one.stamp != unit.expect.get(one.key)]
    found += [unique_violation(one.key, one.field, owner) for one, owner in owned]
    try:
        yield from unit.ask_states(is_plan=True)
    except StateForbids as problem:
        found.append(problem)
    limit = unit.context.limits.max_records
    refusal = _first(cascade, blockers, unresolved, found, limit)
    updates = [_update(unit, one, changes) for one in written]
    return TransactionPlan(
        result=result,
        creates=tuple(creates),
        updates=tuple([one for one in updates if one is not None]),
        deletes=tuple([one for one in cascade.deletions if not is_reserved(one.key.kind)]),
        changes=tuple(changes),
        unresolved=unresolved,
        blockers=first_blockers(blockers, limit),
        problems=tuple([problem.line for problem in found]),
        messages=unit.messages,
        commit=Commit(unit.txid) if refusal else (yield from unit.proposed()),
        refusal=refusal,
    )


def _before(unit: Unit) -> Flow[dict[Key, Record]]:
    """Return what is stored of all that the unit writes; the unit may have written over what it has never read."""
    unread = [key for key in unit.puts if key not in unit.base]
    found: Mapping[Key, Record] = yield from records_at(unread)
    known = {key: record for key in unit.puts if (record := unit.base.get(key)) is not None}
    return {**known, **found}


def _places(
    unit: Unit, unmatched: Sequence[tuple[Key, Edge]], blockers: Sequence[Blocker], edited: Collection[Key]
) -> Flow[tuple[tuple[str, Key], ...]]:
    """Return the references that do not resolve, without those that forbid the delete of their target."""
    blocking = {(f"{one.referrer} {one.place}", one.target) for one in blockers}
    own = [(key, edge) for key, edge in unmatched if key not in edited]
    return tuple([one for one in (yield from unit.unresolved(own)) if one not in blocking])


def _update(unit: Unit, before: Record, changes: Collection[Change]) -> DocumentChange | None:
    """Return how a resource is updated; None where rules alone edit it."""
    made = document_change(before.key, before.document, unit.puts[before.key].document)
    edits = {change.edge.path[:1] for change in changes if change.key == before.key}
    return None if edits and all(field.path[:1] in edits for field in made.fields) else made


def _first(
    cascade: Cascade, blockers: Sequence[Blocker], unresolved: Sequence[tuple[str, Key]], found: Sequence[StoreError],
    limit: int,
) -> StoreError | None:  # fmt: skip
    """Return the error that the commit would raise."""
    if blockers:
        return restricted(cascade.named, blockers, limit)
    if unresolved:
        return missing_references(unresolved)
    return found[0] if found else None
