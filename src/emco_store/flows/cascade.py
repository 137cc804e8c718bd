"""Cascades: the references to what a transaction deletes are followed, and the rules of each are applied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set as AbstractSet
from dataclasses import replace

from emco_store.core.keys import Key
from emco_store.core.plan import Blocker, Change, Deletion, without
from emco_store.core.records import Edge, Record
from emco_store.flows.asking import Flow
from emco_store.flows.view import View


class Cascade:
    """What the deletes of one transaction do to others.

    Attributes:
        deletions: What is deleted, the named ones first, then level by level.
        changes: What stays and loses a reference.
    """

    def __init__(self) -> None:
        self.deletions: list[Deletion] = []
        self.changes: list[Change] = []
        self._followed: list[tuple[AbstractSet[Key], Sequence[Record]]] = []
        self._suspects: list[Blocker] = []
        self._reselected: list[tuple[Key, Edge]] = []

    @property
    def reselects(self) -> bool:
        """Whether selections have lost the matches that they held."""
        return bool(self._reselected)

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

    @property
    def named(self) -> list[Key]:
        """The keys that the caller named."""
        return [deletion.key for deletion in self.deletions if deletion.via is None]

    def begin(self, view: View, keys: Sequence[Key]) -> None:
        """Delete the named records."""
        self.deletions += [Deletion(key) for key in dict.fromkeys(keys)]
        for key in keys:
            view.drop(key, named=True)

    def follow(self, view: View, frontier: Sequence[Key], referrers: Sequence[Record], now_us: int) -> Flow[None]:
        """Follow the references to what is deleted, level by level, until nothing more is.

        Args:
            view: What the transaction sees; deletes and edits are written to it.
            frontier: What was deleted last.
            referrers: Those who refer to it.
            now_us: The time of the changes, in microseconds since 1970, UTC.
        """
        lost: dict[Key, list[Edge]] = defaultdict(list)
        while frontier:
            level = frozenset(frontier)
            self._followed.append((level, referrers))
            reached = [deletion for record in referrers if (deletion := self._reach(view, record, level, lost))]
            for deletion in reached:
                view.drop(deletion.key, named=False)
            self.deletions += reached
            frontier = [deletion.key for deletion in reached]
            referrers = (yield from view.referrers_of(frontier)) if frontier else ()
        for key, edges in lost.items():
            remaining = view.current(key)
            if remaining is not None:
                self._release(view, remaining, edges, now_us)

    def _reach(
        self, view: View, record: Record, level: AbstractSet[Key], lost: dict[Key, list[Edge]]
    ) -> Deletion | None:
        """Take note of what the rules of a record say when its targets are deleted; return its own deletion, if any."""
        goes = record.key in view.gone and record.key not in view.puts
        reached: Deletion | None = None
        for edge in record.edges_to(level):
            if edge.rule.blocks(goes=goes, is_named=False):
                self._suspect(record.key, edge)
            elif goes:
                continue
            elif edge.rule.cascades:
                reached = reached or Deletion(record.key, edge)
            elif edge.rule.edits:
                lost[record.key].append(edge)
        return reached

    def _release(self, view: View, record: Record, edges: Sequence[Edge], now_us: int) -> None:
        """Apply the rules of lost references; one that has nothing to put there blocks."""
        stuck = [edge for edge in edges if not edge.rule.can_edit(edge.default, view.gone.keys())]
        for edge in stuck:
            self._suspect(record.key, edge)
        lost = [edge for edge in edges if edge not in stuck]
        if lost:
            self.changes += [Change(record.key, edge) for edge in lost]
            self._reselected += [(record.key, edge) for edge in lost if edge.selection is not None]
            view.puts[record.key] = without(record, lost, now_us)

    def _suspect(self, referrer: Key, edge: Edge) -> None:
        self._suspects.append(Blocker(referrer, edge.place, edge.rule, edge.target))

    def blockers(self, view: View, unmatched: Sequence[tuple[Key, Edge]] = ()) -> list[Blocker]:
        """Judge the suspects by what the transaction would leave.

        A target that is created again blocks nothing, nor does a referrer that was re-pointed. A referrer that is
        deleted blocks only where its rule says so. A selection blocks that has lost its match and has no other.

        Args:
            view: What the transaction sees.
            unmatched: The selections that nothing matches, with the records that hold them.
        """
        found = [
            Blocker(key, edge.place, old.rule, old.target)
            for key, edge in unmatched
            for holder, old in self._reselected
            if holder == key and edge.selection and old.selection and edge.selection.covers(old.selection)
        ]
        for suspect in self._suspects:
            if suspect.target in view.puts:
                continue
            if suspect.referrer in view.gone and suspect.referrer not in view.puts:
                if suspect.rule.blocks(goes=True, is_named=view.gone[suspect.referrer]):
                    found.append(suspect)
                continue
            record = view.current(suspect.referrer)
            if record is not None and suspect.target in record.targets:
                found.append(suspect)
        return found

    def followed_to_puts(self, view: View) -> AbstractSet[tuple[Key, Key]]:
        """Return the references that lead from what is written to what is deleted, as pairs of referrer and target."""
        return {
            (record.key, edge.target)
            for level, records in self._followed
            for record in records if record.key in view.puts
            for edge in record.edges_to(level)
        }  # fmt: skip
