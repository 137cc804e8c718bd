"""Cascades: the references to what a transaction deletes are followed, and the rules of each are applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field, replace

from emco_store.core.auditing import broken_by_edit
from emco_store.core.blockers import by_resource
from emco_store.core.edits import without
from emco_store.core.keys import Key
from emco_store.core.origins import Origin
from emco_store.core.plan import Blocker, BlockReason, Change, Deleted, Deletion
from emco_store.core.records import Edge, Record
from emco_store.errors import MissingReference, StoreError, UniqueViolation, shown
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.refusals import restricted, too_large
from emco_store.flows.uniques import Claim, claims_of, given_twice, stored_owner
from emco_store.flows.view import Referrers, View

MAX_COUNTED = 100_000
"""References that may forbid a delete, after which it gives up counting them."""


@dataclass(slots=True)
class _Edit:
    """What the rules have done to one record that stays."""

    before: Record
    after: Record
    lost: list[Edge]


@dataclass(slots=True)
class _Step:
    """What one delete adds to a cascade; nothing of it counts before the whole is known.

    Keys stand here by their texts, which Python hashes and compares several times as fast.
    """

    going: dict[str, Deletion]
    followed: list[tuple[AbstractSet[str], Sequence[Record]]] = field(
        default_factory=list[tuple[AbstractSet[str], Sequence[Record]]]
    )
    suspects: list[Blocker] = field(default_factory=list[Blocker])
    lost: dict[Key, list[Edge]] = field(default_factory=lambda: defaultdict[Key, list[Edge]](list))

    def suspect(self, referrer: Key, edge: Edge, reason: BlockReason = BlockReason.RULE, detail: str = "") -> None:
        self.suspects.append(_blocker(referrer, edge, reason, detail))


class Cascade:
    """What the deletes of one transaction do to others.

    Attributes:
        deletions: What is deleted, the named ones first, then level by level.
        changes: What stays and loses a reference.
    """

    def __init__(self) -> None:
        self.deletions: list[Deletion] = []
        self.changes: list[Change] = []
        self._followed: list[tuple[AbstractSet[str], Sequence[Record]]] = []
        self._suspects: list[Blocker] = []
        self._edits: dict[Key, _Edit] = {}

    @property
    def named(self) -> list[Key]:
        """The keys that the caller named."""
        return [deletion.key for deletion in self.deletions if deletion.via is None]

    @property
    def reselects(self) -> bool:
        """Whether selections have lost the matches that they held."""
        edits = self._edits
        return bool(edits) and any(edge.selection is not None for edit in edits.values() for edge in edit.lost)

    def changes_in(self, view: View) -> Iterator[Change]:
        """Yield what stays and loses a reference; a selection with the match that it holds by now."""
        for change in self.changes:
            selection = change.edge.selection
            record = view.puts.get(change.key)
            held = (
                edge.target for edge in (() if record is None else record.edges)
                if edge.selection is not None and edge.selection == selection and edge.path == change.edge.path
            )  # fmt: skip
            yield change if selection is None else replace(change, edge=replace(change.edge, default=next(held, None)))

    def rewrite(self, old: Record, new: Record) -> None:
        """Take note that matches were chosen for the selections of a record."""
        edit = self._edits.get(new.key)
        if edit is not None and edit.after is old:
            self._edits[new.key] = _Edit(edit.before, new, edit.lost)

    # following

    def follow(
        self, view: View, keys: Sequence[Key], referrers: Referrers, now_us: int, origin: Origin
    ) -> Flow[Deleted]:  # fmt: skip
        """Delete records, and follow the references to them, level by level, until nothing more is deleted.

        When this raises, the transaction is as it was before.

        Args:
            view: What the transaction sees; deletes and edits are written to it.
            keys: What the caller named.
            referrers: The first page of those who refer to it.
            now_us: The time of the changes, in microseconds since 1970, UTC.
            origin: The origin of the changes.

        Raises:
            InvalidCall: It would change more records than one commit may hold.
            DeleteRestricted: The same, and references forbid it besides.
            InvalidResource: The document of a referrer cannot be edited.
        """
        step = _Step({key.text: Deletion(key) for key in keys})
        level = step.going.copy()
        while level:
            reached: dict[str, Deletion] = {}
            while True:
                step.followed.append((level.keys(), referrers.records))
                _reach(view, referrers.records, level, step, reached)
                _check_size(view, step, reached)
                if not referrers.next:
                    break
                referrers = yield from view.referrers_of(_keys(level), after=referrers.next)
            step.going |= reached
            level = reached
            if level:
                referrers = yield from view.referrers_of(_keys(level))
        return self._apply(view, step, list(self._edited(view, step, now_us, origin)) if step.lost else ())

    def _edited(
        self, view: View, step: _Step, now_us: int, origin: Origin
    ) -> Iterator[tuple[_Edit, Sequence[Edge]]]:  # fmt: skip
        """Yield the records that stay, as the rules of their references leave them, and the references lost now."""
        absent = (view.gone.keys() - view.puts.keys()) | set(_keys(step.going))
        for key, edges in step.lost.items():
            record = None if key.text in step.going else view.current(key)
            if record is None:
                continue
            for edge in edges:
                if not edge.rule.can_edit(edge.default, absent):
                    detail = _going(edge.default) if edge.default else "no default is stored with it"
                    step.suspect(key, edge, BlockReason.NO_DEFAULT, detail)
            lost = [edge for edge in edges if edge.rule.can_edit(edge.default, absent)]
            if lost:
                known = self._edits.get(key)
                after = without(record, lost, now_us, origin)
                if known is not None and known.after is record:
                    yield _Edit(known.before, after, [*known.lost, *lost]), lost
                else:
                    yield _Edit(record, after, lost), lost

    def _apply(self, view: View, step: _Step, edits: Sequence[tuple[_Edit, Sequence[Edge]]]) -> Deleted:
        for deletion in step.going.values():
            view.drop(deletion.key, named=deletion.via is None)
        self.deletions += step.going.values()
        self._followed += step.followed
        self._suspects += step.suspects
        for edit, _ in edits:
            self._edits[edit.after.key] = edit
            view.puts[edit.after.key] = edit.after
        changes = [Change(edit.after.key, edge) for edit, lost in edits for edge in lost]
        self.changes += changes
        return Deleted.of(step.going.values(), changes)

    # judging

    def blockers(self, view: View, unmatched: Sequence[tuple[Key, Edge]] = ()) -> list[Blocker]:
        """Return what forbids the deletes, as far as the transaction can tell by itself, and as it stands now.

        A target that is created again blocks nothing, nor does a referrer that was re-pointed. A referrer that is
        deleted blocks only where its rule says so. A selection blocks that has lost its match and has no other.

        Args:
            view: What the transaction sees.
            unmatched: The selections that nothing matches, with the records that hold them.
        """
        if not (self._suspects or self._edits or unmatched):
            return []
        found = list(_judged(view, self._suspects, {}))
        found += self._unmatched(unmatched)
        edits = self._standing(view)
        for edit in edits:
            reasons = broken_by_edit(edit.before, edit.after, view.context.schema.model_at(edit.after.key))
            if reasons:
                detail = f"without it, the resource does not fit its model: {'; '.join(shown(reasons))}"
                found += [_blocker(edit.after.key, edge, BlockReason.INVALID, detail) for edge in edit.lost]
        return _by_resource(view, [*found, *_twice(view, edits)])

    def _unmatched(self, unmatched: Sequence[tuple[Key, Edge]]) -> Iterator[Blocker]:
        for key, edge in unmatched:
            for old in self._edits[key].lost if key in self._edits else ():
                if edge.selection and old.selection and edge.selection.covers(old.selection):
                    detail = "no other resource matches it"
                    yield Blocker(key, edge.place, old.rule, old.target, BlockReason.NO_MATCH, detail)

    def look(self, view: View) -> Flow[list[Blocker]]:
        """Ask the backend whether the defaults that edits have put are there, and are not taken where they are unique.

        The commit is refused in any case if they are not; this says why.
        """
        edits = self._standing(view)
        put = [(key, edge, target) for key, edge, target in _put(edits) if view.current(target) is None]
        there: Mapping[Key, Record] = yield from records_at(target for _, _, target in put)
        found = [
            _blocker(key, edge, BlockReason.NO_DEFAULT, f"{target} does not exist")
            for key, edge, target in put if target not in there
        ]  # fmt: skip
        for claim, edge in _claims(edits):
            owner = yield from stored_owner(view, claim)
            if owner is not None:
                detail = f"{owner} has the same {claim.field}, which must be unique"
                found.append(_blocker(claim.key, edge, BlockReason.TAKEN, detail))
        return _by_resource(view, found)

    def has_caused(self, problem: StoreError, view: View) -> bool:
        """Return whether a commit was refused for nothing but defaults that the rules have put."""
        edits = self._standing(view)
        if isinstance(problem, UniqueViolation):
            return any(problem.key == edit.after.key for edit in edits)
        put = {(f"{key} {edge.place}", target) for key, edge, target in _put(edits)}
        return isinstance(problem, MissingReference) and put.issuperset(problem.missing)

    def _standing(self, view: View) -> list[_Edit]:
        """Return the edits that no later call of the transaction has overwritten."""
        return [edit for key, edit in self._edits.items() if view.puts.get(key) is edit.after]

    def followed_to_puts(self, view: View) -> AbstractSet[tuple[Key, Key]]:
        """Return the references that lead from what is written to what is deleted, as pairs of referrer and target."""
        return {
            (record.key, edge.target)
            for level, records in self._followed
            for record in records if record.key in view.puts
            for edge in record.edges if edge.target.text in level
        }  # fmt: skip


def _keys(deletions: Mapping[str, Deletion]) -> list[Key]:
    return [deletion.key for deletion in deletions.values()]


def _reach(
    view: View, records: Iterable[Record], level: Container[str], step: _Step, reached: dict[str, Deletion]
) -> None:  # fmt: skip
    """Take note of what the rules of records say when their targets are deleted."""
    going, gone = step.going, view.gone
    for record in records:
        key = record.key
        text = key.text
        goes = text in going or (bool(gone) and key in gone and key not in view.puts)
        for edge in record.edges:
            if edge.target.text not in level:
                continue
            rule = edge.rule
            if rule.blocks(goes=goes, is_named=False):
                step.suspect(key, edge)
            elif goes:
                continue
            elif rule.cascades:
                if text not in reached:
                    reached[text] = Deletion(key, edge)
            elif rule.edits:
                step.lost[key].append(edge)


def _check_size(view: View, step: _Step, reached: Mapping[str, Deletion]) -> None:
    """Refuse a delete that is too large for one commit, or that too many references forbid to go on counting them."""
    limit = view.context.limits.max_records
    most = len(view.gone) + len(step.going) + len(reached) + len(step.lost)
    if most <= limit and len(step.suspects) < MAX_COUNTED:
        return
    going = {**step.going, **reached}
    size = len({key.text for key in (*view.gone, *step.lost)} | going.keys())
    if size <= limit and len(step.suspects) < MAX_COUNTED:
        return
    blockers = list(_judged(view, step.suspects, going))
    if blockers:
        named = [deletion.key for deletion in step.going.values() if deletion.via is None]
        raise restricted(named, _by_resource(view, blockers), limit, is_complete=False)
    if size > limit:
        raise too_large("the records that the delete concerns", size, limit)


def _judged(view: View, suspects: Iterable[Blocker], going: Mapping[str, Deletion]) -> Iterator[Blocker]:
    """Yield the suspects that block.

    Args:
        view: What the transaction sees.
        suspects: References that may block.
        going: What is deleted besides what the view knows, by the texts of the keys.
    """
    targets: dict[Key, AbstractSet[Key]] = {}
    for suspect in suspects:
        referrer, target = suspect.referrer, suspect.target
        if target in view.puts and target.text not in going:
            continue
        own = going.get(referrer.text)
        if own is not None or (referrer in view.gone and referrer not in view.puts):
            is_named = own.via is None if own is not None else view.gone[referrer]
            if suspect.rule.blocks(goes=True, is_named=is_named):
                yield suspect
            continue
        if referrer not in targets:
            record = view.current(referrer)
            targets[referrer] = frozenset() if record is None else record.targets
        if target in targets[referrer]:
            yield suspect


def _put(edits: Iterable[_Edit]) -> Iterator[tuple[Key, Edge, Key]]:
    """Yield what edits have put where references were: the referrer, the reference, and the new target or its lease."""
    for edit in edits:
        lost = {edge.path: edge for edge in edit.lost if edge.rule.replacement(edge.default) is not None}
        for edge in edit.after.edges if lost else ():
            if edge.path in lost:
                yield edit.after.key, lost[edge.path], edge.target


def _claims(edits: Iterable[_Edit]) -> Iterator[tuple[Claim, Edge]]:
    """Yield the unique values that edits have put, each with its reference."""
    for edit in edits:
        edges = {edge.path: edge for edge in edit.lost}
        for claim in claims_of(edit.after, edit.before):
            if (claim.field,) in edges:
                yield claim, edges[claim.field,]


def _twice(view: View, edits: Iterable[_Edit]) -> Iterator[Blocker]:
    """Yield the references for which an edit has put a unique value that another write of the transaction has too."""
    edges = dict(_claims(edits))
    for claim, other in given_twice(view, [*edges]):
        detail = f"{other} would have the same {claim.field}, which must be unique"
        yield _blocker(claim.key, edges[claim], BlockReason.TAKEN, detail)


def _by_resource(view: View, blockers: Sequence[Blocker]) -> list[Blocker]:
    return [
        by_resource(blocker, view.current(blocker.referrer) or view.base.get(blocker.referrer)) for blocker in blockers
    ]


def _going(default: Key) -> str:
    return f"{default} is deleted as well"


def _blocker(referrer: Key, edge: Edge, reason: BlockReason, detail: str) -> Blocker:
    return Blocker(referrer, edge.place, edge.rule, edge.target, reason, detail)
