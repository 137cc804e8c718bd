"""Supervising as flows: what a supervisor is in charge of, what it reads, and the one commit for each region."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

from emco_store.core.keys import Key
from emco_store.core.leases import LeaseState, LeaseTarget, Verdict, state_of
from emco_store.core.pulses import Pulse
from emco_store.core.records import Record
from emco_store.core.refs import Ref, RefSpec
from emco_store.core.reserved import lease_of, resource_of
from emco_store.core.resource import Resource, is_model
from emco_store.core.rules import Rule
from emco_store.core.strategies import Strategy
from emco_store.core.supervising import Decision, Escalation, Placement, Recovery, Scene, Standing, decide
from emco_store.core.times import moment
from emco_store.errors import InvalidCall, InvalidResource, StoreError
from emco_store.flows import lists
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context, checked_deadline
from emco_store.flows.filling import pulsing
from emco_store.flows.leasing import PAGE
from emco_store.flows.unit import Unit
from emco_store.ports import Pulses

_RECOVERY = "recovery"
Region = type[Resource] | Callable[[Any], Hashable]
"""What tells the regions of operators apart: the class of an ancestor, or a function of the operator."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a supervisor is in charge of, and how; checked.

    Attributes:
        worker: The class of the workers.
        operator: The class of the operators.
        field: The field of an operator that refers to its worker.
        stop: The field of an operator that says whether it is not to run; None where all are.
        region: What tells the regions apart; None where each operator is one.
        place: Where work goes.
        strategy: What happens to work that has lost its worker.
        stall_after: After which time without new progress a worker counts as stuck; None for four TTLs.
    """

    worker: type[Resource]
    operator: type[Resource]
    field: str
    stop: str | None
    region: Region | None
    place: Placement
    strategy: Strategy
    stall_after: timedelta | None

    @property
    def seat(self) -> str:
        """The name of the seat of the supervisor that leads."""
        return f"emco-supervisor-{self.operator.__emco__.kind}.{self.field}"

    def standing(self, operator: Any) -> Standing:
        """Return an operator as the supervisor sees it."""
        ref = getattr(operator, self.field)
        is_stopped = self.stop is not None and bool(getattr(operator, self.stop))
        return Standing(operator.key, None if ref is None else ref.key, operator.recovery, is_stopped, operator)

    def region_of(self, operator: Any) -> Hashable:
        """Return what the operators of one region have in common.

        Raises:
            InvalidCall: The function of ``region=`` raised, or returned what cannot be compared.
        """
        region: Any = self.region
        found: Hashable = operator.key
        if is_model(region):
            found = operator.key.segments[: region.__emco__.length]
        elif region is not None:
            try:
                found = region(operator)
                hash(found)
            except Exception as problem:  # of the caller's function
                raise raised(problem, [operator.key]) from problem
        return found

    def decide(self, members: Sequence[Standing], scene: Scene) -> Decision:
        """Say what becomes of the operators of one region; see :func:`emco_store.core.supervising.decide`.

        Raises:
            InvalidCall: A function of the supervisor raised, or returned something else than it may.
        """
        try:
            return decide(members, scene, self.strategy, self.place)
        except StoreError:
            raise
        except Exception as problem:  # of the caller's functions
            raise raised(problem, [one.key for one in members]) from problem


def raised(problem: Exception, keys: Sequence[Key]) -> InvalidCall:
    """Build the error for a function of the caller that raised while it was asked about operators."""
    return InvalidCall(
        f"Cannot decide about {', '.join(map(str, keys[:3]))}{', …' if keys[3:] else ''}.",
        why=[f"a function that was given to the supervisor raised {problem!r:.200}"],
        hint="correct the function of strategy=, place=, region= or escalate=.",
    )


def checked(
    worker: Any, *, assign: Any, stop: Any, region: Any, place: Any, strategy: Any, stall_after: Any, escalate: Any
) -> Charge:
    """Check what a supervisor is to be in charge of.

    Raises:
        InvalidCall: It cannot be supervised, or an argument is of another type.
    """
    if not is_model(worker) or worker.__emco__.lease is None:
        raise InvalidCall(
            f"Cannot assign work to {_named(worker)}.",
            why=["it is not the class of resources that can be leased, so nobody knows who of them is alive"],
            hint="give a class that is defined with lease=timedelta(…).",
        )
    operator, field = _checked_assign(worker, assign)
    _check_recovery(operator)
    _check_stop(operator, stop)
    _check_region(operator, region)
    for name, given in {"place": place, "strategy": strategy, "escalate": escalate}.items():
        if (given is not None or name != "escalate") and (not callable(given) or iscoroutinefunction(given)):
            raise InvalidCall(
                f"Cannot supervise with {name}={given!r:.40}.",
                why=["it is not a plain function"],
                hint="give a function, such as least_loaded for place=, or a strategy, such as Backoff().",
            )
    return Charge(worker, operator, field, stop, region, place, strategy, checked_deadline(stall_after))


def _checked_assign(worker: type[Resource], assign: Any) -> tuple[type[Resource], str]:
    match assign:
        case (operator, str(field)) if is_model(operator):
            pass
        case _:
            raise InvalidCall(
                f"Cannot assign {assign!r:.80}.",
                why=["it is not a class of resources and the name of one of its fields"],
                hint='give assign=(Operator, "worker").',
            )
    spec = getattr(operator.__emco__.shape.get(field), "spec", None)
    reasons: list[str] = []
    if field not in operator.model_fields:
        reasons.append(f"{operator.__name__} has no such field")
    elif not isinstance(spec, RefSpec):
        reasons.append("it is not a reference")
    else:
        if spec.on_expire is not Rule.SET_NULL:
            rule = "it has no on_expire rule" if spec.on_expire is None else f"its rule is on_expire({spec.on_expire})"
            reasons.append(f"{rule}, and only SET_NULL frees an operator when the lease of its worker ends")
        if worker.__emco__.kind not in (spec.addresses or spec.resolve()):
            reasons.append(f"it does not refer to {worker.__name__}")
    if reasons:
        raise InvalidCall(
            f"Cannot assign {operator.__name__} by its field {field!r:.80}.",
            why=reasons,
            hint=f"declare it as Annotated[Ref[{worker.__name__}] | None, on_expire(SET_NULL)] = None.",
        )
    return operator, field


def _check_recovery(operator: type[Resource]) -> None:
    info = operator.model_fields.get(_RECOVERY)
    kind: Any = None if info is None else info.annotation
    if not (isinstance(kind, type) and issubclass(kind, Recovery)):
        raise InvalidCall(
            f"Cannot supervise {operator.__name__}.",
            why=["it has no field in which attempts and failures could be kept"],
            hint="give the class the field `recovery: Recovery = Recovery()`.",
        )


def _check_stop(operator: type[Resource], stop: Any) -> None:
    info = operator.model_fields.get(stop) if isinstance(stop, str) else None
    if stop is not None and (info is None or info.annotation is not bool):
        raise InvalidCall(
            f"Cannot stop {operator.__name__} by {stop!r:.80}.",
            why=["it is not the name of a field of it that is true or false"],
            hint='give the class a field such as `is_stopped: bool = False`, and stop="is_stopped".',
        )


def _check_region(operator: type[Resource], region: Any) -> None:
    kinds = [kind for kind, _ in operator.__emco__.chain]
    if region is None or (callable(region) and not is_model(region) and not iscoroutinefunction(region)):
        return
    if not is_model(region) or region.__emco__.kind not in kinds:
        raise InvalidCall(
            f"Cannot tell regions of {operator.__name__} apart by {_named(region)}.",
            why=["it is neither the class of an ancestor nor a plain function"],
            hint=f"give {' or '.join([*kinds[:-1], 'a function of the operator'])}.",
        )


def _named(given: Any) -> str:
    return given.__name__ if isinstance(given, type) else f"{given!r:.80}"


class Stuck(NamedTuple):
    """A worker whose holder beats, and reports no new progress."""

    state: LeaseState
    pulse: Pulse

    @property
    def reason(self) -> str:
        """What is wrong, for people."""
        quiet_s = 0.0 if self.state.quiet is None else self.state.quiet.total_seconds()
        return f"{self.state.holder or 'its holder'} beats, and has reported no progress for {quiet_s:.0f} s"


@dataclass(frozen=True, slots=True)
class Observed:
    """What a supervisor has read at one look.

    Attributes:
        scene: What decisions rest on.
        regions: The operators of each region.
        stuck: The workers that are stuck.
        problems: The resources that cannot be read, each with the error.
    """

    scene: Scene
    regions: tuple[tuple[Standing, ...], ...]
    stuck: tuple[Stuck, ...]
    problems: tuple[tuple[Key, StoreError], ...]


def observe(context: Context, charge: Charge) -> Flow[Observed]:
    """Read all operators, all workers and their leases, and at last their pulses.

    Work goes only to those whose holder beats: not to one that is silent for two thirds of its TTL, or stuck.

    Rules: SUP-7, SUP-8.
    """
    problems: list[tuple[Key, StoreError]] = []
    operators = yield from _all_of(context, charge.operator, problems)
    regions: dict[Hashable, list[Standing]] = {}
    for operator in operators:
        try:
            regions.setdefault(charge.region_of(operator), []).append(charge.standing(operator))
        except InvalidCall as problem:
            problems.append((operator.key, problem))
    workers = {worker.key: worker for worker in (yield from _all_of(context, charge.worker, problems))}
    held: dict[Key, Record] = {}
    for keys in _batches([lease_of(key) for key in workers]):
        held.update((yield from records_at(keys)))
    states, at_us = yield from _states(held.values(), charge.stall_after)
    alive = {
        key: (workers[key], held[lease_of(key)].uid)
        for key, (state, _) in states.items() if state.verdict is Verdict.ALIVE
    }  # fmt: skip
    scene = Scene(
        moment(at_us), alive,
        held={key: held[lease_of(key)].uid for key in workers if lease_of(key) in held},
        loads=Counter(one.worker for members in regions.values() for one in members if one.worker is not None),
    )  # fmt: skip
    stuck = tuple(
        Stuck(state, pulse)
        for state, pulse in states.values() if state.verdict is Verdict.STUCK and pulse is not None
    )  # fmt: skip
    return Observed(scene, tuple(map(tuple, regions.values())), stuck, tuple(problems))


def _all_of(
    context: Context, model: type[Resource], problems: list[tuple[Key, StoreError]]
) -> Flow[list[Any]]:  # fmt: skip
    """Return all resources of a class in the order of their keys; those that cannot be read go to the problems."""
    found: list[Any] = []
    after: str | None = None
    while True:
        page = yield from lists.read_page(context, lists.ask(context, model, limit=PAGE, after=after))
        for value in page.items:
            if isinstance(value, InvalidResource):
                problems.append((value.key or Key(model.__emco__.kind, "?"), value))
            else:
                found.append(value)
        after = page.next
        if after is None:
            return found


def _states(
    leases: Iterable[Record], stall_after: timedelta | None
) -> Flow[tuple[Mapping[Key, tuple[LeaseState, Pulse | None]], int]]:
    """Return what can be said of leases, by the keys of their resources, and the server's time."""
    found: dict[Key, tuple[LeaseState, Pulse | None]] = {}
    at_us = 0
    for batch in _batches(list(leases)) or [()]:
        uids = tuple(record.uid for record in batch)
        page = yield from pulsing(Pulses(uids=uids, limit=PAGE) if uids else Pulses(due=True, limit=1))
        pulses = {pulse.uid: pulse for pulse in page.pulses}
        at_us = page.at_us
        for record in batch:
            try:
                state = state_of(record, pulses.get(record.uid), at_us, stall_after)
            except InvalidResource:  # whoever holds it, nobody can say how long it counts
                continue
            found[state.resource] = state, pulses.get(record.uid)
    return found, at_us


