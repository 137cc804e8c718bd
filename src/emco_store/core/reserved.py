"""Reserved kinds: the store's own records beside the resources, which no caller can name and no list shows."""

from __future__ import annotations

from typing import Final

from emco_store.core.keys import Key

PREFIX: Final = "emco__"
"""How the name of every reserved kind begins."""
BEHIND: Final = "emco_`"
"""A text that sorts after the keys of all reserved kinds and before all others: a scan goes on there."""
LIFECYCLE: Final = "emco__Lifecycle"
"""The state of a resource: ``emco__Lifecycle/<Kind>/<names>``."""
REVISION: Final = "emco__Revision"
"""One entry of a resource's history: ``emco__Revision/<Kind>/<names>/<uid>/<10 digits>``."""
REVISION_PART: Final = "emco__RevisionPart"
"""A part of the content of a revision: the key of the revision, and the number of the part."""
STATUS: Final = "emco__Status_"
"""How the names of the kinds of statuses begin: ``emco__Status_<Kind>/<names>/<writer>``."""


def is_reserved(kind: str) -> bool:
    """Return whether a kind is the store's own."""
    return kind.startswith(PREFIX)


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
