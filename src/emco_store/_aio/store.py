"""``AsyncStore``: the calls of the library."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar, overload

from emco_store._aio.attempts import late
from emco_store._aio.block import Target
from emco_store._aio.exporting import AsyncExports
from emco_store._aio.following import AsyncFollows
from emco_store._aio.history import AsyncHistories
from emco_store._aio.lifecycles import AsyncLifecycles
from emco_store._aio.migrating import AsyncMigrations
from emco_store._aio.origins import AsyncOrigins
from emco_store._aio.registering import AsyncRegistering
from emco_store._aio.relaying import AsyncRelays
from emco_store._aio.statuses import AsyncStatuses
from emco_store._aio.transaction import AsyncTransaction
from emco_store._aio.watching import AsyncWatches
from emco_store.core.applicable import Applicable, Prepared
from emco_store.core.codec import Untyped
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.matching import match
from emco_store.core.plan import Deleted, Plan
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.core.transaction_plans import TransactionPlan
from emco_store.flows import callbacks, checking, outcomes, patching, planning, resources, single, transition_calls
from emco_store.flows.checking import CheckPage, Repaired
from emco_store.flows.holding import Holding
from emco_store.flows.unit import Unit
from emco_store.ports import Outcome
from emco_store.queueing.waiters import AsyncWaiter

R = TypeVar("R", bound=Resource)
T = TypeVar("T")


class AsyncStore(
    AsyncLifecycles, AsyncHistories, AsyncStatuses, AsyncRelays, AsyncWatches, AsyncFollows, AsyncExports,
    AsyncMigrations, AsyncRegistering, AsyncOrigins,
):  # fmt: skip
    """The resources of one namespace on one backend; made by ``connect_async``.

    A target is a resource, its ``Key`` or a ``Ref`` to it. The store returns values: changing one does not change the
    store.

    Every call may raise ``Unavailable`` if the backend does not answer. Every call that writes may raise
    ``UnknownOutcome`` if the answer to its commit was lost. Every call accepts a ``deadline``: a ``timedelta`` within
    which it ends, with or without success; see ``connect_async``.
    """

    # writing

    async def create(
        self,
        resource: R,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R:
        """Add a new resource.

        Args:
            resource: The resource.
            if_version: 0 or None: a new resource has no version.
            if_match: None: a new resource has no entity tag.
            deadline: When the call must have ended.

        Returns:
            The resource with its ``meta``.

        Raises:
            AlreadyExists: Its key is taken.
            MissingReference: Its parent or a target does not exist; the error names all of them.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable.

        Rules: ID-1, REF-1, REF-2, BAD-1 to BAD-6.
        """
        return await self._attempts.queued(
            lambda: single.create(self._context(), resource, match(if_version, if_match)), deadline
        )

    async def update(
        self,
        resource: R,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R:
        """Replace a resource that was read before, unless it has changed since.

        Args:
            resource: A changed copy of what was read: ``app.model_copy(update={…})``.
            if_version: The version that it must have, in addition to the one at which it was read.
            if_match: The value of an ``If-Match`` header that it must match, such as ``resource.meta.etag``.
            deadline: When the call must have ended.

        Returns:
            The resource with its new ``meta``.

        Raises:
            Conflict: It has changed since it was read.
            NotFound: It was deleted since; the update does not create it again.
            MissingReference: The target of a new reference does not exist.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable, or the fields of the key have changed.

        Rules: ID-4, OCC-2, OCC-3.
        """
        return await self._attempts.queued(
            lambda: single.update(self._context(), resource, match(if_version, if_match)), deadline
        )

    @overload
    async def patch(
        self, target: R, change: Mapping[str, Any] | Callable[[R], R], *, if_version: int | None = None,
        if_match: str | None = None, deadline: timedelta | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    async def patch(
        self, target: Ref[R], change: Mapping[str, Any] | Callable[[R], R], *, if_version: int | None = None,
        if_match: str | None = None, deadline: timedelta | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    async def patch(
        self, target: Key | Untyped, change: Mapping[str, Any] | Callable[[Any], Any], *, if_version: int | None = None,
        if_match: str | None = None, deadline: timedelta | None = None,
    ) -> Any: ...  # fmt: skip
    async def patch(
        self,
        target: Any,
        change: Mapping[str, Any] | Callable[[Any], Any],
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> Any:
        """Read a resource, change it and update it; repeat all of that while other writers win.

        Args:
            target: The resource, its ``Key`` or a ``Ref``. Its newest state is changed, whatever state was read before.
            change: New values by the names of fields, which replace the old ones whole; or a plain function that gets
                the resource and returns a changed copy of it. The function may be called several times.
            if_version: The version that the resource must have.
            if_match: The value of an ``If-Match`` header that it must match.
            deadline: When the call must have ended.

        Returns:
            The resource as it is now; one that stays equal is not written, and keeps its version.

        Raises:
            NotFound: It does not exist.
            Conflict: It has another version than is asked for, or other writers won until the deadline.
            MissingReference: The target of a new reference does not exist.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The result is not acceptable, or the fields of the key would change.
            InvalidCall: There is no such field, or the function returned no such resource.

        Rules: OCC-15.
        """
        patching.refuse_change(change)
        only = match(if_version, if_match)
        return await self._attempts.retried(
            lambda holding: patching.commit_patch(self._unit(holding), target, change, only), deadline
        )

    async def put(
        self,
        resource: R,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R:
        """Create the resource, or replace the one that has its key; an equal one stays unchanged.

        Args:
            resource: The resource.
            if_version: The version of the resource to replace; 0 if there must be none.
            if_match: The value of an ``If-Match`` header that what is replaced must match.
            deadline: When the call must have ended.

        Raises:
            Conflict: The existing resource has another version.
            MissingReference: Its parent or a target does not exist.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable.

        Rules: ID-5.
        """
        return await self._attempts.retried(
            lambda holding: resources.put(self._unit(holding), resource, match(if_version, if_match)), deadline
        )

    async def delete(
        self,
        *targets: Target,
        if_version: int | None = None,
        if_match: str | None = None,
        missing_ok: bool = False,
        deadline: timedelta | None = None,
    ) -> Deleted:
        """Delete resources and apply the rules of their referrers; repeat while other writers win.

        A target given as a resource must still be the one that was read, not another of the same name.

        Args:
            targets: The resources to delete, in one commit.
            if_version: The version that each target must have.
            if_match: The value of an ``If-Match`` header that each target must match.
            missing_ok: Skip targets that do not exist, instead of raising.
            deadline: When the call must have ended.

        Returns:
            The numbers of deleted and changed resources, by kind.

        Raises:
            NotFound: A target does not exist.
            DeleteRestricted: References forbid it.
            Conflict: A target has another version, or other writers won until the deadline.
            InvalidCall: It would change more records than one commit may hold.

        Rules: DEL-1 to DEL-18.
        """
        only = match(if_version, if_match)
        return await self._attempts.retried(
            lambda holding: resources.delete(self._unit(holding), targets, only, missing_ok=missing_ok), deadline
        )

    async def plan_delete(self, *targets: Target, missing_ok: bool = False, deadline: timedelta | None = None) -> Plan:
        """Return what a delete would delete and change, and what blocks it (see ``BlockReason``); nothing is written.

        Raises:
            NotFound: A target does not exist, and ``missing_ok`` is not set.
            DeleteRestricted: More references forbid it than were counted.

        Rules: DEL-8.
        """
        flow = resources.plan_delete(self._unit(), targets, missing_ok=missing_ok)
        return await self._attempts.once(flow, deadline)

    async def apply(self, plan: Applicable[T], *, deadline: timedelta | None = None) -> T:
        """Carry out a plan, all of it: a delete, a transition, a rollback or a restore.

        Returns:
            For a transition, the lifecycle record after it. For the others, ``plan.figures``: the numbers of resources
            that were written and deleted, by kind.

        Raises:
            Conflict: Something that the plan depends on has changed; plan again.
            StoreError: ``plan.refusal``: the plan cannot be applied; ``DeleteRestricted`` if it has blockers.
            TransitionRefused: A function of ``check(…)`` speaks against the transition, or something has changed.
            ContentChanged: The content is not the one that the plan shows.

        Rules: DEL-9, LIF-10, HIS-7.
        """
        context = self._context()
        resources.refuse_plan(plan)
        done: Any
        if isinstance(plan, Prepared):
            done = await self._attempts.once(resources.apply_plan(context, plan), deadline)
        else:
            done = await self._make(transition_calls.planned(context, plan), deadline)
        result: T = done
        return result

    # checking

    async def check(
        self,
        *,
        after: str | None = None,
        limit: int = 1000,
        unknown_kinds: bool = False,
        deadline: timedelta | None = None,
    ) -> CheckPage:
        """Check one page of everything stored, and return what is wrong; nothing is written.

        Args:
            after: ``page.next`` of the page before.
            limit: Maximum number of records or other entries, 1 to 1000.
            unknown_kinds: Also report the kinds that this store has no model of.
            deadline: When the call must have ended.

        Returns:
            A page: ``flaws``, and ``next`` as the cursor for ``after=``, None at the end. A page without flaws is
            not the end.

        Raises:
            InvalidCall: The cursor or the limit cannot be used.

        Rules: CHK-1 to CHK-6.
        """
        flow = checking.check(self._context(), after=after, limit=limit, unknown_kinds=unknown_kinds)
        return await self._attempts.once(flow, deadline)

    async def repair(self, flaws: Iterable[Flaw], *, deadline: timedelta | None = None) -> Repaired:
        """Repair each flaw as its ``repair`` says, unless its record has changed since.

        Args:
            flaws: The flaws that ``check`` found, or some of them.
            deadline: When the call must have ended.

        Returns:
            The flaws that were repaired, and the others with the reason.

        Raises:
            UnknownOutcome: The answer to a commit was lost; check again.

        Rules: CHK-7, CHK-8.
        """
        return await self._attempts.once(checking.repair(self._context(), flaws), deadline)

    async def resolve(self, txid: str, *, deadline: timedelta | None = None) -> Outcome:
        """Return how a commit of unknown outcome ended; if it has not happened by now, it never will.

        Raises:
            NotSupported: It began so long ago that its outcome may have been forgotten.

        Rules: ATM-5.
        """
        self._context()
        flow = outcomes.resolve(txid, kept=self._port.guarantees.outcome_retention)
        return await self._attempts.once(flow, deadline)

    # transactions

    def transaction(self, *, deadline: timedelta | None = None) -> AsyncTransaction:
        """Return a transaction for an ``async with`` block, whose end commits it; an exception discards it.

        One attempt is made: if another writer has won, it raises ``Conflict``. ``run`` repeats it. Inside the block,
        using the store itself is an error.

        Args:
            deadline: When every request of the block must have ended, its commit included.

        Raises:
            Conflict: Something that was read has moved.
            StoreError: Any other reason why nothing was written; see :meth:`run`.

        Rules: OCC-1 to OCC-8, ATM-1.
        """
        return AsyncTransaction(self._unit(), self._port, owner=self, end_s=self._attempts.end_s(deadline))

    async def run(self, fn: Callable[[AsyncTransaction], Awaitable[T]], *, deadline: timedelta | None = None) -> T:
        """Call ``fn(tx)`` and commit; repeat both while other writers win.

        Calls of this store that need the same records run one after the other. If other processes win, the call pauses
        with jitter before the next attempt.

        ``fn`` may be called several times, so it must do everything through ``tx``; using the store itself inside it is
        an error. It must be declared with ``async def``.

        Args:
            fn: The function to call.
            deadline: When to give up and raise the last ``Conflict``. Default: that of the store, or 30 s.

        Returns:
            What ``fn`` returned in the attempt that was committed.

        Raises:
            InvalidCall: ``fn`` is of the other colour or a generator, or this is the inside of a transaction.
            Conflict: Other writers won until the deadline.
            DeleteRestricted: A resource that would stay refers to one that would be deleted.
            MissingReference: A parent or a target does not exist.
            AlreadyExists: The key of a new resource is taken.
            UniqueViolation: Another resource has a value that must be unique.
            UnknownOutcome: The answer to the commit was lost.

        Rules: OCC-1, OCC-6.
        """

        async def attempt(holding: Holding, waiter: AsyncWaiter, end_s: float | None) -> T:
            unit = Unit(self._surroundings, holding)
            async with AsyncTransaction(unit, self._port, waiter, owner=self, end_s=late(end_s)) as tx:
                return await callbacks.awaited(fn(tx))

        self._context()
        return await self._attempts.run(attempt, deadline)

    async def plan_transaction(
        self, fn: Callable[[AsyncTransaction], Awaitable[T]], *, deadline: timedelta | None = None
    ) -> TransactionPlan[T]:
        """Call ``fn(tx)``, and return what a commit of its transaction would do; nothing is written.

        ``store.apply(plan)`` does what the plan shows, or is refused because something that ``fn`` has read or would
        write has changed; it returns what ``fn`` has returned. Transitions and statuses cannot be planned so.

        Args:
            fn: The function to call, once. It must be declared with ``async def``.
            deadline: When every request must have ended.

        Raises:
            InvalidCall: ``fn`` is of the other colour or a generator, commits, makes a transition or reports a status;
                or it would change more records than one commit may hold.
            StoreError: What a call within ``fn`` has raised.

        Rules: OCC-16.
        """
        unit = planning.PlannedUnit(self._context())
        async with AsyncTransaction(unit, self._port, owner=self, end_s=self._attempts.end_s(deadline)) as tx:
            result = await callbacks.awaited(fn(tx))
            tx.end()
        return await self._attempts.once(planning.plan(unit, result), deadline)
