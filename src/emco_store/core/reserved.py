"""Reserved kinds: the store's own records beside the resources, which no caller can name and no list shows."""

from __future__ import annotations

from typing import Final

from emco_store.core.keys import Key, key_prefix
from emco_store.core.naming import LEASE, PREFIX, STATUS, is_status
from emco_store.errors import InvalidCall

BEHIND: Final = "emco_`"
"""A text that sorts after the keys of all reserved kinds and before all others: a scan goes on there."""


def is_reserved(kind: str) -> bool:
    """Return whether a kind is the store's own."""
    return kind.startswith(PREFIX)


def states_references(kind: str) -> bool:
    """Return whether the references of a record stand in its document, as those of resources and statuses do."""
    return not is_reserved(kind) or kind.startswith(STATUS)


def refuse_reserved(kind: str) -> None:
    """Refuse a kind that a caller has named.

    Raises:
        InvalidCall: The kind is the store's own. A record of such a kind that could be named in a delete would no
            longer protect its resource.

    Rules: RES-1.
    """
    if kind.startswith(PREFIX):  # as is_reserved does; every call asks this
        raise InvalidCall(
            f"Cannot use the kind {kind!r:.80} in a call.",
            why=[f"kinds whose names begin with {PREFIX!r} are the store's own records"],
            hint="set_status() reports a status, status() and statuses() read it; it is deleted with its resource."
            if is_status(kind)
            else "name the resource that the record belongs to.",
        )


def beside(kind: str, key: Key, *more: str) -> Key:
    """Return the key of a record of a reserved kind that belongs to a resource.

    Args:
        kind: The reserved kind.
        key: The key of the resource.
        more: What follows the names of the resource.
    """
    return Key.trusted(kind, (key.kind, *key.segments, *more))


def resource_of(key: Key, more: int = 0) -> Key:
    """Return the key of the resource to which a record of :func:`beside` belongs.

    Args:
        key: The key of the record.
        more: How many names follow those of the resource.
    """
    kind, *names = key.segments[: len(key.segments) - more]
    return Key.trusted(kind, tuple(names))


def beside_prefix(kind: str, key: Key, *more: str) -> str:
    """Return how the texts of the keys of all records of a kind begin that belong to a resource; see :func:`beside`."""
    return key_prefix(kind, (key.kind, *key.segments, *more))


def numbered(kind: str, key: Key, uid: str, number: int) -> Key:
    """Return the key of a numbered record of one incarnation of a resource; the order of keys is that of numbers."""
    return beside(kind, key, uid, digits(number))


def read_numbered(key: Key) -> tuple[Key, str, int]:
    """Return the key of the resource, its uid and the number: what :func:`numbered` has put together."""
    *_, uid, number = key.segments
    return resource_of(key, 2), uid, int(number)


def digits(number: int) -> str:
    """Write a number as it stands in a key."""
    return f"{number:010}"


def lease_of(resource: Key) -> Key:
    """Return the key of the lease of a resource."""
    return beside(LEASE, resource)


def stated(target: Key) -> Key:
    """Return the key that stands in a document where an edge leads to a target: for a lease, that of its resource."""
    return resource_of(target) if target.kind == LEASE else target


def status_resource(key: Key) -> Key:
    """Return the key of the resource to which a status belongs."""
    return Key.trusted(key.kind.removeprefix(STATUS), key.segments[:-1])
