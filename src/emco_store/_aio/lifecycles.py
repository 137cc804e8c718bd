"""``AsyncLifecycles``: the calls of a store that are about lifecycles."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import Any, TypeVar

from emco_store._aio.attempts import late
from emco_store._aio.block import Target
from emco_store._aio.reading import AsyncReadingStore
from emco_store._aio.transaction import AsyncTransaction
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.core.lifecycle_parts import Transition
from emco_store.core.transition_plans import TransitionPlan
from emco_store.flows import transition_calls, transitions
from emco_store.flows.context import uid_of
from emco_store.flows.holding import Holding
from emco_store.queueing.waiters import AsyncWaiter

S = TypeVar("S", bound=Enum)


class AsyncLifecycles(AsyncReadingStore):
    """The part of a store that is about lifecycles; :class:`AsyncStore` is the whole."""

    async def transition(
        self,
        target: Target,
        step: Transition[S],
        *,
        digest: str | None = None,
        operation: str | None = None,
        note: str = "",
        deadline: timedelta | None = None,
    ) -> LifecycleRecord[S]:
        """Change the state of a resource, if its state and all guards allow it; repeat while other writers win.

        The version of the resource stays as it is. A target given as a resource must still be the one that was read,
        not another of the same name; it may have changed since.

        Args:
            target: The resource.
            step: The transition, such as ``DigLifecycle.approve``.
            digest: For a transition that approves: the digest of the content that was looked at, as
                ``plan_transition`` gives it.
            operation: For one that ends an operation: its id, as the transition gave it that began it.
            note: What is stored with it, for people; at most 1,000 characters.
            deadline: When the call must have ended.

        Returns:
            The lifecycle record after the transition.

        Raises:
            TransitionRefused: The resource is in another state, or guards refuse; the error names every reason.
            ContentChanged: The content is not the one of the digest.
            NotPermitted: Only other writers may make this transition.
            NotFound: The resource does not exist.
            Conflict: The target was given as a resource, and another one has its key now; or other writers won until
                the deadline.
            InvalidResource: A lifecycle record that it rests on cannot be read.
            InvalidCall: It is no transition of this lifecycle, or what it needs is missing or malformed.

        Rules: LIF-1 to LIF-6, LIF-8, LIF-10 to LIF-12.
        """
        context = self._context()
        call = transition_calls.called(context, target, step, digest=digest, operation=operation, note=note)
        return await self._make(call, deadline)

    async def _make(self, call: transition_calls.Call[S], deadline: timedelta | None) -> LifecycleRecord[S]:
        async def attempt(holding: Holding, waiter: AsyncWaiter, end_s: float | None) -> LifecycleRecord[S]:
            unit = self._unit(holding)
            async with AsyncTransaction(unit, self._port, waiter, owner=self, end_s=late(end_s)) as tx:
                return await tx.make(call)

        return await self._attempts.run(attempt, deadline)

    async def plan_transition(
        self,
        target: Target,
        step: Transition[S],
        *,
        operation: str | None = None,
        note: str = "",
        deadline: timedelta | None = None,
    ) -> TransitionPlan[S]:
        """Return what a transition would do, or why it is refused, and the digest of the content; nothing is written.

        Functions of ``check(…)`` are not asked.

        Args:
            target: The resource.
            step: The transition.
            operation: For one that ends an operation: its id.
            note: What is stored with the transition when the plan is applied.
            deadline: When the call must have ended.

        Raises:
            NotFound: The resource does not exist.
            NotPermitted: Only other writers may make this transition.
            InvalidCall: It is no transition of this lifecycle.

        Rules: LIF-10.
        """
        unit = self._unit()
        call = transition_calls.called(unit.context, target, step, operation=operation, note=note, is_plan=True)
        return await self._attempts.once(transitions.planning(unit, call), deadline)

    async def lifecycle(self, target: Target, *, deadline: timedelta | None = None) -> LifecycleRecord[Any]:
        """Read where a resource is in its lifecycle: its state, and what was approved and carried out.

        Args:
            target: The resource.
            deadline: When the call must have ended.

        Raises:
            NotFound: The resource does not exist.
            Conflict: The target was given as a resource, and another one has its key now.
            InvalidResource: Its lifecycle record cannot be read.
            InvalidCall: Resources of this kind have no lifecycle, or their model is not known here.

        Rules: LIF-1.
        """
        unit = self._unit()
        key = unit.context.address(target)
        return await self._attempts.once(transitions.look(unit, key, uid_of(target)), deadline)
