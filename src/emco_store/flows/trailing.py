"""Trails as flows: the entries that go with a commit, the pages of a trail, and the end of old entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from emco_store.core.keys import Key
from emco_store.core.naming import TRAIL
from emco_store.core.origins import Origin
from emco_store.core.pages import Page
from emco_store.core.query import Order, check_limit, read_cursor, write_cursor
from emco_store.core.records import Record
from emco_store.core.reserved import beside_prefix
from emco_store.core.resource import is_model
from emco_store.core.trails import (
    TrailEntry,
    Write,
    entry_of,
    expired,
    kept,
    read_entry,
    time_text,
)
from emco_store.errors import InvalidCall
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context, or_error
from emco_store.flows.filling import scanned
from emco_store.flows.outcomes import submit
from emco_store.flows.view import View
from emco_store.ports import Commit, Scan

_STEP = 1000
"""Entries that are removed in one commit."""


class Entries(NamedTuple):
    """What a commit writes beside what it is asked for: new entries of trails, and the keys of those that go."""

    puts: tuple[Record, ...] = ()
    deletes: tuple[Key, ...] = ()


NONE = Entries()


def leaves_trail(view: View) -> bool:
    """Return whether something that a transaction writes has a trail."""
    for record in view.puts.values():
        if record.index and kept(record):
            return True
    return any(_going(view)) if view.gone else False


def entries_of(view: View, *, txid: str, now_us: int, origin: Origin) -> Flow[Entries]:
    """Return the entries for what a transaction writes; what it changes without having read it is read now.

    Rules: WHO-5, WHO-8.
    """
    changed = [record for record in view.puts.values() if record.index and kept(record)]
    unread = [one.key for one in changed if one.key not in view.base and view.expect.get(one.key) is not None]
    found: Mapping[Key, Record] = yield from records_at(unread)
    # A record that has moved since it was read makes the commit fail, whatever its entry says.
    writes = [*(Write(one, None) for one in _going(view)), *_changes(view, changed, found)]
    limit = view.context.limits.max_bytes
    puts = [entry_of(one, txid=txid, now_us=now_us, origin=origin, max_bytes=limit) for one in writes]
    return Entries(tuple(puts), tuple(key for one in writes for key in expired(one)))


def _going(view: View) -> Iterator[Record]:
    for key in view.gone:
        base = view.base.get(key)
        if base is not None and base.index and kept(base):
            put = view.puts.get(key)
            if put is None or put.uid != base.uid:
                yield base


def _changes(view: View, changed: Iterable[Record], found: Mapping[Key, Record]) -> Iterator[Write]:
    for record in changed:
        before = view.base.get(record.key) or found.get(record.key)
        yield Write(None if before is None or before.uid != record.uid else before, record)


def page_of(context: Context, target: Any, *, limit: int, after: str | None) -> Flow[Page[TrailEntry]]:
    """Read one page of the trail of a resource or of a kind, newest first, in one request.

    Rules: WHO-6, WHO-7.
    """
    check_limit(limit)
    kind, prefix = _about(context, target)
    where = prefix or kind
    position = None if after is None else read_cursor(after, where, Order())
    scan = Scan(TRAIL, prefix=prefix, field=None if prefix else kind, after=position, limit=limit + 1, descending=True)
    records = yield from scanned(scan)
    shown = tuple([or_error(read_entry, record) for record in records[:limit]])
    if len(records) <= limit:
        return Page(shown, None)
    last = records[limit - 1]
    return Page(shown, write_cursor(where, Order(), ("" if prefix else last.index[0][1], last.key.text)))


def prune(context: Context, target: Any, *, older_than: Any) -> Flow[int]:
    """Remove entries of a certain age, page by page; each page is one commit.

    Rules: WHO-8.
    """
    kind, prefix = _about(context, target)
    age_us = _age(context, kind, older_than) // timedelta(microseconds=1)
    below = time_text(max(context.now_us() - age_us, 0) + 1)
    limit = min(_STEP, context.limits.max_records)
    removed = 0
    while True:
        found = yield from scanned(Scan(TRAIL, prefix, field=kind, below=below, limit=limit))
        if found:
            going = tuple([record.key for record in found])
            yield from submit(Commit(context.new_id(), deletes=going, origin=context.actors.origin), ())
        removed += len(found)
        if len(found) < limit:
            return removed


def _about(context: Context, target: Any) -> tuple[str, str]:
    """Return the kind that is meant, and how the keys of the entries begin; nothing for all of the kind."""
    if is_model(target):
        context.schema.learn(target)
        return target.__emco__.kind, ""
    key = context.address(target)
    return key.kind, beside_prefix(TRAIL, key)


def _age(context: Context, kind: str, older_than: Any) -> timedelta:
    model = context.schema.model_of(kind)
    trail = None if model is None else model.__emco__.trail
    if older_than is None and trail is not None and trail.days is not None:
        return timedelta(days=trail.days)
    if isinstance(older_than, timedelta) and older_than >= timedelta(0):
        return older_than
    raise InvalidCall(
        f"Cannot prune the trail of {kind} with older_than={older_than!r:.40}.",
        why=["it is no time span" if older_than is not None else f"no model of {kind} says days= here"],
        hint="give a timedelta of 0 or more, or say trail=Trail(days=…) in the class.",
    )
