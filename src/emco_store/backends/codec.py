"""A codec for backends: a record, an event and a pulse as bytes, in a form that any program can read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from pydantic_core import from_json, to_json

from emco_store.backends.feeds import read_changes, write_changes
from emco_store.core.events import Event, RecordChange
from emco_store.core.keys import Key
from emco_store.core.messages import Message, read_messages, write_messages
from emco_store.core.origins import NOBODY, Origin, read_origin, write_origin
from emco_store.core.pulses import Pulse
from emco_store.core.records import Record, read_edges, write_edges
from emco_store.errors import InvalidResource

FORM: Final = b"1"
"""The number of the form in which records are written; a newer form takes another."""
_US: Final = timedelta(microseconds=1)


class Unreadable(Exception):
    """Raised for bytes that this codec has not written."""


def write_record(record: Record) -> bytes:
    """Write a record, its key excepted.

    A line has the form, the uid, the version, the guard, both times, and the sizes of four parts in bytes; the parts
    and the document follow it: edges, unique values, indexed values and origin, each as JSON.
    """
    edges = write_edges(record.edges) if record.edges else b""
    unique = to_json(record.unique) if record.unique else b""
    index = to_json(record.index) if record.index else b""
    origin = b"" if record.origin is NOBODY else write_origin(record.origin)
    return b"%b %b %d %d %d %d %d %d %d %d\n%b%b%b%b%b" % (
        FORM, record.uid.encode(), record.version, record.guard, record.created_us, record.updated_us,
        len(edges), len(unique), len(index), len(origin), edges, unique, index, origin, record.document,
    )  # fmt: skip


def read_record(key: Key, data: bytes) -> Record:
    """Read a record.

    Raises:
        Unreadable: These bytes are no record.
    """
    try:
        head, _, rest = data.partition(b"\n")
        form, uid, version, guard, created_us, updated_us, *sizes = head.split(b" ")
        if form != FORM:
            raise Unreadable(f"it is written in the form {form!r:.20}")
        e, u, i, o = map(int, sizes)
        unique, index, origin, end = e, e + u, e + u + i, e + u + i + o
        return Record(
            key, uid.decode(), int(version), rest[end:], read_edges(rest[:e]) if e else (),
            _pairs(rest[unique:index]) if u else (), _pairs(rest[index:origin]) if i else (),
            int(created_us), int(updated_us), int(guard), read_origin(rest[origin:end]) if o else NOBODY,
        )  # fmt: skip
    except (ValueError, TypeError, InvalidResource) as problem:
        raise Unreadable("it is no record") from problem


def write_event(changes: tuple[RecordChange, ...], origin: Origin, messages: tuple[Message, ...]) -> bytes:
    """Write an event, its name and its place in the feed excepted."""
    return to_json((write_changes(changes), write_origin(origin).decode(), write_messages(messages).decode()))


def read_event(cursor: str, txid: str, data: bytes) -> Event:
    """Read an event.

    Raises:
        Unreadable: These bytes are no event.
    """
    try:
        changes, origin, messages = from_json(data)
        return Event(
            cursor, txid, read_changes(changes), read_origin(origin.encode()), messages=read_messages(messages)
        )  # fmt: skip
    except (ValueError, TypeError, AttributeError, KeyError, InvalidResource) as problem:
        raise Unreadable("it is no event") from problem


def write_pulse(pulse: Pulse) -> bytes:
    """Write a pulse, its uid excepted."""
    return to_json((pulse.key.text, pulse.number, pulse.ttl // _US, pulse.at_us, pulse.progress))


def read_pulse(uid: str, data: bytes) -> Pulse:
    """Read a pulse.

    Raises:
        Unreadable: These bytes are no pulse.
    """
    try:
        key, number, ttl_us, at_us, progress = from_json(data)
        pulse = Pulse(uid, Key.parse(key), int(number), timedelta(microseconds=ttl_us), int(at_us), progress)
    except (ValueError, TypeError, OverflowError, InvalidResource) as problem:
        raise Unreadable("it is no pulse") from problem
    if not isinstance(progress, str):
        raise Unreadable("it is no pulse")
    return pulse


def _pairs(data: bytes) -> tuple[tuple[str, str], ...]:
    found: Any = from_json(data)
    pairs = tuple([(name, text) for name, text in found])
    if not all(isinstance(part, str) for pair in pairs for part in pair):
        raise Unreadable("a value is no text")
    return pairs
