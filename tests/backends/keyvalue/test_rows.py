"""Rows sort as their parts do, and the codec reads what it has written, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from emco_store.backends.codec import (
    Unreadable,
    read_event,
    read_pulse,
    read_record,
    write_event,
    write_pulse,
    write_record,
)  # fmt: skip
from emco_store.backends.keyvalue.rows import Names, part, read_part
from emco_store.core.events import Action, RecordChange
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.origins import Origin
from emco_store.core.pulses import Pulse
from emco_store.core.records import PARENT_PATH, Edge, Record
from emco_store.core.rules import CASCADE, RESTRICT

A, B = Key("Site", "a"), Key("Rack", "a", "r\u00fc")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\0\1\2a"), max_size=6)
RECORD = Record(
    B, "u-1", 3, b'{"a":"\n\xc3\xbc"}', (Edge(A, PARENT_PATH, CASCADE), Edge(A, ("x", 0), RESTRICT)),
    (("serial", "3\0\1\n"),), (("serial", "3x"), ("a,b", "3x\0001\0")), 1, 2, 7, Origin("eve", "why\n"),
)  # fmt: skip
PULSE = Pulse("u-1", A, 2, timedelta(seconds=9.5), 77, '{"done": 1}')
CHANGES = (RecordChange(Action.DELETED, A, "u-0", 1), RecordChange(Action.CREATED, A, "u-1", 1))


@settings(max_examples=50)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=8))
def test_parts_sort_as_texts_by_code_points(pairs):
    """The order of rows is that of their parts, whatever they hold, and no two texts give the same row."""
    rows = [part(first) + second.encode() for first, second in pairs]

    assert [pair for _, pair in sorted(zip(rows, pairs, strict=True))] == sorted(pairs)
    assert len(set(rows)) == len(set(pairs))
    assert [first for first, _ in pairs] == [read_part(part(first)[:-1]) for first, _ in pairs]


@pytest.mark.parametrize("record", [RECORD, Record(A, "u", 1, b"", (), (), (), 0, 0)])
def test_record_is_read_as_it_was_written(record):
    """Every part comes back, the guard too."""
    assert record == read_record(record.key, write_record(record))


def test_events_and_pulses_are_read_as_they_were_written():
    """Every part comes back."""
    origin, messages = Origin("eve", "", "op"), (Message("a.b", "k", {"x": [1, None]}), Message("c"))

    event = read_event("7.t", "t", write_event(CHANGES, origin, messages))

    assert (CHANGES, origin, messages, "7.t") == (event.changes, event.origin, event.messages, event.cursor)
    assert PULSE == read_pulse("u-1", write_pulse(PULSE))


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (lambda data: read_record(B, data), write_record(RECORD)),
        (lambda data: read_pulse("u", data), write_pulse(PULSE)),
        (lambda data: read_event("1.t", "t", data), write_event(CHANGES, Origin("eve"), ())),
    ],
)
def test_spoiled_bytes_raise_one_error(read, data):
    """Whatever another program leaves, it is read, or is one clear error."""
    broken = [data[:at] for at in range(len(data))] + [data[:at] + b"\xff9" + data[at:] for at in range(len(data))]
    refused = 0
    for one in [*broken, b"", b"1", b"[]", b"{}", b"2" + data[1:], b"[1,2,3,4,5]", b"[[],[],[]]"]:
        try:
            read(one)
        except Unreadable:
            refused += 1
    assert refused > len(data)


def test_changes_of_rows_are_what_differs():
    """An update moves only the rows that lead to the record no more, or newly; equal ones stay."""
    names = Names("ns")
    changed = Record(B, "u-1", 4, b"{}", RECORD.edges[:1], (("serial", "4"),), RECORD.index, 1, 2)

    puts, gone = names.changes(RECORD, changed)

    assert {names.claim("Rack", "serial", "4"): B.text.encode()} == puts
    assert {names.claim("Rack", "serial", "3\0\1\n")} == gone
    assert ({}, set()) == names.changes(RECORD, Record(B, "u", 9, b"", RECORD.edges, RECORD.unique, RECORD.index, 0, 0))
    assert (names.entries(RECORD), set()) == names.changes(None, RECORD)
    assert ({}, names.entries(RECORD).keys()) == names.changes(RECORD, None)
