"""A consumer that dies, loses an answer or finds nobody at any of its requests: each event has its effect once.

The consumer is played without a fault first, and then stopped at each of its requests, before and after them. Then
another one goes on under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest

from emco_store.contracts.consumers import PATIENCE, Daybook, fill
from emco_store.contracts.crash_points import die, lose
from emco_store.contracts.faults import ClientDied, Moment, points_around
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Site
from emco_store.contracts.rules import rule
from emco_store.core.consumers import seat_of
from emco_store.core.keys import Key
from emco_store.errors import NotFound, StoreError, Unavailable, UnknownOutcome
from emco_store.ports import Commit, Request, Unreachable

_POINTS_FOR_A_PAIR: Final = 4
"""A pair of transactions, with all its schedules, takes as long as so many of these points."""
_EVENTS: Final = 2


class ConsumerCrashRules:
    """A consumer, at each of its requests."""

    @rule("FEED-11", "ATM-1")
    def test_consumer_that_dies_leaves_each_event_before_or_after(self, lab: Lab) -> None:
        """Wherever it dies, another one goes on with the first event that has had no effect (FEED-11, ATM-1)."""

        def run(store: Any, name: str, begin: str) -> None:
            store.consume(name, fill, kinds=[Site], after=begin).run(idle=timedelta(0))

        scene = _Scene(lab, run)
        for kind, at, moment in scene.points():
            name, begin = scene.begin()
            scene.strike(kind, at, moment, scene.die)
            with pytest.raises(ClientDied):
                run(lab.store, name, begin)
            scene.goes_on(name, begin, f"{kind.__name__} {at}, {moment}")

    @rule("FEED-11", "ATM-2", "ATM-4")
    def test_consumer_without_an_answer_says_so_and_goes_on(self, lab: Lab) -> None:
        """Whether a commit has happened or not, the next attempt finds out (FEED-11, ATM-2, ATM-4)."""
        scene = _Scene(lab, _step_all)
        for kind, at, moment in scene.points():
            is_commit = kind is Commit
            if not is_commit and moment == "after":
                continue
            for times in (1, 1000) if is_commit else (1000,):
                name, begin = scene.begin()
                scene.strike(kind, at, moment, lose if is_commit else _miss, times=times)
                error: type[StoreError] = UnknownOutcome if is_commit else Unavailable
                if times > 1:
                    with pytest.raises(error):
                        _step_all(lab.store, name, begin)
                else:
                    _step_all(lab.store, name, begin)
                scene.goes_on(name, begin, f"{kind.__name__} {at}, {moment}, {times}")


class _Scene:
    """A consumer and its events; each point has a consumer of its own.

    Args:
        lab: The lab.
        play: What is stopped.
    """

    def __init__(self, lab: Lab, play: Callable[[Any, str, str], None]) -> None:
        self.lab = lab
        self.heir = lab.open()
        self.runs = count()
        name, begin = self.begin()
        play(lab.store, name, begin)
        self.requests = [type(request) for request in lab.faults.requests]
        assert Commit in self.requests
        self.goes_on(name, begin, "without a fault")

    def points(self) -> Iterator[tuple[type[Request[Any]], int, Moment]]:
        """Return the requests: the class, how many of it come before, and whether it happens; all of them or some."""
        return points_around(self.requests, self.lab.bench.harness.every(_POINTS_FOR_A_PAIR))

    def begin(self) -> tuple[str, str]:
        """Prepare events for a new consumer; return its name and the cursor before them."""
        self.lab.faults.clear()
        number = next(self.runs)
        for key in (Key("Daybook", "j"), *(Key("Site", f"s{one}") for one in range(_EVENTS))):
            with suppress(NotFound):
                self.heir.delete(key)
        begin: str = self.heir.feed_cursor()
        for one in range(_EVENTS):
            self.heir.create(Site(name=f"s{one}"))
        self.lab.faults.clear()
        return f"c{number}", begin

    def strike(
        self, kind: type[Request[Any]], at: int, moment: Moment, act: Callable[[], None], *, times: int = 1
    ) -> None:  # fmt: skip
        """Plan a fault around one of the requests."""
        if at:
            self.lab.faults.do(kind, lambda: None, moment=moment, times=at)
        self.lab.faults.do(kind, act, moment=moment, times=times)

    def die(self) -> None:
        """End the client, for all that the end of its blocks would still ask."""
        self.lab.faults.do(Request, die, times=1000)
        die()

    def goes_on(self, name: str, begin: str, where: str) -> None:
        """See that another consumer goes on, and that each event has had its effect once."""
        self.lab.faults.clear()
        with suppress(NotFound):
            self.heir.expire(seat_of(name).key)
        before = self._entries()
        assert [f"s{one}" for one in range(_EVENTS)][: len(before)] == before, where
        consumer = self.heir.consume(name, fill, kinds=[Site], after=begin)
        with self.heir.lease(consumer.seat) as lease:
            for _ in range(len(before), _EVENTS):
                assert 1 == consumer.step(lease, wait=PATIENCE), where
            assert 0 == consumer.step(lease), where
        assert [f"s{one}" for one in range(_EVENTS)] == self._entries(), where

    def _entries(self) -> list[str]:
        return [line for one in self.heir.list(Daybook) for line in one.entries]


def _step_all(store: Any, name: str, begin: str) -> None:
    consumer = store.consume(name, fill, kinds=[Site], after=begin)
    with store.lease(consumer.seat) as lease:
        for _ in range(_EVENTS):
            while not consumer.step(lease, wait=PATIENCE):
                pass


def _miss() -> None:
    raise Unreachable("planned")
