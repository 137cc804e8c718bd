"""How soon a death is noticed is measured: all dead are found, no live one is ended, and no dead one writes."""

from __future__ import annotations

import pytest

from benchmarks import detection
from benchmarks.holders import MODELS, Entry, Operator, Worker, is_freed, without_lease, write, written
from emco_store import MemoryBackend, Ref, connect
from tests.servers import mongo, redis


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("what", "heartbeat"),
    [("kill", "process"), ("stop", "thread"), ("partition", "thread"), ("failover", "process"), ("outage", "thread")],
)
def test_the_dead_are_found_on_redis(what, heartbeat, redis_server, monkeypatch, capsys):
    """SUP-2, SUP-3, LEA-4: whatever happens meanwhile, the dead are found, the others live, and late commits fail."""
    monkeypatch.setenv(redis.URL_VARIABLE, redis_server.url)

    assert_right("redis", what, heartbeat, capsys)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("what", "heartbeat"), [("partition", "thread"), ("step-down", "thread"), ("step-down", "process")]
)
def test_the_dead_are_found_on_mongodb(what, heartbeat, mongo_server, monkeypatch, capsys):
    """The same holds on MongoDB."""
    monkeypatch.setenv(mongo.URL_VARIABLE, mongo_server.url)

    assert_right("mongo", what, heartbeat, capsys)


def assert_right(server, what, heartbeat, capsys):
    """Strike one worker, and read what is printed; the times are not judged."""
    assert 0 == detection.main(["--what", what, "--only", server, "--heartbeat", heartbeat, "--times", "1"])

    (row,) = [line for line in capsys.readouterr().out.splitlines() if f": {what}, {heartbeat}" in line]
    assert "(1)" in row
    assert what in detection.SIGNALS or "0 false ends" in row
    assert what != "partition" or "0 late writes" in row


def test_an_ended_lease_and_late_writes_would_be_seen():
    """The negative control of the counts: a lease that was ended counts as such, and entries are counted by worker."""
    with (
        connect(MemoryBackend(), namespace="detect", models=MODELS) as store,
        store.lease(Worker(name="w1")) as lease,
        store.lease(Worker(name="w10")),
    ):
        store.create(Operator(name="w1-0", worker=Ref("Worker/w1")))
        before = without_lease(store), is_freed(store, "w1"), written(store, "w1")

        store.create(Entry(name="w1-7", worker="w1"))
        store.create(Entry(name="w10-7", worker="w10"))
        store.expire(lease)

        assert (set(), False, 0) == before
        assert ({"w1"}, True, 1) == (without_lease(store), is_freed(store, "w1"), written(store, "w1"))
        write(store, "w1", lease)
        assert 1 == written(store, "w1")
