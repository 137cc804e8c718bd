"""Leases on both transports of each server, and a server's clock that a client's cannot move."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.beats import BeatRules, PulseCheckRules
from emco_store.contracts.faults import FaultyBackend
from emco_store.contracts.fences import KEY, FenceRules
from emco_store.contracts.harness import Bench, Harness
from emco_store.core.pulses import Heartbeat
from emco_store.ports import Backend, Beat, Port, Pulses, Unreachable
from tests.backends.shared import IN_EACH_MODE, bench_on
from tests.servers.process import Server

HOUR_US = 3_600_000_000


class _OnTransport(FenceRules, BeatRules, PulseCheckRules):
    backend: type[MongoBackend | RedisBackend]
    transport: str


@pytest.fixture(scope="class")
def contract_backend(request: pytest.FixtureRequest) -> Backend:
    """The server of this run, over the transport of the class."""
    of = request.cls
    server: Server = request.getfixturevalue("mongo_server" if of.backend is MongoBackend else "redis_server")
    return of.backend(server.url, transport="plain" if of.transport == "plain" else "auto")


class TestOnRedisPlain(_OnTransport):
    """The rules of pulses, by public calls of redis-py."""

    backend, transport = RedisBackend, "plain"
    harness = Harness("redis-plain", lambda: RedisBackend("redis://"))


class TestOnMongoFast(_OnTransport):
    """The rules of pulses, over kept connections to MongoDB."""

    backend, transport = MongoBackend, "fast"
    harness = Harness("mongodb-fast", lambda: MongoBackend("mongodb://"))


class TestOnMongoPlain(_OnTransport):
    """The rules of pulses, by public calls of PyMongo."""

    backend, transport = MongoBackend, "plain"
    harness = Harness("mongodb-plain", lambda: MongoBackend("mongodb://"))


@pytest.mark.parametrize("of", [TestOnRedisPlain, TestOnMongoFast, TestOnMongoPlain])
def test_transport_is_the_one_that_the_class_names(of, request):
    """The classes above run over what they name."""
    server = request.getfixturevalue("mongo_server" if of.backend is MongoBackend else "redis_server")
    port = of.backend(server.url, transport="plain" if of.transport == "plain" else "auto").port("which")
    port.open()

    assert of.transport == port.guarantees.transport
    port.close()


@pytest.fixture
def opened(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Each backend in each mode."""
    name, mode = request.param
    with bench_on(name, mode, lambda server: str(request.getfixturevalue(f"{server}_server").url)) as bench:
        yield bench


@pytest.mark.parametrize("opened", IN_EACH_MODE, indirect=True)
def test_clock_of_the_client_dates_nothing(opened, monkeypatch):
    """PUL-4: a holder whose clock is a day behind, and a judge whose clock is a day ahead, see the server's time."""
    with opened.lab() as lab:
        lab.ask(Pulses())
        with _clock_moved(monkeypatch, -86_400):
            lab.ask(Beat({"u1": Heartbeat(KEY, 1, timedelta(hours=1))}))
            lab.ask(Beat({"u1": Heartbeat(KEY, 2, timedelta(hours=1))}))
        with _clock_moved(monkeypatch, 86_400):
            due = lab.ask(Pulses(due=True)).pulses
        page = lab.ask(Pulses())

    assert () == due
    assert 0 <= page.at_us - page.pulses[0].at_us < HOUR_US


@pytest.mark.parametrize("opened", IN_EACH_MODE, indirect=True)
def test_faults_can_be_planned_around_beats(opened):
    """What the suite puts around ports reaches beats and pulses too: a lost reply, and a beat that is sent again."""
    with opened.lab() as lab:
        port: Port = FaultyBackend(opened.backend, lab.faults).port(lab.namespace)
        port.open()
        beat = Beat({"u1": Heartbeat(KEY, 1, timedelta(hours=1))})
        lab.faults.unreachable(Beat)
        lab.faults.do(Beat, _lose, moment="after")
        for _ in range(2):
            with pytest.raises(Unreachable):
                port.ask(beat)
        (before,) = port.ask(Pulses()).pulses
        reply = port.ask(beat)

        assert [before] == list(port.ask(Pulses()).pulses)
        assert (frozenset(), 3, 2) == (reply.lapsed, lab.faults.count(Beat), lab.faults.count(Pulses))
        port.close()


def _lose() -> None:
    raise Unreachable


@contextmanager
def _clock_moved(monkeypatch: pytest.MonkeyPatch, by_s: int) -> Iterator[None]:
    """Move the wall clock of this process."""
    now_ns = time.time_ns
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now_ns() / 1e9 + by_s)
        patch.setattr(time, "time_ns", lambda: now_ns() + by_s * 1_000_000_000)
        yield
