"""Events: what the feed tells of commits, each commit once and in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Any

from emco_store.core.keys import Key
from emco_store.core.messages import Message, is_about
from emco_store.core.naming import LEASE, LIFECYCLE, is_status
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.reserved import is_reserved, resource_of, status_resource
from emco_store.core.values import Nothing, value


class Action(StrEnum):
    """What a commit did to a record."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Aspect(StrEnum):
    """What of a resource a change is about."""

    RESOURCE = "resource"
    """The resource itself."""
    STATE = "state"
    """The state of its lifecycle: a transition, an approval, an operation."""
    STATUS = "status"
    """What a writer reports about it."""
    LEASE = "lease"
    """Its lease: created when it is taken, deleted when it ends."""


@value(frozen=True, slots=True)
class RecordChange:
    """What a commit did to one record.

    Attributes:
        action: What it did.
        key: The key of the record; of a watch, the key of the resource.
        uid: The uid of the record.
        version: The version of the record after the commit; if it was deleted, its last one.
        aspect: What of the resource the record is. For all but the resource itself, uid and version are those of the
            record of the state, the status or the lease.
    """

    action: Action
    key: Key
    uid: str
    version: int
    aspect: Aspect = Aspect.RESOURCE


@value(frozen=True, slots=True)
class Event:
    """One commit, as the feed tells it.

    Attributes:
        cursor: Names this event; reading after it continues with the next one.
        txid: The id of the commit.
        changes: What it did, each record once: first what was deleted, then what was written. A record that was
            replaced by another one under its key is deleted and created.
        origin: Who made the commit, and why.
        resources: Of a watch with ``load=True``: the resources of the changes by key, as they were when the event was
            read, which may be later than the commit; without those that are gone by then.
        messages: What it says beside that, in the order of ``tx.emit``.
    """

    cursor: str
    txid: str
    changes: tuple[RecordChange, ...]
    origin: Origin = NOBODY
    resources: Mapping[Key, Any] = field(default_factory=Nothing)
    messages: tuple[Message, ...] = ()


def shown(event: Event, prefixes: Mapping[str, str] | None, topics: tuple[str, ...] | None) -> Event | None:
    """Return an event as a watcher sees it; None if nothing of it concerns the watcher.

    What the store keeps beside a resource is told as a change of the resource, or not at all; see :class:`Aspect`.

    Args:
        event: The event of a backend.
        prefixes: For each kind that is watched, how the texts of its keys begin; None for all resources.
        topics: The topics of the messages that are watched; None for all messages.
    """
    seen = [one for one in map(_seen, event.changes) if one is not None and _is_watched(one.key, prefixes)]
    messages = tuple([one for one in event.messages if is_about(one, topics)]) if event.messages else ()
    return replace(event, changes=tuple(seen), messages=messages) if seen or messages else None


def keys_of(events: Iterable[Event]) -> tuple[Key, ...]:
    """Return the keys of the resources that events are about, each once."""
    return tuple(dict.fromkeys(change.key for event in events for change in event.changes))


def _seen(change: RecordChange) -> RecordChange | None:
    kind = change.key.kind
    if not is_reserved(kind):
        return change
    if kind == LIFECYCLE:
        return replace(change, key=resource_of(change.key), aspect=Aspect.STATE)
    if kind == LEASE:
        return replace(change, key=resource_of(change.key), aspect=Aspect.LEASE)
    if is_status(kind):
        return replace(change, key=status_resource(change.key), aspect=Aspect.STATUS)
    return None


def _is_watched(key: Key, prefixes: Mapping[str, str] | None) -> bool:
    if prefixes is None:
        return True
    prefix = prefixes.get(key.kind)
    return prefix is not None and key.text.startswith(prefix)
