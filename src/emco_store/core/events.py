"""Events: what the feed says of commits, each commit once and in order."""

from __future__ import annotations

from enum import StrEnum

from emco_store.core.keys import Key
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.values import value


class Action(StrEnum):
    """What a commit did to a record."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@value(frozen=True, slots=True)
class RecordChange:
    """What a commit did to one record.

    Attributes:
        action: What it did.
        key: The key of the record.
        uid: Its uid.
        version: Its version after the commit; for a record that was deleted, its last one.
    """

    action: Action
    key: Key
    uid: str
    version: int


@value(frozen=True, slots=True)
class Event:
    """One commit, as the feed tells it.

    Attributes:
        cursor: Names this event; reading after it continues with the next one.
        txid: The id of the commit.
        changes: What it did, each record once: first what was deleted, then what was written. A record that was
            replaced by another one under its key is deleted and created.
        origin: Who made the commit, and why.
    """

    cursor: str
    txid: str
    changes: tuple[RecordChange, ...]
    origin: Origin = NOBODY
