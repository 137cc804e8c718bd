"""The pure builders of the MongoDB backend."""

from __future__ import annotations

from typing import Any

import pytest

from emco_store.backends.mongo import commands, documents, ranges
from emco_store.backends.mongo.sending import in_commands
from emco_store.core.keys import Key
from emco_store.core.records import Record, Seal, Stamp
from emco_store.ports import Commit, Scan

A, B = Key("App", "a"), Key("App", "b")
STAMP = Stamp("u", 3)


def record(key: Key, **values: object) -> Record:
    """Make a record of which only what matters is said."""
    plain = {"uid": "u", "version": 4, "document": b"{}", "edges": (), "unique": (), "index": ()}
    return Record(key, **{**plain, "created_us": 1, "updated_us": 2, **values})  # type: ignore[arg-type]


def ids(statement: dict[str, Any]) -> list[str]:
    """Return the ``_id`` of all documents that a statement is for."""
    found = statement["q"]["_id"]
    return found["$in"] if isinstance(found, dict) else [found]


def counters(statement: dict[str, Any]) -> dict[str, int] | None:
    """Return the counters that a statement moves, or begins in a new record."""
    change = statement["u"]
    return change.get("$inc") or {name: change[name] for name in "gz" if name in change} or None


@pytest.mark.parametrize(
    "commit",
    [
        Commit("t", {A: None}, puts=(record(A),)),
        Commit("t", {A: STAMP}, puts=(record(A),)),
        Commit("t", {A: STAMP}, deletes=(A,)),
        Commit("t", {A: STAMP, B: STAMP}, puts=(record(B),)),
        Commit("t", {A: None, B: STAMP}, puts=(record(B),)),
        Commit("t", {B: None}, require=frozenset({A}), puts=(record(B),)),
        Commit("t", {B: None}, sealed={A: Seal("u", 2)}, puts=(record(B),)),
    ],
)
def test_everything_that_a_commit_rests_on_is_changed(commit):
    """Each record that a decision rests on is written with a counter that moves (OCC-1)."""
    statements = commands.updates(commit)

    moved = {text for one in statements if counters(one) for text in ids(one)}
    assert {key.text for key in (*commit.expect, *commit.require, *commit.sealed)} == moved


def test_only_a_new_reference_moves_the_guard():
    """A read of a record does not move what deletes are sealed by (OCC-10)."""
    commit = Commit("t", {A: STAMP, B: None}, require=frozenset({A}), puts=(record(B),))

    moved = {one["q"]["_id"]: counters(one) for one in commands.updates(commit)}

    assert {"App/a": {"g": 1}, "App/b": {"z": 1}, "tx:t": None} == moved


def test_statements_that_differ_only_in_whom_they_are_for_become_one():
    """Deletes of records in like states are one statement, which counts them; others stand alone (DEL-8)."""
    keys = [Key("App", f"k{number}") for number in range(5)]
    expect = {key: Stamp(f"u{number}", 1 if number < 3 else 2) for number, key in enumerate(keys)}
    commit = Commit("t", {**expect, B: Stamp("", 1)}, sealed={keys[0]: Seal("u0", 7)}, deletes=(*keys, B))

    statements = commands.updates(commit)

    assert [["App/b"], ["App/k0"], ["App/k1", "App/k2"], ["App/k3", "App/k4"], ["tx:t"]] == [*map(ids, statements)]
    assert [1, 1, 2, 2, 1] == [commands.documents_in([one]) for one in statements]
    assert [7] == [command.total for command in in_commands("update", statements)]


def test_statement_for_a_key_that_must_be_free_stands_alone():
    """What must be absent is never looked for among what must be there, whatever the guards say (OCC-1)."""
    keys = [Key("App", f"k{number}") for number in range(3)]
    sealed = {key: Seal(f"u{number}", 1) for number, key in enumerate(keys)}
    commit = Commit("t", {keys[0]: None}, sealed=sealed, deletes=tuple(keys))

    deletes = commands.parts_of(commit).deletes

    assert [["App/k0"], ["App/k1", "App/k2"]] == [*map(ids, deletes)]
    assert [{"$exists": True}, None] == [one["q"].get("x") for one in deletes]
    assert ["u0", {"$in": ["u1", "u2"]}] == [one["q"]["u"] for one in deletes]


def test_record_that_is_written_and_read_is_the_same():
    """What goes in comes back, NUL in an indexed text too (ID-13)."""
    made = record(A, unique=(("code", "3x"),), index=(("rank", "3a\0\1b"),))
    fields, _ = documents.encode(made)

    assert made == documents.decode({"_id": A.text, **fields})


@pytest.mark.parametrize("document", [{"_id": 1}, {"_id": "App"}, {"_id": "App/%zz"}, {"_id": None}])
def test_document_without_a_key_is_no_record(document):
    """What nothing can address is left out (BAD-8)."""
    assert documents.decode(document) is None


def test_scan_behind_a_position_keeps_its_bounds():
    """A cursor narrows a scan and never widens it (ID-7)."""
    up, _, _ = ranges.scan(Scan("App", after=("", "App/b")))
    down, _, _ = ranges.scan(Scan("App", after=("", "App/b"), descending=True))

    assert {"$gte": "App/", "$lt": "App/\U0010ffff", "$gt": "App/b"} == up["_id"]
    assert {"$gte": "App/", "$lt": "App/b"} == down["_id"]
