"""Every schedule of a supervisor and another call around one operator, request by request.

The operator is free, runs under a lease, or was freed by the end of one. The other call is another supervisor with the
same seat, the end of the seat, or whatever else may happen to the worker, its lease and the operator.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from emco_store.contracts.harness import START, Bench, Lab
from emco_store.contracts.lease_interleavings import LEASED, Call, begun, calls_around, check_pairs, prepared, take
from emco_store.contracts.lease_models import RUNNER, SPARE, Errand, Runner
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseTarget, Seat
from emco_store.core.rules import Rule
from emco_store.core.strategies import Backoff, Reassign, Strategy
from emco_store.core.supervising import Recovery
from emco_store.flows import leasing, resources, supervising
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context
from emco_store.flows.unit import Unit

ERRAND: Final = Key("Errand", "e")
_MEMORIES: Final = {
    "free": Recovery(),
    "runs": Recovery(attempts=1, lease=LEASED.uid),
    "freed": Recovery(attempts=1, lease="lease-before"),
}
_STRATEGIES: Final[dict[str, Strategy]] = {"at once": Reassign(), "later": Backoff()}


def _charge(strategy: Strategy) -> supervising.Charge:
    """Return what the supervisor is in charge of; work goes to the first worker by key."""
    return supervising.checked(
        Runner, assign=(Errand, "runner"), stop="is_off", region=None, stall_after=None, escalate=None,
        strategy=strategy, place=lambda _, candidates: candidates[0] if candidates else None,
    )  # fmt: skip


SEAT: Final = LeaseTarget(Key("emco_Seat", _charge(Reassign()).seat), "lease-of-the-seat")


def supervise(strategy: Strategy, context: Context) -> Flow[None]:
    """Look once and do what is to be done, at a time that is the same in every run."""
    charge = _charge(strategy)
    observed = yield from supervising.observe(context, charge)
    scene = replace(observed.scene, at=START)
    for members in observed.regions:
        if charge.decide(members, scene).changes:
            yield from supervising.settle(Unit(context), charge, scene, members, SEAT)


def _stop(context: Context) -> Flow[None]:
    unit = Unit(context)
    errand = yield from resources.get(unit, ERRAND)
    yield from resources.update(unit, errand.model_copy(update={"is_off": True}), None)


def _calls(chosen: Rule, strategy: Strategy) -> dict[str, Call]:
    return {
        **calls_around(chosen),
        "supervise": partial(supervise, strategy),
        "end the seat": lambda context: leasing.end(Unit(context), SEAT.resource, None),
        "stop": _stop,
        "assign by hand": lambda context: resources.put(Unit(context), Errand(name="e", runner=SPARE), None),
        "delete the errand": lambda context: resources.delete(Unit(context), [ERRAND], None, missing_ok=False),
    }


def _begin(memory: Recovery, chosen: Rule, lab: Lab) -> Context:
    runner = RUNNER if memory.lease == LEASED.uid else None

    def flows(context: Context) -> list[Flow[Any]]:
        return [
            *begun(context, chosen),
            resources.create(Unit(context), Seat(name=SEAT.resource.name), None),
            take(context, SEAT.resource, SEAT.uid),
            resources.create(Unit(context), Errand(name="e", runner=runner, recovery=memory), None),
        ]

    return prepared(lab, [Errand, Seat], flows)


def check_supervisors(bench: Bench, chosen: Rule) -> int:
    """Assert that every schedule of a supervisor and each other call ends as a serial order does; return the number."""
    number = 0
    for memory in _MEMORIES.values():
        for strategy in _STRATEGIES.values() if memory.lease else [Reassign()]:
            calls = _calls(chosen, strategy)
            pairs = [("supervise", name) for name in calls][:: bench.harness.stride]
            number += check_pairs(bench, partial(_begin, memory, chosen), calls, pairs, skips_twins=True)
    return number


class SupervisorInterleavingRules:
    """A supervisor and each other call, all schedules of their requests."""

    @rule("SUP-4", "SUP-6", "SUP-7")
    def test_every_schedule_of_supervisors_under_cascade_is_serial(self, lab: Lab) -> None:
        """A supervisor beside other calls ends as in a serial order; two never both assign (SUP-4, SUP-6, SUP-7)."""
        check_supervisors(lab.bench, Rule.CASCADE)

    @rule("SUP-4", "SUP-6", "SUP-7")
    def test_every_schedule_of_supervisors_under_set_null_is_serial(self, lab: Lab) -> None:
        """The same under SET_NULL (SUP-4, SUP-6, SUP-7)."""
        check_supervisors(lab.bench, Rule.SET_NULL)

    @rule("SUP-4", "SUP-6", "SUP-7")
    def test_every_schedule_of_supervisors_under_set_default_is_serial(self, lab: Lab) -> None:
        """The same under SET_DEFAULT (SUP-4, SUP-6, SUP-7)."""
        check_supervisors(lab.bench, Rule.SET_DEFAULT)

    @rule("SUP-4", "SUP-6", "SUP-7")
    def test_every_schedule_of_supervisors_under_remove_is_serial(self, lab: Lab) -> None:
        """The same under REMOVE (SUP-4, SUP-6, SUP-7)."""
        check_supervisors(lab.bench, Rule.REMOVE)
