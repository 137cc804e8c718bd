"""What a store does with the history of resources that have a lifecycle."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from emco_store._aio.block import Target
from emco_store._aio.reading import AsyncReadingStore
from emco_store.core.diffs import Diff
from emco_store.core.pages import Page
from emco_store.core.revisions import Revision
from emco_store.core.rollbacks import RollbackPlan
from emco_store.flows import history, pruning, rollbacks
from emco_store.flows.history import NOW, RevisionContent, Which
from emco_store.flows.pruning import Pruned


class AsyncHistories(AsyncReadingStore):
    """A store as far as it reads, compares, names, prunes and brings back revisions.

    The history of a resource that is gone is found by its key. A revision is named by its number, by a tag, or by an
    entry of the history; a number or a tag stands for the resource that is there, or for the one that was there last.

    Every call raises ``InvalidCall`` if the model of the resource declares no lifecycle.
    """

    async def digest(self, target: Target, *, deadline: timedelta | None = None) -> str:
        """Return the digest of the content of a resource: of its subtree, and of the targets that its lifecycle names.

        Two contents have the same digest if the same keys have equal documents; uids, versions and states do not count.

        Args:
            target: The resource.
            deadline: When the call must have ended.

        Raises:
            NotFound: There is no such resource.
            Conflict: The content kept changing while it was read.
            InvalidCall: The content has more than 10,000 resources, or the model is not known here.

        Rules: LIF-11.
        """
        key = self._context().address(target)
        return await self._attempts.retried(lambda holding: history.digest(self._unit(holding), key), deadline)

    async def history(
        self, target: Target, *, limit: int = 100, after: str | None = None, deadline: timedelta | None = None
    ) -> Page[Revision]:
        """Read one page of the history of a resource, the newest revision first, in one request.

        Args:
            target: The resource, or the key of one that is gone.
            limit: The size of the page, 1 to 1000.
            after: ``page.next`` of the page before.
            deadline: When the call must have ended.

        Returns:
            A page: iterable, with ``next`` as the cursor for ``after=``, None at the end. It contains an
            ``InvalidResource`` in place of a revision that cannot be read.

        Rules: HIS-1, HIS-5.
        """
        context = self._context()
        flow = history.history(context, context.address(target), limit=limit, after=after)
        return await self._attempts.once(flow, deadline)

    async def revision(self, target: Target, which: Which, *, deadline: timedelta | None = None) -> RevisionContent:
        """Read the content of a revision.

        Args:
            target: The resource, or the key of one that is gone.
            which: The number of the revision, a tag, or an entry of the history.
            deadline: When the call must have ended.

        Raises:
            NotFound: There is no such revision.
            InvalidResource: The revision cannot be read, or its content is not the one of its digest.

        Rules: HIS-1, HIS-3.
        """
        context = self._context()
        return await self._attempts.once(history.revision(context, context.address(target), which), deadline)

    async def diff(
        self, target: Target, before: Which, after: Which = NOW, *, deadline: timedelta | None = None
    ) -> Diff:
        """Compare the contents of two revisions, or of one with the content now.

        Args:
            target: The resource, or the key of one that is gone, whose content now is empty.
            before: The number of a revision, a tag, an entry of the history, or ``"now"``.
            after: The same.
            deadline: When the call must have ended.

        Raises:
            NotFound: There is no such revision.
            Conflict: The content kept changing while it was read.
            InvalidResource: A revision cannot be read.
        """
        key = self._context().address(target)
        return await self._attempts.retried(
            lambda holding: history.diff(self._unit(holding), key, before, after), deadline
        )

    async def tag(self, target: Target, which: Which, name: str, *, deadline: timedelta | None = None) -> Revision:
        """Give a revision a name; another revision of the resource that had it loses it.

        Args:
            target: The resource, which must be there.
            which: The number of the revision, another tag, or an entry of the history.
            name: 1 to 63 letters, digits, ``.``, ``_`` and ``-``; neither a number nor ``now``.
            deadline: When the call must have ended.

        Raises:
            NotFound: There is no such resource or revision.
            InvalidCall: The name cannot be a tag.
            Conflict: Other writers won until the deadline.

        Rules: HIS-1, HIS-11.
        """
        key = self._context().address(target)
        return await self._attempts.retried(
            lambda holding: history.give_tag(self._unit(holding), key, which, name), deadline
        )

    async def untag(self, target: Target, name: str, *, deadline: timedelta | None = None) -> None:
        """Take a name away from the revision that has it.

        Raises:
            NotFound: There is no such resource, or no revision with this name.
            Conflict: Other writers won until the deadline.
        """
        key = self._context().address(target)
        await self._attempts.retried(lambda holding: history.take_tag(self._unit(holding), key, name), deadline)

    async def prune(
        self, target: Target, *, keep: int = 50, forget: bool = False, deadline: timedelta | None = None
    ) -> Pruned:
        """Remove old revisions, page by page; it may end after any page, and be repeated.

        Of each incarnation of the resource, the newest revisions, the tagged ones and the one that was approved last
        are kept, and what the lifecycle record names as applied.

        Args:
            target: The resource, or the key of one that is gone.
            keep: How many of the newest revisions are kept, 1 or more.
            forget: Remove everything; only for the key of a resource that is gone.
            deadline: When the call must have ended.

        Returns:
            How many revisions were removed, and how many were kept.

        Raises:
            InvalidCall: ``keep`` is out of range.
            AlreadyExists: The resource is there, and ``forget`` is set.
            Conflict: The lifecycle of the resource kept changing.

        Rules: HIS-11.
        """
        context = self._context()
        key = context.address(target)
        flow = pruning.forget(context, key) if forget else pruning.prune(context, key, keep=keep)
        return await self._attempts.once(flow, deadline)

    async def plan_rollback(
        self, target: Target, which: Which, *, leave_out: Iterable[Target] = (), note: str = "",
        deadline: timedelta | None = None,
    ) -> RollbackPlan:  # fmt: skip
        """Plan to bring the content of a revision back; ``store.apply(plan)`` carries it out. Nothing is written yet.

        Resources that are there keep their uids; those that are created again have new ones. What joined the subtree
        since is deleted. The state stays, and targets outside the subtree stay as they are.

        Args:
            target: The resource.
            which: The number of the revision, a tag, or an entry of the history.
            leave_out: Resources of the subtree that stay as they are.
            note: What the new revision says.
            deadline: When the call must have ended.

        Raises:
            NotFound: There is no such resource or revision.
            InvalidResource: The revision or the lifecycle record cannot be read.
            InvalidCall: What is to be left out is in neither content.
            Conflict: The content changed while it was read.

        Rules: HIS-6, HIS-7, HIS-9, HIS-10.
        """
        key = self._context().address(target)
        flow = rollbacks.plan_rollback(self._unit(), key, which, leave_out, note)
        return await self._attempts.once(flow, deadline)

    async def plan_restore(
        self, target: Target, which: Which | None = None, *, leave_out: Iterable[Target] = (),
        deadline: timedelta | None = None,
    ) -> RollbackPlan:  # fmt: skip
        """Plan to create a resource that is gone again; ``store.apply(plan)`` carries it out. Nothing is written yet.

        All that is created has a new uid, and the resource is in the initial state. Its parent must be there.

        Args:
            target: The key of the resource.
            which: The number of the revision, a tag, or an entry of the history; None stands for the newest.
            leave_out: Resources under it that are not created.
            deadline: When the call must have ended.

        Raises:
            AlreadyExists: The resource is there.
            NotFound: There is no such revision.
            InvalidResource: The revision cannot be read.
            InvalidCall: What is to be left out is not in the content.

        Rules: HIS-6 to HIS-9.
        """
        key = self._context().address(target)
        flow = rollbacks.plan_restore(self._unit(), key, which, leave_out)
        return await self._attempts.once(flow, deadline)
