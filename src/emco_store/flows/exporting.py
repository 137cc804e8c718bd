"""Exports: read all resources, or those under one of them, as of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from emco_store.core.exports import Export, write_export
from emco_store.core.keys import Key
from emco_store.core.naming import LEASE, LIFECYCLE, PREFIX, REVISION, STATUS, TRAIL
from emco_store.core.query import MAX_PAGE
from emco_store.core.records import Record
from emco_store.core.reserved import BEHIND, is_reserved
from emco_store.errors import Conflict
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.filling import referring, scanned
from emco_store.flows.refusals import not_found
from emco_store.ports import ReferrerQuery, Scan

PASSES: Final = 5
"""How often an export reads again because resources changed while it read them."""
MAX_TARGETS: Final = 500
"""Resources whose children one request asks for."""
_OWN: Final = (
    (LIFECYCLE, "states of lifecycles"),
    (REVISION, "revisions"),
    (STATUS, "statuses"),
    (TRAIL, "trails"),
    (LEASE, "leases"),
)
"""What a namespace holds beside resources: how the kinds begin, and what people call it."""


def export(under: Key | None) -> Flow[Export]:
    """Read resources as of one moment.

    Pages are read one after another, so one pass may show resources of different moments. If two passes see the same
    versions, that was the state between them.

    Raises:
        NotFound: There is no such resource.
        Conflict: Resources kept changing.
        InvalidResource: A document cannot be read.

    Rules: EXP-1.
    """
    before: dict[Key, object] = {}
    for number in range(PASSES + 1):
        records = (yield from _all()) if under is None else (yield from _below(under))
        stamps: dict[Key, object] = {record.key: record.stamp for record in records}
        if number and stamps == before:
            return write_export(records, under=under, left_out=(yield from _left_out()))
        before = stamps
    raise Conflict(
        "Cannot export: resources changed while they were read.",
        why=[f"{PASSES + 1} passes did not see the same state twice"],
        hint="export again when fewer services write.",
        keys=(),
    )


def _all() -> Flow[list[Record]]:
    """Read all resources, and pass over the store's own records."""
    found: list[Record] = []
    spans: tuple[tuple[tuple[str, str] | None, str], ...] = ((None, PREFIX), (("", BEHIND), ""))
    for begin, until in spans:
        after, is_full = begin, True
        while is_full:
            page = yield from scanned(Scan(None, after=after, limit=MAX_PAGE, until=until))
            found += page
            is_full = len(page) == MAX_PAGE
            after = ("", page[-1].key.text) if page else after
    return found


def _below(key: Key) -> Flow[list[Record]]:
    """Read a resource and what lies under it, level by level."""
    members = dict((yield from records_at([key])))
    if not members:
        raise not_found([key])
    level = [key]
    while level:
        children: dict[Key, Record] = {}
        for targets in _slices(level):
            children |= yield from _children(targets)
        level = [one for one in children if one not in members]
        members |= children
    return list(members.values())


def _children(targets: Sequence[Key]) -> Flow[dict[Key, Record]]:
    wanted = frozenset(targets)
    found: dict[Key, Record] = {}
    after, is_full = "", True
    while is_full:
        page = (yield from referring(ReferrerQuery(tuple(targets), (), after, MAX_PAGE))).referrers
        found |= {one.key: one for one in page if not is_reserved(one.key.kind) and one.parent in wanted}
        is_full = len(page) == MAX_PAGE
        after = page[-1].key.text if page else after
    return found


def _slices(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    return (keys[at : at + MAX_TARGETS] for at in range(0, len(keys), MAX_TARGETS))


def _left_out() -> Flow[tuple[str, ...]]:
    """Return what the namespace holds beside resources."""
    found: list[str] = []
    for kind, said in _OWN:
        prefix = kind if kind == STATUS else f"{kind}/"
        if (yield from scanned(Scan(None, prefix=prefix, limit=1))):
            found.append(said)
    return tuple(found)
