"""Leases: the record that is there exactly while somebody holds a resource, and what is told of it.

The lease of a resource is the record ``emco__Lease/<Kind>/<names>``, one of the store's own (see
:mod:`emco_store.core.reserved`). To take it is to create it, and to end it is to delete it: time alone changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from emco_store.core.definition import MAX_TTL, MIN_TTL
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import reasons_of
from emco_store.core.origins import Origin
from emco_store.core.pulses import Pulse
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import lease_of, resource_of
from emco_store.core.resource import Resource
from emco_store.core.rules import RESTRICT
from emco_store.core.times import moment
from emco_store.errors import InvalidCall, InvalidResource, StoreError

MAX_PROGRESS: Final = 960
"""Bytes of the JSON text of a holder's progress; the rest of 1 KiB is for what the store adds to it."""
RESOURCE_PATH: Final = ("resource",)
_US: Final = timedelta(microseconds=1)


class Seat(Resource, kind="emco_Seat", lease=timedelta(seconds=15)):
    """A resource whose only purpose is to be leased: ``store.lease("billing-leader")`` takes the seat of that name."""


def checked_seat_ttl(given: Any) -> timedelta:
    """Return the TTL of the seat of whoever leads.

    Args:
        given: A ``timedelta`` from a second to a day; None for that of every seat.

    Raises:
        InvalidCall: It is none of these.
    """
    if given is None:
        return Seat.__emco__.lease or MIN_TTL
    if not isinstance(given, timedelta) or not MIN_TTL <= given <= MAX_TTL:
        raise InvalidCall(
            f"Cannot lead with seat_ttl={given!r:.80}.",
            why=["it is no timedelta from a second to a day"],
            hint="five seconds are usual where the next one must take over soon; without it, a seat has fifteen.",
        )
    return given


class LeaseDocument(BaseModel, frozen=True, extra="allow"):
    """The document of a lease. Unknown fields are kept: a newer program may have written it.

    Attributes:
        resource: The text of the key of the resource.
        token: Greater than that of every earlier lease of the resource.
        ttl_us: How long the lease counts as alive after a beat, in microseconds.
        holder: Who holds it, for people.
    """

    resource: str
    token: int
    ttl_us: int
    holder: str = ""


@dataclass(frozen=True, slots=True)
class LeaseTarget:
    """One lease of a resource, and no other one that was taken since; ``delete`` accepts it beside the resource.

    Attributes:
        resource: The key of the resource.
        uid: The uid of the lease.
    """

    resource: Key
    uid: str

    @property
    def key(self) -> Key:
        """The key of the lease."""
        return lease_of(self.resource)


