"""Pruning: remove old revisions, page by page; each page is one commit, so it may end after any and be repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Standing, read_standing, standing_key
from emco_store.core.naming import REVISION, REVISION_PART
from emco_store.core.records import Record, Stamp
from emco_store.core.reserved import beside_prefix
from emco_store.core.revisions import part_keys, read_document, tags_of
from emco_store.errors import AlreadyExists, Conflict, InvalidCall, InvalidResource
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context
from emco_store.flows.filling import scanned
from emco_store.flows.lifecycles import refuse_without_lifecycle
from emco_store.flows.outcomes import submit
from emco_store.flows.refusals import already_exists
from emco_store.ports import Commit, Scan

PAGE: Final = 100
"""Revisions that are looked at for one commit."""
ATTEMPTS: Final = 10
"""How often one page is tried while others change what it rests on."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune did.

    Attributes:
        removed: The number of revisions that were removed.
        kept: The number of revisions that were kept.
    """

    removed: int
    kept: int


@dataclass(slots=True)
class _Judge:
    """Which revisions are kept, from the newest to the oldest of each incarnation.

    Attributes:
        keep: How many of the newest.
        uid: The incarnation that is looked at.
        seen: How many of its revisions were looked at.
        approved: Whether the one that was approved last is among them.
    """

    keep: int
    uid: str = ""
    seen: int = 0
    approved: bool = False

    def keeps(self, record: Record, uid: str, standing: Standing | None) -> bool:
        """Return whether a revision is kept.

        Args:
            record: The next revision.
            uid: The uid of the resource that is there; empty where none is.
            standing: What its lifecycle record says.
        """
        *_, own, digits = record.key.segments
        if own != self.uid:
            self.uid, self.seen, self.approved = own, 0, False
        self.seen += 1
        number, named = int(digits), set[int | None]()
        if standing is not None and own == uid:
            named = {
                standing.applied,
                standing.approved.revision if standing.approved else None,
                *standing.tags.values(),
            }
        is_last_approved = not self.approved and _is_approved(record)
        self.approved |= is_last_approved
        return self.seen <= self.keep or is_last_approved or number in named or bool(tags_of(record))


def prune(context: Context, key: Key, *, keep: Any) -> Flow[Pruned]:
    """Remove revisions of a resource, or of one that is gone.

    Of each incarnation, the newest ones, the tagged ones and the one that was approved last are kept; and those that
    the lifecycle record names as approved and applied. Each page rests on the lifecycle record.

    Raises:
        InvalidCall: ``keep`` is no number from 1, or resources of the kind have no history.
        Conflict: Others have changed the lifecycle again and again meanwhile.

    Rules: HIS-11.
    """
    if type(keep) is not int or keep < 1:
        raise InvalidCall(
            f"Cannot keep {keep!r:.40} revisions.", why=["a prune keeps 1 or more"], hint="give keep= a number from 1."
        )
    refuse_without_lifecycle(context, key)
    removed = looked = 0
    judge, after = _Judge(keep), ""
    while True:
        page = yield from _page(REVISION, key, after)
        judge, number = yield from _prune_page(context, key, page, judge)
        removed, looked = removed + number, looked + len(page)
        if len(page) < PAGE:
            return Pruned(removed, looked - removed)
        after = page[-1].key.text


def forget(context: Context, key: Key) -> Flow[Pruned]:
    """Remove all that is kept of a resource that is gone.

    Raises:
        AlreadyExists: The resource is there.

    Rules: HIS-11.
    """
    refuse_without_lifecycle(context, key)
    removed = 0
    for kind in (REVISION, REVISION_PART):  # then the parts of revisions that could not be read
        while True:
            page = yield from _page(kind, key, "")
            if key in (yield from records_at([key])):
                raise _is_there(key)
            yield from _forget_page(context, key, page)
            removed += len(page) if kind == REVISION else 0
            if len(page) < PAGE:
                break
    return Pruned(removed, 0)


def _forget_page(context: Context, key: Key, page: Sequence[Record]) -> Flow[None]:
    """Remove one page of what is kept, each revision together with its parts."""
    for attempt in range(ATTEMPTS):
        stamps = yield from _stamps(page, is_sure=not attempt)
        try:
            yield from _submit(context, stamps, {key: None})
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            found = yield from records_at([key, *(record.key for record in page)])
            if key in found:
                raise _is_there(key) from None
            page = [found[record.key] for record in page if record.key in found]
        else:
            return


def _is_there(key: Key) -> AlreadyExists:
    hint = "prune(…, keep=…) removes old revisions of what is there; delete it first to forget all of them."
    return already_exists(key, "forget the history of", hint)


def _page(kind: str, key: Key, after: str) -> Flow[Sequence[Record]]:
    """Read a page of the records of one kind beside a resource, the last one first."""
    prefix, position = beside_prefix(kind, key), ("", after) if after else None
    return (yield from scanned(Scan(kind=kind, prefix=prefix, after=position, limit=PAGE, descending=True)))


def _prune_page(context: Context, key: Key, page: Sequence[Record], judge: _Judge) -> Flow[tuple[_Judge, int]]:
    """Remove what is not kept of one page; return how far the judgement has come, and how many were removed."""
    for attempt in range(ATTEMPTS):
        judging = replace(judge)
        there: Mapping[Key, Record] = yield from records_at([key, standing_key(key)])
        root, stored = there.get(key), there.get(standing_key(key))
        uid, standing = root.uid if root else "", read_standing(stored) if stored else None
        going = [record for record in page if not judging.keeps(record, uid, standing)]
        stamps = yield from _stamps(going, is_sure=not attempt)
        try:
            yield from _submit(context, stamps, {standing_key(key): stored.stamp if stored else None})
        except Conflict:
            if attempt == ATTEMPTS - 1:
                raise
            found = yield from records_at(record.key for record in page)
            page = [found[record.key] for record in page if record.key in found]
        else:
            return judging, len(going)
    raise AssertionError  # the last attempt has raised


def _stamps(going: Sequence[Record], *, is_sure: bool) -> Flow[dict[Key, Stamp]]:
    """Return what revisions and their parts must be, to be removed.

    Args:
        going: The revisions.
        is_sure: Whether to take it that their parts are as they were written, without looking.
    """
    stamps: dict[Key, Stamp] = {record.key: record.stamp for record in going}
    for record in going:
        parts = part_keys(record.key, _parts(record))
        is_there = parts if is_sure else (yield from records_at(parts))
        stamps |= {part: Stamp(record.uid, 1) for part in parts if part in is_there}
    return stamps


def _submit(context: Context, stamps: Mapping[Key, Stamp], expect: Mapping[Key, Stamp | None]) -> Flow[None]:
    if stamps:
        yield from submit(
            Commit(context.new_id(), {**expect, **stamps}, deletes=tuple(stamps), origin=context.actors.origin),
            expect,
        )


def _parts(record: Record) -> int:
    """Return how many parts a revision has; of one that cannot be read, the parts stay until it is forgotten."""
    try:
        return read_document(record).parts
    except InvalidResource:
        return 0


def _is_approved(record: Record) -> bool:
    try:
        return read_document(record).approval is not None
    except InvalidResource:
        return False
