"""The history of a resource: its revisions, their content and their names, and how old ones are removed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from emco_store.core.diffs import Diff, compare
from emco_store.core.documents import decode
from emco_store.core.evolution import without_stamp
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Standing, read_standing, standing_key
from emco_store.core.naming import REVISION
from emco_store.core.pages import Page
from emco_store.core.query import Order, check_limit, read_cursor, write_cursor
from emco_store.core.records import Record
from emco_store.core.reserved import beside_prefix, read_numbered
from emco_store.core.revisions import (
    Revision,
    RevisionDocument,
    Rows,
    content_of,
    read_document,
    read_revision,
    revision_key,
    tagged,
    tags_of,
)
from emco_store.errors import InvalidCall, NotFound
from emco_store.flows import content
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context, or_error
from emco_store.flows.filling import scanned
from emco_store.flows.lifecycles import lifecycle_of, refuse_without_lifecycle
from emco_store.flows.refusals import already_exists, not_found
from emco_store.flows.revisions import beginning_of, parts_of
from emco_store.flows.unit import Unit
from emco_store.ports import Scan

Which = int | str | Revision
"""What names a revision: its number, a tag, or an entry of the history."""
NOW: Final = "now"
"""Stands for the content now, so it is no tag."""
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class RevisionContent:
    """The content of a revision.

    Attributes:
        revision: The revision.
        documents: The documents of the subtree by key, as JSON values; bytes where one cannot be read.
        targets: The documents of the targets outside it that belong to the content.
    """

    revision: Revision
    documents: Mapping[Key, Any]
    targets: Mapping[Key, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """A revision that was looked up.

    Attributes:
        record: Its record.
        document: What it says.
        rows: Its content.
        root: The record of the resource; None where it is gone.
        standing: The lifecycle record of the resource; None where there is none.
    """

    record: Record
    document: RevisionDocument
    rows: Rows
    root: Record | None
    standing: Record | None

    @property
    def key(self) -> Key:
        """The key of the resource."""
        return read_numbered(self.record.key)[0]

    @property
    def number(self) -> int:
        """The number of the revision."""
        return read_numbered(self.record.key)[2]


# reading


def history(context: Context, key: Key, *, limit: int, after: str | None) -> Flow[Page[Revision]]:
    """Read one page of the history of a resource, the newest revision first, in one request.

    Rules: HIS-5.
    """
    check_limit(limit)
    refuse_without_lifecycle(context, key)
    query, order = f"history of {key}", Order(descending=True)
    position = None if after is None else read_cursor(after, query, order)
    scan = Scan(
        kind=REVISION, prefix=beside_prefix(REVISION, key), after=position, limit=limit + 1, descending=True
    )  # fmt: skip
    found = yield from scanned(scan)
    items = tuple([or_error(read_revision, record) for record in found[:limit]])
    return Page(items, write_cursor(query, order, ("", found[limit - 1].key.text)) if len(found) > limit else None)


def revision(context: Context, key: Key, which: Which) -> Flow[RevisionContent]:
    """Read the content of a revision."""
    found = yield from find(context, key, which)
    members, targets = (
        {row.key: _value(row.document) for row in rows} for rows in (found.rows.members, found.rows.targets)
    )
    return RevisionContent(read_revision(found.record), members, targets)


def digest(unit: Unit, key: Key) -> Flow[str]:
    """Return the digest of the content now.

    Rules: LIF-11.
    """
    targets = lifecycle_of(unit.context, key, "take the digest of").spec.targets
    found = yield from content.read(unit, key, targets)
    yield from unit.commit()
    return found.digest


def diff(unit: Unit, key: Key, before: Which, after: Which) -> Flow[Diff]:
    """Compare two revisions, or one with the content now.

    The content now is that of one moment; the content of a resource that is gone is empty.

    Rules: HIS-1.
    """
    sides = [before, after]
    if sides == [NOW, NOW]:
        raise InvalidCall(
            f"Cannot compare the content of {key} with itself.",
            why=["both sides are the content now"],
            hint="give the number or the tag of a revision.",
        )
    found: dict[int, Found] = {}
    for at, side in enumerate(sides):
        if side != NOW:
            found[at] = yield from find(unit.context, key, side)
    documents: list[Mapping[Key, bytes]] = []
    for at in range(len(sides)):
        if at in found:
            rows = found[at].rows
            documents.append({row.key: row.document for row in (*rows.members, *rows.targets)})
        else:
            documents.append((yield from _now(unit, key, found[1 - at].document.kinds)))
    numbers = [found[at].number if at in found else None for at in range(len(sides))]
    added, removed, changed = compare(*documents)
    return Diff(key, numbers[0], numbers[1], tuple(added), tuple(removed), tuple(changed))


def find(context: Context, key: Key, which: Which | None, *, is_gone: bool = False) -> Flow[Found]:
    """Look up a revision and read its content; of a resource that is gone by its last incarnation.

    Args:
        context: The surroundings.
        key: The key of the resource.
        which: The revision; None stands for the newest of a resource that is gone.
        is_gone: Whether the resource must be gone.

    Raises:
        AlreadyExists: The resource is there, and must be gone.
        NotFound: There is no such revision.
        InvalidResource: It cannot be read.
    """
    if which is not None or not is_gone:
        check_which(key, which)
    refuse_without_lifecycle(context, key)
    own = standing_key(key)
    if isinstance(which, Revision):
        wanted = revision_key(key, which.uid, which.number)
        there = yield from beginning_of(wanted, [key, own])
        record, found = there.get(wanted), there
    else:
        there = yield from records_at([key, own])
        root = there.get(key)
        sought = _by_scan(key, which) if root is None else _by_name(root, there.get(own), which)
        record, found = yield from sought
    if is_gone and key in there:
        raise already_exists(key, "restore", "plan_rollback() brings the content of a revision back to what is there.")
    if record is None:
        raise no_revision(key, which)
    parts = yield from parts_of(record, found)
    return Found(record, read_document(record), content_of(record, parts), there.get(key), there.get(own))


_Sought = Flow[tuple[Record | None, Mapping[Key, Record]]]
"""A revision, None if it is not there, with what was read of its content."""


def _by_name(root: Record, standing: Record | None, which: int | str | None) -> _Sought:
    """Read a revision of the resource that is there."""
    number = _number(None if standing is None else read_standing(standing), which)
    if number is None:
        return None, {}
    wanted = revision_key(root.key, root.uid, number)
    found = yield from beginning_of(wanted)
    return found.get(wanted), found


def _number(standing: Standing | None, which: Which | None) -> int | None:
    """Return the number of a revision of the resource that is there."""
    if isinstance(which, Revision):
        return which.number
    if standing is None or isinstance(which, int):
        return which if isinstance(which, int) else None
    return standing.revisions if which is None else standing.tags.get(which)


def _by_scan(key: Key, which: int | str | None) -> _Sought:
    """Look through the revisions of a resource that is gone, the newest first."""
    after: tuple[str, str] | None = None
    limit = 1 if which is None else _PAGE
    while True:
        scan = Scan(kind=REVISION, prefix=beside_prefix(REVISION, key), after=after, limit=limit, descending=True)
        page = yield from scanned(scan)
        for record in page:
            if which is None or which == int(record.key.name) or which in tags_of(record):
                return record, {}
        if len(page) < limit:
            return None, {}
        after = ("", page[-1].key.text)


def _now(unit: Unit, key: Key, kinds: Sequence[str]) -> Flow[Mapping[Key, bytes]]:
    try:
        found = yield from content.read(unit, key, kinds)
    except NotFound:
        return {}
    yield from unit.commit()
    return {record.key: record.document for record in (*found.members, *found.targets)}


def _value(document: bytes) -> Any:
    try:
        value = decode(document)
    except ValueError:
        return document
    return without_stamp(cast("dict[str, Any]", value)) if isinstance(value, dict) else value


# naming


def give_tag(unit: Unit, key: Key, which: Which, name: Any) -> Flow[Revision]:
    """Give a revision a name; one that had it before loses it.

    Rules: HIS-1, HIS-11.
    """
    _check_tag(name)
    check_which(key, which)
    standing, uid = yield from _standing_of(unit, key)
    known = read_standing(standing)
    number = _number(known, which)
    before = known.tags.get(name)
    if number is None or (isinstance(which, Revision) and which.uid != uid):
        raise no_revision(key, which)
    records = yield from unit.fetch([revision_key(key, uid, one) for one in (number, before) if one])
    record = records.get(revision_key(key, uid, number))
    if record is None:
        raise no_revision(key, which)
    if before == number:
        yield from unit.commit()
        return read_revision(record)
    old = None if before is None else records.get(revision_key(key, uid, before))
    if old is not None:
        unit.write_record(_by(unit, tagged(old, [one for one in tags_of(old) if one != name], unit.now_us)))
    made = _by(unit, tagged(record, [*tags_of(record), name], unit.now_us))
    unit.write_record(made)
    unit.write_record(_by(unit, restated(standing, {"tags": {**known.tags, name: number}}, unit.now_us)))
    yield from unit.commit()
    return read_revision(made)


def take_tag(unit: Unit, key: Key, name: str) -> Flow[None]:
    """Take a name away from the revision that has it."""
    _check_tag(name)
    standing, uid = yield from _standing_of(unit, key)
    known = read_standing(standing)
    number = known.tags.get(name)
    if number is None:
        raise no_revision(key, name)
    records = yield from unit.fetch([revision_key(key, uid, number)])
    for record in records.values():
        unit.write_record(_by(unit, tagged(record, [one for one in tags_of(record) if one != name], unit.now_us)))
    tags = {one: at for one, at in known.tags.items() if one != name}
    unit.write_record(_by(unit, restated(standing, {"tags": tags}, unit.now_us)))
    yield from unit.commit()


def _by(unit: Unit, record: Record) -> Record:
    return replace(record, origin=unit.origin)


def restated(record: Record, known: Mapping[str, object], now_us: int) -> Record:
    """Return a lifecycle record that says something else in some fields; its edges and its state stay."""
    document = read_standing(record).model_copy(update=known).model_dump_json(exclude_defaults=True).encode()
    return replace(record, version=record.version + 1, document=document, updated_us=now_us)


def _standing_of(unit: Unit, key: Key) -> Flow[tuple[Record, str]]:
    """Return the lifecycle record of a resource, and the uid of the resource."""
    refuse_without_lifecycle(unit.context, key)
    there = yield from unit.fetch([key, standing_key(key)])
    if key not in there:
        raise not_found([key])
    if standing_key(key) not in there:
        raise no_revision(key, None)
    return there[standing_key(key)], there[key].uid


# refusing


def check_which(key: Key, which: Any) -> None:
    """Refuse what cannot name a revision.

    Raises:
        InvalidCall: It cannot.
    """
    if isinstance(which, Revision):
        reason = "" if which.key == key else f"it is a revision of {which.key}"
    elif which == NOW:
        reason = "'now' is the content now, which is no revision"
    else:
        is_number = type(which) is int and which >= 1
        reason = "" if is_number or _is_tag(which) else "a revision has a number from 1, or a tag"
    if reason:
        raise InvalidCall(
            f"Cannot look up the revision {which!r:.80} of {key}.",
            why=[reason],
            hint="give its number, a tag, or an entry of store.history(…).",
        )


def _is_tag(name: Any) -> bool:
    return isinstance(name, str) and _TAG.fullmatch(name) is not None and name != NOW and not name.isdecimal()


def _check_tag(name: Any) -> None:
    if not _is_tag(name):
        raise InvalidCall(
            f"Cannot use {name!r:.80} as a tag.",
            why=["a tag has 1 to 63 letters, digits, '.', '_' and '-', and is neither a number nor 'now'"],
            hint="use a name such as 'stable'.",
        )


def no_revision(key: Key, which: Which | None) -> NotFound:
    """Build the error for a revision that is not there."""
    named = f"revision {which.number if isinstance(which, Revision) else which}" if which is not None else "revision"
    return NotFound(
        f"There is no {named:.100} of {key}.",
        why=["it was never recorded, or it was pruned"],
        hint="store.history(key) shows the revisions that there are.",
        keys=(key,),
    )
