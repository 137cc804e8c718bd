"""Supervisors that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from emco_store.core.leases import LeaseState, LeaseTarget, Verdict, state_of
from emco_store.core.supervising import Recovery, Standing
from emco_store.errors import InvalidResource
from emco_store.flows.asking import Flow, ask
from emco_store.flows.leasing import beat_first, end_silent
from emco_store.flows.supervising import Charge, Observed, _all_of, observe, settle
from emco_store.flows.unit import Unit
from emco_store.ports import Get

failed, standing = Recovery.failed, Charge.standing


def take_all_for_alive(*given: Any) -> LeaseState:
    """Assign work to whoever has a lease, silent or stuck."""
    state = state_of(*given)
    return replace(state, verdict=Verdict.ALIVE)


def settle_under_any_lease(unit: Unit, charge: Charge, scene: Any, members: Any, leader: LeaseTarget) -> Flow[Any]:
    """Assign work under the lease that was seen, without looking whether it is there."""
    decision = charge.decide(members, scene)
    unit.rest_on_lease(leader.key, leader.uid)
    found = yield from unit.fetch([one.key for one in members])
    for change in decision.changes:
        value = unit.context.value(found[change.key])
        unit.update(value.model_copy(update={charge.field: change.worker, "recovery": change.recovery}))
    yield from unit.commit()
    return decision


def settle_without_a_lead(unit: Unit, *given: Any) -> Flow[Any]:
    """Assign work after another supervisor has taken over."""
    unit.rest_on_lease = lambda *_: None  # type: ignore[method-assign]  # that is what is broken
    return (yield from settle(unit, *given))


def remember_no_failure(recovery: Recovery, failures: Any, at: Any, after: Any) -> Recovery:  # noqa: ARG001 - it does not look
    """Keep the failures in the memory of the supervisor only."""
    return failed(recovery, (), at, after)


def count_again(recovery: Recovery, failures: Any, at: Any, after: Any) -> Recovery:
    """Count a failure at each look."""
    return failed(recovery, failures, at, after).model_copy(update={"lease": recovery.lease})


def date_by_the_client(context: Any, charge: Charge) -> Flow[Observed]:
    """Take the time from the clock of the client."""
    observed = yield from observe(context, charge)
    return replace(observed, scene=replace(observed.scene, at=context.clock.now()))


def take_each_for_a_region(_: Charge, operator: Any) -> Any:
    """Restart one operator of a region alone."""
    return operator.key


def end_whoever_is_stuck(unit: Unit, pulse: Any, leader: Any = None, reason: Any = None) -> Flow[Any]:
    """End the lease of a stuck worker although it has beaten again."""
    return (yield from end_silent(unit, replace(pulse, number=10**9), leader, reason))


def tell_nobody(_: Observed, __: Any) -> Iterator[Any]:
    """Keep what people must see to for oneself."""
    return iter(())


def give_up_for_a_while(recovery: Recovery, failures: Any, reason: str) -> Recovery:  # noqa: ARG001 - it does not look
    """Assign again what was given up."""
    return recovery.model_copy(update={"lease": "", "failures": failures})


def stop_nothing(charge: Charge, operator: Any) -> Standing:
    """Run what is stopped."""
    return standing(charge, operator)._replace(is_stopped=False)


def stop_at_the_first(context: Any, model: Any, problems: Any) -> Flow[Any]:
    """Supervise nobody where one record cannot be read."""
    found = yield from _all_of(context, model, problems)
    for _, problem in problems:
        if isinstance(problem, InvalidResource):
            raise problem
    return found


def revive_nothing(_: Any) -> Flow[None]:
    """Leave a lease without a pulse for ever."""
    yield from ()


def beat_for_takers_only(leases: Any) -> Flow[None]:
    """Beat for a lease that is new, and not for one whose pulse was lost."""
    for uid, (key, _) in leases.items():
        found = yield from ask(Get((key,)))
        if not any(record.uid == uid for record in found.values()):
            yield from beat_first({uid: leases[uid]})
