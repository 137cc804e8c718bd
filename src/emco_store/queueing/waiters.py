"""The calls that wait in queues: threads and tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.queueing.pauses import async_pause, pause
from emco_store.queueing.queues import BaseWaiter

MAX_TURN_S = 1.0
"""Seconds after which a waiter that is still first is passed over."""


class Waiter(BaseWaiter):
    """A call of a thread."""

    def wake(self) -> None:
        """See :meth:`BaseWaiter.wake`."""
        self._woken.set()

    def wait_before(self, keys: Collection[Key]) -> Mapping[Key, Record] | None:
        """Wait before reading what others queue for; return the records if the waiter before handed them over."""
        if not self._must_wait(keys):
            return None
        self._wait(self._longest_s)
        return self._handed(keys)

    def pause(self, seconds: float) -> None:
        """Wait until it is first, for at most ``seconds``, if it has just joined queues; otherwise sleep."""
        if self._woken is None:
            pause(seconds)
        else:
            self._wait(seconds)

    def _make_signal(self) -> threading.Event:
        return threading.Event()

    def _wait(self, seconds: float) -> None:
        woken: threading.Event = self._woken
        begun_s = time.monotonic()
        try:
            while not woken.is_set() and (left_s := begun_s + seconds - time.monotonic()) > 0:
                running = self._queues.running_before(self)
                if not woken.wait(min(left_s, MAX_TURN_S)):
                    self._queues.pass_over(running)
        except BaseException:
            self.leave()
            raise
        else:
            if not woken.is_set():
                self.leave()
        finally:
            self._woken = None  # only now, when nobody can wake it
            self.waited_s += time.monotonic() - begun_s


class AsyncWaiter(BaseWaiter):
    """A call of a task."""

    def wake(self) -> None:
        """See :meth:`BaseWaiter.wake`."""
        with suppress(RuntimeError):  # its loop is closed: those after it pass it over
            self._woken.get_loop().call_soon_threadsafe(_set, self._woken)

    async def wait_before(self, keys: Collection[Key]) -> Mapping[Key, Record] | None:
        """See :meth:`Waiter.wait_before`."""
        if not self._must_wait(keys):
            return None
        await self._wait(self._longest_s)
        return self._handed(keys)

    async def pause(self, seconds: float) -> None:
        """See :meth:`Waiter.pause`."""
        if self._woken is None:
            await async_pause(seconds)
        else:
            await self._wait(seconds)

    def _make_signal(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    async def _wait(self, seconds: float) -> None:
        woken: asyncio.Future[None] = self._woken
        clock = asyncio.get_running_loop().time
        begun_s = clock()
        try:
            while not woken.done() and (left_s := begun_s + seconds - clock()) > 0:
                running = self._queues.running_before(self)
                await asyncio.wait([woken], timeout=min(left_s, MAX_TURN_S))
                if not woken.done():
                    self._queues.pass_over(running)
        except BaseException:
            self.leave()
            raise
        else:
            if not woken.done():
                self.leave()
        finally:
            self._woken = None  # only now, when nobody can wake it
            self.waited_s += clock() - begun_s


def _set(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
