"""Adapters: write a port in one form, blocking or for asyncio, and get the other form from here.

- :class:`ImmediatePort`: for asyncio, over a blocking port whose requests end at once: its data is in this process.
- :class:`ThreadedPort`: for asyncio, over a blocking port whose requests wait for a server.
- :class:`BackgroundPort`: blocking, over a port for asyncio.

An adapted port keeps every promise of the port that it adapts; the conformance suite runs on all three.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from emco_store.errors import InvalidCall
from emco_store.ports import AsyncPort, Commit, Events, Guarantees, OutcomeLost, Port, Request, Unreachable

T = TypeVar("T")
THREADS = 32
"""How many requests of one :class:`ThreadedPort` may be under way at once."""
GRACE_S = 2.0
"""How long a caller that is cancelled waits for its commit to end."""


@runtime_checkable
class Wakes(Protocol):
    """A blocking port that says when there may be new events."""

    def waking(self, wake: Callable[[], None]) -> AbstractContextManager[None]:
        """Have something called, in any thread, after each commit that the feed tells, until the block is left."""
        ...


class ImmediatePort:
    """A port for asyncio over a blocking one in which nothing waits.

    Args:
        port: The blocking port. Each of its requests stops the event loop until it has ended. If it has a feed, it is
            asked for events without a wait, and says by ``waking`` when to ask again; see :class:`Wakes`.
    """

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        self._port.open()

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`; other tasks run first, as they would while a server works."""
        await asyncio.sleep(0)
        if _waits(request) and isinstance(self._port, Wakes):
            page: T = await self._events(request, self._port)
            return page
        return self._port.ask(request)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        self._port.close()

    async def _events(self, request: Any, port: Wakes) -> Any:
        """Ask for events again and again, whenever there may be some."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        now = replace(request, wait=timedelta(0))

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(woken.set)

        with port.waking(wake), suppress(TimeoutError):
            async with asyncio.timeout(request.wait.total_seconds()):
                while not (page := self._port.ask(now)).events and request.after is not None:
                    await woken.wait()
                    woken.clear()
                return page
        return self._port.ask(now)


class ThreadedPort:
    """A port for asyncio over a blocking one: each request runs in a thread of a pool, in the context of its caller.

    When a caller is cancelled, its request is not sent if it still waits for a thread. If a thread has begun it, it
    cannot be called back and ends there. A cancelled read is left at once. A cancelled commit is waited for, up to
    :data:`GRACE_S` seconds, so that what the caller does next usually meets its effect. The caller is told that it was
    cancelled and nothing about the commit; ``resolve`` settles a commit that is still under way.

    Rules: ATM-2, ATM-4, ATM-5.

    Args:
        port: The blocking port.
        threads: Maximum number of requests under way at once (>= 1); the others wait.
    """

    def __init__(self, port: Port, *, threads: int = THREADS) -> None:
        self._port = port
        self._number = threads
        self._process = 0
        self._threads: ThreadPoolExecutor | None = None
        self._is_closed = False

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        await self._finish(self._begin(self._port.open))

    async def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        if _waits(request):  # apart, since readers must not take the threads of others
            return await self._finish(self._begin_apart(request))
        grace_s = GRACE_S if isinstance(request, Commit) else 0.0
        return await self._finish(self._begin(self._port.ask, request), grace_s)

    async def close(self) -> None:
        """Wait for the requests under way, then close the port; see :meth:`emco_store.ports.Port.close`."""
        self._is_closed = True
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        await asyncio.to_thread(self._port.close)

    def _begin(self, call: Callable[..., T], *arguments: Any) -> Future[T]:
        if self._is_closed:
            raise Unreachable
        if self._process != os.getpid():  # the threads of a process do not survive a fork
            self._threads = None
        if self._threads is None:
            self._process = os.getpid()
            self._threads = ThreadPoolExecutor(self._number, thread_name_prefix="emco-store")
        return self._threads.submit(copy_context().run, call, *arguments)

    def _begin_apart(self, request: Request[T]) -> Future[T]:
        if self._is_closed:
            raise Unreachable
        ended: Future[T] = Future()
        ended.set_running_or_notify_cancel()
        context = copy_context()

        def work() -> None:
            try:
                reply = context.run(self._port.ask, request)
            except BaseException as problem:  # noqa: BLE001 - the caller raises it
                ended.set_exception(problem)
            else:
                ended.set_result(reply)

        threading.Thread(target=work, name="emco-store-events", daemon=True).start()
        return ended

    async def _finish(self, running: Future[T], grace_s: float = 0.0) -> T:
        reply = asyncio.wrap_future(running)
        try:
            await asyncio.wait({reply})
        except asyncio.CancelledError:
            try:
                if not running.cancel() and grace_s:
                    await asyncio.wait({reply}, timeout=grace_s)
            finally:
                if not reply.cancel() and not reply.cancelled():
                    reply.exception()  # seen: the caller is told that it was cancelled, and nothing else
            raise
        return reply.result()


def _waits(request: Request[Any]) -> bool:
    """Return whether a request may wait for something that happens only later."""
    return isinstance(request, Events) and bool(request.wait)


class BackgroundPort:
    """A blocking port over one for asyncio, whose event loop runs in a thread of its own.

    The thread begins with the first call and ends with :meth:`close`; a request that is under way then is cut off. A
    caller that is interrupted cancels its request in the loop. Each request takes about 0.1 ms more than it takes the
    other port.

    Args:
        port: The port for asyncio. All that it is asked is asked in the one loop.
    """

    def __init__(self, port: AsyncPort) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._thread: threading.Thread | None = None
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._end = asyncio.Event()
        self._is_closed = False

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        return self._port.guarantees

    def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        self._call(self._port.open)

    def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        try:
            return self._call(lambda: self._port.ask(request))
        except CancelledError:  # the port was closed meanwhile
            raise (OutcomeLost if isinstance(request, Commit) else Unreachable) from None

    def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        if self._is_closed:
            return
        try:
            with suppress(Unreachable):  # another caller closes it
                self._call(self._port.close, is_last=True)
        finally:
            if self._thread is not None:
                self._loop.result().call_soon_threadsafe(self._end.set)
                self._thread.join()

    def _call(self, work: Callable[[], Awaitable[T]], *, is_last: bool = False) -> T:
        if self._process != os.getpid():  # before the lock, which another thread may have held when it forked
            raise InvalidCall(
                "This store cannot be used in this process.",
                why=["it was opened before a fork, and its event loop runs in a thread of the parent"],
                hint="open a store in each process.",
            )
        with self._lock:  # whatever is begun is begun before the loop ends
            if self._is_closed:
                raise Unreachable
            self._is_closed = is_last
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="emco-store", daemon=True)
                self._thread.start()
            running = asyncio.run_coroutine_threadsafe(_awaited(work), self._loop.result())
        try:
            return running.result()
        finally:
            running.cancel()  # of effect only where the caller was interrupted

    def _run(self) -> None:
        asyncio.run(self._until_the_end())

    async def _until_the_end(self) -> None:
        self._loop.set_result(asyncio.get_running_loop())
        await self._end.wait()


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
