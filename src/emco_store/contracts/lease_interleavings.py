"""Every schedule of two calls around one lease, request by request: each outcome is that of some serial order.

The calls are flows, so a schedule says which of the two sends its next request. After each run no reference dangles, no
duty is assigned to a runner that nobody leases, and no lease is without a pulse.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, combinations_with_replacement
from typing import Any, Final

from emco_store.contracts.harness import Bench, CountedIds, Lab, dangling_in, state_of
from emco_store.contracts.lease_models import DUTIES, RUNNER, SPARE, TTL, DutyToKeep, Runner, duty
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseTarget
from emco_store.core.naming import LEASE
from emco_store.core.pulses import Heartbeat, Pulse
from emco_store.core.records import Record
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.schema import Schema
from emco_store.errors import Conflict, StoreError
from emco_store.flows import leasing, resources
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context, Limits
from emco_store.flows.unit import Unit
from emco_store.ports import Beat, Commit, Pulses

FREE: Final = Key("Runner", "free")
LEASED: Final = LeaseTarget(RUNNER, "lease-of-r")
Call = Callable[[Context], Flow[Any]]
"""What makes the flow of a call."""
Begin = Callable[[Lab], Context]
"""Prepares what a run begins with, and returns the surroundings of its calls."""


@dataclass(slots=True)
class _Actor:
    """One call under way."""

    flow: Generator[Any, Any, Any]
    pending: Any = None
    ending: tuple[Any, ...] | None = None
    is_lost: bool = field(default=False)

    def begin(self) -> None:
        self._resume(lambda: next(self.flow))

    def advance(self, lab: Lab) -> None:
        """Send the request that is due, and go on to the next one."""
        request = self.pending
        self._resume(lambda: self.flow.send(lab.ask(request)))

    def _resume(self, go_on: Callable[[], Any]) -> None:
        try:
            self.pending = go_on()
        except StopIteration as end:
            self.ending = ("done", repr(end.value))
        except StoreError as problem:
            self.ending = ("refused", type(problem).__name__)
            self.is_lost = type(problem) is Conflict and not problem.pinned


@dataclass(frozen=True, slots=True)
class _Outcome:
    endings: tuple[tuple[Any, ...], ...]
    state: str


def calls_around(chosen: Rule) -> dict[str, Call]:
    """Return the calls around the lease of one runner, with duties under one ``on_expire`` rule."""
    held = Key(DUTIES[chosen].__name__, "held")
    pulse = Pulse(LEASED.uid, LEASED.key, 1, TTL, 0)

    def fenced(context: Context, made: Any) -> Flow[None]:
        unit = Unit(context)
        unit.rest_on_lease(LEASED.key, LEASED.uid)
        yield from unit.put(made)
        yield from unit.commit()

    def beat(_: Context) -> Flow[bool]:
        answer = yield Beat({LEASED.uid: Heartbeat(LEASED.key, 2, TTL)})
        return LEASED.uid in answer.lapsed

    def update(context: Context) -> Flow[None]:
        unit = Unit(context)
        runner = yield from resources.get(unit, RUNNER)
        yield from resources.update(unit, runner.model_copy(update={"zone": "eu"}), None)

    return {
        "take": lambda context: take(context, RUNNER, "other"),
        "take what is free": lambda context: take(context, FREE, "first"),
        "beat": beat,
        "end": lambda context: leasing.end(Unit(context), RUNNER, None),
        "end for silence": lambda context: leasing.end_silent(Unit(context), pulse),
        "release": lambda context: leasing.release(Unit(context), LEASED),
        "assign": lambda context: resources.put(Unit(context), duty(chosen, "new", RUNNER), None),
        "assign under the lease": lambda context: fenced(context, duty(chosen, "new", RUNNER)),
        "write under the lease": lambda context: fenced(context, DutyToKeep(name="note")),
        "re-assign": lambda context: resources.put(Unit(context), duty(chosen, "held", SPARE), None),
        "update the runner": update,
        "delete the runner": lambda context: _delete(context, RUNNER),
        "delete the runner and its lease": lambda context: _delete(context, RUNNER, LEASED),
        "delete the duty": lambda context: _delete(context, held),
    }


def take(context: Context, runner: Key, uid: str) -> Flow[None]:
    """Take a lease, as a call."""
    asked = leasing.asked(context, runner)
    yield from leasing.take(Unit(context), asked, uid=uid, holder=uid)


def _delete(context: Context, *targets: Any) -> Flow[Any]:
    return resources.delete(Unit(context), targets, None, missing_ok=False)


def begun(context: Context, chosen: Rule) -> list[Flow[Any]]:
    """Return the calls that begin: two runners of three are leased, and one of them has a duty under a rule."""
    return [
        *(resources.create(Unit(context), Runner(name=key.name), None) for key in (RUNNER, SPARE, FREE)),
        take(context, RUNNER, LEASED.uid),
        take(context, SPARE, "lease-of-spare"),
        resources.create(Unit(context), duty(chosen, "held", RUNNER), None),
    ]


def prepared(
    lab: Lab, models: Sequence[type[Resource]], flows: Callable[[Context], Sequence[Flow[Any]]], *, ids: str = ""
) -> Context:
    """Return the surroundings of calls, after those that begin have been made.

    Args:
        lab: The lab.
        models: More models.
        flows: Returns the calls that begin.
        ids: How the ids begin that are used, where a lab is prepared more than once.
    """
    schema = Schema([Runner, DutyToKeep, *DUTIES.values(), *models])
    context = Context(schema, Limits(), lab.clock, CountedIds(ids or f"{lab.namespace}-i").new)
    for flow in flows(context):
        actor = _Actor(flow)
        actor.begin()
        while actor.ending is None:
            actor.advance(lab)
        assert actor.ending[0] == "done", actor.ending
    return context


_Run = tuple[_Outcome, list[bool], list[int]]


def _play(
    bench: Bench, begin: Begin, calls: Sequence[Call], prefix: Sequence[int], *, skips_twins: bool = False
) -> tuple[_Outcome | None, list[bool], list[int]]:
    """Run calls by a schedule; where it ends, the first that can goes on.

    Args:
        bench: The backend.
        begin: Prepares what the run begins with.
        calls: The calls.
        prefix: The first choices of the schedule.
        skips_twins: Give up a schedule in which a read of the second call stands just before a read of the first. Reads
            do not affect each other, so the schedule in which the two have changed places is the same one.

    Returns:
        The outcome, None where the schedule was given up; which of the calls lost a race; and the choices of the whole
        schedule.
    """
    with bench.lab() as lab:
        context = begin(lab)
        actors = [_Actor(call(context)) for call in calls]
        for actor in actors:
            actor.begin()
        choices: list[int] = []
        was_later_read = False
        while live := [at for at, actor in enumerate(actors) if actor.ending is None]:
            is_twin = skips_twins and was_later_read and 0 in live and not _writes(actors[0])
            if is_twin and len(live) == 1:
                return None, [], choices
            at = live[0] if len(live) == 1 else 1
            if len(live) > 1 and not is_twin:
                at = prefix[len(choices)] if len(choices) < len(prefix) else 0
                choices.append(at)
            was_later_read = at == 1 and not _writes(actors[1])
            actors[at].advance(lab)
        endings = tuple(actor.ending for actor in actors if actor.ending is not None)
        return _Outcome(endings, _checked(lab)), [actor.is_lost for actor in actors], choices


def _writes(actor: _Actor) -> bool:
    return isinstance(actor.pending, Commit | Beat)


def _whole(bench: Bench, begin: Begin, calls: Sequence[Call], prefix: Sequence[int]) -> tuple[_Outcome, list[bool]]:
    """Run calls by a schedule that is not given up."""
    outcome, lost, _ = _play(bench, begin, calls, prefix)
    assert outcome is not None
    return outcome, lost


def check_sound(lab: Lab, where: str = "") -> dict[str, Record]:
    """Assert that no reference dangles and that each lease has its pulse; return all records."""
    records = lab.records()
    assert [] == dangling_in(records), where
    pulses = {(pulse.uid, pulse.key) for pulse in lab.ask(Pulses()).pulses}
    assert {(record.uid, record.key) for record in leases_in(records)} <= pulses, where
    return records


def leases_in(records: Mapping[str, Record]) -> list[Record]:
    """Return the records of leases."""
    return [record for record in records.values() if record.key.kind == LEASE]


def _checked(lab: Lab) -> str:
    """Assert what holds after every run, and return the state."""
    records = check_sound(lab)
    uids = {record.key.text: record.uid for record in leases_in(records)}
    return repr((sorted(state_of(records).items()), sorted(uids.items())))


def _schedules(bench: Bench, begin: Begin, calls: Sequence[Call], *, skips_twins: bool) -> Iterator[_Run]:
    """Run every schedule once."""
    prefix: list[int] = []
    while True:
        outcome, lost, choices = _play(bench, begin, calls, prefix, skips_twins=skips_twins)
        if outcome is not None:
            yield outcome, lost, choices
        while choices and choices[-1] == 1:
            choices.pop()
        if not choices:
            return
        prefix = [*choices[:-1], 1]


def check_leases(bench: Bench, chosen: Rule) -> int:
    """Assert that every schedule of each pair of calls ends as a serial order does; return the number of schedules."""
    calls = calls_around(chosen)
    pairs = list(combinations_with_replacement(calls, 2))[:: bench.harness.stride]
    return check_pairs(bench, lambda lab: prepared(lab, [], partial(begun, chosen=chosen)), calls, pairs)


def check_pairs(
    bench: Bench,
    begin: Begin,
    calls: Mapping[str, Call],
    pairs: Sequence[tuple[str, str]],
    *,
    skips_twins: bool = False,
) -> int:
    """Assert that every schedule of each pair ends as some serial order does; return the number of schedules.

    A call that lost a race counts as not made, and of two that overlap at least one must not lose.

    Args:
        bench: The backend.
        begin: Prepares what a run begins with.
        calls: The calls by name.
        pairs: The names of those that overlap.
        skips_twins: Run one of the schedules that differ only in the order of reads.
    """
    alone = {name: _whole(bench, begin, [calls[name]], ())[0] for name in dict.fromkeys(chain(*pairs))}
    number = 0
    for first, second in pairs:
        both = [calls[first], calls[second]]
        one, lost_one = _whole(bench, begin, both, [0] * 20)
        other, lost_other = _whole(bench, begin, both, [1] * 20)
        assert not any((*lost_one, *lost_other)), (first, second, one, other)
        for outcome, lost, choices in _schedules(bench, begin, both, skips_twins=skips_twins):
            where = f"{first} | {second} as {choices}: {outcome}, and not {one} or {other}"
            assert not all(lost), where
            if any(lost):
                winner = lost.index(False)
                wanted = alone[(first, second)[winner]]
                assert _Outcome((outcome.endings[winner],), outcome.state) == wanted, where
            else:
                assert outcome in {one, other}, where
            number += 1
    assert number >= (1 if skips_twins else 3) * len(pairs) > 0, "each pair has its schedules"
    return number


class LeaseInterleavingRules:
    """All pairs of calls around a lease, all schedules of their requests."""

    @rule("LEA-1", "LEA-4", "LEA-5", "LEA-6")
    def test_every_schedule_of_leases_under_cascade_is_serial(self, lab: Lab) -> None:
        """Calls around a lease whose end cascades end as in a serial order (LEA-1, LEA-4, LEA-5, LEA-6)."""
        check_leases(lab.bench, Rule.CASCADE)

    @rule("LEA-1", "LEA-4", "LEA-5", "LEA-6")
    def test_every_schedule_of_leases_under_set_null_is_serial(self, lab: Lab) -> None:
        """The same under SET_NULL (LEA-1, LEA-4, LEA-5, LEA-6)."""
        check_leases(lab.bench, Rule.SET_NULL)

    @rule("LEA-1", "LEA-4", "LEA-5", "LEA-6")
    def test_every_schedule_of_leases_under_set_default_is_serial(self, lab: Lab) -> None:
        """The same under SET_DEFAULT (LEA-1, LEA-4, LEA-5, LEA-6)."""
        check_leases(lab.bench, Rule.SET_DEFAULT)

    @rule("LEA-1", "LEA-4", "LEA-5", "LEA-6")
    def test_every_schedule_of_leases_under_remove_is_serial(self, lab: Lab) -> None:
        """The same under REMOVE (LEA-1, LEA-4, LEA-5, LEA-6)."""
        check_leases(lab.bench, Rule.REMOVE)
