"""Consumers as flows: read the feed, move a cursor in the transaction of what is done about an event, and look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

from emco_store.core.consumers import (
    MOST_BATCH,
    MOST_SKIPPED,
    ConsumerState,
    CursorDocument,
    Numbered,
    Place,
    Skipped,
    checked_batch,
    checked_name,
    cursor_key,
    moved_cursor,
    name_of,
    new_cursor,
    read_cursor_document,
    seat_of,
)
from emco_store.core.events import shown
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseState, LeaseTarget, checked_seat_ttl
from emco_store.core.naming import CURSOR
from emco_store.core.pages import Page
from emco_store.core.query import Order, check_limit, read_cursor, write_cursor
from emco_store.core.records import Record
from emco_store.core.relaying import Position
from emco_store.core.reserved import lease_of, resource_of
from emco_store.core.strategies import GiveUp
from emco_store.core.times import moment
from emco_store.errors import FeedGap, HandlerFailed, InvalidCall, SinkFailed
from emco_store.flows import leasing, watching
from emco_store.flows.asking import Flow, read
from emco_store.flows.context import Context
from emco_store.flows.filling import scanned
from emco_store.flows.refusals import moved
from emco_store.flows.unit import Unit
from emco_store.flows.watching import Watching
from emco_store.ports import Events, Get, Scan

LIMIT: Final = watching.LIMIT
"""Maximum number of events in one request; after so many that do not concern it, a consumer saves its cursor."""


STOP: Final = GiveUp("no further attempt was asked for: retry= says when to try again")
"""What follows a failure where nobody has said what does."""


class ElsewhereError(Exception):
    """The consumer stands elsewhere than this program thinks: another one has moved it."""


@dataclass(frozen=True, slots=True)
class Consuming:
    """A checked request to consume.

    Attributes:
        name: The name of the consumer.
        watching: What concerns it.
        seat: The name of the seat whose lease it needs.
        ttl: The TTL of this lease; None for that of every seat.
        after: The cursor after which it begins where it has none; None for now.
        batch: Maximum number of events in one transaction.
    """

    name: str
    watching: Watching
    seat: str
    ttl: timedelta | None
    after: str | None
    batch: int


class Part(NamedTuple):
    """A part of the feed, as far as it concerns a consumer.

    Attributes:
        cursor: Where the next part begins.
        number: How many commits of the feed have been passed at its end.
        first: The id of the first commit of the part, whether it concerns the consumer or not; empty for an empty part.
        events: The events that concern the consumer.
    """

    cursor: str
    number: int
    first: str
    events: tuple[Numbered, ...]


def ask(
    context: Context,
    name: Any,
    *,
    kinds: Iterable[Any] | None,
    under: Any,
    topics: Any,
    after: Any,
    seat_ttl: Any,
    batch: Any,
) -> Consuming:
    """Check the arguments of a consumer.

    Raises:
        InvalidCall: They contradict each other, name what is not there, or are of another type.
    """
    name = checked_name(name)
    chosen = watching.ask(context, kinds=kinds, under=under, load=False, topics=topics)
    checked_seat_ttl(seat_ttl)
    return Consuming(name, chosen, seat_of(name).name, seat_ttl, watching.checked_cursor(after), checked_batch(batch))


def refuse_changes_without_a_topic(topic: str | None, *, kinds: Any, under: Any) -> None:
    """Refuse a relay that chooses changes and does not send them.

    Raises:
        InvalidCall: It names kinds or a place, and no topic for changes.
    """
    if topic is None and (kinds is not None or under is not None):
        raise InvalidCall(
            "Cannot relay changes.",
            why=["kinds= and under= choose changes, and no topic says how they are sent"],
            hint='give changes= a topic, such as "changes", or leave kinds= and under= out to send messages.',
        )


def checked_function(name: str, given: Any, *, is_needed: bool = True) -> None:
    """Refuse what is no function.

    Raises:
        InvalidCall: It cannot be called.
    """
    if callable(given) or (given is None and not is_needed):
        return
    raise InvalidCall(f"Cannot consume with {name}={given!r:.80}.", why=["it is no function"], hint="give a function.")


def place_of(name: str) -> Flow[Place | None]:
    """Return where a consumer stands; None where it has not begun.

    Raises:
        InvalidResource: What is stored of it cannot be read.
    """
    key = cursor_key(name)
    record = (yield from read(Get((key,)))).get(key)
    if record is None:
        return None
    document = read_cursor_document(record)
    return Place(document.cursor, document.number, record)


def step(watching: Watching, place: Place, wait: timedelta) -> Flow[Part]:
    """Read the next part of the feed.

    Args:
        watching: What concerns the consumer.
        place: Where it stands.
        wait: How long to wait if there is nothing yet.

    Raises:
        FeedGap: Something after the cursor is missing.

    Rules: FEED-3, FEED-7.
    """
    page = yield from read(Events(place.cursor, LIMIT, wait))
    cursors = (place.cursor, *(event.cursor for event in page.events))
    told = tuple(
        Numbered(number, before, one, event)
        for number, (before, event) in enumerate(zip(cursors, page.events, strict=False), place.number + 1)
        if (one := shown(event, watching.prefixes, watching.topics)) is not None
    )
    first = page.events[0].txid if page.events else ""
    return Part(page.cursor, place.number + len(page.events), first, told)


def is_ahead(place: Place, begun: str) -> bool:
    """Return whether a consumer has read on since it looked where it stands, so that a gap need not concern it.

    A failover may have forgotten what it has read, with all that it did about that, and nothing before it.

    Args:
        place: Where it reads on.
        begun: The cursor at which it began, as it was saved or found in the sink.
    """
    return place.cursor != begun


def refuse_another(cursor: str, *, expected: str, found: str) -> None:
    """Refuse a feed that tells another commit after a cursor than it told before.

    Raises:
        FeedGap: It does.

    Rules: FEED-15.
    """
    if expected == found:
        return
    raise FeedGap(
        "The feed cannot continue what the sink holds.",
        why=[f"the sink holds the commit {expected}, and the feed tells {found} in its place"],
        hint="the store has lost commits that the sink has: correct what was built from them, then continue over it.",
        cursor=cursor,
    )


def ahead(place: Place, position: Position | None) -> Place:
    """Return where a relay begins to read: before the last commit of which the sink has something, or where it stands.

    Args:
        place: Where the relay stands.
        position: The position of the last message that the sink has.

    Raises:
        FeedGap: The sink has more than this relay can have sent.

    Rules: FEED-15.
    """
    if position is None or position.number <= place.number:
        return place
    if position.before:
        return Place(position.before, position.number - 1, None)
    if position.number <= place.number + MOST_BATCH:
        return place
    raise FeedGap(
        "The feed cannot continue what the sink holds.",
        why=[f"the sink has had {position.number:,} commits, of which it keeps none, and the relay {place.number:,}"],
        hint="it may have had them from another store or relay: give a new sink.",
        cursor=place.cursor,
    )


def stand(unit: Unit, name: str, place: Place | None, leader: LeaseTarget | None) -> Flow[None]:
    """Let a transaction rest on the consumer standing where it is thought to be, and on its lease.

    Args:
        unit: The transaction.
        name: The name of the consumer.
        place: Where it is thought to stand; None if it is to begin.
        leader: The lease that must be there at the commit; None where none is needed.

    Raises:
        ElsewhereError: It stands elsewhere.

    Rules: FEED-11.
    """
    key = cursor_key(name)
    if leader is not None:
        unit.rest_on_lease(leader.key, leader.uid)
    found = (yield from unit.fetch([key])).get(key)
    known = None if place is None else place.record
    if (found and found.stamp) != (known and known.stamp):
        raise ElsewhereError


def move(unit: Unit, name: str, place: Place, cursor: str, number: int, *, skipped: Skipped | None = None) -> Place:
    """Let a transaction move a consumer.

    Args:
        unit: The transaction, which rests on the consumer standing at ``place``.
        name: The name of the consumer.
        place: Where it stands.
        cursor: The cursor after which it is to continue.
        number: How many commits of the feed it has passed there.
        skipped: The event that it passes over on purpose.

    Returns:
        Where it stands after the commit.

    Rules: FEED-11.
    """
    now_us, origin, record = unit.now_us, unit.origin, place.record
    if record is None:
        uid = unit.context.new_id()
        document = CursorDocument(cursor=cursor, number=number)
        record = new_cursor(name, document, uid=uid, now_us=now_us, origin=origin)
    else:
        before = read_cursor_document(record)
        passed = before.skipped if skipped is None else (*before.skipped, skipped)[-MOST_SKIPPED:]
        document = before.model_copy(update={"cursor": cursor, "number": number, "skipped": passed})
        record = moved_cursor(record, document, now_us=now_us, origin=origin)
    unit.write_record(record)
    return Place(cursor, number, record)


def save(unit: Unit, name: str, place: Place, leader: LeaseTarget, *, cursor: str, number: int) -> Flow[Place]:
    """Move a consumer in a commit of its own, past what does not concern it or what a sink has.

    Raises:
        ElsewhereError: It stands elsewhere.
        LeaseLost: Another program works under its name.
    """
    yield from stand(unit, name, place, leader)
    after = move(unit, name, place, cursor, number)
    yield from unit.commit()
    return after


def skip(unit: Unit, name: str, failed: Any, reason: Any) -> Flow[None]:
    """Move a consumer past the event at which it has stopped.

    Args:
        unit: A new unit.
        name: The name of the consumer.
        failed: The error with which it stopped.
        reason: Why the event is passed over.

    Raises:
        InvalidCall: It is no such error of this consumer, or there is no reason.
        Conflict: The consumer stands elsewhere by now.

    Rules: FEED-11.
    """
    if not isinstance(failed, HandlerFailed) or failed.consumer != name or not isinstance(reason, str) or not reason:
        raise InvalidCall(
            f"Cannot skip an event of the consumer {name}.",
            why=["a skip needs the HandlerFailed of this consumer and a reason"],
            hint='call consumer.skip(failure, reason="…") with the error that run() has raised.',
        )
    place = yield from place_of(name)
    if place is None or place.record is None or place.record.version != failed.version:
        raise moved([seat_of(name).key], pinned=True)
    yield from stand(unit, name, place, None)
    skipped = Skipped(txid=failed.txid, reason=reason, actor=unit.origin.actor, at_us=unit.now_us)
    move(unit, name, place, failed.cursor, failed.number, skipped=skipped)
    yield from unit.commit()


def failure(name: str, place: Place, one: Numbered, attempts: int, why: Sequence[str]) -> HandlerFailed:
    """Build the error of a consumer that stops before an event."""
    keys = ", ".join(change.key.text for change in one.event.changes[:3])
    return HandlerFailed(
        f"The consumer {name} cannot deal with the commit {one.event.txid}.",
        why=[f"it is about {keys or 'messages only'}", *why],
        hint="mend the program and start it again: nothing was written, and it continues with this event; or pass over "
        'the event with consumer.skip(failure, reason="…").',
        consumer=name,
        cursor=one.event.cursor,
        txid=one.event.txid,
        attempts=attempts,
        number=one.number,
        version=0 if place.record is None else place.record.version,
    )


def sink_failed(name: str, attempts: int, problem: Exception, reason: str = "") -> SinkFailed:
    """Build the error of a relay whose sink fails."""
    why = f"{type(problem).__name__}: {problem}"
    return SinkFailed(
        f"The relay {name} cannot send to its sink.",
        why=[why, reason] if reason else [why],
        hint="see to the sink and start it again: it continues after the last message that the sink has.",
        relay=name,
        attempts=attempts,
    )


def look(*, limit: Any, after: str | None) -> Flow[Page[ConsumerState]]:
    """Read one page of consumers, in the order of their names.

    Raises:
        InvalidCall: The limit or the cursor cannot be used.
        InvalidResource: What is stored of a consumer cannot be read.
    """
    check_limit(limit)
    position = None if after is None else read_cursor(after, CURSOR, Order())
    batch = yield from scanned(Scan(CURSOR, after=position, limit=limit + 1))
    records = batch[:limit]
    following = write_cursor(CURSOR, Order(), ("", records[-1].key.text)) if len(batch) > limit else None
    leases = [lease_of(resource_of(record.key)) for record in records]
    found: Mapping[Key, Record] = (yield from read(Get(tuple(leases)))) if leases else {}
    states = yield from leasing.states_of(leases, found, None)
    return Page(tuple(map(_state, records, states)), following)


def _state(record: Record, lease: LeaseState) -> ConsumerState:
    document = read_cursor_document(record)
    return ConsumerState(
        name_of(record), document.cursor, document.number, moment(record.updated_us), document.skipped, lease
    )
