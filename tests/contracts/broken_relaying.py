"""Relays that are broken on purpose: the suite must catch each by the rule that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from emco_store.core.consumers import Place
from emco_store.core.relaying import Delivery, Position, deliveries
from emco_store.flows.asking import Flow
from emco_store.flows.consuming import Part, ahead, save, step


def trust_the_store_alone(place: Place, position: Position | None) -> Place:  # noqa: ARG001 - it does not look
    """Continue after the saved cursor, whatever the sink has: its window for duplicates will do."""
    return place


def trust_the_sink_alone(place: Place, position: Position | None) -> Place:
    """Continue after the last message of the sink, also where it is behind."""
    if position is None:
        return place
    return ahead(Place(place.cursor, 0, place.record), position)


def believe_any_sink(place: Place, position: Position | None) -> Place:
    """Take whatever number a sink has for the own one."""
    if position is not None and not position.before:
        return place
    return ahead(place, position)


def believe_any_feed(cursor: str, *, expected: str, found: str) -> None:
    """Go on with whatever follows a cursor."""


def number_what_is_chosen(watching: Any, place: Place, wait: Any) -> Flow[Part]:
    """Number the events that concern the relay only."""
    part = yield from step(watching, place, wait)
    events = tuple(one._replace(number=place.number + at) for at, one in enumerate(part.events, 1))
    return part._replace(events=events, number=place.number + len(events))


def index_what_is_chosen(one: Any, changes: str | None) -> Iterator[Delivery]:
    """Count the messages of a commit that concern the relay only."""
    for index, message in enumerate(deliveries(one, changes), 1):
        yield replace(message, position=replace(message.position, index=index))


def send_one_of_each(one: Any, changes: str | None) -> Iterator[Delivery]:
    """Send the first message of each commit."""
    yield from list(deliveries(one, changes))[:1]


def save_nothing(*given: Any, cursor: str, number: int) -> Flow[Place]:
    """Keep the cursor in memory only."""
    unit, name, place, leader = given
    if place.record is None:
        return (yield from save(unit, name, place, leader, cursor=cursor, number=number))
    return Place(cursor, number, place.record)


def save_without_a_lease(*given: Any, **more: Any) -> Flow[Place]:
    """Save the cursor after another relay has taken over."""
    unit, name, place, leader = given
    unit.rest_on_lease = lambda *_: None
    return (yield from save(unit, name, place, leader, **more))
