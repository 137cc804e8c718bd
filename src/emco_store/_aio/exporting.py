"""The calls of a store that export and import."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from datetime import timedelta
from functools import partial

from emco_store._aio.block import Target
from emco_store._aio.reading import AsyncReadingStore
from emco_store.core.exports import Export, Imported, ImportPlan
from emco_store.flows import exporting, importing


class AsyncExports(AsyncReadingStore):
    """The part of a store that exports and imports; :class:`AsyncStore` is the whole."""

    async def export(self, *, under: Target | None = None, deadline: timedelta | None = None) -> Export:
        """Read all resources, or those under one of them, as of one moment, as lines of JSON.

        No model is needed: each line holds the key, the document, the references with their rules, and the values that
        are unique or indexed. The store's own records are left out: states of lifecycles, revisions, statuses, trails
        and leases; ``export.left_out`` says which of them the namespace holds. The whole export is held in memory.

        Args:
            under: Only this resource and what lies under it, at any depth.
            deadline: When the call must have ended.

        Returns:
            The lines; ``export.text`` is all of them.

        Raises:
            NotFound: There is no such resource.
            Conflict: Resources changed in each of six passes over all of them.
            InvalidResource: A stored document cannot be read.

        Rules: EXP-1.
        """
        context = self._context()
        key = None if under is None else context.address(under)
        return await self._attempts.once(exporting.export(key), deadline)

    async def plan_import(
        self,
        lines: Iterable[str | bytes] | str | bytes,
        *,
        replace: bool = False,
        batch: int = importing.BATCH,
        deadline: timedelta | None = None,
    ) -> ImportPlan:
        """Return what an import would create and update, and what speaks against it; nothing is written.

        Args:
            lines: What an export has written, whole or in part; lines may stand in any order.
            replace: Replace resources that are there and differ, instead of refusing the import.
            batch: Resources in one commit, 1 to ``max_records``; those that refer to each other in a cycle are written
                in one commit, whatever their number.
            deadline: When the call must have ended.

        Raises:
            InvalidResource: Lines are none of an export, or are missing; or documents do not fit the models that this
                store knows. The error names all of them.

        Rules: EXP-2, EXP-3.
        """
        flow = importing.plan_import(self._context(), lines, replace=replace, batch=batch)
        return await self._attempts.once(flow, deadline)

    async def import_(
        self,
        lines: ImportPlan | Iterable[str | bytes] | str | bytes,
        *,
        replace: bool = False,
        batch: int = importing.BATCH,
        progress: Callable[[Imported], object] | None = None,
        deadline: timedelta | None = None,
    ) -> Imported:
        """Create what an export holds: targets before those that refer to them, one batch in each commit.

        Nothing is written if something speaks against it beforehand. An import that was interrupted may be given again:
        what is there as the export says stays as it is. The resources have new uids, versions and times, and begin
        their lifecycles anew.

        Args:
            lines: What an export has written; or a plan of ``plan_import``, whose ``replace`` and ``batch`` count.
            replace: Replace resources that are there and differ.
            batch: Resources in one commit.
            progress: Called after each commit with what was done so far: a plain function that does not use the store.
            deadline: When the planning, and then each commit, must have ended.

        Returns:
            How many resources were created, updated and left as they were.

        Raises:
            AlreadyExists: Resources are there and differ, and ``replace`` is not set.
            MissingReference: The target of a reference is neither in the export nor in the store, or nothing matches a
                selection.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: See :meth:`plan_import`.
            Conflict: Other writers won until the deadline.

        Rules: EXP-2, EXP-3.
        """
        if isinstance(lines, ImportPlan):
            plan = lines
        else:
            plan = await self.plan_import(lines, replace=replace, batch=batch, deadline=deadline)
        if plan.refusal is not None:
            raise copy(plan.refusal)
        done = plan.begun
        for rows in plan.batches:
            part = await self._attempts.retried(
                partial(importing.commit_batch, self._unit, rows, replace=plan.replace), deadline
            )
            done = done.plus(part)
            if progress is not None:
                progress(done)
        return done
