"""Virtual time: an event loop whose clock jumps to the next timer, so that hours pass in a moment and can be repeated.

The promises of asyncio hold: callbacks run in the order in which they became ready. A seed decides what asyncio leaves
open: how long each callback takes, and in which order timers fire that are due together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from contextvars import Context
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from types import SimpleNamespace
from typing import Any, Final, TypeVar, TypeVarTuple
from uuid import UUID

import tenacity

from emco_store.contracts.histories import history

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LONGEST_STEP_S: Final = 20e-6


class Stuck(AssertionError):
    """No task can continue, or one continues for ever."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without a selector, for one thread.

    Args:
        random: Decides what asyncio leaves open.
        max_steps: See below.

    Attributes:
        steps: Number of callbacks that have run.
        max_steps: Number of callbacks after which the run counts as endless.
        between: Called before each callback, so that something else can happen between any two of them.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self, random: Random, *, max_steps: int) -> None:
        super().__init__()
        self.steps = 0
        self._random = random
        self.max_steps = max_steps
        self.between: Callable[[], None] | None = None
        self._now_s = 1.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._made = 0
        self._last_ns = 0

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now_s

    def nanoseconds(self) -> int:
        """Return the virtual time in nanoseconds, another one at each call."""
        self._last_ns = max(int(self._now_s * 1e9), self._last_ns + 1)
        return self._last_ns

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See :meth:`asyncio.loop.call_at`."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        heappush(self._timers, (when, self._made, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is skipped when it is due."""

    def _write_to_self(self) -> None:
        """Do nothing: there are no other threads."""

    def _run_once(self) -> None:
        """Run all callbacks that are ready, as the base class does; if there are none, jump to the next timer."""
        while self._timers and self._timers[0][2].cancelled():
            heappop(self._timers)
        if not self._ready and self._timers:
            self._now_s = max(self._now_s, self._timers[0][0])
        self._ready.extend(self._due())
        if not self._ready:
            raise Stuck(f"nobody can go on: {self._waiting()}")
        for _ in range(len(self._ready)):
            self._now_s += self._random.uniform(1e-6, _LONGEST_STEP_S)
            self.steps += 1
            if self.between is not None:
                self.between()
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - what an event loop does
        if self.steps > self.max_steps:
            raise Stuck(f"more than {self.max_steps:,} steps: {self._waiting()}")

    def _due(self) -> list[asyncio.TimerHandle]:
        due: list[asyncio.TimerHandle] = []
        while self._timers and self._timers[0][0] <= self._now_s:
            due.append(heappop(self._timers)[2])
        self._random.shuffle(due)
        return due

    def _waiting(self) -> str:
        names = sorted(task.get_name() for task in asyncio.all_tasks(self))
        return f"{len(names)} tasks wait: {', '.join(names[:12])}"


class VirtualClock:
    """The wall clock of a service.

    Args:
        loop: The source of the time.
        ahead_s: How many seconds the clock is ahead of the others.
    """

    def __init__(self, loop: VirtualLoop, ahead_s: float = 0.0) -> None:
        self._loop = loop
        self._ahead_s = ahead_s

    def now(self) -> datetime:
        """See :meth:`emco_store.ports.Clock.now`."""
        return _BEGINNING + timedelta(seconds=self._loop.time() + self._ahead_s)

    def now_ms(self) -> int:
        """Return the time in milliseconds since 1970."""
        return int(self.now().timestamp() * 1000)


class SeededIds:
    """Identifiers that begin with the virtual time, as those of a store do, and are the same in every run.

    Args:
        clock: The clock of the service.
        random: The source of the rest.
    """

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        self._clock = clock
        self._random = random

    def new(self) -> str:
        """See :meth:`emco_store.ports.IdSource.new`."""
        value = (
            self._clock.now_ms() << 80
            | 7 << 76
            | self._random.getrandbits(12) << 64
            | 2 << 62
            | self._random.getrandbits(62)
        )
        return str(UUID(int=value))


@contextmanager
def virtual_time(loop: VirtualLoop, random: Random, *others: tuple[Any, str, Any]) -> Generator[None]:
    """Replace the time and the random numbers of repeated calls by those of a run.

    Args:
        loop: The source of the time.
        random: The random numbers of pauses.
        others: Other replacements: an object, the name of its attribute, the value.
    """
    times = SimpleNamespace(monotonic=loop.time, monotonic_ns=loop.nanoseconds)
    wanted = ((tenacity, "time", times), (tenacity.wait, "random", random), (history, "time", times), *others)
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in wanted]
    try:
        for owner, name, value in wanted:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


def run(loop: VirtualLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a virtual loop, which is closed afterwards.

    Raises:
        Stuck: No task can continue, or one continues for ever.
    """
    try:
        return loop.run_until_complete(work)
    finally:
        _end(loop)
        loop.close()


def _end(loop: VirtualLoop) -> None:
    """Cancel the tasks of a failed run, so that nothing is reported as never awaited."""
    loop.max_steps = loop.steps + 100_000
    left = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    for task in left:
        task.cancel()
    if left:
        with suppress(Stuck):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
