"""``AsyncSupervisor``: assigns work to workers that are alive, and again when they die."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import timedelta

from emco_store._aio.leading import AsyncLeading
from emco_store._aio.leases import AsyncLeases
from emco_store.beating import Lease, required
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseTarget
from emco_store.core.resource import Resource
from emco_store.core.strategies import Backoff, Strategy
from emco_store.core.supervising import Decision, Escalation, Placement, Scene, Standing, Supervised, least_loaded
from emco_store.errors import Conflict, LeaseLost, StoreError, Unavailable
from emco_store.flows import supervising
from emco_store.flows.supervising import Observed, Region
from emco_store.flows.unit import Unit


class AsyncSupervisor:
    """Assigns operators to workers that are alive, and assigns them again when their worker has died.

    Any number may run, in any number of processes: one of them leads, and another takes over when it ends or dies. It
    ends the leases of the dead too, as a reaper does. All that it must remember is in the operators.

    Args:
        store: The store.
        worker: The class of the workers, defined with ``lease=``.
        assign: The class of the operators, and the name of the field that refers to the worker, with
            ``on_expire(SET_NULL)``. The class has a field ``recovery: Recovery = Recovery()`` too.
        place: Chooses the worker for an operator.
        strategy: Says what happens to an operator whose worker has died.
        stop: The name of a field of the operators that is true where one is not to run. Setting it takes the operator
            from its worker, and clears its failures.
        region: What tells the regions apart: the class of an ancestor, or a function of the operator. All operators of
            a region restart together. None: each operator by itself.
        escalate: Called with what people must see to: at least once for each case, and again by the next supervisor.
        ends_stuck: End the lease of a worker that is stuck, instead of only escalating it.
        stall_after: After which time without new progress a worker counts as stuck; default: four TTLs.
        poll: The time between two looks; see ``store.reaper``.
        seat_ttl: The TTL of the lease of the leading supervisor; see ``store.reaper``.

    Raises:
        InvalidCall: It cannot be supervised, or an argument is of another type.
        NotSupported: The backend knows no leases, or the store was made from a client for asyncio.

    Rules: SUP-4, SUP-6 to SUP-8.
    """

    def __init__(
        self,
        store: AsyncLeases,
        worker: type[Resource],
        *,
        assign: tuple[type[Resource], str],
        place: Placement = least_loaded,
        strategy: Strategy = Backoff(),  # noqa: B008 - a frozen value
        stop: str | None = None,
        region: Region | None = None,
        escalate: Callable[[Escalation], object] | None = None,
        ends_stuck: bool = False,
        stall_after: timedelta | None = None,
        poll: timedelta | None = None,
        seat_ttl: timedelta | None = None,
    ) -> None:
        self._charge = supervising.checked(
            worker, assign=assign, stop=stop, region=region, place=place, strategy=strategy, stall_after=stall_after,
            escalate=escalate,
        )  # fmt: skip
        self._escalate = escalate
        self._ends_stuck = ends_stuck
        self._looks = store._looks(poll)  # noqa: SLF001 - it is a part of the store  # pyright: ignore[reportPrivateUsage]
        self._context, self._attempts = self._looks.context, self._looks.attempts
        self._leading = AsyncLeading(self._looks, self._charge.seat, seat_ttl)
        self._known: frozenset[Hashable] = frozenset()

    @property
    def seat(self) -> str:
        """The name of the seat that the leading supervisor holds; a seat for each class and field of ``assign=``."""
        return self._charge.seat

    def stop(self) -> None:
        """Let :meth:`run` return after its next look; may be called from any thread. The work goes on."""
        self._leading.stop()

    async def run(self, told: Callable[[Supervised], object] | None = None) -> None:
        """Lead, or wait to lead, and supervise, until :meth:`stop` is called.

        Args:
            told: Called with what was done after each look after which anything was.

        Raises:
            StoreError: The backend refuses what this needs; one that cannot be reached is waited for.
        """

        async def look(leader: Lease) -> None:
            supervised = await self.step(leader)
            if told is not None and supervised.is_news:
                told(supervised)

        await self._leading.run(look)

    async def step(self, leader: Lease) -> Supervised:
        """Look once, and do what is to be done.

        What cannot be read or written is reported and left for the next look; the rest goes on.

        Args:
            leader: The lease of the seat ``supervisor.seat``, which must be there at each commit.

        Raises:
            LeaseLost: Another supervisor leads.
            Unavailable: The backend does not answer.

        Rules: SUP-4, SUP-6 to SUP-8.
        """
        target = required(leader, self._context)
        reaped = await self._looks.reap(target)
        observed = await self._attempts.once(supervising.observe(self._context, self._charge), None)
        refused = [*observed.problems]
        if self._ends_stuck:
            for one in observed.stuck:
                await self._looks.end(one.pulse, target, refused, one.reason)
        decisions = await self._settle_all(observed, target, refused)
        escalated = self._tell(observed, decisions, refused)
        return Supervised(
            reaped,
            assigned=tuple(pair for one in decisions for pair in one.assigned),
            failed=tuple(key for one in decisions for key in one.failed),
            stopped=tuple(key for one in decisions for key in one.stopped),
            waiting=tuple(key for one in decisions for key in one.waiting),
            unplaced=tuple(key for one in decisions for key in one.unplaced),
            escalated=escalated,
            refused=tuple(refused),
        )  # fmt: skip

    async def _settle_all(
        self, observed: Observed, target: LeaseTarget, refused: list[tuple[Key, StoreError]]
    ) -> list[Decision]:
        """Decide about each region, in one commit for each that changes; return what was decided and written."""
        scene = observed.scene
        decisions: list[Decision] = []
        for members in observed.regions:
            try:
                decision = self._charge.decide(members, scene)
                if decision.changes:
                    decision = await self._settle(scene, members, target)
            except (LeaseLost, Unavailable):
                raise
            except Conflict:  # the next look sees what others have written
                continue
            except StoreError as problem:
                refused.append((members[0].key, problem))
            else:
                scene = scene.after(decision)
                decisions.append(decision)
        return decisions

    async def _settle(self, scene: Scene, members: Sequence[Standing], target: LeaseTarget) -> Decision:
        """Decide about a region in one commit."""
        return await self._attempts.retried(
            lambda holding: supervising.settle(Unit(self._context, holding), self._charge, scene, members, target), None
        )

    def _tell(
        self, observed: Observed, decisions: Sequence[Decision], refused: list[tuple[Key, StoreError]]
    ) -> tuple[Escalation, ...]:
        """Tell people what they must see to, unless this supervisor has told them already; return what was told."""
        known: set[Hashable] = set()
        told: list[Escalation] = []
        for case, escalation in supervising.escalations(observed, decisions):
            if case not in self._known:
                try:
                    if self._escalate is not None:
                        self._escalate(escalation)
                except Exception as problem:  # noqa: BLE001 - of the caller's function, which must not stop the others
                    refused.append((escalation.resources[0], supervising.raised(problem, escalation.resources)))
                    continue
                told.append(escalation)
            known.add(case)
        self._known = frozenset(known)
        return tuple(told)
