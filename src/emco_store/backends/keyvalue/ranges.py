"""Scans as spans of rows; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from emco_store.backends.keyvalue.ordered_map import Entry, Snapshot, Span, beyond
from emco_store.backends.keyvalue.rows import Names, part, read_part
from emco_store.ports import Scan


def span_of(names: Names, scan: Scan) -> Span:
    """Return the rows in which a scan finds its records, the next ones first: of the records, or of an index."""
    low, below = _by_key(names, scan) if scan.field is None else _by_field(names, scan)
    if scan.after is not None:
        text, key = scan.after
        at = names.record(key) if scan.field is None else _index(names, scan) + part(text) + key.encode()
        low, below = (low, min(below, at)) if scan.descending else (max(low, at + b"\0"), below)
    return Span(low, max(low, below), scan.limit, scan.descending)


def position(names: Names, scan: Scan, row: bytes) -> tuple[str, str]:
    """Return the place of a row in the order of the scan that found it: indexed text and key text."""
    if scan.field is None:
        return "", row.removeprefix(names.records).decode()
    before, _, key = row.removeprefix(_index(names, scan)).rpartition(b"\0")
    return read_part(before), key.decode()


def under(prefix: bytes, *, after: bytes = b"", limit: int) -> Span:
    """Return the rows whose keys begin with a prefix, after the one in which ``after`` follows it, if any."""
    return Span(prefix + after + b"\0" if after else prefix, beyond(prefix), limit)


def behind(span: Span, key: bytes) -> Span:
    """Return what is left of a span after a row of it."""
    return replace(span, below=key) if span.descending else replace(span, low=key + b"\0")


def all_under(snapshot: Snapshot, prefix: bytes) -> Iterator[Entry]:
    """Yield all rows whose keys begin with a prefix, some at a time."""
    span = under(prefix, limit=1000)
    while True:
        part = snapshot.scan(span)
        yield from part.entries
        if not part.more:
            return
        span = behind(span, part.entries[-1].key)


def _by_key(names: Names, scan: Scan) -> tuple[bytes, bytes]:
    low = names.record(scan.prefix or (f"{scan.kind}/" if scan.kind else ""))
    below = beyond(low)
    return low, min(below, names.record(scan.until)) if scan.until else below


def _by_field(names: Names, scan: Scan) -> tuple[bytes, bytes]:
    index = _index(names, scan)
    if scan.equal is not None:  # the keys follow each other, so the prefix is a bound
        point = index + part(scan.equal) + scan.prefix.encode()
        return point, beyond(point)
    low = index if scan.low is None else index + part(scan.low)
    return low, beyond(index) if scan.below is None else index + part(scan.below)


def _index(names: Names, scan: Scan) -> bytes:
    return names.indexed(scan.kind or "", scan.field or "")
