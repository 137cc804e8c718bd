"""The verb ``consumers``: where each consumer stands, for people and for programs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from emco_store import HandlerFailed, connect
from emco_store.cli.exits import Exit
from tests.cli.leased import Worker

PLACE = ("--store", "kept://", "--models", "tests.cli.leased")


@pytest.fixture
def store(kept):
    """A store on the server that the commands use."""
    with connect(kept, namespace="default", actor="alice") as opened:
        yield opened


@pytest.fixture
def skipped(store):
    """A consumer that has skipped an event."""

    def fail(_tx, _event):
        raise ValueError

    consumer = store.consume("billing", fail, kinds=[Worker], after=store.feed_cursor())
    store.create(Worker(name="w1"))
    with pytest.raises(HandlerFailed) as raised:
        consumer.run(idle=timedelta(0))
    consumer.skip(raised.value, reason="no\nsuch order")
    return raised.value


def test_consumers_are_shown_with_what_they_skipped_and_who_works(run, store, skipped):
    """A line for each, with the reason for people on one line."""
    with store.lease(store.consume("billing", print).seat) as lease:
        ended = run("consumers", *PLACE)

    assert Exit.OK == ended.code
    assert lease.token
    text = " ".join(ended.out.split())
    assert "billing" in text
    assert "alive" in text
    assert "such order" in text
    assert skipped.txid


def test_consumers_for_programs(run, skipped):
    """JSON has all of it."""
    (one,) = json.loads(run("consumers", "-o", "json", *PLACE).out)["items"]

    assert ("billing", "free", None, skipped.cursor) == (one["name"], one["verdict"], one["holder"], one["cursor"])
    assert [(skipped.txid, "alice")] == [(event["txid"], event["actor"]) for event in one["skipped"]]


def test_no_consumer_is_no_error(run, store):
    """Where nobody consumes, the list is empty."""
    assert store.feed_cursor()
    ended = run("consumers", *PLACE)

    assert (Exit.OK, "") == (ended.code, ended.out)
    assert "0 consumers" in ended.err


def test_wrong_cursor_is_refused(run, store):
    """A cursor of something else is one clear error."""
    assert store.feed_cursor()
    assert "[INVALID-CALL]" in run("consumers", "--after", "nonsense", *PLACE).err
