"""Leases as flows: take, release and end one, and look at those that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from emco_store.core.codec import Draft, draft
from emco_store.core.keys import Key
from emco_store.core.leases import (
    LeaseDocument,
    LeaseState,
    LeaseTarget,
    Seat,
    Verdict,
    lease_record,
    read_lease,
    state_of,
)
from emco_store.core.origins import origin_of
from emco_store.core.pages import Page
from emco_store.core.plan import Deleted, Plan
from emco_store.core.pulses import LEASE, Heartbeat, Pulse
from emco_store.core.query import Order, check_limit, read_cursor, write_cursor
from emco_store.core.records import Record
from emco_store.core.reserved import lease_of, resource_of
from emco_store.core.resource import Resource, is_model
from emco_store.errors import InvalidCall, InvalidResource, LeaseHeld, NotFound
from emco_store.flows import lists
from emco_store.flows.asking import Flow, ask, read
from emco_store.flows.context import Context, uid_of
from emco_store.flows.filling import pulsing, scanned
from emco_store.flows.refusals import not_found, stale, unavailable
from emco_store.flows.unit import Unit
from emco_store.ports import Beat, Get, PulsePage, Pulses, Scan, Unreachable

_US = timedelta(microseconds=1)
PAGE = 1000
"""Pulses that are read at once."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked request for a lease.

    Attributes:
        resource: The key of the resource.
        ttl: How long the lease counts as alive after a beat.
        made: The resource as it is to be stored along; None where it must be there.
        uid: The uid that the resource must have; None for any.
    """

    resource: Key
    ttl: timedelta
    made: Draft[Any] | None
    uid: str | None


def asked(context: Context, target: Any) -> Asked:
    """Check what is to be leased.

    Args:
        context: The surroundings.
        target: A resource, which is stored along unless it came from a store; a key or a reference; or the name of a
            seat.

    Raises:
        InvalidCall: It is none of these, or resources of its kind cannot be leased.
        InvalidResource: The data is not acceptable.
    """
    if isinstance(target, str):
        target = Seat(name=target)
    key = context.address(target)
    model = context.schema.model_of(key.kind)
    ttl = None if model is None else model.__emco__.lease
    if ttl is None:
        raise InvalidCall(
            f"Cannot lease {key}.",
            why=[
                f"the model of the kind {key.kind} is not known here"
                if model is None
                else f"the class {model.__name__} is defined without lease="
            ],
            hint="define its class with lease=timedelta(…), and give connect() the class in models= where nothing else "
            "leads to it.",
        )
    is_new = isinstance(target, Resource) and not target.is_stored
    made: Any = draft(target, max_bytes=context.limits.max_bytes) if is_new else None
    return Asked(key, ttl, made, uid_of(target))


def take(unit: Unit, what: Asked, *, uid: str, holder: str) -> Flow[Record | None]:
    """Take a lease, if it is free.

    The first beat comes before the commit, so that no lease is ever without a pulse: should the taker die between the
    two, whoever judges removes the pulse. The token is the guard of the resource after the commit, which only grows.

    Args:
        unit: A new unit.
        what: What to lease.
        uid: The uid of the lease.
        holder: Who takes it, for people.

    Returns:
        The record of the lease; None if the resource was not there and has been created, and the lease can be taken
        now.

    Raises:
        LeaseHeld: Another holder has it.
        NotFound: The resource does not exist.
        Conflict: The resource is another one than the one that was given.

    Rules: LEA-1 to LEA-3.
    """
    key, lease = what.resource, lease_of(what.resource)
    found = yield from unit.fetch([key, lease])
    if lease in found:
        yield from _refuse_held(found[lease])
    resource = found.get(key)
    if resource is None:
        if what.made is None:
            raise not_found([key])
        unit.write(what.made, None)
        yield from unit.commit()
        return None
    if what.uid not in {None, resource.uid}:
        raise stale([key])
    if what.made is not None:
        unit.write(what.made, resource)
    yield from beat_first({uid: (lease, what.ttl)})
    unit.seal(key)
    document = LeaseDocument(resource=key.text, token=resource.guard + 1, ttl_us=what.ttl // _US, holder=holder)
    record = lease_record(key, document, uid=uid, now_us=unit.now_us, origin=unit.origin)
    unit.write_record(record)
    yield from unit.commit()
    return record


def _refuse_held(record: Record) -> Flow[NoReturn]:
    """Raise the error for a lease that another holder has.

    Raises:
        LeaseHeld: Always.
    """
    resource = resource_of(record.key)
    page = yield from polled(uids=(record.uid,))
    state = state_of(record, page.pulses[0] if page.pulses else None, page.at_us)
    silent_s = "none is known" if state.silent is None else f"{state.silent.total_seconds():.1f} s ago"
    raise LeaseHeld(
        f"Cannot take the lease of {resource}.",
        why=[f"{state.holder or 'another holder'} holds it: token {state.token}, last beat {silent_s}"],
        hint="wait for it (wait=…), or end it with store.expire(…), which fences its holder.",
        keys=(resource,),
        pinned=True,
        holder=state.holder,
        token=state.token,
        lease_uid=record.uid,
    )


def release(unit: Unit, lease: LeaseTarget) -> Flow[None]:
    """End a lease for its holder.

    Raises:
        LeaseLost: It has ended already.
        DeleteRestricted: A rule of what depends on it cannot be carried out.

    Rules: LEA-4, LEA-6, LEA-8.
    """
    unit.rest_on_lease(lease.key, lease.uid)
    found = yield from unit.fetch([lease.key])
    if lease.key in found and found[lease.key].uid == lease.uid:
        yield from unit.delete_records([lease.key])
    yield from unit.commit()


def end(unit: Unit, target: Any, reason: str | None) -> Flow[Deleted]:
    """End the lease of a resource, whoever holds it, and do to all that depends on it what its rules say.

    Raises:
        NotFound: Nobody holds it.
        DeleteRestricted: A rule of what depends on it cannot be carried out.

    Rules: LEA-2, LEA-6.
    """
    lease = yield from _held(unit, target)
    if reason is not None:
        unit.origin = origin_of(None, reason, None, within=unit.origin)
    deleted = yield from unit.delete_records([lease])
    yield from unit.commit()
    return deleted


def plan_end(unit: Unit, target: Any) -> Flow[Plan]:
    """Plan the end of the lease of a resource; see :func:`end`.

    Rules: LEA-6.
    """
    yield from unit.delete_records([(yield from _held(unit, target))])
    return (yield from unit.plan())


def _held(unit: Unit, target: Any) -> Flow[Key]:
    """Return the key of the lease of a resource, which somebody must hold."""
    lease = _lease_key(unit.context, target)
    found = yield from unit.fetch([lease])
    if lease not in found:
        raise NotFound(
            f"Cannot end the lease of {resource_of(lease)}.",
            why=["nobody holds it"],
            hint="store.leases(…) shows who holds what.",
            keys=(resource_of(lease),),
        )
    if isinstance(target, LeaseTarget) and target.uid != found[lease].uid:
        raise stale([resource_of(lease)])
    return lease


def _lease_key(context: Context, target: Any) -> Key:
    if isinstance(target, LeaseTarget):
        return target.key
    return lease_of(context.address(Seat(name=target) if isinstance(target, str) else target))


def end_silent(
    unit: Unit, pulse: Pulse, leader: LeaseTarget | None = None, reason: str | None = None
) -> Flow[Deleted | None]:  # fmt: skip
    """End a lease that looks dead, unless its holder has beaten again since; remove the pulse of a taker that died.

    Args:
        unit: A new unit.
        pulse: The pulse that looks dead.
        leader: The lease under which it is ended; None for whoever waits for this very lease.
        reason: Why it is ended, for people; None for its silence.

    Returns:
        What it did; None where there is no such lease any more.

    Raises:
        Conflict: The holder has beaten again.
        DeleteRestricted: A rule of what depends on it cannot be carried out.

    Rules: LEA-6, SUP-1, SUP-4.
    """
    if leader is not None:
        unit.rest_on_lease(leader.key, leader.uid)
    unit.rest_on_silence(pulse.key, pulse.seen)
    found = yield from unit.fetch([pulse.key])
    is_there = pulse.key in found and found[pulse.key].uid == pulse.uid
    deleted = (yield from unit.delete_records([pulse.key])) if is_there else None
    why = f"no beat for {pulse.ttl.total_seconds():g} s" if reason is None else reason
    unit.origin = origin_of(None, why, None, within=unit.origin)
    yield from unit.commit()
    return deleted


def revive(context: Context) -> Flow[None]:
    """Give each lease whose pulse was lost a new one, as its taker did, so that it can be found silent.

    If its holder lives, it goes on beating. If the lease has just ended, whoever judges removes the pulse later.

    Args:
        context: The surroundings.

    Raises:
        Unavailable: The backend cannot be reached.

    Rules: SUP-10.
    """
    position: tuple[str, str] | None = None
    while True:
        records = yield from scanned(Scan(LEASE, after=position, limit=PAGE))
        if records:
            page = yield from polled(uids=tuple(record.uid for record in records))
            known = {pulse.uid for pulse in page.pulses}
            yield from beat_first(
                {one.uid: (one.key, _ttl_of(context, one)) for one in records if one.uid not in known}
            )
        if len(records) < PAGE:
            return
        position = ("", records[-1].key.text)


def beat_first(leases: Mapping[str, tuple[Key, timedelta]]) -> Flow[None]:
    """Send the first beat of leases, by their uids; one that has beaten already stays as it is.

    Raises:
        Unavailable: The backend cannot be reached.
    """
    if not leases:
        return
    try:
        yield from ask(Beat({uid: Heartbeat(key, 1, ttl) for uid, (key, ttl) in leases.items()}))
    except Unreachable as problem:
        raise unavailable(problem) from problem


def _ttl_of(context: Context, lease: Record) -> timedelta:
    """Return the TTL of a lease; if nobody can read it, that of its class here, or of a seat."""
    try:
        return read_lease(lease).ttl_us * _US
    except InvalidResource:
        model = context.schema.model_of(resource_of(lease.key).kind)
        ttl = None if model is None else model.__emco__.lease
        return ttl or Seat.__emco__.lease or timedelta(seconds=15)


def polled(*, due: bool = False, uids: tuple[str, ...] | None = None) -> Flow[PulsePage]:
    """Return the first page of pulses: of those that are due, of some, or of all."""
    return (yield from pulsing(Pulses(due=due, uids=uids, limit=PAGE)))


def further(first: PulsePage, *, due: bool) -> Flow[PulsePage]:
    """Return the first page and all that follow it as one: of the time of the first, by the server of the last."""
    found, page = [*first.pulses], first
    while page.next is not None:
        page = yield from read(Pulses(due=due, after=page.next, limit=PAGE))
        found += page.pulses
    return PulsePage(first.at_us, tuple(found), page.server)


def look(
    context: Context, model: Any = None, *, limit: Any, after: str | None, stall_after: timedelta | None
) -> Flow[Page[LeaseState]]:
    """Read one page of leases: of all resources of a kind, whether leased or not; or of all leases that are held.

    Raises:
        InvalidCall: It is no class of leased resources, or the limit or the cursor cannot be used.
    """
    if model is None:
        check_limit(limit)
        position = None if after is None else read_cursor(after, LEASE, Order())
        batch = yield from scanned(Scan(LEASE, after=position, limit=limit + 1))
        records = batch[:limit]
        following = write_cursor(LEASE, Order(), ("", records[-1].key.text)) if len(batch) > limit else None
        states = yield from states_of([record.key for record in records], {r.key: r for r in records}, stall_after)
        return Page(states, following)
    if not is_model(model) or model.__emco__.lease is None:
        raise InvalidCall(
            f"Cannot list the leases of {model!r:.80}.",
            why=["it is not the class of resources that can be leased"],
            hint="give a class that is defined with lease=timedelta(…), or nothing for all leases that are held.",
        )
    page = yield from lists.read_page(context, lists.ask(context, model, limit=limit, after=after))
    leases = [lease_of(item.key) for item in page.items if item.key is not None]
    found: Mapping[Key, Record] = (yield from read(Get(tuple(leases)))) if leases else {}
    return Page((yield from states_of(leases, found, stall_after)), page.next)


def states_of(
    leases: Sequence[Key], found: Mapping[Key, Record], stall_after: timedelta | None
) -> Flow[tuple[LeaseState, ...]]:
    """Say what can be said of some leases, of which those that are held were found."""
    uids = tuple(record.uid for record in found.values())
    page = (yield from polled(uids=uids)) if uids else PulsePage(0)
    by_uid = {pulse.uid: pulse for pulse in page.pulses}
    states: list[LeaseState] = []
    for key in leases:
        record = found.get(key)
        if record is None:
            states.append(LeaseState(resource_of(key), Verdict.FREE))
            continue
        try:
            states.append(state_of(record, by_uid.get(record.uid), page.at_us, stall_after))
        except InvalidResource:
            states.append(LeaseState(resource_of(key), Verdict.OVERDUE))
    return tuple(states)