class Verdict(StrEnum):
    """What can be said of a lease from outside."""

    ALIVE = "alive"
    """Its holder beats."""
    SUSPECT = "suspect"
    """No beat has come for two thirds of its TTL."""
    OVERDUE = "overdue"
    """No beat has come for its TTL, and nobody has ended it yet."""
    STUCK = "stuck"
    """Its holder beats, but has reported no progress for longer than was asked for."""
    FREE = "free"
    """Nobody holds it."""


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What can be said of the lease of a resource from outside.

    Attributes:
        resource: The key of the resource.
        verdict: What it comes to.
        token: The token of the lease; 0 where nobody holds it.
        holder: Who holds it, for people; empty where nobody does.
        since: When it was taken, in UTC, by the clock of the holder; None where nobody holds it.
        ttl: How long it counts as alive after a beat; None where nobody holds it.
        silent: How long no beat has come, by the clock of the server; None where nobody holds it.
        progress: What the holder has reported last.
        quiet: How long it has reported nothing new, by its own clock, as of its last beat; None if it never has.
    """

    resource: Key
    verdict: Verdict
    token: int = 0
    holder: str = ""
    since: datetime | None = None
    ttl: timedelta | None = None
    silent: timedelta | None = None
    progress: Mapping[str, Any] = field(default_factory=dict[str, Any])
    quiet: timedelta | None = None


class Reaped(NamedTuple):
    """What a reaper did after one look.

    Attributes:
        ended: The resources whose leases it has ended, and those whose takers died before they had the lease.
        doubted: The resources whose leases look dead, and which it has not ended: too many look so at once.
        refused: The resources whose leases could not be ended, each with the error.
    """

    ended: tuple[Key, ...] = ()
    doubted: tuple[Key, ...] = ()
    refused: tuple[tuple[Key, StoreError], ...] = ()


def lease_record(resource: Key, document: LeaseDocument, *, uid: str, now_us: int, origin: Origin) -> Record:
    """Return the record of a new lease."""
    edge = Edge(resource, RESOURCE_PATH, RESTRICT)
    text = document.model_dump_json().encode()
    return Record(lease_of(resource), uid, 1, text, (edge,), (), (), now_us, now_us, 0, origin)


def read_lease(record: Record) -> LeaseDocument:
    """Read the document of a lease.

    Raises:
        InvalidResource: It cannot be read.
    """
    try:
        return LeaseDocument.model_validate_json(record.document)
    except ValidationError as problem:
        reasons = reasons_of(problem)
        raise InvalidResource(
            f"Cannot read the lease of {resource_of(record.key)}.",
            why=reasons,
            hint="end it with store.expire(…).",
            key=record.key,
            problems=tuple(reasons),
        ) from problem


def state_of(record: Record, pulse: Pulse | None, at_us: int, stall_after: timedelta | None = None) -> LeaseState:
    """Say what can be said of a lease.

    Args:
        record: The record of the lease.
        pulse: Its pulse; None where there is none, which a lease has only where something was lost.
        at_us: The server's time as of which the pulse was read, in microseconds.
        stall_after: After which time without new progress a holder counts as stuck; None for four TTLs.
    """
    document = read_lease(record)
    ttl = document.ttl_us * _US
    silent = None if pulse is None else max(timedelta(0), (at_us - pulse.at_us) * _US)
    progress, quiet = read_progress("" if pulse is None else pulse.progress)
    if silent is None or silent >= ttl:
        verdict = Verdict.OVERDUE
    elif silent * 3 >= ttl * 2:
        verdict = Verdict.SUSPECT
    elif quiet is not None and quiet >= (4 * ttl if stall_after is None else stall_after):
        verdict = Verdict.STUCK
    else:
        verdict = Verdict.ALIVE
    since = moment(record.created_us)
    resource = resource_of(record.key)
    return LeaseState(resource, verdict, document.token, document.holder, since, ttl, silent, progress, quiet)


def check_progress(fields: Mapping[str, Any]) -> None:
    """Refuse what cannot go along with a beat.

    Raises:
        InvalidCall: It is no JSON, or too large.
    """
    try:
        size = len(to_json(fields))
    except Exception as problem:  # of pydantic, or of a value's own methods
        raise InvalidCall(
            "Cannot report this progress.",
            why=[f"it holds a value that has no JSON form: {problem!s:.200}"],
            hint="give numbers, texts, and lists and maps of them.",
        ) from problem
    if size > MAX_PROGRESS:
        raise InvalidCall(
            "Cannot report this progress.",
            why=[f"it has {size:,} bytes as JSON, and goes along with every beat"],
            hint=f"report at most {MAX_PROGRESS} bytes; store the rest in a resource.",
        )


def write_progress(fields: Mapping[str, Any], quiet_us: int) -> str:
    """Write what a holder reports, and how long it has reported nothing new, as the text that goes with a beat."""
    return to_json({"quiet_us": quiet_us, "progress": fields}).decode() if fields else ""


def read_progress(text: str) -> tuple[Mapping[str, Any], timedelta | None]:
    """Read what goes with a beat; nothing where it is none of ours."""
    try:
        found: Any = decode(text.encode()) if text else {}
        return found["progress"], found["quiet_us"] * _US
    except (ValueError, KeyError, TypeError):
        return {}, None


def checked_stall(heartbeat: Any, stall_after: Any, ttl: timedelta) -> timedelta | None:
    """Check how a holder wants to beat.

    Args:
        heartbeat: ``"thread"`` or ``"process"``.
        stall_after: After which time without a sign of the holder the process ends the lease; None for four TTLs.
        ttl: The TTL of the lease.

    Returns:
        The same where a process is to beat; None for a thread.

    Raises:
        InvalidCall: There is no such way to beat, or ``stall_after`` is no time span that suits it.
    """
    if heartbeat not in ("thread", "process"):
        raise InvalidCall(
            f"Cannot beat with heartbeat={heartbeat!r:.40}.",
            why=["beats go from a thread of this process, or from a process of their own"],
            hint='give "thread" or "process".',
        )
    if stall_after is None:
        return 4 * ttl if heartbeat == "process" else None
    if heartbeat == "thread":
        why = 'it is for heartbeat="process": a thread that stands still does not beat'
    elif not isinstance(stall_after, timedelta):
        why = "a number alone does not say its unit" if isinstance(stall_after, int | float) else "it is no time span"
    elif stall_after < ttl:
        why = f"it is less than the TTL, {ttl.total_seconds():g} s"
    else:
        return stall_after
    raise InvalidCall(
        f"Cannot lease with stall_after={stall_after!r:.40}.",
        why=[why],
        hint='leave it out for four TTLs, or give a timedelta of at least one TTL, with heartbeat="process".',
    )
