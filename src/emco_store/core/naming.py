"""What the store's own records are called: the names of their kinds, and what people read in place of their keys."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "emco__"
"""How the name of every reserved kind begins."""
LEASE: Final = "emco__Lease"
"""The lease of a resource, there exactly while somebody holds it: ``emco__Lease/<Kind>/<names>``."""
LIFECYCLE: Final = "emco__Lifecycle"
"""The state of a resource: ``emco__Lifecycle/<Kind>/<names>``."""
CURSOR: Final = "emco__Cursor"
"""Where a consumer of the feed stands: ``emco__Cursor/emco_Seat/<seat>``."""
FREEZE: Final = "emco__Freeze"
"""Says that the state of a resource freezes fields: ``emco__Freeze/<Kind>/<names>``."""
REGISTRY: Final = "emco__Registry"
"""Which services declare which kinds: ``emco__Registry/emco_Registry/active``, one record of a namespace."""
REVISION: Final = "emco__Revision"
"""One entry of a resource's history: ``emco__Revision/<Kind>/<names>/<uid>/<10 digits>``."""
REVISION_PART: Final = "emco__RevisionPart"
"""A part of the content of a revision: the key of the revision, and the number of the part."""
TRAIL: Final = "emco__Trail"
"""One write of a resource: ``emco__Trail/<Kind>/<names>/<uid>/<10 digits of the version>``."""
STATUS: Final = "emco__Status_"
"""How the names of the kinds of statuses begin: ``emco__Status_<Kind>/<names>/<writer>``."""
_NAMES: Final = {
    LEASE: "the lease of {0}",
    LIFECYCLE: "the lifecycle of {0}",
    CURSOR: "the cursor of the consumer in {0}",
    FREEZE: "the frozen fields of {0}",
    REGISTRY: "the registry of segments",
    REVISION: "revision {2} of {0}",
    REVISION_PART: "part {3} of revision {2} of {0}",
    TRAIL: "the trail of {0} at version {2}",
}
"""By kind: {0} is the resource, what follows are the names after those of the resource."""
_MORE: Final = {REVISION: 2, REVISION_PART: 3, TRAIL: 2}
"""How many names follow those of the resource; none for other kinds."""


def is_status(kind: str) -> bool:
    """Return whether a kind is one of statuses."""
    return kind.startswith(STATUS)


def named(kind: str, names: list[str]) -> str | None:
    """Return how people name a record of a reserved kind, or None if it is not one that the store writes.

    Args:
        kind: The kind.
        names: The names in its key, as they are written there.
    """
    if is_status(kind) and len(names) > 1:
        return f"the status of {'/'.join((kind.removeprefix(STATUS), *names[:-1]))} by {names[-1]}"
    more = _MORE.get(kind, 0)
    if kind not in _NAMES or len(names) < more + 2:
        return None
    at = len(names) - more
    return _NAMES[kind].format("/".join(names[:at]), *(name.lstrip("0") or "0" for name in names[at:]))
