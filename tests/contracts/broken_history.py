# ruff: noqa: ARG001 - what is broken is mostly that they do not look
"""Histories, digests and rollbacks that are broken on purpose, each in one way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from emco_store.core import revisions
from emco_store.core.digests import Content
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Approval, Standing
from emco_store.core.origins import Origin
from emco_store.core.records import Edge, Record
from emco_store.core.revisions import RevisionDocument, Row
from emco_store.core.rules import RESTRICT
from emco_store.flows import content, pruning
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.history import Found
from emco_store.flows.rollbacks import _Rewriting
from emco_store.flows.unit import Unit
from emco_store.flows.view import View
from emco_store.ports import Scan

_is_member_of, _records_of, _numbered = content._is_member_of, revisions.records_of, revisions.numbered
_record = content.record
_made, _write, _tagged = _Rewriting._made, _Rewriting.write, revisions.tagged


def seal_nothing(view: View, key: Key) -> None:
    """Let others join the members of a content unseen."""


def rest_on_nothing(view: View, key: Key, record: Record | None) -> None:
    """Let members change unseen."""


def count_known_kinds(level: Collection[Key]) -> Callable[[Record], bool]:
    """Leave out of the content what has no model here."""
    is_member = _is_member_of(level)
    return lambda record: record.key.kind != "Odd" and is_member(record)


def print_bytes(document: bytes) -> str:
    """Take the order of fields for content."""
    return document.hex()


def refer_to_the_resource(content: Content, number: int, about: RevisionDocument, uid: str) -> tuple[Record, ...]:
    """Give a revision an edge to its resource."""
    edge = Edge(content.root.key, ("resource",), RESTRICT)
    first, *parts = _records_of(content, number, about, uid)
    return replace(first, edges=(edge,)), *parts


def number_by_key(kind: str, key: Key, uid: str, number: int) -> Key:
    """Forget of which incarnation a revision is."""
    return _numbered(kind, key, "one", number)


def record_always(unit: Unit, found: Content, standing: Standing, about: RevisionDocument) -> Standing:
    """Write a revision although the newest one has this content."""
    return _record(unit, found, standing.model_copy(update={"digest": ""}), about)


def write_on(unit: Unit, found: Content) -> None:
    """Let a transaction change what it has recorded before."""


def forget_parts_first(context: Context, key: Key, page: Sequence[Record]) -> Flow[None]:
    """Remove the parts of revisions in a commit of their own, so that half of a revision may stay."""
    own = {record.key: record.stamp for record in page}
    stamps = yield from pruning._stamps(page, is_sure=True)
    yield from pruning._submit(context, {one: stamps[one] for one in stamps if one not in own}, {key: None})
    yield from pruning._submit(context, own, {key: None})


def keep_the_newest(judge: Any, record: Record, uid: str, standing: Standing | None) -> bool:
    """Prune what has a name."""
    judge.seen += 1
    return bool(judge.seen <= judge.keep)


def write_into_the_revision(record: Record, tags: Iterable[str], now_us: int) -> Record:
    """Change the document of a revision for a tag."""
    return replace(_tagged(record, tags, now_us), document=record.document.replace(b"{", b"{ ", 1))


def skip_forward(*args: Any, **wanted: Any) -> Scan:
    """Read a history from its beginning."""
    return Scan(*args, **{**wanted, "descending": False})


def delete_nothing(rewriting: _Rewriting) -> list[Key]:
    """Leave what has joined since."""
    _write(rewriting)
    return []


def look_for_nothing(rewriting: _Rewriting, also: Iterable[Key] = ()) -> Flow[None]:
    """Show no reference that resolves nowhere."""
    yield from ()


def drop_references(rewriting: _Rewriting, row: Row, old: Record | None) -> Record:
    """Bring unknown kinds back without their references."""
    made = _made(rewriting, row, old)
    return replace(made, edges=made.edges[:1]) if row.key.kind == "Odd" else made


def drop_every_reference(rewriting: _Rewriting, row: Row, old: Record | None) -> Record:
    """Bring resources back without their references, except for the first."""
    made = _made(rewriting, row, old)
    return replace(made, edges=made.edges[:1])


def carry_always(found: Found, after: Content) -> Approval | None:
    """Carry an approval to other content."""
    return found.document.approval


def record_as_planned(record: Record, now_us: int, origin: Origin) -> Record:
    """Record a rollback as whoever has planned it, at that time."""
    return record


def find_nothing(*_: Any) -> Flow[list[Any]]:
    """Look at no content."""
    yield from ()
    return []
