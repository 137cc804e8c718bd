"""The verb ``supervise``: work is assigned as long as it runs, and it ends when it is told to."""

from __future__ import annotations

import json
import secrets
import signal
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from time import monotonic

import pytest

from emco_store import Key, connect
from emco_store.cli.exits import Exit
from emco_store.ports import Pulses
from tests.cli.conftest import start
from tests.cli.leased import Shift, Worker
from tests.cli.rounds import Guard, Round, Site

pytestmark = pytest.mark.redis
MODELS = "tests.cli.leased"


@pytest.fixture
def place(redis_server):
    """The options of a command for a namespace of its own."""
    return ("--store", redis_server.url, "--namespace", f"k{secrets.token_hex(8)}")


@contextmanager
def supervising(*arguments):
    """Run the verb in a process, and end it."""
    with start("supervise", *arguments) as process:
        try:
            yield process
        finally:
            process.kill()


def until(is_so):
    """Wait until something is so; a minute is much longer than it takes."""
    end_s = monotonic() + 60
    while not is_so():
        assert monotonic() < end_s
        Event().wait(0.05)


def test_work_is_assigned_and_freed_as_workers_come_and_go(place):
    """Work goes to the worker of its zone, and when that one ends, to the other; a signal ends the supervisor."""
    url, namespace = place[1], place[3]
    with connect(url, namespace=namespace, models=[Shift]) as store:
        store.create(Shift(name="late", zone="eu"))
        with supervising(
            *place, "--models", MODELS, "--strategy", "reassign", "--zone", "zone", "-o", "json"
        ) as process:
            with store.lease(Worker(name="w1", zone="us")):
                with store.lease(Worker(name="w2", zone="eu")):
                    until(lambda: store.get(Shift, "late").worker is not None)
                    before = store.get(Shift, "late").worker
                until(lambda: store.get(Shift, "late").worker not in {None, before})
                after = store.get(Shift, "late").worker
                process.send_signal(signal.SIGTERM)
                out, err = process.communicate(timeout=60)
            shown = [json.loads(line) for line in out.splitlines()]
        seats = [state.resource for state in store.leases().resources]

    assert after.text == "Worker/w1"
    assert {"what": "assigned", "key": "Shift/late", "worker": "Worker/w1"} == shown[-1]
    assert Exit.INTERRUPTED == process.returncode, err
    assert "supervising Shift.worker, work of Worker" in err
    assert [] == seats  # it has released its own


def test_without_work_to_assign_it_ends_the_leases_of_the_dead(place):
    """EMCO's models hold nothing to supervise: what remains is a reaper, and it says so."""
    url, namespace = place[1], place[3]
    with connect(url, namespace=namespace) as store, supervising(*place) as process:
        until(lambda: Key("emco_Seat", "emco-reaper") in {state.resource for state in store.leases().resources})
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    assert "nothing is assigned" in err
    assert Exit.INTERRUPTED == process.returncode


def test_regions_restart_together_until_they_fail_too_often_or_are_stopped(place):
    """All rounds of a site lose their guards with one of them, are given up at the second failure, and can stop."""
    url, namespace = place[1], place[3]
    rules = ("--region", "Site", "--stop", "is_off", "--strategy", "failure-rate", "--failures", "1", "--per", "60")
    with connect(url, namespace=namespace, models=[Round]) as store:

        def rounds():
            return [store.get(Round, "s", name) for name in ("a", "b")]

        store.create(Site(name="s"))
        with (
            store.lease(Guard(name="g1")) as one,
            store.lease(Guard(name="g2")),
            supervising(*place, "--models", "tests.cli.rounds", *rules, "--seat-ttl", "5") as process,
        ):
            for name in ("a", "b"):
                store.create(Round(parent="Site/s", name=name))
            until(lambda: all(each.guard for each in rounds()))
            (seat,) = (each for each in raw_pulses(store) if each.key.text.startswith("emco__Lease/emco_Seat"))
            store.expire(one)
            until(lambda: all(each.guard and each.recovery.attempts == 2 for each in rounds()))
            store.expire(store.get(Guard, "g2"))
            until(lambda: all(each.recovery.given_up for each in rounds()))
            given_up = [each.recovery.attempts for each in rounds()]
            store.update(rounds()[0].model_copy(update={"is_off": True}))
            until(lambda: not rounds()[0].recovery.given_up)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)

    assert timedelta(seconds=5) == seat.ttl
    assert [2, 2] == given_up


def raw_pulses(store):
    """Return what is known of the holders of leases."""
    return store._port.ask(Pulses()).pulses


@pytest.mark.parametrize(
    "arguments",
    [
        ("--strategy", "hope"),
        ("--models", "no.such.module"),
        ("--models", MODELS, "--zone", "nothing"),
        ("KEY",),
        ("--models", MODELS, "--region", "Nothing"),
        ("--models", MODELS, "--region", "Ward"),
        ("--models", MODELS, "--stop", "zone"),
        ("--models", MODELS, "--failures", "3"),
        ("--models", MODELS, "--strategy", "failure-rate", "--failures", "0"),
        ("--seat-ttl", "0.5"),
        ("--models", MODELS, "--seat-ttl", "0.5"),
    ],
)
def test_mistake_is_one_message(run, place, arguments):
    """What cannot be meant ends with its exit code before anything is supervised."""
    ended = run("supervise", *place, *arguments)

    assert (Exit.USAGE, "", True) == (ended.code, ended.out, "  Hint: " in ended.err), ended.err
