"""Adapters of ports: callers that are cancelled or interrupted, forks, and what is under way at the end."""

from __future__ import annotations

import asyncio
import os
import threading
from contextvars import ContextVar

import pytest

from emco_store import InvalidCall, MemoryBackend, Resource, connect, connect_async
from emco_store.backends import adapters
from emco_store.backends.adapters import BackgroundPort, ImmediatePort, ThreadedPort
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    AsyncPortWrapper,
    Commit,
    Fenced,
    Get,
    Outcome,
    OutcomeLost,
    PortWrapper,
    Receipt,
    Refusal,
    Settle,
    Unreachable,
)
from tests.unit.test_batcher import in_a_loop

KEY = Key("Thing", "a")
READ = Get((KEY,))
ENOUGH_S = 60


class Thing(Resource):
    """Some kind."""


def commit(txid):
    """Make a commit that creates a record."""
    return Commit(txid, {KEY: None}, puts=(Record(KEY, "u", 1, b"{}", (), (), (), 1, 1),))


class Slow(PortWrapper):
    """A blocking port over memory whose requests of one class wait until they may go."""

    def __init__(self, kind=Commit):
        super().__init__(MemoryBackend().port("n"))
        self.kind = kind
        self.has_begun = threading.Event()
        self.may_go = threading.Event()
        self.is_closed = False

    def ask(self, request):
        """Wait, then answer."""
        if isinstance(request, self.kind):
            self.has_begun.set()
            assert self.may_go.wait(ENOUGH_S)
        return super().ask(request)

    def close(self):
        """Note it."""
        self.is_closed = True


async def begun(slow):
    """Wait until a thread has begun a request."""
    await asyncio.to_thread(slow.has_begun.wait, ENOUGH_S)


# asyncio over threads


@in_a_loop
async def test_cancelled_commit_that_has_begun_is_waited_for():
    """A caller that is cancelled goes on when its commit has ended, so that what it does next meets the effect."""
    slow = Slow()
    port = ThreadedPort(slow)
    task = asyncio.create_task(port.ask(commit("t")))
    await begun(slow)

    task.cancel()
    asyncio.get_running_loop().call_soon(slow.may_go.set)
    with pytest.raises(asyncio.CancelledError):
        await task

    assert KEY in slow._inner.ask(READ)
    await port.close()


@in_a_loop
async def test_cancelled_commit_that_takes_too_long_can_be_settled(monkeypatch):
    """When the grace is over the caller leaves; the commit is fenced by ``settle``, and says nothing else (ATM-5)."""
    monkeypatch.setattr(adapters, "GRACE_S", 0.0)
    slow = Slow()
    port = ThreadedPort(slow)
    task = asyncio.create_task(port.ask(commit("t")))
    await begun(slow)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    outcome = await port.ask(Settle("t"))
    slow.may_go.set()
    await port.close()

    assert Outcome.ABORTED == outcome
    assert {} == slow._inner.ask(READ)
    assert Refusal((Fenced("t"),)) == slow._inner.ask(commit("t"))


@in_a_loop
async def test_commit_cancelled_twice_is_left_at_once():
    """A second cancellation ends the wait for the commit, which ends in its thread."""
    slow = Slow()
    port = ThreadedPort(slow)
    task = asyncio.create_task(port.ask(commit("t")))
    await begun(slow)

    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = slow._inner.ask(READ)
    slow.may_go.set()
    await port.close()

    assert {} == before
    assert KEY in slow._inner.ask(READ)


@in_a_loop
async def test_cancelled_commit_that_waits_for_a_thread_is_never_sent():
    """What no thread has begun does not happen later, when the caller has gone on (ATM-4)."""
    slow = Slow(Get)
    port = ThreadedPort(slow, threads=1)
    reading = asyncio.create_task(port.ask(READ))
    await begun(slow)
    task = asyncio.create_task(port.ask(commit("t")))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.sleep(0)
    slow.may_go.set()
    await reading
    with pytest.raises(asyncio.CancelledError):
        await task
    await port.close()

    assert {} == slow._inner.ask(READ)


@in_a_loop
async def test_cancelled_read_is_left_at_once():
    """Nobody waits for the reply to a read that nobody wants."""
    slow = Slow(Get)
    port = ThreadedPort(slow)
    task = asyncio.create_task(port.ask(READ))
    await begun(slow)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.may_go.set()
    await port.close()


@in_a_loop
async def test_store_closes_behind_what_is_under_way():
    """Closing waits for the threads, so that nothing is asked of a port that is closed."""
    slow = Slow()
    port = ThreadedPort(slow)
    task = asyncio.create_task(port.ask(commit("t")))
    await begun(slow)

    closing = asyncio.create_task(port.close())
    for _ in range(50):
        await asyncio.to_thread(lambda: None)  # whatever could close the port by now has done so
    was_closed = slow.is_closed
    slow.may_go.set()
    await closing

    assert (False, True) == (was_closed, slow.is_closed)
    assert Receipt("t") == await task
    with pytest.raises(Unreachable):
        await port.ask(READ)


