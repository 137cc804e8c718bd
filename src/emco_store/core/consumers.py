"""Consumers: programs that deal with the events of the feed one after the other, and where each of them stands.

The cursor of a consumer is the record ``emco__Cursor/emco_Seat/<seat>``, one of the store's own (see
:mod:`emco_store.core.reserved`), beside the seat whose lease the consumer holds while it works.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from emco_store.core.events import Event
from emco_store.core.keys import Key, name_problem
from emco_store.core.leases import LeaseState, Seat
from emco_store.core.lifecycle_records import reasons_of
from emco_store.core.naming import CURSOR
from emco_store.core.origins import Origin
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import beside, resource_of
from emco_store.core.rules import CASCADE
from emco_store.core.times import moment
from emco_store.errors import InvalidCall, InvalidResource

PREFIX: Final = "emco-consumer-"
"""How the names of the seats of consumers begin."""
MOST_SKIPPED: Final = 20
"""How many skipped events a consumer remembers: the newest ones."""
MOST_BATCH: Final = 500
"""Maximum number of events in one transaction of a consumer."""


class Skipped(BaseModel, frozen=True, extra="allow"):
    """An event that a consumer has passed over on purpose.

    Attributes:
        txid: The id of its commit.
        reason: Why, for people.
        actor: Who decided it.
        at_us: When, in microseconds since 1970, UTC.
    """

    txid: str
    reason: str
    actor: str = ""
    at_us: int = 0

    @property
    def at(self) -> datetime:
        """When it was decided, in UTC."""
        return moment(self.at_us)


class CursorDocument(BaseModel, frozen=True, extra="allow"):
    """The document of a cursor. Unknown fields are kept: a newer program may have written it.

    Attributes:
        cursor: The cursor of the feed after which the consumer continues.
        number: How many commits of the feed it has passed.
        skipped: The newest events that it has passed over on purpose.
    """

    cursor: str
    number: int
    skipped: tuple[Skipped, ...] = ()


class Place(NamedTuple):
    """Where a consumer stands.

    Attributes:
        cursor: The cursor after which it continues.
        number: How many commits of the feed it has passed.
        record: The record that says so; None where none is stored yet.
    """

    cursor: str
    number: int
    record: Record | None


class Numbered(NamedTuple):
    """An event and its place in the feed.

    Attributes:
        number: How many commits of the feed have been passed with this one, whether they concern the consumer or not.
        before: The cursor that this event follows.
        event: The event, as far as it concerns the consumer.
        whole: The event as the backend tells it.
    """

    number: int
    before: str
    event: Event
    whole: Event


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """Where a consumer stands.

    Attributes:
        name: Its name.
        cursor: The cursor of the feed after which it continues.
        number: How many commits of the feed it has passed.
        saved: When it saved its cursor last, in UTC, by the clock of that program.
        skipped: The newest events that were passed over on purpose, at most 20.
        lease: Whether somebody works under its name, who, and how alive.
    """

    name: str
    cursor: str
    number: int
    saved: datetime
    skipped: tuple[Skipped, ...]
    lease: LeaseState


def seat_of(name: str) -> Seat:
    """Build the seat of a consumer."""
    return Seat(name=PREFIX + name)


def cursor_key(name: str) -> Key:
    """Return the key of the record that says where a consumer stands."""
    return beside(CURSOR, seat_of(name).key)


def name_of(record: Record) -> str:
    """Return the name of the consumer whose cursor a record holds."""
    return resource_of(record.key).name.removeprefix(PREFIX)


def new_cursor(name: str, document: CursorDocument, *, uid: str, now_us: int, origin: Origin) -> Record:
    """Build the record of a consumer that begins; it is deleted with the seat."""
    key = cursor_key(name)
    edges = (Edge(resource_of(key), ("seat",), CASCADE),)
    text = document.model_dump_json().encode()
    return Record(key, uid, 1, text, edges, (), (), now_us, now_us, 0, origin)


def moved_cursor(record: Record, document: CursorDocument, *, now_us: int, origin: Origin) -> Record:
    """Build the record of a consumer that goes on."""
    text = document.model_dump_json().encode()
    return replace(record, version=record.version + 1, document=text, updated_us=now_us, origin=origin)


def read_cursor_document(record: Record) -> CursorDocument:
    """Read the document of a cursor.

    Raises:
        InvalidResource: It cannot be read.
    """
    try:
        return CursorDocument.model_validate_json(record.document)
    except ValidationError as problem:
        reasons = reasons_of(problem)
        raise InvalidResource(
            f"Cannot read where the consumer {name_of(record)} stands.",
            why=reasons,
            hint=f"delete {resource_of(record.key)} to let it begin anew.",
            key=resource_of(record.key),
            problems=tuple(reasons),
        ) from problem


def checked_name(name: Any) -> str:
    """Return the name of a consumer.

    Raises:
        InvalidCall: It cannot be a part of a key.
    """
    problem = "a name may not be empty" if name == "" else name_problem(f"{PREFIX}{name}")
    if not isinstance(name, str):
        problem = f"a name is a string, not {type(name).__name__}"
    if problem:
        raise InvalidCall(
            f"Cannot name a consumer {name!r:.80}.", why=[problem], hint='give a short name, such as "billing".'
        )
    return str(name)


def checked_batch(batch: Any) -> int:
    """Return the number of events in one transaction of a consumer.

    Raises:
        InvalidCall: It is no whole number from 1 to 500.
    """
    if isinstance(batch, int) and not isinstance(batch, bool) and 1 <= batch <= MOST_BATCH:
        return batch
    raise InvalidCall(
        f"Cannot deal with batch={batch!r:.40} events at once.",
        why=["it is no number of events"],
        hint=f"give a whole number from 1 to {MOST_BATCH}.",
    )
