"""Content: read the subtree of a resource and the targets that belong to it, as one moment that a commit rests on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from emco_store.core.digests import Content
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Standing
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved
from emco_store.core.revisions import RevisionDocument, records_of
from emco_store.errors import InvalidCall
from emco_store.flows.asking import Flow
from emco_store.flows.refusals import not_found
from emco_store.flows.unit import Unit

MAX_MEMBERS: Final = 10_000
"""Resources in one subtree that can be approved, recorded or rolled back."""


def read(
    unit: Unit, key: Key, targets: Collection[str] = (), *, beside: Collection[Key] = (), also: Iterable[Key] = ()
) -> Flow[Content]:
    """Read the content of a resource, as the transaction sees it.

    The commit rests on the state of each member and of each target, and on nobody joining the members: all of them are
    in ``expect``, and the members are sealed. Other referrers that were read on the way are not.

    A subtree of depth d takes d + 1 requests; a root without children takes one more if it has targets.

    Args:
        unit: The transaction.
        key: The root of the subtree.
        targets: The kinds of the targets that belong to the content, one step outside the subtree.
        beside: Records of the store's own to load and seal with the first request, and those that refer to them.
        also: Other records to load with the first request.

    Raises:
        NotFound: There is no such resource.
        InvalidCall: The subtree has more than 10,000 members.

    Rules: LIF-3, LIF-11.
    """
    members: dict[Key, Record] = {}
    level, along, own = [key], list(also), list(beside)
    while level:
        is_member = _is_member_of(level)
        found: dict[Key, Record] = {}
        following: str | None = ""
        while following is not None:
            page = yield from unit.referrers_of(
                [*level, *own], after=following, also=along, wanted=_or_refers_to(own, is_member)
            )
            found |= {
                record.key: record
                for record in page.records
                if unit.current(record.key) is record and is_member(record)
            }
            following, along = page.next or None, []
        root = unit.current(key)
        if root is None:
            raise not_found([key])
        members |= {key: root} | found
        if len(members) > MAX_MEMBERS:
            raise _too_many(key)
        level, own = list(found), []
        along = list(_targets_of(members.values(), targets)) if level else []
    outside = yield from unit.fetch(_targets_of(members.values(), targets))
    return Content.of(members[key], members.values(), outside.values())


def record(unit: Unit, content: Content, standing: Standing, about: RevisionDocument) -> Standing:
    """Write a revision in the commit of the transaction, and return what the lifecycle record says then.

    Nothing is written where the newest revision has this content already, unless the content is approved with it, or a
    revision brought back.

    Args:
        unit: The transaction.
        content: The content, as the transaction has read it.
        standing: What the lifecycle record says.
        about: What is said of the revision. The number in its approval is filled in.

    Rules: HIS-1 to HIS-4, LIF-4.
    """
    is_act = about.approval is not None or about.restores is not None
    if standing.revisions and standing.digest == content.digest and not is_act:
        return standing
    number = standing.revisions + 1
    known: dict[str, object] = {"revisions": number, "digest": content.digest}
    if about.approval is not None:
        approval = about.approval.model_copy(update={"revision": number, "digest": content.digest})
        about = about.model_copy(update={"approval": approval})
        known["approved"] = approval
    for made in records_of(content, number, about, unit.context.new_id()):
        unit.write_record(replace(made, origin=unit.origin))
    return standing.model_copy(update=known)


def check_still(unit: Unit, content: Content) -> None:
    """Refuse a transaction that goes on to change content on which one of its transitions rests.

    Raises:
        InvalidCall: A member or a target is not the one that was read, or a member has a new child.

    Rules: HIS-3, LIF-11.
    """
    known = {one.key: one for one in (*content.members, *content.targets)}
    changed = [key for key, one in known.items() if not _is_same(unit.current(key), one)]
    parents = {one.key for one in content.members}
    joined = [key for key, one in unit.puts.items() if key not in known and _is_member_of(parents)(one)]
    if changed or joined:
        raise InvalidCall(
            f"Cannot change the content of {content.root.key} after a transition that rests on it.",
            why=[f"{key} was written later in the same transaction" for key in sorted([*changed, *joined])],
            hint="change the content first, then make the transition; or use two transactions.",
        )


def _is_same(now: Record | None, then: Record) -> bool:
    """Return whether a record is still the same content; only its version or the match of a selection may differ."""
    return now is then or (now is not None and (now.uid, now.document) == (then.uid, then.document))


def _is_member_of(level: Collection[Key]) -> Callable[[Record], bool]:
    """Return a predicate: is a record a child of one of these resources, and no record of the store's own?"""
    parents = frozenset([key.text for key in level])

    def is_member(record: Record) -> bool:
        parent = record.parent
        return parent is not None and parent.text in parents and not is_reserved(record.key.kind)

    return is_member


def _or_refers_to(own: Collection[Key], is_member: Callable[[Record], bool]) -> Callable[[Record], bool]:
    wanted = frozenset([key.text for key in own])
    return (lambda record: is_member(record) or record.refers_to(wanted)) if wanted else is_member


def _targets_of(records: Iterable[Record], kinds: Collection[str]) -> Iterator[Key]:
    """Yield the keys of some kinds to which records refer."""
    if kinds:
        for record in records:
            for edge in record.edges:
                if edge.target.kind in kinds and not edge.is_open:
                    yield edge.target


def _too_many(key: Key) -> InvalidCall:
    return InvalidCall(
        f"Cannot read the content of {key}.",
        why=[f"its subtree has more than {MAX_MEMBERS:,} resources"],
        hint="give the lifecycle to resources further down, each with a smaller subtree.",
        size=MAX_MEMBERS + 1,
        limit=MAX_MEMBERS,
    )
