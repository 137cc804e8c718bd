"""``AsyncLeases``: the calls of a store that are about leases."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from emco_store._aio.block import AsyncBlock, Target
from emco_store._aio.looking import AsyncLooks
from emco_store._aio.reading import AsyncReadingStore
from emco_store._aio.reaping import AsyncReaper
from emco_store._aio.taking import AsyncTaking
from emco_store.beating import Lease, required
from emco_store.core.leases import LeaseState, LeaseTarget, checked_stall
from emco_store.core.pages import Page
from emco_store.core.plan import Deleted, Plan
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall
from emco_store.flows import leasing
from emco_store.flows.context import checked_deadline
from emco_store.ports import no_leases


class AsyncLeases(AsyncReadingStore):
    """The part of a store that is about leases; :class:`AsyncStore` is the whole."""

    def lease(
        self,
        target: Target | str,
        *,
        heartbeat: Literal["thread", "process"] = "thread",
        stall_after: timedelta | None = None,
        wait: timedelta | None = None,
    ) -> AsyncTaking:
        """Return a lease for an ``async with`` block, which takes it at the beginning and releases it at the end.

        While the block runs, a thread of this process tells the server that the holder lives. If it stops doing so for
        the TTL of the lease, somebody ends the lease: a reaper, or another process that waits for it.

        With ``heartbeat="process"``, a process does so that this one starts, so no code of this one can hold it up. It
        ends the lease at once when this process is gone.

        Args:
            target: A resource of a class with ``lease=``: one that is new is stored along; one that came from a store,
                a key or a reference must be there. Or a text: the name of a seat, which stands for nothing but itself.
            heartbeat: What beats: ``"thread"`` or ``"process"``.
            stall_after: With ``"process"``: for how long this process may stand still before the other one ends the
                lease, at least the TTL; default: four TTLs.
            wait: How long to wait while another holder has it; None for not at all.

        Raises:
            LeaseHeld: Another holder has it.
            NotFound: The resource does not exist.
            Conflict: The target was given as a resource, and another one has its key now.
            InvalidCall: It is nothing that can be leased, or an argument is of another type.
            NotSupported: The backend knows no leases, or the store was made from a client for asyncio; with
                ``"process"``, it was made from no URL.

        Rules: LEA-1 to LEA-3, LEA-8, HB-1, HB-4, HB-7, HB-8.
        """
        context = self._context()
        asked = leasing.asked(context, target)
        still = checked_stall(heartbeat, stall_after, asked.ttl)
        if not self._port.guarantees.leases:
            raise no_leases()
        self._beater.prepare(still)
        return AsyncTaking(context, self._attempts, self._beater, asked, checked_deadline(wait), stall_after=still)

    async def leases(
        self,
        model: type[Resource] | None = None,
        *,
        stall_after: timedelta | None = None,
        limit: int = 100,
        after: str | None = None,
        deadline: timedelta | None = None,
    ) -> Page[LeaseState]:
        """Read one page of leases: who is alive, since when, where, and doing what.

        Args:
            model: A class with ``lease=``: one entry for each resource of the kind, whether somebody holds it or not.
                None: one for each lease that is held, whatever it is of.
            stall_after: After which time without new progress a holder counts as stuck; default: four TTLs. A holder
                that never reports progress never does.
            limit: Maximum number of entries, 1 to 1000.
            after: ``page.next`` of the page before.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: It is no such class, or the limit or the cursor cannot be used.

        Rules: LEA-1.
        """
        flow = leasing.look(self._context(), model, limit=limit, after=after, stall_after=checked_deadline(stall_after))
        return await self._attempts.once(flow, deadline)

    def reaper(self, *, poll: timedelta | None = None, seat_ttl: timedelta | None = None) -> AsyncReaper:
        """Return a reaper, whose ``run()`` ends the leases of holders that have died.

        Args:
            poll: The time between two looks; at most a third of the shortest TTL, or such leases are never judged.
                Default: a tenth of the shortest TTL that is known, at most a second.
            seat_ttl: The TTL of its own lease while it leads, from a second to a day: if it dies, another reaper takes
                over a little later. Default: 15 seconds.

        Raises:
            InvalidCall: One of them is no such time span.
            NotSupported: The backend knows no leases, or the store was made from a client for asyncio.

        Rules: SUP-1 to SUP-5.
        """
        return AsyncReaper(self._looks(poll), seat_ttl)

    def _looks(self, poll: timedelta | None) -> AsyncLooks:
        context = self._context()
        if poll is not None and checked_deadline(poll) == timedelta(0):
            raise InvalidCall("Cannot look without a pause.", why=["poll= is 0"], hint="give a second or so.")
        if not self._port.guarantees.leases:
            raise no_leases()
        self._beater.prepare()
        return AsyncLooks(context, self._attempts, self._beater, poll)

    async def expire(
        self, target: Target | LeaseTarget | str, *, reason: str | None = None, deadline: timedelta | None = None
    ) -> Deleted:
        """End the lease of a resource, whoever holds it: its holder can no longer commit what requires it.

        Args:
            target: The resource, or the name of a seat; or a lease, if only this one is to end and none that was taken
                since.
            reason: Why, stored with what changes because of it.
            deadline: When the call must have ended.

        Returns:
            The numbers of resources that were deleted and changed, by kind, as the ``on_expire`` rules say.

        Raises:
            NotFound: Nobody holds it.
            DeleteRestricted: A rule cannot be carried out, because other references forbid it.
            Conflict: Other writers won until the deadline, or another lease was taken since.

        Rules: LEA-2, LEA-6.
        """
        return await self._attempts.retried(
            lambda holding: leasing.end(self._unit(holding), target, reason), deadline
        )  # fmt: skip

    async def plan_expire(self, target: Target | str, *, deadline: timedelta | None = None) -> Plan:
        """Return what the end of a lease would delete and change, and what blocks it; ``apply`` carries it out.

        Raises:
            NotFound: Nobody holds it.

        Rules: LEA-6.
        """
        return await self._attempts.once(leasing.plan_end(self._unit(), target), deadline)


class AsyncLeaseRequirements(AsyncBlock):
    """The part of a transaction that is about leases; :class:`AsyncTransaction` is the whole."""

    def require(self, lease: Lease) -> None:
        """Let the transaction commit only if this very lease is there at that moment, however late that is.

        Args:
            lease: The value of ``store.lease(…)``.

        Raises:
            LeaseLost: It is known to be over already. The commit raises it too, and nothing is written.
            InvalidCall: It is no lease, or another store has taken it.

        Rules: LEA-4.
        """
        self._begin()
        try:
            target = required(lease, self._unit.context)
            self._unit.rest_on_lease(target.key, target.uid)
        finally:
            self._busy.release()
