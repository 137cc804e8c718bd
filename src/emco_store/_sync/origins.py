# Generated from src/emco_store/_aio/origins.py by `python3 dev.py sync`: do not edit.
"""``Origins``: the calls of a store that are about who changed what, and why."""

from __future__ import annotations

from datetime import timedelta

from emco_store._sync.block import Target
from emco_store._sync.reading import ReadingStore
from emco_store.core.pages import Page
from emco_store.core.resource import Resource
from emco_store.core.trails import TrailEntry
from emco_store.flows import trailing
from emco_store.flows.acting import Acting


class Origins(ReadingStore):
    """The part of a store that is about origins and trails; :class:`Store` is the whole."""

    def acting(self, *, actor: str | None = None, reason: str | None = None, operation: str | None = None) -> Acting:
        """Return a ``with`` block in which all that is written through this store has this origin.

        It is stored with each resource that is written: see ``meta.actor``, ``meta.reason`` and ``meta.operation``. The
        block holds for the task or thread that enters it and for tasks that are created within it; a new thread begins
        without. A transaction has the origin that held when it began. Blocks may be nested.

        Args:
            actor: Who acts: 1 to 253 printable characters. None: whoever acts around the block.
            reason: Why: at most 1,000 characters. None: the reason around the block.
            operation: The id of a request or operation: at most 253 printable characters. None: that around the block.

        Raises:
            InvalidCall: One of them is no such text, or this is the inside of a transaction.

        Rules: WHO-1 to WHO-4.
        """
        return Acting(self._context().actors, actor=actor, reason=reason, operation=operation)

    def trail(
        self,
        target: Target | type[Resource],
        *,
        limit: int = 100,
        after: str | None = None,
        deadline: timedelta | None = None,
    ) -> Page[TrailEntry]:
        """Read one page of the trail of a resource, or of all resources of a kind, newest first, in one request.

        A resource has a trail if its class says ``trail=Trail(…)``. The trail outlives the resource, and holds the
        entries of all resources that ever had the key; their ``uid`` tells them apart.

        Args:
            target: A resource, its ``Key`` or a ``Ref`` to it; or a class, for all of its kind, by time.
            limit: Maximum number of entries, 1 to 1000.
            after: ``page.next`` of the page before.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: The limit or the cursor cannot be used.

        Rules: WHO-5 to WHO-7.
        """
        return self._attempts.once(trailing.page_of(self._context(), target, limit=limit, after=after), deadline)

    def prune_trail(
        self,
        target: Target | type[Resource],
        *,
        older_than: timedelta | None = None,
        deadline: timedelta | None = None,
    ) -> int:
        """Remove old entries of a trail, up to 1,000 in one commit, and return how many were removed.

        Call it again if it was interrupted: it continues where it stopped.

        Args:
            target: A resource, its ``Key`` or a ``Ref`` to it; or a class, for all of its kind.
            older_than: The age of the entries that go; ``timedelta(0)`` for all. Default: the ``Trail(days=…)`` of the
                class.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: No age is given, neither here nor by the class.

        Rules: WHO-8.
        """
        return self._attempts.once(trailing.prune(self._context(), target, older_than=older_than), deadline)
