"""Rollbacks and restores as plans: the content of a revision is compared with what is there, and shown first.

Nothing is guessed: what cannot come back is named, and left out only where the caller says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from emco_store.core.diffs import DocumentChange, document_change
from emco_store.core.digests import Content, fingerprint
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Approval, read_standing, standing_key
from emco_store.core.plan import Blocker
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved
from emco_store.core.revisions import Revision, RevisionDocument, Row
from emco_store.core.rollbacks import RollbackPlan
from emco_store.errors import InvalidCall, InvalidResource, StateForbids, StoreError
from emco_store.flows import content as contents
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.history import Found, Which, find, no_revision, restated
from emco_store.flows.refusals import (
    first_blockers,
    missing_references,
    moved,
    not_found,
    restricted,
    unique_violation,
)
from emco_store.flows.transition_calls import check_note
from emco_store.flows.uniques import Claim, claims_of, taken
from emco_store.flows.unit import Unit
from emco_store.ports import Commit


def plan_rollback(unit: Unit, key: Key, which: Which, leave_out: Any, note: str) -> Flow[RollbackPlan]:
    """Plan to bring the content of a revision back.

    For a subtree of depth d, with a revision of one part: d + 3 requests; one more where the revision refers to
    resources outside, and one for each level that its deletes reach.

    Raises:
        NotFound: There is no such resource or revision.
        InvalidCall: What is to be left out is in neither content.

    Rules: HIS-6, HIS-7, HIS-9, HIS-10.
    """
    check_note(f"roll {key} back", note)
    left = frozenset(unit.context.addresses(leave_out))
    found = yield from find(unit.context, key, which)
    if found.root is None:
        raise not_found([key])
    if isinstance(which, Revision) and which.uid != found.root.uid:
        raise no_revision(key, which)
    outside = [row.key for row in found.rows.targets]
    now = yield from contents.read(unit, key, found.document.kinds, also=[standing_key(key), *outside])
    standing = unit.current(standing_key(key))
    if now.root.uid != found.root.uid or standing is None:
        raise moved([key])
    members = {record.key: record for record in now.members}
    rewriting = _Rewriting(unit, found, members, left)
    doomed = rewriting.write()
    if doomed:
        yield from unit.delete(doomed)
    yield from rewriting.look()
    after = rewriting.content(now.root)
    approval = _carried(found, after)
    known = contents.record(
        unit, after, read_standing(standing),
        RevisionDocument(
            state=read_standing(standing).state,
            actor=unit.origin.actor, note=note, at_us=unit.now_us, approval=approval,
            restores=found.number, kinds=found.document.kinds,
        ),
    )  # fmt: skip
    changed = {"revisions": known.revisions, "digest": known.digest, "approved": known.approved}
    unit.write_record(restated(standing, changed, unit.now_us))
    return (yield from rewriting.plan(approval, known.revisions))


def plan_restore(unit: Unit, key: Key, which: Which | None, leave_out: Any) -> Flow[RollbackPlan]:
    """Plan to create a resource that is gone again, with the content of a revision and its parent as it is now.

    Raises:
        AlreadyExists: The resource is there.
        NotFound: There is no such revision.
        InvalidCall: What is to be left out is not in the content.

    Rules: HIS-6 to HIS-9.
    """
    left = frozenset(unit.context.addresses(leave_out))
    found = yield from find(unit.context, key, which, is_gone=True)
    if key in left:
        raise InvalidCall(
            f"Cannot leave out {key}.", why=["it is what would be restored"], hint="leave out what is under it."
        )
    rewriting = _Rewriting(unit, found, {}, left)
    rewriting.write()
    yield from rewriting.look([row.key for row in found.rows.targets])
    return (yield from rewriting.plan(None, None))


def _carried(found: Found, after: Content) -> Approval | None:
    """Return the approval that comes back with the content; none where it would be other content."""
    approval = found.document.approval
    if approval is None or approval.digest != after.digest or found.document.digest != after.digest:
        return None
    return approval.model_copy(update={"via": found.number})


class _Rewriting:
    """The content of a revision on its way into a transaction.

    Args:
        unit: The transaction.
        found: The revision.
        members: The records of the subtree now.
        left: What the caller leaves out.
    """

    def __init__(self, unit: Unit, found: Found, members: Mapping[Key, Record], left: frozenset[Key]) -> None:
        self._unit = unit
        self._found = found
        self._members = members
        self._left = left
        self._rows = {row.key: row for row in found.rows.members}
        self._creates: list[Key] = []
        self._updates: list[DocumentChange] = []
        self._misfits: list[str] = []
        self._unresolved: list[tuple[str, Key]] = []
        self._there: Mapping[Key, Record] = {}

    def write(self) -> list[Key]:
        """Write what differs, and return the keys of what is to be deleted."""
        strangers = sorted(self._left - self._rows.keys() - self._members.keys())
        doomed = [key for key in self._members if key not in self._rows and key not in self._left]
        orphans = [
            key for key in sorted(self._left & self._members.keys())
            for edge in self._members[key].edges if edge.is_parent and edge.target in doomed
        ]  # fmt: skip
        if strangers or orphans:
            raise InvalidCall(
                f"Cannot leave out {(strangers or orphans)[0]}.",
                why=[
                    "neither the revision nor the content now holds it" if strangers else "its parent would be deleted"
                ],
                hint="leave out keys that the plan shows; with a resource, what it stands under.",
            )
        for key, row in self._rows.items():
            if key not in self._left:
                self._rewrite(row, self._members.get(key))
        return doomed

    def _rewrite(self, row: Row, old: Record | None) -> None:
        if old is not None and fingerprint(old.document) == fingerprint(row.document):
            return
        try:
            made = self._made(row, old)
        except InvalidResource as problem:
            self._misfits += [f"{row.key}: {reason}" for reason in problem.problems]
            return
        if old is None:
            self._creates.append(row.key)
        elif old.document == made.document:
            return
        else:
            self._updates.append(document_change(row.key, old.document, made.document))
        self._unit.write_record(made)

    def _made(self, row: Row, old: Record | None) -> Record:
        """Return the record of a row: by its model where that is known, and otherwise as it was stored.

        Rules: HIS-9.
        """
        unit = self._unit
        if old is not None:
            unit.context.refuse_newer(old)
        made = Record(
            row.key, old.uid if old else unit.context.new_id(), old.version + 1 if old else 1, row.document,
            tuple(edge.opened() for edge in row.edges), row.unique, row.index,
            old.created_us if old else unit.now_us, unit.now_us,
        )  # fmt: skip
        return unit.context.by_model(made)

    def look(self, also: Iterable[Key] = ()) -> Flow[None]:
        """Look for the targets of what is written, and note references that resolve nowhere."""
        unit = self._unit
        written = [*self._creates, *(change.key for change in self._updates)]
        edges = [
            (key, edge) for key in written if key in unit.puts for edge in unit.puts[key].edges if not edge.is_open
        ]
        open_ends = [(key, edge) for key, edge in edges if not self._holds(key, edge.target)]
        known = unit.puts.keys() | unit.gone.keys() | unit.base.keys()
        unknown = {edge.target for _, edge in open_ends}.union(also) - known
        self._there = yield from records_at(sorted(unknown))
        for key, edge in open_ends:
            target = edge.target
            if target not in self._there and unit.current(target) is None:
                self._unresolved.append((f"{key} {edge.place}", target))
            elif target in self._there and target.kind in self._found.document.kinds:
                unit.remember(self._there[target])

    def _holds(self, key: Key, target: Key) -> bool:
        """Return whether a resource refers to a target already that is no content, so that it is there and stays."""
        old, gone = self._members.get(key), self._unit.gone
        is_content = target in self._members or target.kind in self._found.document.kinds
        return old is not None and target in old.targets and target not in gone and not is_content

    def content(self, root: Record) -> Content:
        """Return the content as it would be after the commit."""
        unit = self._unit
        keys = {*self._members, *self._creates}
        members = [record for key in keys if (record := unit.current(key)) is not None]
        kinds = self._found.document.kinds
        targets = (
            {edge.target for record in members for edge in record.edges if edge.target.kind in kinds} if kinds else ()
        )
        outside = [record for key in targets if (record := unit.current(key)) is not None]
        return Content.of(unit.current(root.key) or root, members, outside)

    def plan(self, approval: Approval | None, number: int | None) -> Flow[RollbackPlan]:
        """Return the plan."""
        unit, found = self._unit, self._found
        cascade, blockers, unmatched = yield from unit.judge()
        written = {*self._creates, *(change.key for change in self._updates)}
        unresolved = [
            *self._unresolved,
            *((f"{key} {edge.place}", edge.target) for key, edge in unmatched if key in written),
        ]
        claims = [
            one for key in sorted(written & unit.puts.keys()) for one in claims_of(unit.puts[key], unit.base.get(key))
        ]
        owned = yield from taken(unit, claims)
        refusal = self._refusal(cascade.named, unresolved, blockers, owned)
        frozen: list[str] = []
        try:
            yield from unit.ask_states(is_plan=True)
        except StateForbids as problem:
            refusal, frozen = problem, [problem.line]
        return RollbackPlan(
            key=found.key,
            number=found.number,
            creates=tuple(sorted(self._creates, key=lambda one: (len(one.segments), one.text))),
            updates=tuple(self._updates),
            deletes=tuple(one for one in cascade.deletions if not is_reserved(one.key.kind)),
            changes=tuple(one for one in cascade.changes_in(unit) if not is_reserved(one.key.kind)),
            left_out=tuple(sorted(self._left)),
            unresolved=tuple(unresolved),
            problems=(*self._misfits, *(unique_violation(one.key, one.field, by).line for one, by in owned), *frozen),
            blockers=first_blockers(blockers, unit.context.limits.max_records),
            outside=tuple(self._outside()),
            approval=approval,
            revision=number,
            commit=Commit(unit.txid) if refusal else (yield from unit.proposed()),
            refusal=refusal,
        )

    def _outside(self) -> Iterator[DocumentChange]:
        """Yield the targets outside that are there and differ from what they were."""
        for row in self._found.rows.targets:
            now = self._unit.current(row.key) or self._there.get(row.key)
            if now is not None and fingerprint(now.document) != fingerprint(row.document):
                yield document_change(row.key, row.document, now.document)

    def _refusal(
        self,
        named: Sequence[Key],
        unresolved: Sequence[tuple[str, Key]],
        blockers: Sequence[Blocker],
        owned: Sequence[tuple[Claim, Key]],
    ) -> StoreError | None:
        key = self._found.key
        if self._misfits:
            return InvalidResource(
                f"Cannot bring revision {self._found.number} of {key} back.",
                why=self._misfits,
                hint="leave these resources out, and write them by hand.",
                key=key,
                problems=tuple(self._misfits),
            )
        if unresolved:
            return missing_references(unresolved)
        if blockers:
            return restricted(named, blockers, self._unit.context.limits.max_records)
        for claim, owner in owned:
            return unique_violation(claim.key, claim.field, owner)
        return None
