"""The calls of stores and transactions about statuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from emco_store._aio.block import AsyncBlock, Target
from emco_store._aio.reading import AsyncReadingStore
from emco_store.core.resource import Resource
from emco_store.core.status import Condition, Status
from emco_store.core.sync_states import SyncState
from emco_store.flows import statuses, syncing
from emco_store.flows.asking import Flow
from emco_store.flows.unit import Unit

S = TypeVar("S", bound=Status)


class AsyncStatuses(AsyncReadingStore):
    """The part of a store that is about statuses; :class:`AsyncStore` is the whole."""

    async def set_status(self, status: S, *, observed: int | Resource, deadline: timedelta | None = None) -> S:
        """Store what a writer observes of a resource, in the place of what it has reported before.

        The version of the resource does not change, and nobody who updates the resource gets a ``Conflict`` from it. A
        status that says the same as the last is not written again. The time of each condition, ``since``, is set where
        its value has changed.

        Args:
            status: The status. If the store acts as somebody, it must be the writer that its class names.
            observed: The resource that the writer has looked at, as the store returned it. Its version alone is
                enough, but cannot tell the resource from one that was created under its name since.
            deadline: When the call must have ended.

        Returns:
            The status as it is stored, with its ``meta``.

        Raises:
            NotPermitted: The store has an actor, and it is not the writer of the status.
            NotFound: The resource does not exist, or is not the one that was observed.
            InvalidCall: The resource never had this version, or a condition is of a later one.
            Conflict: The writer has reported a later version before.
            MissingReference: A target of the status does not exist.
            InvalidResource: The data is not acceptable.

        Rules: GEN-1 to GEN-5.
        """
        given = statuses.Observation(status, observed)
        return await self._attempts.retried(lambda holding: _reported(self._unit(holding), given), deadline)

    async def status(self, target: Target, model: type[S], *, deadline: timedelta | None = None) -> S | None:
        """Read the status of a resource by one writer.

        Args:
            target: The resource.
            model: The class of the status.
            deadline: When the call must have ended.

        Returns:
            The status; None if its writer has reported none.

        Raises:
            NotFound: The resource does not exist.
            InvalidCall: It is not a class of statuses of this kind.
            InvalidResource: The stored document cannot be read.

        Rules: GEN-2.
        """
        context = self._context()
        return await self._attempts.once(statuses.find(context, context.address(target), model), deadline)

    async def statuses(self, target: Target, *, deadline: timedelta | None = None) -> tuple[Any, ...]:
        """Read the statuses of a resource by all writers.

        Returns:
            The statuses by the names of their writers: an ``Untyped`` for one of which the store has no class, an
            ``InvalidResource`` in place of one that cannot be read.

        Raises:
            NotFound: The resource does not exist.

        Rules: GEN-2.
        """
        context = self._context()
        return await self._attempts.once(statuses.find_all(context, context.address(target)), deadline)

    async def condition(
        self, target: Target, name: str, *, by: type[Status] | None = None, deadline: timedelta | None = None
    ) -> Condition:
        """Read a condition of a resource as it counts now: ``store.condition(app, "Ready").is_true``.

        What was observed of an earlier version than the resource has now counts as unknown. Of several writers that
        report the condition, one that calls it false counts first, then one of whom it is unknown.

        Args:
            target: The resource.
            name: The name of the condition.
            by: The class of the only status that counts; None for those of all writers, which takes a request more.
            deadline: When the call must have ended.

        Returns:
            The condition; unknown, for the reason ``NotReported``, if nobody reports it.

        Raises:
            NotFound: The resource does not exist.
            InvalidCall: It is no name, or ``by`` is no class of statuses of this kind.

        Rules: GEN-4.
        """
        context = self._context()
        flow = statuses.condition(context, context.address(target), name, by)
        return await self._attempts.once(flow, deadline)

    async def sync_state(self, target: Target, *, deadline: timedelta | None = None) -> SyncState:
        """Compare what is written of a resource with what was approved, carried out and observed of it.

        Raises:
            NotFound: The resource does not exist.
            InvalidCall: The store does not know the model of its kind.
            InvalidResource: Its lifecycle record, or the revision that was carried out, cannot be read.

        Rules: GEN-6.
        """
        context = self._context()
        return await self._attempts.once(syncing.sync_state(self._unit(), context.address(target)), deadline)


class AsyncStatusReports(AsyncBlock):
    """The part of a transaction that is about statuses; :class:`AsyncTransaction` is the whole."""

    async def set_status(self, status: S, *, observed: int | Resource) -> S:
        """Store what a writer observes of a resource; see :meth:`AsyncStore.set_status`."""
        return await self._perform(statuses.report(self._unit, statuses.Observation(status, observed)))

    async def status(self, target: Target, model: type[S]) -> S | None:
        """Read the status of a resource by one writer; the transaction rests on it, and not on the resource."""
        key = self._unit.context.address(target)
        return await self._perform(statuses.find_in(self._unit, key, model))

    async def statuses(self, target: Target) -> tuple[Any, ...]:
        """Read the statuses of a resource by all writers; no other joins them unnoticed until the commit."""
        key = self._unit.context.address(target)
        return await self._perform(statuses.find_all_in(self._unit, key))

    async def condition(self, target: Target, name: str, *, by: type[Status] | None = None) -> Condition:
        """Read a condition of a resource; neither changes unnoticed until the commit."""
        key = self._unit.context.address(target)
        return await self._perform(statuses.condition_in(self._unit, key, name, by))

    async def sync_state(self, target: Target) -> SyncState:
        """Compare what is written of a resource with what was approved, carried out and observed of it."""
        key = self._unit.context.address(target)
        return await self._perform(syncing.sync_state_in(self._unit, key))


def _reported(unit: Unit, given: statuses.Observation[S]) -> Flow[S]:
    made = yield from statuses.report(unit, given)
    yield from unit.commit()
    return made
