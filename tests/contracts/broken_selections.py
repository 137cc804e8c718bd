# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Selections that are kept badly on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import replace

from emco_store.backends.memory import MemoryPort
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record, with_matches
from emco_store.core.rules import RESTRICT
from emco_store.core.selection import Pattern, Selection
from emco_store.errors import StoreError
from emco_store.flows import refusals, selecting
from emco_store.flows.asking import Flow
from emco_store.flows.selecting import Selecting
from emco_store.ports import Commit, Receipt, Refusal, Scan

_SCANS = selecting._scans


class ChecksSelectionsBeforeTheCommitOnly(MemoryPort):
    """Stores no matches: that there is one was seen when the commit was prepared, and is not looked at any more."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        others = {edge.target for record in commit.puts for edge in record.edges if not edge.rule.selects}
        chosen = {edge.target for record in commit.puts for edge in record.edges if edge.rule.selects}
        puts = tuple(map(_without_selections, commit.puts))
        return super().commit(replace(commit, puts=puts, require=commit.require - (chosen - others)))


def _without_selections(record: Record) -> Record:
    return replace(record, edges=tuple(edge for edge in record.edges if not edge.rule.selects))


class TakesMatchesForTargets(MemoryPort):
    """Stores the match of a selection as an ordinary reference, without what it was chosen by."""

    def commit(self, commit: Commit) -> Receipt | Refusal:
        return super().commit(replace(commit, puts=tuple(map(_with_plain_edges, commit.puts))))


def _with_plain_edges(record: Record) -> Record:
    def plain(edge: Edge) -> Edge:
        return replace(edge, rule=RESTRICT, selection=None) if edge.rule.selects else edge

    return replace(record, edges=tuple(map(plain, record.edges)))


class SearchesTheStoreOnly(Selecting):
    """Does not look among the writes of its own transaction."""

    def _search(self, selection: Selection, own: Key) -> Flow[tuple[Selection, Key] | None]:
        for alternative in selection.narrowed():
            for pattern in alternative.patterns:
                found = yield from self._stored(pattern, own)
                if found is not None:
                    return alternative, found
        return None


def keep_what_goes(edges: tuple[Edge, ...], before: Iterable[Edge], absent: Container[Key] = ()) -> tuple[Edge, ...]:
    """Keep a match that the same commit deletes."""
    del absent
    return with_matches(edges, before)


def give_up_at_once(commit: Commit, absent: Collection[Key]) -> StoreError:
    """Take a match that has vanished for a missing reference, although another may be left."""
    return refusals.missing_references([
        (f"{record.key} {edge.place}", edge.target)
        for record in commit.puts for edge in record.edges if edge.target in absent
    ])  # fmt: skip


def trust_the_index(pattern: Pattern) -> Iterator[Scan]:
    """Search by the index alone, where there is one."""
    yield next(_SCANS(pattern))


def read_one_page(scan: Scan, records: tuple[Record, ...]) -> None:
    """Search the first page only."""
    del scan, records


def match_by_name_only(self: Pattern, key: Key) -> bool:
    """Compare the last name alone."""
    return key.kind == self.kind and self.names[-1] in {None, key.name}
