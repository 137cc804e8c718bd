"""Strikes at servers while clients are at work: each begins after acknowledged commits, and is followed by others."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from emco_store.contracts.histories.history import Recorder

ENOUGH_S = 180.0
"""For how long nothing may happen before a run is given up; a failover on a slow machine takes some of it."""


class Watch(Recorder):
    """A record that is watched as it grows.

    Attributes:
        seen: How many operations have ended, by result.
        clients: Who has begun.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.seen: Counter[str] = Counter()
        self.clients: set[str] = set()
        self._counting = threading.Lock()
        self._tick = threading.Event()
        self._has_ended = threading.Event()

    def write(self, line: Mapping[str, Any]) -> None:
        """See the base class."""
        super().write(line)
        with self._counting:
            if "o" in line:
                self.seen[line["o"]] += 1
            elif "p" in line:
                self.clients.add(line["p"])

    def end(self) -> None:
        """Note that nobody will write any more, so that nobody waits for it."""
        self._has_ended.set()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a condition.

        Raises:
            TimeoutError: It has not come true within :data:`ENOUGH_S`.
            RuntimeError: The clients ended first.
        """
        end = time.monotonic() + ENOUGH_S
        while not holds():
            if self._has_ended.wait(0.01):
                raise RuntimeError(f"the clients ended before {what}")
            if time.monotonic() > end:
                raise TimeoutError(f"{ENOUGH_S:.0f} s have passed without {what}: {dict(self.seen)}")

    def until_more(self, number: int, *results: str) -> None:
        """Wait until so many more operations have ended with one of the results."""
        wanted = number + sum(self.seen[result] for result in results)
        self.until(lambda: sum(self.seen[result] for result in results) >= wanted, f"{number} more {results}")


Strike = Callable[[Random, Watch], None]
"""Does something to servers, and leaves them so that they answer."""


@dataclass(frozen=True, slots=True)
class Series:
    """How often to strike: so many times, or for so long, at least once.

    Attributes:
        strikes: How many times; None where ``end_s`` decides.
        end_s: Until when, by ``time.monotonic``.
        acknowledged: So many operations are acknowledged before the first strike, between two, and after the last.
    """

    strikes: int | None = 1
    end_s: float = 0.0
    acknowledged: int = 12

    def goes_on(self, done: int) -> bool:
        """Tell whether to strike again."""
        return not done or (time.monotonic() < self.end_s if self.strikes is None else done < self.strikes)


class Striking:
    """Strikes at servers while clients are at work.

    It is no ``Nemesis`` with a thread of its own: servers that a thread starts end with that thread, so that none
    outlives the run (see :func:`tests.servers.process.spawn`).

    Args:
        strike: What it does.
        watch: What the clients write.
        series: How often it strikes.
        random: Its random numbers.

    Attributes:
        done: How often it has struck.
        is_over: Whether the clients may end.
    """

    def __init__(self, strike: Strike, watch: Watch, series: Series, random: Random) -> None:
        self.done = 0
        self.is_over = False
        self._strike = strike
        self._watch = watch
        self._series = series
        self._random = random

    def during(self, work: Callable[[], object], *, clients: int) -> None:
        """Strike while the work is done by another thread.

        Args:
            work: Ends when :attr:`is_over` says so.
            clients: How many clients there must be before the first strike.
        """
        with ThreadPoolExecutor(1) as pool:
            working = pool.submit(work)
            working.add_done_callback(lambda _: self._watch.end())
            try:
                self._watch.until(lambda: len(self._watch.clients) == clients, "all of them had begun")
                self._watch.until_more(self._series.acknowledged, "ok")
                while self._series.goes_on(self.done):
                    self._strike(self._random, self._watch)
                    self.done += 1
                    self._watch.until_more(self._series.acknowledged, "ok")
            finally:
                self.is_over = True
                working.result()
