"""Leases, heartbeats and judges that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from emco_store.beating import Beater, Lease
from emco_store.beating.held import State
from emco_store.core.judging import Watch
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseDocument, LeaseState, LeaseTarget, state_of
from emco_store.core.records import Edge, known_edge
from emco_store.core.shapes import Found
from emco_store.flows.asking import Flow, ask
from emco_store.flows.leasing import end_silent
from emco_store.flows.unit import Unit
from emco_store.ports import Beat, Beaten, Commit, Get

beat, take_note = Beater.beat, Beater._take_note


def let_two_hold(_: Any) -> Flow[None]:
    """Take a lease that another holder has."""
    yield from ()


def take_without_a_beat(request: Any) -> Flow[Any]:
    """Commit the lease, and beat only later."""
    return None if isinstance(request, Beat) else (yield from ask(request))


def begin_tokens_anew(**fields: Any) -> LeaseDocument:
    """Give each lease the first token."""
    return LeaseDocument(**{**fields, "token": 1})


def fence_nothing(unit: Unit, key: Key, uid: str) -> None:
    """Commit for whoever once held a lease."""


def refer_to_the_resource_alone(found: Found, target: Key, default: Key | None) -> Iterator[Edge]:
    """Store no reference to the lease."""
    path, at_key, place, _ = found
    yield known_edge(target.text, path, place.rule, at_key, default and default.text)


def same_key(resource: Key) -> Key:
    """Point the second reference to the resource, after the end of the lease."""
    return resource


def drop_the_record(unit: Unit, lease: LeaseTarget) -> Flow[None]:
    """Release a lease without doing what the rules say."""
    found = yield from unit.fetch([lease.key])
    if lease.key in found:
        unit.drop(lease.key, named=True)
    yield from unit.commit()


def forget_who_was_forked(state: State, token: int) -> str:
    """Take a lease of the parent for one's own."""
    return f"{state._over}; its token was {token}" if state._over else ""


def go_on_for_ever(_: Beater) -> None:
    """Beat on after the end of the store."""


def beat_one_by_one(beater: Beater) -> bool:
    """Send one request for each lease."""
    leases = dict(beater._leases)
    answers: list[bool] = []
    for uid, lease in leases.items() or [("", None)]:
        beater._leases = {} if lease is None else {uid: lease}
        answers.append(beat(beater))
    beater._leases = leases
    return all(answers)


def touch_the_lease(beater: Beater) -> bool:
    """Write the record of a lease with each beat."""
    for lease in beater._leases.values():
        port = beater._port_to_beat()
        record = port.ask(Get((lease.key,))).get(lease.key)
        if record is not None:
            port.ask(Commit(f"{lease.uid}-{record.version}", puts=(replace(record, version=record.version + 1),)))
    return beat(beater)


def believe_in_the_lease(beater: Beater, leases: list[Lease], answer: Beaten, sent_us: int) -> None:
    """Take a lease that has ended for one that was beaten for."""
    take_note(beater, leases, Beaten(answer.at_us), sent_us)


def count_from_the_answer(beater: Beater, leases: list[Lease], answer: Beaten, sent_us: int) -> None:  # noqa: ARG001 - it does not look
    """Count the age of a beat from its answer, and not from when it was sent."""
    take_note(beater, leases, answer, beater.clock())


def date_by_the_client(record: Any, pulse: Any, at_us: int, stall_after: Any = None) -> LeaseState:
    """Count the silence of a holder by the wall clock of the client that took the lease."""
    return state_of(record, replace(pulse, at_us=at_us - abs(at_us - record.created_us)), at_us, stall_after)


def keep_no_watch(_: Watch, __: int) -> bool:
    """Judge by the server's time alone."""
    return True


def look_at_successive_polls(watch: Watch, ttl_us: int) -> bool:
    """Compare the clocks from poll to poll only."""
    newest = watch.stretches[-1]
    for earlier, later in zip(watch.stretches[-2::-1], watch.stretches[:0:-1], strict=True):
        if later.since_us - earlier.until_us > ttl_us // 3 or abs(later.ahead_us - earlier.ahead_us) > ttl_us // 15:
            return False
        if newest.until_us - earlier.since_us >= ttl_us:
            return True
    return False


def end_whoever_beats(unit: Unit, pulse: Any, leader: LeaseTarget | None = None) -> Flow[Any]:
    """End a lease although its holder has beaten again."""
    return (yield from end_silent(unit, replace(pulse, number=10**9), leader))


def end_without_a_lead(unit: Unit, pulse: Any, leader: LeaseTarget | None = None) -> Flow[Any]:  # noqa: ARG001 - it does not look
    """End leases after another reaper has taken over."""
    return (yield from end_silent(unit, pulse))