@in_a_loop
async def test_request_runs_in_the_context_of_its_caller():
    """Whatever is traced by context variables finds them in the thread."""
    name = ContextVar("name", default="")
    seen = []

    class Traced(PortWrapper):
        def ask(self, request):
            seen.append(name.get())
            return super().ask(request)

    port = ThreadedPort(Traced(MemoryBackend().port("n")))
    name.set("mine")
    await port.ask(READ)
    await port.close()

    assert ["mine"] == seen


@in_a_loop
async def test_threads_are_made_anew_after_a_fork(monkeypatch):
    """The threads of the parent are not there in the child."""
    port = ThreadedPort(MemoryBackend().port("n"), threads=1)
    await port.ask(READ)
    parents = port._threads
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert {} == await port.ask(READ)
    assert parents is not port._threads
    parents.shutdown()
    await port.close()


@in_a_loop
async def test_port_that_serves_threads_serves_any_event_loop():
    """Nothing of it belongs to a loop, so a store on it can be used in several."""
    port = ThreadedPort(MemoryBackend().port("n"))
    await port.ask(commit("t"))

    found = await asyncio.to_thread(lambda: asyncio.run(_read(port)))

    assert KEY in found
    await port.close()


async def _read(port):
    return await port.ask(READ)


# blocking over asyncio


class Endless(AsyncPortWrapper):
    """A port for asyncio over memory whose requests do not end."""

    def __init__(self):
        super().__init__(ImmediatePort(MemoryBackend().port("n")))
        self.has_begun = threading.Event()
        self.was_cancelled = threading.Event()

    async def ask(self, request):  # noqa: ARG002 - it answers none
        """Wait for what never comes."""
        self.has_begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            raise


def in_a_thread(call):
    """Call a function in a thread; give the thread, and a list in which its problem will be."""
    problems = []

    def run():
        try:
            call()
        except BaseException as problem:  # noqa: BLE001 - the test looks at it
            problems.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, problems


@pytest.mark.parametrize(("request_", "problem"), [(READ, Unreachable), (commit("t"), OutcomeLost)])
def test_request_under_way_at_the_end_is_cut_off(request_, problem):
    """The loop ends with the port: a read had no effect, and of a commit it is not known (ATM-4)."""
    inner = Endless()
    port = BackgroundPort(inner)
    thread, problems = in_a_thread(lambda: port.ask(request_))
    assert inner.has_begun.wait(ENOUGH_S)

    port.close()
    thread.join(ENOUGH_S)

    assert [problem] == [type(each) for each in problems]
    with pytest.raises(Unreachable):
        port.ask(READ)
    port.close()


def test_interrupted_caller_cancels_its_request(monkeypatch):
    """What nobody waits for does not go on in the loop."""
    inner = Endless()
    port = BackgroundPort(inner)

    class Interrupted(adapters.Future):
        def result(self, timeout=None):  # noqa: ARG002 - the base class's
            raise KeyboardInterrupt

    begin = asyncio.run_coroutine_threadsafe

    def interrupted(work, loop):
        running = begin(work, loop)
        assert inner.has_begun.wait(ENOUGH_S)
        running.__class__ = Interrupted
        return running

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        port.ask(commit("t"))
    monkeypatch.undo()

    assert inner.was_cancelled.wait(ENOUGH_S)
    port.close()


def test_threads_share_one_loop_which_ends_with_the_port():
    """All requests run in one loop, whichever thread asks; its thread is gone when the port is closed."""
    before = threading.active_count()
    seen = set()

    class Noting(AsyncPortWrapper):
        async def ask(self, request):
            seen.add(asyncio.get_running_loop())
            return await super().ask(request)

    port = BackgroundPort(Noting(ImmediatePort(MemoryBackend().port("n"))))
    port.open()
    for thread, _ in [in_a_thread(lambda: port.ask(READ)) for _ in range(8)]:
        thread.join(ENOUGH_S)
    port.close()

    assert 1 == len(seen)
    assert before == threading.active_count()


def test_store_in_a_forked_process_is_refused(monkeypatch):
    """The thread of the loop is not there in the child, and a call would wait for ever."""
    port = BackgroundPort(ImmediatePort(MemoryBackend().port("n")))
    port.open()
    with monkeypatch.context() as patched:
        patched.setattr(os, "getpid", lambda: -1)
        with pytest.raises(InvalidCall):
            port.ask(READ)

    port.close()


def test_both_forms_of_a_backend_see_the_same_data():
    """What a store on one form commits, a store on the other form reads."""

    class Both:
        def __init__(self):
            self.memory = MemoryBackend()

        def port(self, namespace):
            return BackgroundPort(self.memory.async_port(namespace))

        def async_port(self, namespace):
            return ThreadedPort(self.memory.port(namespace))

    backend = Both()

    async def read():
        async with connect_async(backend, namespace="n") as store:
            return await store.get(Thing, "a")

    with connect(backend, namespace="n") as store:
        made = store.create(Thing(name="a"))
        assert made == asyncio.run(read())
