"""What the store knows about a resource beside its fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from emco_store.core import matching
from emco_store.core.keys import Key
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.records import Edge
from emco_store.core.refs import Ref
from emco_store.core.times import moment

_NOT_SHOWN = {"key", "edges", "origin"}


class Meta(NamedTuple):
    """What the store knows about a stored resource.

    Attributes:
        uid: Differs for each resource that ever had this key.
        version: 1 when it is created; each change increases it by one.
        created_us: When it was created, in microseconds since 1970, UTC.
        updated_us: When it last changed, in microseconds since 1970, UTC.
        key: The key under which it is stored.
        edges: Its references, including the one to its parent.
        origin: Who made the newest change, and why.
    """

    uid: str
    version: int
    created_us: int
    updated_us: int
    key: Key
    edges: tuple[Edge, ...]
    origin: Origin = NOBODY

    def __repr__(self) -> str:
        shown = [(name, getattr(self, name)) for name in self._fields if name not in _NOT_SHOWN]
        shown += [(name, text) for name, text in zip(Origin._fields, self.origin, strict=True) if text]
        return f"Meta({', '.join([f'{name}={value!r}' for name, value in shown])})"

    @property
    def actor(self) -> str:
        """Who made the newest change; empty where nobody has said."""
        return self.origin.actor

    @property
    def reason(self) -> str:
        """Why the newest change was made; empty where nobody has said."""
        return self.origin.reason

    @property
    def operation(self) -> str:
        """The operation that the newest change belongs to; empty where nobody has said."""
        return self.origin.operation

    @property
    def etag(self) -> str:
        """A strong HTTP entity tag of this state, quotes included; a resource that is created again has another one."""
        return matching.etag(self.uid, self.version)

    @property
    def created_at(self) -> datetime:
        """When it was created, in UTC, by the clock of the client that created it."""
        return moment(self.created_us)

    @property
    def updated_at(self) -> datetime:
        """When it last changed, in UTC, by the clock of the client that changed it."""
        return moment(self.updated_us)


class Lineage(NamedTuple):
    """The context in which a document is read: what it does not say itself.

    Attributes:
        parent: The reference to its parent, None for a root.
        key: The key under which it was found; None where the document is to say it.
    """

    parent: Ref[Any] | None
    key: Key | None = None
