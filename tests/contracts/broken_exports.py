# ruff: noqa: ARG001 - what is broken is mostly that they do not look
"""Exports and imports that are broken on purpose, each in one way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from emco_store.core import exports
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.revisions import Row
from emco_store.flows import exporting, importing
from emco_store.flows.asking import Flow

_line, _record, _read_export, _children = exports._line, importing._record, exports.read_export, exporting._children


def forget_uniques(record: Record) -> str:
    """Leave out of a line what must be unique."""
    return _line(replace(record, unique=()))


def look_once(under: Any) -> Flow[exports.Export]:
    """Take one pass for one moment."""
    records = (yield from exporting._all()) if under is None else (yield from exporting._below(under))
    return exports.write_export(records, under=under, left_out=())


def find_referrers(targets: Any) -> Flow[dict[Any, Record]]:
    """Take every referrer for a child."""
    page = yield from exporting.referring(exporting.ReferrerQuery(tuple(targets), (), "", 1000))
    return {record.key: record for record in page.referrers}


def keep_the_order_of_lines(targets: Mapping[Key, Any]) -> Iterator[tuple[Key, ...]]:
    """Write rows as they come."""
    return ((key,) for key in targets)


def select_in_any_order(made: Mapping[Key, Row], given: Mapping[Key, Row]) -> dict[Key, Any]:
    """Forget that a selection needs a match."""
    return {key: {edge.target for edge in row.edges} for key, row in made.items()}


def find_everything(row: Row) -> Iterator[Any]:
    """Look for no target."""
    return iter(())


def trust_the_line(edge: Any, document: Any) -> bool:
    """Take every reference for one that stands in the document."""
    return True


def refuse_nothing(unresolved: Any, updates: Any) -> None:
    """Let every import begin."""


def read_what_is_there(lines: Any) -> tuple[Row, ...]:
    """Pass over what the first line says."""
    return _read_export([line for line in exports._lines(lines) if b"resources" not in _bytes(line)])


def _bytes(line: str | bytes) -> bytes:
    return line.encode() if isinstance(line, str) else line


def begin_anew(row: Row, old: Record | None, uid: str, now_us: int = 0) -> Record:
    """Give what is replaced another uid."""
    return _record(row, None, uid or "u", now_us)
