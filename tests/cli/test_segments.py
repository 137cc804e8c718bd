"""The verb ``segments``: what services declare, for people and for programs."""

from __future__ import annotations

import json

import pytest

from emco_store import connect
from emco_store.cli.exits import Exit
from emco_store.contracts.segments import FLEET, NETWORK, STAFF

PLACE = ("--store", "kept://")


@pytest.fixture
def store(kept):
    """A store on the server that the commands use."""
    with connect(kept, namespace="default") as opened:
        yield opened


def test_segments_are_shown_with_what_they_wait_for(run, store):
    """A line for each, and how many wait."""
    store.register(FLEET)
    waits = run("segments", *PLACE)
    store.register(NETWORK)
    active = run("segments", *PLACE)

    assert (Exit.OK, Exit.OK) == (waits.code, active.code)
    assert "Line: no active segment declares it" in " ".join(waits.out.split())
    assert "1 segment, of which 1 waits" in waits.err
    assert "2 segments, of which 0 wait" in active.err


def test_segments_for_programs(run, store):
    """JSON has all of it."""
    store.register(NETWORK)

    (one,) = json.loads(run("segments", "-o", "json", *PLACE).out)["items"]

    assert {"name": "network", "version": 1, "active": True, "kinds": ["Line", "Stop"], "awaits": []} == one


def test_segment_is_removed_unless_it_is_needed(run, store):
    """What the store refuses is an error with its reason; what is not there is said."""
    for one in (NETWORK, FLEET):
        store.register(one)

    assert Exit.REFUSED == run("segments", "--remove", "network", *PLACE).code
    assert Exit.OK == run("segments", "--remove", "fleet", *PLACE).code
    assert "was not registered" in run("segments", "--remove", "fleet", *PLACE).err
    assert ["network"] == [one.name for one in store.segments()]


def test_doctor_tells_what_waits(run, redis_server):
    """Doctor shows the segments, and advises where one waits."""
    namespace = "services"
    place = (redis_server.url, "--namespace", namespace)
    with connect(redis_server.url, namespace=namespace) as store:
        assert "segments" not in run("doctor", *place).out
        store.register(NETWORK)
        assert "1 active, 0 waiting" in run("doctor", *place).out
        store.register(STAFF)

        text = " ".join(run("doctor", *place).out.split())

        assert "staff waits: Bus: no active segment declares it" in text
        for one in ("staff", "network"):
            store.unregister(one)
