"""The verb ``watch``: what is committed, for people and for programs."""

from __future__ import annotations

import json

import pytest

from emco_store import connect
from emco_store.cli.exits import Exit
from tests.cli.leased import Operator, Worker

PLACE = ("--store", "kept://", "--models", "tests.cli.leased")


@pytest.fixture
def store(kept):
    """A store on the server that the commands use."""
    with connect(kept, namespace="default", actor="alice") as opened:
        yield opened


@pytest.fixture
def cursor(store):
    """A cursor before two commits: one makes a worker and an operator, the other one changes the operator."""
    found = store.feed_cursor()
    with store.transaction() as tx:
        tx.create(Worker(name="w1"))
        operator = tx.create(Operator(name="map"))
    with store.acting(reason="CHG-7\nmore", operation="op-1"):
        store.delete(operator)
    return found


def test_watch_shows_each_commit_with_who_and_why_and_what(run, cursor):
    """A line for the commit, one for each resource, and the cursor to continue after; nothing controls the terminal."""
    ended = run("watch", "--after", cursor, "--idle", 0, *PLACE)

    lines = ended.out.splitlines()
    assert Exit.OK == ended.code
    assert 7 == len(lines)
    assert "by alice" in lines[0]
    assert ["+", "Worker/w1", "1"] == lines[1].split()
    assert ["+", "Operator/map", "1"] == lines[2].split()
    assert "CHG-7" in lines[4]
    assert "[op-1]" in lines[4]
    assert "\x1b" not in ended.out
    assert ["-", "Operator/map", "1"] == lines[5].split()


def test_watch_continues_after_the_cursor_that_it_showed(run, cursor):
    """What a person copies from the screen leads to the next commit."""
    lines = run("watch", "--after", cursor, "--idle", 0, *PLACE).out.splitlines()

    after = run("watch", "--after", lines[3].strip(), "--idle", 0, *PLACE)

    assert lines[4:] == after.out.splitlines()


def test_watch_for_programs_writes_one_value_per_line(run, cursor):
    """JSON carries all of an event."""
    ended = run("watch", "Operator", "--after", cursor, "--idle", 0, "--json", *PLACE)

    made, gone = map(json.loads, ended.out.splitlines())
    assert {"cursor", "txid", "actor", "reason", "operation", "changes", "messages"} == set(made)
    assert [("created", "Operator/map", 1, "resource")] == [
        (one["action"], one["key"], one["version"], one["aspect"]) for one in made["changes"]
    ]
    assert ["deleted"] == [one["action"] for one in gone["changes"]]
    assert ("alice", "op-1") == (gone["actor"], gone["operation"])


def test_watch_shows_messages(run, store):
    """A line for each message, whole for programs; topics choose them (FEED-10)."""
    cursor = store.feed_cursor()
    with store.transaction() as tx:
        worker = tx.create(Worker(name="w1"))
        tx.emit("orders.new", {"id": 7, "note": "\x1b[31m"}, key=worker)
        tx.emit("stock")
    common = ("--after", cursor, "--idle", 0, *PLACE)

    lines = run("watch", *common).out.splitlines()
    assert [">", "orders.new", "Worker/w1"] == lines[2].split()[:3]
    assert '{"id":7,"note":"' in lines[2]
    assert [">", "stock", "null"] == lines[3].split()
    assert "\x1b" not in "".join(lines)
    (event,) = map(json.loads, run("watch", "--topic", "orders.*", "--json", *common).out.splitlines())
    assert [{"topic": "orders.new", "key": "Worker/w1", "body": {"id": 7, "note": "\x1b[31m"}}] == event["messages"]
    assert [] == event["changes"]
    (event,) = map(json.loads, run("watch", "Worker", "--json", *common).out.splitlines())
    assert [] == event["messages"]


def test_watch_from_now_on_shows_nothing_of_before(run, cursor):
    """Without --after it begins now."""
    assert cursor
    assert "" == run("watch", "--idle", 0, *PLACE).out


@pytest.mark.usefixtures("cursor")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--after", "1.other", "--idle", 0), "FEED-GAP"),
        (("--after", "nonsense"), "INVALID-CALL"),
        (("--idle", -1), "INVALID-CALL"),
        (("emco__Lease",), "INVALID-CALL"),
        (("--under", "Worker/w1"), "INVALID-CALL"),
    ],
)
def test_watch_that_cannot_be_is_refused(run, arguments, code):
    """A gap, and each wrong argument, is one clear error."""
    ended = run("watch", *arguments, *PLACE)

    assert Exit.OK != ended.code
    assert f"[{code}]" in ended.err
