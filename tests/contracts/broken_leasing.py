"""Leases, heartbeats and judges that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from emco_store.beating import Beater, Lease
from emco_store.beating.attending import Attending
from emco_store.beating.held import State
from emco_store.beating.notes import Note
from emco_store.beating.process import Attendance
from emco_store.core.judging import Stretch, Watch
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseDocument, LeaseState, LeaseTarget, state_of
from emco_store.core.pulses import LEASE, Heartbeat
from emco_store.core.query import Order, read_cursor
from emco_store.core.records import Edge, known_edge
from emco_store.core.shapes import Found
from emco_store.errors import StoreError
from emco_store.flows.asking import Flow, ask
from emco_store.flows.leasing import end_silent
from emco_store.flows.unit import Unit
from emco_store.ports import Beat, Beaten, Commit, Get

beat, take_note = Beater.beat, Beater._take_note
end_all, beat_of, start = Attending._end_all, Note.beat, Attendance._start


def start_anywhere(text: str, *_: Any) -> tuple[str, str]:
    """Take any text for a cursor, and start after the key that it is."""
    return ("", text) if "/" in text else read_cursor(text, LEASE, Order())


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


def end_whoever_holds(attending: Attending, notes: Iterable[Note], reason: str) -> None:
    """End the lease of the resource, whoever has it by now."""
    end = attending._end
    attending._end = lambda lease, why: end(cast("Any", lease.resource), why)
    end_all(attending, notes, reason)
    attending._end = end


def give_up_at_the_first_refusal(attending: Attending, notes: Iterable[Note], reason: str) -> None:
    """End no further lease once a rule has forbidden the end of one."""
    with suppress(StoreError):
        for note in notes:
            attending._end(note.target, reason)


def drop_without_rules(attending: Attending, notes: Iterable[Note], reason: str) -> None:  # noqa: ARG001 - gives none
    """End the lease of a worker that is gone without doing what the rules say."""
    for note in notes:
        found = attending._port.ask(Get((note.target.key,)))
        for key, record in found.items():
            attending._port.ask(Commit(f"{note.uid}-gone", {key: record.stamp}, deletes=(key,)))


def outlive_the_worker(attending: Attending) -> None:
    """Beat on for a worker that is gone."""
    attending.step()


def beat_for_who_stands_still(_: Attending, __: int) -> None:
    """Look at no tick."""


def leave_to_the_process(state: State, ttl: Any) -> bool:  # noqa: ARG001 - it does not look
    """Let the thread stop as soon as there is a process, which has not beaten yet."""
    return state.cell is not None


def believe_in_the_process(state: State, ttl: Any) -> bool:  # noqa: ARG001 - it does not look
    """Let the thread stop for good once the process has beaten."""
    return state._written > 0


def start_it_once(attendance: Attendance, now_us: int, attended: Any) -> None:
    """Start no other process when one has ended."""
    if not attendance._next_start_us:
        start(attendance, now_us, attended)


def count_beats_apart(note: Note, now_us: int) -> Heartbeat:
    """Number the beats of the process by a count of its own."""
    return replace(beat_of(note, now_us), number=2 + now_us // 10**9)


def tell_nobody_of_the_end(_: Any) -> str:
    """Hide from the holder what the process has found out."""
    return ""


def date_by_the_client(record: Any, pulse: Any, at_us: int, stall_after: Any = None) -> LeaseState:
    """Count the silence of a holder by the wall clock of the client that took the lease."""
    return state_of(record, replace(pulse, at_us=at_us - abs(at_us - record.created_us)), at_us, stall_after)


def keep_no_watch(_: Watch, __: int) -> bool:
    """Judge by the server's time alone."""
    return True


def believe_every_server(watch: Watch, _: Any) -> tuple[Stretch, ...]:
    """Go on watching when another server answers."""
    return watch.stretches


def watch_anew(_: Watch, __: Any) -> tuple[Stretch, ...]:
    """Take each answer for one of another server."""
    return ()


def look_at_successive_polls(watch: Watch, ttl_us: int) -> bool:
    """Compare the clocks from poll to poll only."""
    newest = watch.stretches[-1]
    for earlier, later in zip(watch.stretches[-2::-1], watch.stretches[:0:-1], strict=True):
        if later.since_us - earlier.until_us > ttl_us // 3 or abs(later.ahead_us - earlier.ahead_us) > ttl_us // 15:
            return False
        if newest.until_us - earlier.since_us >= ttl_us:
            return True
    return False


def end_whoever_beats(
    unit: Unit, pulse: Any, leader: LeaseTarget | None = None, reason: str | None = None
) -> Flow[Any]:  # fmt: skip
    """End a lease although its holder has beaten again."""
    return (yield from end_silent(unit, replace(pulse, number=10**9), leader, reason))


def end_without_a_lead(
    unit: Unit,
    pulse: Any,
    leader: LeaseTarget | None = None,  # noqa: ARG001 - it does not look
    reason: str | None = None,
) -> Flow[Any]:
    """End leases after another reaper has taken over."""
    return (yield from end_silent(unit, pulse, None, reason))
