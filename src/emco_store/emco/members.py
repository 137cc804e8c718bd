"""Members: what a bundle held when it was last applied under its name, so that what it holds no more can be deleted."""

from __future__ import annotations

from collections.abc import Iterable
from operator import methodcaller

from emco_store.core.keys import Key
from emco_store.core.resource import Resource
from emco_store.emco.bundles import Bundle
from emco_store.emco.steps import Steps
from emco_store.errors import NotFound


class AppliedBundle(Resource, kind="emco_Bundle"):
    """A bundle that was applied under a name; to delete it forgets the name, and leaves the members alone.

    Attributes:
        name: The name.
        members: The keys of the resources that it states, and of those that it stated before and that are not pruned.
    """

    members: tuple[str, ...] = ()


def recorded(bundle: Bundle, name: str, *, prune: bool) -> Steps[tuple[tuple[Key, ...], tuple[Key, ...]]]:
    """Record in a transaction what a bundle holds, and delete what it holds no more if that is wanted.

    Returns:
        What was deleted because the bundle holds it no more; and what stays although it does, because a bundle of
        another name holds it.
    """
    stated = {key.text for key, statement in bundle.final.items() if not statement.is_implied}
    before = yield from _members(name)
    left = [Key.parse(text) for text in before if text not in stated]
    if not prune:
        yield from _record(name, stated.union(before))
        return (), ()
    others = (yield from _held_by_others(name)) if left else set[str]()
    kept = tuple(key for key in left if key.text in others)
    there = (yield methodcaller("get_many", left, missing_ok=True)) if left else ()
    gone = tuple(key for key, value in zip(left, there, strict=True) if value is not None and key not in kept)
    if gone:
        yield methodcaller("delete", *gone)
    yield from _record(name, stated)
    return gone, kept


def _members(name: str) -> Steps[tuple[str, ...]]:
    try:
        found = yield methodcaller("get", AppliedBundle, name)
    except NotFound:
        return ()
    members: tuple[str, ...] = found.members
    return members


def _record(name: str, members: Iterable[str]) -> Steps[None]:
    made = AppliedBundle(name=name, members=tuple(sorted(members)))
    if made.members:
        yield methodcaller("put", made)
    else:
        yield methodcaller("delete", made.key, missing_ok=True)


def _held_by_others(name: str) -> Steps[set[str]]:
    """Return what bundles of other names hold; the commit rests on each of those that there are now."""
    found: set[str] = set()
    after = None
    while True:
        page = yield methodcaller("list", AppliedBundle, limit=100, after=after, stable=False)
        found.update(*(one.members for one in page if one.name != name))
        after = page.next
        if after is None:
            return found
