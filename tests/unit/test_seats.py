"""The seats of those who lead: how long one of them lasts after a death, and who takes over."""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta

import pytest

from emco_store import MemoryBackend, Resource, Supervisor, connect
from emco_store.core.keys import Key
from emco_store.core.leases import LeaseDocument, lease_record
from emco_store.core.origins import NOBODY
from emco_store.core.pulses import Heartbeat
from emco_store.errors import InvalidCall
from emco_store.ports import Beat, Commit, Pulses, Receipt
from tests.cli.leased import Shift, Worker

SECOND = timedelta(seconds=1)
NODE = Key("Node", "n")


class Node(Resource, lease=8 * SECOND):
    """Leased for so long that one who waits for it looks twice a second."""


@pytest.fixture
def store():
    """A store in memory."""
    with connect(MemoryBackend(), namespace="seats", models=[Node, Worker, Shift]) as opened:
        yield opened


def leaders(store, ttl):
    """Return one of each of those who lead, with this TTL of its seat."""
    return [store.reaper(seat_ttl=ttl), Supervisor(store, Worker, assign=(Shift, "worker"), seat_ttl=ttl)]


@pytest.mark.parametrize(("asked", "given"), [(None, 15 * SECOND), (5 * SECOND, 5 * SECOND), (SECOND, SECOND)])
def test_seat_lasts_as_long_as_it_is_asked_for(store, asked, given):
    """SUP-4: the lease of the one that leads has the TTL of ``seat_ttl=``."""
    port, found = store._port, []
    for leader in leaders(store, asked):
        thread = threading.Thread(target=leader.run)
        thread.start()
        while not (pulses := port.ask(Pulses()).pulses):
            threading.Event().wait(0.001)
        found += [pulse.ttl for pulse in pulses]
        leader.stop()
        thread.join()

    assert [given] * 2 == found


@pytest.mark.parametrize("ttl", [SECOND / 2, timedelta(days=2), 5, "5s"])
def test_ttl_that_no_lease_may_have_is_refused(store, ttl):
    """From a second to a day, as for every lease."""
    with pytest.raises(InvalidCall):
        store.reaper(seat_ttl=ttl)
    with pytest.raises(InvalidCall):
        Supervisor(store, Worker, assign=(Shift, "worker"), seat_ttl=ttl)


def test_dead_holder_with_a_shorter_ttl_is_ended_by_whoever_waits(store):
    """SUP-4: one that asks for more than four times the TTL of the holder looks as often as that TTL needs."""
    store.create(Node(name="n"))
    uid = secrets.token_hex(8)
    document = LeaseDocument(resource=NODE.text, token=1, ttl_us=1_000_000, holder="somebody")
    record = lease_record(NODE, document, uid=uid, now_us=0, origin=NOBODY)
    store._port.ask(Beat({uid: Heartbeat(record.key, 1, SECOND)}))
    assert isinstance(store._port.ask(Commit(f"{uid}-take", {record.key: None}, puts=(record,))), Receipt)

    with store.lease(Node(name="n"), wait=60 * SECOND) as lease:
        assert uid != lease.uid