def _batches(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[first : first + PAGE] for first in range(0, len(items), PAGE)]


def settle(
    unit: Unit, charge: Charge, scene: Scene, members: Sequence[Standing], leader: LeaseTarget
) -> Flow[Decision]:  # fmt: skip
    """Decide about the operators of one region as they are now, and write it in one commit.

    The commit rests on the operators, on the lease of each worker that gets work, and on that of the supervisor. The
    pulses of these workers are read again just before it, however often it is attempted.

    Args:
        unit: A new unit.
        charge: What the supervisor is in charge of.
        scene: What it has read.
        members: The operators of the region as it has read them.
        leader: The lease of its seat.

    Raises:
        LeaseLost: Another supervisor leads.
        InvalidResource: An operator cannot be read any more, or does not fit its model with a worker or without.
        InvalidCall: A function of the supervisor raised.

    Rules: SUP-4, SUP-6, SUP-7.
    """
    unit.rest_on_lease(leader.key, leader.uid)
    region = charge.region_of(members[0].value)
    found = yield from unit.fetch([one.key for one in members])
    values = [unit.context.value(record) for record in found.values()]
    standings = {value.key: charge.standing(value) for value in values if charge.region_of(value) == region}
    while True:
        decision = charge.decide(tuple(standings.values()), scene)
        gone = yield from _gone(unit, charge, decision)
        if not gone:
            break
        scene = scene.without(gone)
    for change in decision.changes:
        worker: Ref[Any] | None = None if change.worker is None else Ref(change.worker)
        fields: dict[str, Any] = {charge.field: worker, _RECOVERY: change.recovery}
        unit.update(standings[change.key].value.model_copy(update=fields))
    if decision.changes:
        yield from unit.commit()
    return decision


