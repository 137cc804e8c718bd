"""Work in the background, in a thread or a task of its own, and signals between it and those who wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Signal:
    """Wakes threads that wait for something to change.

    Who waits reads :attr:`number`, looks at what it waits for, and waits until the number is another one. So nothing
    that changes in between is missed.

    Attributes:
        number: How often it was given.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.number = 0

    def give(self) -> None:
        """Wake all who wait; from any thread."""
        with self._condition:
            self.number += 1
            self._condition.notify_all()

    def wait(self, seen: int, longest_s: float) -> None:
        """Wait until it has been given more often than ``seen``, or some seconds have passed."""
        with self._condition:
            self._condition.wait_for(lambda: self.number != seen, max(0.0, longest_s))


class AsyncSignal:
    """Wakes tasks that wait for something to change; see :class:`Signal`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self.number = 0

    def give(self) -> None:
        """Wake all who wait; from any thread."""
        with self._lock:
            self.number += 1
            for loop, event in self._waiting:
                with suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(event.set)

    async def wait(self, seen: int, longest_s: float) -> None:
        """Wait until it has been given more often than ``seen``, or some seconds have passed."""
        entry = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            if self.number != seen:
                return
            self._waiting.append(entry)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, longest_s)):
                    await entry[1].wait()
        finally:
            with self._lock:
                self._waiting.remove(entry)


class Background:
    """Work in a thread of its own.

    Args:
        work: What to do. It must end by itself, and raise nothing.
        name: The name of the thread.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._thread = threading.Thread(target=work, name=name, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the work has ended."""
        self._thread.join()


class AsyncBackground:
    """Work in a task of its own; see :class:`Background`."""

    def __init__(self, work: Callable[[], Awaitable[None]], name: str) -> None:
        self._task = asyncio.get_running_loop().create_task(_done(work), name=name)

    async def join(self) -> None:
        """Wait until the work has ended; whoever is cancelled meanwhile cancels the work too."""
        await self._task


async def _done(work: Callable[[], Awaitable[None]]) -> None:
    await work()
