"""A relay that dies or loses an answer at any of its requests, those to the sink included: each message is there once.

The relay is played without a fault first, and then stopped at each of its requests to the store, before and after
them, and before and after each message that the sink stores. Then another one goes on under its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from typing import Any, Final

import pytest

from emco_store.contracts.crash_points import die, lose
from emco_store.contracts.faults import ClientDied, Moment, points_around
from emco_store.contracts.harness import Lab
from emco_store.contracts.relays import Recorder, relay, wait_until_told
from emco_store.contracts.rules import rule
from emco_store.core.consumers import seat_of
from emco_store.core.relaying import Delivery
from emco_store.errors import NotFound, UnknownOutcome
from emco_store.ports import Commit, Request

_POINTS_FOR_A_PAIR: Final = 4
"""A pair of transactions, with all its schedules, takes as long as so many of these points."""
_BATCHES: Final = 2
"""Commits of two messages each, of which each is sent by itself."""


class RelayCrashRules:
    """A relay, at each of its requests."""

    @rule("FEED-15", "ATM-1")
    def test_relay_that_dies_leaves_each_message_once_in_the_sink(self, lab: Lab) -> None:
        """Wherever it dies, another one goes on with the first message that the sink lacks (FEED-15, ATM-1)."""
        scene = _Scene(lab)
        for kind, at, moment in scene.points():
            name, sink = scene.begin()
            scene.strike(kind, at, moment, scene.die)
            with pytest.raises(ClientDied):
                scene.play(name, sink)
            scene.goes_on(name, sink, f"{kind.__name__} {at}, {moment}")

    @rule("FEED-15", "ATM-1")
    def test_relay_that_dies_while_it_sends_leaves_each_message_once(self, lab: Lab) -> None:
        """Of several messages that are sent at once, the first ones may be stored (FEED-15, ATM-1)."""
        scene = _Scene(lab)
        for at in range(2 * _BATCHES):
            name, sink = scene.begin()

            def strike(one: Delivery, at: int = at, sink: Recorder = sink) -> None:
                if len(sink.kept) == at:
                    sink.before = bool
                    scene.die()
                assert one.topic == "t"

            sink.before = strike
            with pytest.raises(ClientDied):
                scene.play(name, sink)
            scene.goes_on(name, sink, f"message {at}")

    @rule("FEED-15", "ATM-2", "ATM-4")
    def test_relay_without_an_answer_sends_nothing_again(self, lab: Lab) -> None:
        """Whether its cursor was saved or not, what the sink has counts (FEED-15, ATM-2, ATM-4)."""
        scene = _Scene(lab)
        for kind, at, moment in scene.points():
            if kind is Commit:
                name, sink = scene.begin()
                scene.strike(kind, at, moment, lose)
                scene.play(name, sink)
                scene.goes_on(name, sink, f"{at}, {moment}, once")
                name, sink = scene.begin()
                scene.strike(kind, at, moment, lose, times=1000)
                with pytest.raises(UnknownOutcome):
                    scene.play(name, sink)
                scene.goes_on(name, sink, f"{at}, {moment}, for good")


class _Scene:
    """A relay and its messages; each point has a relay and a sink of its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.heir = lab.open()
        self.runs = count()
        self.bodies: list[str] = []
        self.after = ""
        name, sink = self.begin()
        self.play(name, sink)
        self.requests = [type(request) for request in lab.faults.requests]
        assert Commit in self.requests
        self.goes_on(name, sink, "without a fault")

    def points(self) -> Iterator[tuple[type[Request[Any]], int, Moment]]:
        """Return the requests: the class, how many of it come before, and whether it happens; all of them or some."""
        return points_around(self.requests, self.lab.bench.harness.every(_POINTS_FOR_A_PAIR))

    def begin(self) -> tuple[str, Recorder]:
        """Emit messages for a new relay; return its name and its sink."""
        self.lab.faults.clear()
        number = next(self.runs)
        self.after = self.heir.feed_cursor()
        self.bodies = []
        for one in range(_BATCHES):
            with self.heir.transaction() as tx:
                for part in "ab":
                    self.bodies.append(f"{number}-{one}{part}")
                    tx.emit("t", self.bodies[-1])
        wait_until_told(self.heir, self.after, _BATCHES)
        self.lab.faults.clear()
        return f"r{number}", Recorder()

    def play(self, name: str, sink: Recorder) -> None:
        """Let the relay send everything."""
        relay(self.lab.store, sink, len(self.bodies), name=name, after=self.after, batch=1, retry=None)

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

    def goes_on(self, name: str, sink: Recorder, where: str) -> None:
        """See that another relay goes on, and that the sink has each message once and in order."""
        self.lab.faults.clear()
        with suppress(NotFound):
            self.heir.expire(seat_of(name).key)
        assert self.bodies[: len(sink.kept)] == sink.bodies, where
        relay(self.heir, sink, len(self.bodies), name=name, after=self.after)
        again = self.heir.relay(name, sink)
        with self.heir.lease(again.seat) as lease:
            assert 0 == again.step(lease, wait=timedelta(0)), where
        assert self.bodies == sink.bodies, where
