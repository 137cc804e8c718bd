"""A process that beats for a worker ends the worker's leases when it is gone or stands still, and never outlives it."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from emco_store import Verdict, connect
from emco_store.ports import Pulses
from tests.backends.shared import url_of
from tests.beating.rig import is_gone, started, until, worker
from tests.beating.starts import leave_nothing
from tests.beating.worker import TTL, Duty, Worker

STARTS = 10
ON_BOTH = (pytest.param("redis", marks=pytest.mark.redis), pytest.param("mongo", marks=pytest.mark.mongo))
ON_REDIS = ON_BOTH[:1]

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="what has become of a process is read from /proc"),
    pytest.mark.filterwarnings("ignore:This process .*multi-threaded"),
]


@pytest.fixture(params=ON_BOTH)
def stage(request):
    """A store to look at what happens, and what a worker needs to join in."""
    url = url_of(request)(request.param)
    with staged(url) as found:
        yield found


@pytest.fixture
def redis_stage(redis_server):
    """The same on one backend, for what does not depend on it."""
    with staged(redis_server.url) as found:
        yield found


@contextmanager
def staged(url):
    """Open a store of its own namespace; give it with its URL and namespace."""
    namespace = f"beating{secrets.token_hex(6)}"
    with connect(url, namespace=namespace, models=[Worker, Duty]) as store:
        yield store, url, namespace


def verdict(store, name="w"):
    """Return what can be said of a worker."""
    return next(state.verdict for state in store.leases(Worker) if state.resource.name == name)


def freed(store, name="w"):
    """Return whether the duty of a worker is free."""
    return store.get(Duty, name).worker is None


def seen_us(store):
    """Return when the newest beat arrived, by the server's clock."""
    return max(pulse.at_us for pulse in store._port.ask(Pulses()).pulses)


def employ(store, hand, name="w"):
    """Wait until a worker holds its lease, and give it a duty."""
    assert "holds" == hand.hear()
    store.create(Duty(name=name, worker=f"Worker/{name}"))


def test_worker_that_is_killed_is_freed_by_its_process(stage):
    """Nobody else judges here: the process ends the lease, does what the rules say, and ends (HB-7)."""
    store, *where = stage
    with worker(*where, "w") as hand:
        employ(store, hand)
        beating = int(hand.tell("attended"))

        hand.kill()

        until(lambda: freed(store), "the duty is free")
        until(lambda: is_gone(beating), "the process has ended")
        assert Verdict.FREE is verdict(store)
        assert "the process of its holder is gone" == store.get(Duty, "w").meta.reason


def test_worker_that_is_killed_while_its_process_starts_is_freed_too(redis_stage):
    """What the worker has said before it died is in the pipe (HB-7)."""
    store, *where = redis_stage
    with worker(*where, "w") as hand:
        employ(store, hand)
        beating = int(hand.tell("told"))

        hand.kill()

        until(lambda: freed(store), "the duty is free")
        until(lambda: is_gone(beating), "the process has ended")


def test_worker_that_is_stopped_for_less_than_it_may_goes_on(redis_stage):
    """SIGSTOP for 0.5, 1 and 2 TTLs: the process beats meanwhile, and the worker finds its lease as it was (HB-7)."""
    store, *where = redis_stage
    with worker(*where, "w", "process", str(20 * TTL.total_seconds())) as hand:
        employ(store, hand)
        hand.tell("attended")
        for ttls in (0.5, 1, 2):
            hand.stop()
            end_us = seen_us(store) + ttls * TTL // timedelta(microseconds=1)

            until(lambda end_us=end_us: seen_us(store) >= end_us, "it beats meanwhile")
            hand.wake()

            assert ["held", "held"] == [hand.tell("check"), hand.tell("step")]


def test_worker_that_is_stopped_for_longer_is_fenced_when_it_wakes_up(stage):
    """SIGSTOP: the process ends the lease, and what the worker does afterwards is refused (HB-7, LEA-4)."""
    store, *where = stage
    with worker(*where, "w", "process", str(2 * TTL.total_seconds())) as hand:
        employ(store, hand)
        beating = int(hand.tell("attended"))
        assert "held" == hand.tell("step")
        hand.stop()

        until(lambda: freed(store), "the duty is free")
        assert not is_gone(beating)
        hand.wake()

        assert ["lost", "lost"] == [hand.tell("step"), hand.tell("check")]
        assert 1 == store.get(Duty, "w").steps


@pytest.mark.parametrize(("heartbeat", "outcome"), [("process", "held"), ("thread", "lost")])
def test_code_that_holds_the_lock_of_the_interpreter(redis_stage, heartbeat, outcome):
    """For two TTLs no thread runs: a process beats on, and a thread does not (HB-7, HB-5)."""
    store, *where = redis_stage
    with worker(*where, "w", heartbeat) as hand:
        employ(store, hand)
        if heartbeat == "process":
            hand.tell("attended")

        assert outcome == hand.tell(f"hold {2 * TTL.total_seconds()}")


