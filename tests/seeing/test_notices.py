"""The log ``emco_store`` has one line for what a program does not see, and no secret."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from redis import Redis

from emco_store import Conflict, MemoryBackend, Resource, Unavailable, connect, connect_async, notices
from emco_store.backends.mongo.fast.sync import FastTransport
from emco_store.backends.redis.fast.multiplexed import MultiplexedTransport
from emco_store.backends.redis.fast.pinned import PinnedTransport
from emco_store.backends.redis.sync_transport import PlainTransport

SOON = timedelta(milliseconds=30)


class Project(Resource):
    """Is changed by two."""

    number: int = 0


@pytest.fixture
def lines(caplog):
    """Return the lines so far, with their levels."""
    caplog.set_level("INFO", "emco_store")
    return lambda: [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "emco_store"]


def test_call_that_gives_up_says_so_once(lines):
    """A call that loses every race until its deadline is one line, with its attempts."""
    backend = MemoryBackend()
    store, rival = connect(backend, namespace="n"), connect(backend, namespace="n")
    store.create(Project(name="p"))
    attempts = []

    def lose(tx):
        project = tx.get(Project, "p")
        rival.patch(project, {"number": project.number + 1})
        attempts.append(project)
        tx.update(project.model_copy(update={"number": -1}))

    with pytest.raises(Conflict):
        store.run(lose, deadline=SOON)

    ((level, line),) = lines()
    assert "WARNING" == level
    assert f"gave up after {len(attempts)} attempts" in line
    assert "[CONFLICT]" in line


def test_race_that_is_won_in_the_end_is_no_line(lines):
    """What went well is for metrics."""
    backend = MemoryBackend()
    store, rival = connect(backend, namespace="n"), connect(backend, namespace="n")
    store.create(Project(name="p"))
    lost = []

    def grow(tx):
        project = tx.get(Project, "p")
        if not lost:
            lost.append(rival.patch(project, {"number": 5}))
        tx.update(project.model_copy(update={"number": -1}))

    store.run(grow)

    assert [] == lines()


def test_pinned_conflict_is_no_line(lines):
    """A caller that holds an old version is told by the error."""
    store = connect("memory://", namespace="n")
    project = store.create(Project(name="p"))
    store.patch(project, {"number": 1})

    with pytest.raises(Conflict):
        store.update(project.model_copy(update={"number": 2}))

    assert [] == lines()


@pytest.mark.parametrize("is_async", [False, True])
def test_deadline_says_so(lines, is_async):
    """A call whose deadline passes is one line."""
    if is_async:

        async def ask():
            async with connect_async("memory://", namespace="n") as store:
                await store.get(Project, "p", deadline=timedelta(0))

        with pytest.raises(Unavailable):
            asyncio.run(ask())
    else:
        with pytest.raises(Unavailable):
            connect("memory://", namespace="n").get(Project, "p", deadline=timedelta(0))

    ((level, line),) = lines()
    assert ("WARNING", True) == (level, "ended at its deadline" in line and "[UNAVAILABLE]" in line)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://ann:hunter2@127.0.0.1:1", "Redis"),
        ("mongodb://ann:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=50", "MongoDB"),
    ],
)
def test_server_that_does_not_answer_is_one_line(lines, url, name):
    """All attempts of a request, and all requests of a port, are one line; the password is in none."""
    with pytest.raises(Unavailable):
        connect(url, namespace="n", deadline=timedelta(milliseconds=300))

    ((level, line),) = [one for one in lines() if "requests wait for it" in one[1]]
    assert ("WARNING", True) == (level, line.startswith(f"{name} does not answer"))
    assert "hunter2" not in str(lines())


def test_outage_is_said_again_after_a_while(lines, monkeypatch):
    """A failover that lasts is a line every ten seconds."""
    outages = notices.Outages("Redis")
    outages.noticed(["a"])
    outages.noticed(["b"])
    monkeypatch.setattr(notices, "EVERY_S", 0.0)
    outages.noticed(["c"])

    assert ["a", "c"] == [line.rpartition(": ")[2] for _, line in lines()]


@pytest.mark.parametrize(
    ("transport", "fall_back"),
    [
        (FastTransport(None, "d", "c", SimpleNamespace(calls=None), pinned=1), "fall_back"),
        (MultiplexedTransport(None, None), "_fall_back"),
        (PinnedTransport(Redis(), PlainTransport(None, "")), "_fall_back"),
    ],
    ids=["mongo", "redis-asyncio", "redis"],
)
def test_fallback_of_a_transport_says_why(lines, transport, fall_back):
    """A store that becomes slower says so."""
    getattr(transport, fall_back)("the reason")

    ((level, line),) = lines()
    assert ("WARNING", True) == (level, line.endswith("from now on: the reason."))


def test_plain_transport_is_said_when_a_store_is_opened(lines, redis_server):
    """Whether it was asked for or not: the reason says it."""
    connect(redis_server.url, namespace="test-notices", transport="plain").close()
    connect("memory://", namespace="n").close()

    assert [("INFO", "The store uses the plain transport to redis: asked for with transport='plain'.")] == lines()
