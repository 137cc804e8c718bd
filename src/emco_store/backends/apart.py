"""Tasks and threads that go on by themselves when their caller stops waiting, whatever a driver does in them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
CLOSING_S = 1.0
"""How long the end of a port waits for what its callers have left."""


class Overdue(Exception):
    """The time of a caller is up, and what it waits for has not ended."""


class Apart:
    """Runs things in tasks of their own, which no cancellation of their callers reaches; for one event loop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something in a task, which is remembered until its end."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    async def wait(
        self, task: asyncio.Task[T], within_s: float, unwanted: Callable[[T], Awaitable[object]] | None = None
    ) -> T:
        """Wait for a task, until the time is up or the caller is cancelled.

        Args:
            task: One that :meth:`begin` has begun.
            within_s: How long to wait, in seconds.
            unwanted: What to do with its result if nobody waits for it any more.

        Raises:
            Overdue: It has not ended in time.
        """
        try:
            await asyncio.wait({task}, timeout=within_s)
            if task.done():
                return task.result()
        except asyncio.CancelledError:
            self._leave(task, unwanted)
            raise
        self._leave(task, unwanted)
        raise Overdue

    async def wait_out(self, task: asyncio.Task[T], within_s: float) -> T:
        """Wait for a task even if the caller is cancelled, which takes effect afterwards; see :meth:`wait`."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + within_s
        cancelled: asyncio.CancelledError | None = None
        while not task.done() and (left_s := end_s - loop.time()) > 0:
            try:
                await asyncio.wait({task}, timeout=left_s)
            except asyncio.CancelledError as problem:
                cancelled = problem
        if cancelled is not None:
            raise cancelled
        if task.done():
            return task.result()
        raise Overdue

    async def close(self) -> None:
        """Wait for what nobody waits for, and for what is begun with its results; cut off what takes too long."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + CLOSING_S
        while self._running and (left_s := end_s - loop.time()) > 0:
            await asyncio.wait({*self._running}, timeout=left_s)
        for task in self._running:
            task.cancel()

    def _leave(self, task: asyncio.Task[T], unwanted: Callable[[T], Awaitable[object]] | None) -> None:
        def end(ended: asyncio.Task[T]) -> None:
            if unwanted is not None and not ended.cancelled() and ended.exception() is None:
                self.begin(_done(unwanted(ended.result())))

        task.add_done_callback(end)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waits for it gets it, and it is no news to anybody else


async def _done(work: Awaitable[object]) -> None:
    with suppress(Exception):  # nobody is there to learn of it
        await work


def in_thread(call: Callable[[], T], within_s: float, unwanted: Callable[[T], object] | None = None) -> T:
    """Call something in a thread of its own, and stop waiting for it when the time is up.

    Args:
        call: What to call, in the context of the caller.
        within_s: How long to wait, in seconds.
        unwanted: What to do with its result if nobody waits for it any more.

    Raises:
        Overdue: It has not ended in time.
    """
    ended: Future[T] = Future()
    lock = threading.Lock()
    is_left = False

    def work() -> None:
        try:
            result = call()
        except BaseException as problem:  # noqa: BLE001 - the caller raises it
            ended.set_exception(problem)
            return
        with lock:
            ended.set_result(result)
            is_unwanted = is_left
        if is_unwanted and unwanted is not None:
            with suppress(Exception):
                unwanted(result)

    threading.Thread(target=copy_context().run, args=(work,), name="emco-store", daemon=True).start()
    with suppress(TimeoutError):
        ended.exception(within_s)
    with lock:
        if not ended.done():
            is_left = True
            raise Overdue
    return ended.result()
