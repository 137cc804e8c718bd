# Generated from src/emco_store/_aio/migrating.py by `python3 dev.py sync`: do not edit.
"""The calls of a store that migrate stored documents to the newest version of their model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from emco_store._sync.reading import ReadingStore
from emco_store.core.migrations import Migrated, MigrationPlan
from emco_store.core.resource import Resource
from emco_store.flows import migrating


class Migrations(ReadingStore):
    """The part of a store that migrates; :class:`Store` is the whole."""

    def plan_migrate(self, model: type[Resource], *, deadline: timedelta | None = None) -> MigrationPlan:
        """Return what a migration would write and what it would leave, and why; nothing is written.

        All resources of the kind are read, page by page, beside other writers. Who has which unique value is held in
        memory.

        Args:
            model: The class of the resources.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: It is no such class, or a view.

        Rules: MIG-5.
        """
        context = self._context()
        return self._attempts.once(migrating.plan(context, migrating.ask(context, model)), deadline)

    def migrate(
        self,
        model: type[Resource],
        *,
        after: str | None = None,
        batch: int = migrating.BATCH,
        progress: Callable[[Migrated], object] | None = None,
        deadline: timedelta | None = None,
    ) -> Migrated:
        """Write all resources of a kind as its model does now, with the references, rules and indexed values of now.

        It goes page by page, each page in one commit, beside other readers and writers. What is stored so already is
        not written, so a migration that has ended early may be given again, whole or after ``done.next``. What cannot
        be made current, and what a commit refuses, stays as it is and is reported.

        Args:
            model: The class of the resources.
            after: ``next`` of a migration that has ended early.
            batch: Maximum number of resources in one page, 1 to 1000.
            progress: Called after each page with what was done so far: a plain function that does not use the store.
            deadline: When each page must have ended.

        Returns:
            How many resources were read, written and left.

        Raises:
            InvalidCall: It is no such class, or a view; or the cursor or the size cannot be used.
            Conflict: Other writers won until the deadline; ``progress`` has told how far it came.

        Rules: MIG-4.
        """
        asked = migrating.ask(self._context(), model, after=after, batch=batch)
        done = self._migrated(asked, asked.position, deadline)
        while True:
            if progress is not None:
                progress(done)
            if done.next is None:
                return done
            done = done.plus(self._migrated(asked, asked.after(done.next), deadline))

    def _migrated(
        self, asked: migrating.Migration, position: migrating.Position, deadline: timedelta | None
    ) -> Migrated:
        return self._attempts.retried(lambda holding: migrating.page(self._unit, holding, asked, position), deadline)