def _gone(unit: Unit, charge: Charge, decision: Decision) -> Flow[list[Key]]:
    """Return the workers of a decision whose lease is another one by now, or which are not alive any more."""
    uids = {change.worker: change.recovery.lease for change in decision.changes if change.worker is not None}
    found = yield from unit.fetch([lease_of(key) for key in uids])
    leases = {resource_of(key): record for key, record in found.items()}
    getting = {worker for _, worker in decision.assigned}
    if not getting:
        return [key for key, uid in uids.items() if key not in leases or leases[key].uid != uid]
    getting_leases = [record for key, record in leases.items() if key in getting]
    states, _ = yield from _states(getting_leases, charge.stall_after)
    return [
        key
        for key, uid in uids.items()
        if key not in leases
        or leases[key].uid != uid
        or (key in getting and (key not in states or states[key][0].verdict is not Verdict.ALIVE))
    ]  # fmt: skip


def escalations(observed: Observed, decisions: Iterable[Decision]) -> Iterator[tuple[Hashable, Escalation]]:
    """Yield what people must see to after a look, each with what tells it from every other case.

    Rules: SUP-8.
    """
    changed = {change.key: change.recovery for one in decisions for change in one.changes}
    for members in observed.regions:
        recoveries = {one.key: changed.get(one.key, one.recovery) for one in members}
        given_up = {key: recovery for key, recovery in recoveries.items() if recovery.given_up}
        if given_up:
            reason = next(iter(given_up.values())).given_up
            case = tuple((key, recovery.attempts, recovery.failures) for key, recovery in given_up.items())
            yield (case, reason), Escalation(tuple(given_up), reason)
    for one in observed.stuck:
        yield one.pulse.uid, Escalation((one.state.resource,), one.reason)
