"""A process that is forked while threads of its parent commit: it waits for no turn and no lock of theirs."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from emco_store import MemoryBackend, Resource, connect
from emco_store.backends.batcher import Batcher, Ticket
from emco_store.core.keys import Key
from emco_store.queueing import forks
from emco_store.queueing.queues import Queues
from tests.backends.shared import url_of

FORKS = 5
PATIENCE_S = 30

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:MongoClient opened before fork", "ignore:This process .*multi-threaded"),
]


class Job(Resource):
    """Something to store."""

    number: int = 0


def _work(store, stop, name):
    number = 0
    while not stop.is_set():
        number += 1
        store.put(Job(name=name, number=number))


def _child(store, number):
    """Do what a forked worker does, and end with nothing that belongs to the parent."""
    code = 1
    try:
        store.get(Job, "a")
        made = store.put(Job(name=f"child{number}", number=number))
        store.run(lambda tx: tx.update(tx.get(made).model_copy(update={"number": -1})))
        code = 0
    finally:
        os._exit(code)


def _ended(child):
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        threading.Event().wait(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "it hung"


@pytest.mark.parametrize(
    "backend",
    [
        "memory",
        "sqlite",
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("mongo", marks=pytest.mark.mongo),
    ],
)
def test_child_of_a_process_whose_threads_commit_uses_the_store(backend, request, tmp_path):
    """Whatever the threads of the parent hold at that moment, the child reads and writes."""
    here = {"memory": MemoryBackend(), "sqlite": f"sqlite:///{tmp_path}/store.db?synchronous=off"}
    target = here.get(backend) or url_of(request)(backend)
    stop = threading.Event()
    with connect(target, namespace=f"forks{os.getpid()}") as store:
        store.put(Job(name="a"))
        threads = [threading.Thread(target=_work, args=(store, stop, f"t{number % 2}")) for number in range(4)]
        for thread in threads:
            thread.start()
        codes = []
        for number in range(FORKS):
            child = os.fork()
            if child == 0:
                _child(store, number)
            codes.append(_ended(child))
        stop.set()
        for thread in threads:
            thread.join()
        store.delete(*store.list(Job).resources)

    assert [0] * FORKS == codes


def test_turn_and_locks_of_the_parent_are_forgotten():
    """What a thread held when it was left behind is held by nobody."""
    batcher, queues, backend = Batcher(members=10, weight=10), Queues(), MemoryBackend()
    assert batcher.wait_turn(Ticket("the parent's"))
    for one in (batcher, queues, backend):
        one._lock.acquire()

    forks._in_child()

    assert batcher.wait_turn(Ticket("the child's"))
    assert () == queues.queued([Key("Job", "a")])
    assert all(one._lock.acquire(blocking=False) for one in (batcher, queues, backend))
