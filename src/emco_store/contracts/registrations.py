"""Every schedule of the registrations of three services, request by request: each ends as some serial order does.

A registration is a flow; one that loses a race begins again, as a store repeats it. After each run the registry fits
together as a whole, and nothing that was acknowledged is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from itertools import permutations
from typing import Any, Final

from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.harness import Bench, CountedIds, Harness, Lab, Mode
from emco_store.contracts.rules import rule
from emco_store.contracts.segments import FLEET, NETWORK, STAFF, Bus, BusView, Driver, Line, LineView, Stop, StopView
from emco_store.core.meanings import unmet
from emco_store.core.registry import EMPTY, REGISTRY_KEY, Registry, read_registry
from emco_store.core.resource import Resource
from emco_store.core.schema import Schema
from emco_store.core.segments import Segment
from emco_store.errors import Conflict, StoreError
from emco_store.flows import registering
from emco_store.flows.asking import Flow
from emco_store.flows.context import Context, Limits
from emco_store.flows.unit import Unit
from emco_store.ports import Commit

Call = Callable[[Context], Flow[Any]]
"""What makes the flow of a registration, or of a removal."""


class Thing(Resource):
    """What a rival declares beside a kind of another segment."""


_RIVAL: Final = Segment("rival", [Line, Thing])
_LATER: Final = Segment("network", [Line, Stop, Thing], 2)
_LATER_STAFF: Final = Segment("staff", [Driver, BusView, Thing], 2)
_ALONE: Final = Segment("fleet", [Bus, LineView, StopView])


def _enter(segment: Segment) -> Call:
    return lambda context: registering.enter(Unit(context), segment)


def _leave(name: str) -> Call:
    return lambda context: registering.leave(Unit(context), name)


_CASES: Final[dict[str, tuple[Call, ...]]] = {
    "three that rely on each other": (_enter(NETWORK), _enter(FLEET), _enter(STAFF)),
    "two owners of a kind": (_enter(NETWORK), _enter(_RIVAL), _enter(FLEET)),
    "two versions": (_enter(NETWORK), _enter(_LATER), _enter(FLEET)),
    "one program three times": (_enter(FLEET), _enter(FLEET), _enter(NETWORK)),
    "a removal": (_enter(NETWORK), _leave("network"), _enter(_ALONE)),
    "a later version that waits": (_enter(STAFF), _enter(_LATER_STAFF), _enter(FLEET)),
}


@dataclass(slots=True)
class _Service:
    """One registration under way, in a store of its own."""

    call: Call
    context: Context
    flow: Generator[Any, Any, Any] | None = None
    pending: Any = None
    ending: str = field(default="")

    def begin(self) -> None:
        self.flow = self.call(self.context)
        self._resume(lambda: next(self._flow))

    @property
    def _flow(self) -> Generator[Any, Any, Any]:
        assert self.flow is not None
        return self.flow

    @property
    def writes(self) -> bool:
        """Whether the request that is due is a commit."""
        return isinstance(self.pending, Commit)

    def advance(self, lab: Lab) -> None:
        """Send the request that is due, and go on to the next one."""
        answer = lab.ask(self.pending)
        self._resume(lambda: self._flow.send(answer))

    def _resume(self, go_on: Callable[[], Any]) -> None:
        try:
            self.pending = go_on()
        except StopIteration as end:
            self.ending = f"done {end.value}"
        except Conflict:
            self.begin()
        except StoreError as problem:
            self.ending = f"refused {type(problem).__name__}"


Ran = tuple[tuple[Any, ...], list[tuple[int, int]]]


def _play(bench: Bench, calls: Sequence[Call], prefix: Sequence[int]) -> Ran:
    """Run calls by a schedule; where it ends, the first that can goes on.

    Reads do not affect each other, so of two schedules in which neighbouring reads have changed places one is run.

    Returns:
        How each call and the registry ended, nothing for a schedule that is given up; and for each step, which of those
        that could go on did, and of how many.
    """
    with bench.lab() as lab:
        services = _begun(lab, calls)
        choices: list[tuple[int, int]] = []
        reader = -1
        while live := [at for at, service in enumerate(services) if not service.ending]:
            able = [at for at in live if at >= reader or services[at].writes]
            if not able:
                return (), choices
            at = prefix[len(choices)] % len(able) if len(choices) < len(prefix) else 0
            choices.append((at, len(able)))
            service = services[able[at]]
            reader = -1 if service.writes else able[at]
            service.advance(lab)
        return (*(service.ending for service in services), _checked(lab)), choices


def _begun(lab: Lab, calls: Sequence[Call]) -> list[_Service]:
    """Return the calls, each in a store of its own, up to their first requests."""
    ids = CountedIds(f"{lab.namespace}-s")
    services = [_Service(call, Context(Schema(), Limits(), lab.clock, ids.new)) for call in calls]
    for service in services:
        service.begin()
    return services


def _checked(lab: Lab) -> str:
    """Assert that the registry fits together, and return what counts in it."""
    record = lab.records().get(REGISTRY_KEY.text)
    registry = EMPTY if record is None else read_registry(record.document)
    check_whole(registry)
    return repr((sorted(registry.active.items()), sorted(registry.waiting.items())))


def check_whole(registry: Registry) -> None:
    """Assert that each kind has one owner, that what is relied on is there, and that what waits has a reason."""
    kinds = [kind for one in registry.active.values() for kind in one.kinds]
    assert len(kinds) == len(set(kinds))
    said = {kind: meaning for kind, (_, meaning) in registry.kinds().items()}
    for one in registry.active.values():
        assert [] == [reason for kind, need in one.needs.items() for reason in unmet(kind, need, said.get(kind))]


def _schedules(bench: Bench, calls: Sequence[Call]) -> Iterator[tuple[Any, ...]]:
    """Run every schedule once; on a backend that runs only some pairs, a few in which the calls mix."""
    if bench.harness.stride > 1:
        yield from filter(None, (_play(bench, calls, prefix)[0] for prefix in ([0, 1, 2] * 4, [0, 2, 1, 1] * 4)))
        return
    following: list[int] = []
    while True:
        outcome, choices = _play(bench, calls, following)
        if outcome:
            yield outcome
        while choices and choices[-1][0] == choices[-1][1] - 1:
            choices.pop()
        if not choices:
            return
        following = [at for at, _ in choices[:-1]] + [choices[-1][0] + 1]


def check_registrations(bench: Bench) -> dict[str, int]:
    """Assert that every schedule ends as a serial order does; return the numbers of schedules."""
    numbers: dict[str, int] = {}
    for name in list(_CASES)[:: bench.harness.every(4)]:
        serial = _serial(name)
        for outcome in _schedules(bench, _CASES[name]):
            assert outcome in serial, f"{name}: {outcome}"
            numbers[name] = numbers.get(name, 0) + 1
    return numbers


@cache
def _serial(name: str) -> frozenset[tuple[Any, ...]]:
    """Return how the calls of a case end one after the other, in any order; it is the same on every backend."""
    found: set[tuple[Any, ...]] = set()
    with closing(Bench(Harness("memory", MemoryBackend), Mode.BLOCKING)) as bench:
        for order in permutations(range(len(_CASES[name]))):
            with bench.lab() as lab:
                services = _begun(lab, _CASES[name])
                for at in order:
                    while not services[at].ending:
                        services[at].advance(lab)
                found.add((*(service.ending for service in services), _checked(lab)))
    return frozenset(found)


class RegistrationInterleavings:
    """Registrations of three services at once."""

    @rule("SEG-1", "SEG-2", "SEG-3", "SEG-5")
    def test_every_schedule_of_registrations_is_serial(self, lab: Lab) -> None:
        """Whatever the order of requests, all ends as one after the other (SEG-1, SEG-2, SEG-3, SEG-5)."""
        numbers = check_registrations(lab.bench)
        assert all(number >= 2 for number in numbers.values())
