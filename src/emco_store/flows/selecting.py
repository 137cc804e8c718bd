"""Selecting: which match a reference by selection holds.

A commit that makes a selection, or deletes the match that one holds, chooses another: among its own writes first, then
in the backend. The chosen match becomes an ordinary target, which must be there at the commit, so it does not matter
how old the search is by then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.records import Edge, Record, with_matches
from emco_store.core.selection import Pattern, Selection
from emco_store.flows.asking import Flow, read
from emco_store.flows.filling import scanned
from emco_store.flows.view import View
from emco_store.ports import Get, Scan

FIRST_PAGE = 10
LATER_PAGES = 1000
"""Records that one step of a search reads: few at first, because most searches end there."""


class Selecting:
    """The matches that one commit chooses.

    Attributes:
        unmatched: The selections that nothing matches, with the records that hold them.
    """

    def __init__(self, view: View) -> None:
        self.unmatched: list[tuple[Key, Edge]] = []
        self._absent = frozenset(key for key in (*view.gone, *_not_there(view)) if key not in view.puts)
        self._written: dict[tuple[str, str | None], list[Key]] = {}
        for key in sorted(view.puts):
            for name in (key.name, None):
                self._written.setdefault((key.kind, name), []).append(key)
        self._found: dict[tuple[Selection, Key | None], tuple[Selection, Key] | None] = {}

    def choose(self, record: Record, before: Collection[Edge]) -> Flow[Record]:
        """Return a record whose selections hold matches that are there.

        Args:
            record: The record, as it would be written.
            before: The edges that the stored record has; a match that one of them holds is kept.

        Rules: REF-14, DEL-13.
        """
        held = [edge.selection for edge in before if edge.selection is not None]
        edges = list(with_matches(record.edges, before, self._absent))
        for at, edge in enumerate(edges):
            if edge.selection is None or not (edge.is_open or edge.target in self._absent):
                continue
            match = yield from self._match(edge.selection, record.key)
            if match is not None:
                selection, target = match
                edges[at] = replace(edge, target=target, selection=selection)
            elif not edge.selection.is_optional or any(map(edge.selection.covers, held)):
                self.unmatched.append((record.key, edge))
        missing = {edge for _, edge in self.unmatched}
        return replace(record, edges=tuple(edge for edge in edges if edge in missing or not edge.is_open))

    def _match(self, selection: Selection, own: Key) -> Flow[tuple[Selection, Key] | None]:
        """Return a match and the alternative that it belongs to; many records of one commit may ask for the same."""
        wanted = selection, own if selection.matches(own) else None
        if wanted not in self._found:
            self._found[wanted] = yield from self._search(selection, own)
        return self._found[wanted]

    def _search(self, selection: Selection, own: Key) -> Flow[tuple[Selection, Key] | None]:
        for alternative in selection.narrowed():
            written = (key for pattern in alternative.patterns for key in self._written_by_us(pattern) if key != own)
            match = next(written, None)
            if match is not None:
                return alternative, match
            for pattern in alternative.patterns:
                found = yield from self._stored(pattern, own)
                if found is not None:
                    return alternative, found
        return None

    def _written_by_us(self, pattern: Pattern) -> Iterator[Key]:
        return filter(pattern.matches, self._written.get((pattern.kind, pattern.names[-1]), ()))

    def _stored(self, pattern: Pattern, own: Key) -> Flow[Key | None]:
        """Search the backend; by an index first, which may not have what was stored before it was declared."""
        if pattern.key is not None:
            there = pattern.key not in self._absent and pattern.key in (yield from read(Get((pattern.key,))))
            return pattern.key if there else None
        for scan in _scans(pattern):
            step: Scan | None = scan
            while step is not None:
                records = yield from scanned(step)
                for record in records:
                    if record.key != own and record.key not in self._absent and pattern.matches(record.key):
                        return record.key
                step = _next(step, records)
        return None


def _not_there(view: View) -> Iterator[Key]:
    return (key for key, record in view.base.items() if record is None)


def _scans(pattern: Pattern) -> Iterator[Scan]:
    if pattern.indexed:
        text = index_text(pattern.names[-1])
        yield Scan(pattern.kind, pattern.prefix, field=pattern.indexed, equal=text, limit=FIRST_PAGE)
    yield Scan(pattern.kind, pattern.prefix, limit=FIRST_PAGE)


def _next(scan: Scan, records: tuple[Record, ...]) -> Scan | None:
    """Return the scan of the next page; None after the last one."""
    if len(records) < scan.limit:
        return None
    return replace(scan, after=(scan.equal or "", records[-1].key.text), limit=LATER_PAGES)