def test_fork_of_a_worker_holds_nothing_and_keeps_nothing_alive(stage):
    """The child has the pipe, the memory and the store of its parent, and neither its leases nor its life (LEA-9)."""
    store, *where = stage
    with worker(*where, "w") as hand:
        employ(store, hand)
        beating = int(hand.tell("attended"))
        child, *found = hand.tell("fork").split()
        children = [int(child), int(hand.tell("fork-in-c"))]
        try:
            assert ["lost", "lost"] == found
            assert "held" == hand.tell("step")

            hand.kill()

            until(lambda: freed(store), "the duty is free")
            until(lambda: is_gone(beating), "the process has ended")
            assert [False, False] == [is_gone(child) for child in children]
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def test_process_that_is_killed_is_replaced_without_a_gap(redis_stage):
    """The thread beats until another process does, and the lease is held all the time (HB-8)."""
    store, *where = redis_stage
    with worker(*where, "w") as hand:
        employ(store, hand)
        first = int(hand.tell("attended"))

        os.kill(first, signal.SIGKILL)
        second = int(hand.tell(f"attended {first}"))

        assert ["held", "held"] == [hand.tell("check"), hand.tell("step")]
        assert (True, False) == (is_gone(first), is_gone(second))
        assert 1 == len(store.leases(Worker))


def test_process_minds_no_signal_that_is_meant_for_its_worker(redis_stage):
    """A terminal and a service manager ask whole groups to end; the worker may still want to finish its work (HB-7)."""
    store, *where = redis_stage
    with worker(*where, "w") as hand:
        employ(store, hand)
        beating = int(hand.tell("attended"))
        assert os.getsid(beating) != os.getsid(hand.process.pid)
        begin_us = seen_us(store)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(beating, number)

        until(lambda: seen_us(store) >= begin_us + TTL // timedelta(microseconds=1), "it beats on")
        assert str(beating) == hand.tell("attended")


def test_neither_arguments_nor_environment_of_the_process_hold_the_url(redis_stage):
    """A password is in no place where other users or a crash report can see it (HB-7)."""
    store, url, namespace = redis_stage
    with worker(url, namespace, "w") as hand:
        employ(store, hand)
        about = Path(f"/proc/{hand.tell('attended')}")

        seen = b"".join((about / name).read_bytes() for name in ("cmdline", "environ"))

        assert (b"beating_process" in seen, url.encode() in seen, namespace.encode() in seen) == (True, False, False)


def test_process_for_asyncio(stage):
    """A store for asyncio has such a process too (HB-7)."""
    store, *where = stage
    with worker("asyncio", *where, "w") as hand:
        beating = int(hand.hear())
        store.create(Duty(name="w", worker="Worker/w"))

        hand.kill()

        until(lambda: freed(store), "the duty is free")
        until(lambda: is_gone(beating), "the process has ended")


def test_server_that_forks_its_workers(redis_stage):
    """Each worker has a process of its own, and the end of one is the end of its lease alone (HB-7, LEA-9)."""
    store, *where = redis_stage
    with worker("serve", *where, "a", "b") as hand:
        first, second = (hand.hear().split() for _ in range(2))
        assert ["lost", "lost"] == [first[2], second[2]]
        until(lambda: 3 == len(store.leases()), "all hold their leases")
        assert {Verdict.ALIVE} == {state.verdict for state in store.leases()}

        os.kill(int(first[0]), signal.SIGKILL)
        until(lambda: 2 == len(store.leases()), "one lease has ended")
        until(lambda: is_gone(int(first[1])), "its process has ended")
        assert (False, Verdict.ALIVE) == (is_gone(int(second[1])), verdict(store, "parent"))

        os.kill(int(second[0]), signal.SIGKILL)
        assert "all gone" == hand.hear()
        until(lambda: 1 == len(store.leases()), "the other has ended too")
        hand.kill()
        until(lambda: () == store.leases().items, "the parent's has ended")


SCRIPT = """
import sys
from emco_store import connect
from tests.beating.worker import say, wait_until_attended
say("imported")
store = connect(sys.argv[1], namespace=sys.argv[2])
with store.lease("seat", heartbeat="process") as lease:
    say(wait_until_attended(store, lease))
    lease.check()
say(len(store.leases()))
"""


@pytest.mark.parametrize("way", ["-c", "script", "-"])
def test_process_of_a_program_without_a_module(redis_stage, way, tmp_path, monkeypatch):
    """A script without a guard, ``python -c`` and standard input: the program is not run a second time (HB-7)."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    _, *where = redis_stage
    (tmp_path / "script.py").write_text(SCRIPT, "utf-8")
    arguments = {"-c": ["-c", SCRIPT], "script": [str(tmp_path / "script.py")], "-": ["-"]}[way]
    with started(*arguments, *where) as hand:
        if way == "-":
            hand.process.stdin.write(SCRIPT)
        hand.process.stdin.close()
        assert "imported" == hand.hear()
        beating = int(hand.hear())
        assert "0" == hand.hear()
        until(lambda: is_gone(beating), "the process has ended")
        assert "" == hand.process.stdout.read()


def test_stores_that_are_closed_leave_no_process(redis_stage):
    """However often a store is opened and closed, also while its process is still starting, nothing stays (HB-7)."""
    store, *where = redis_stage

    processes = leave_nothing(*where, STARTS)

    assert STARTS == len(set(processes))
    assert () == store.leases().items
