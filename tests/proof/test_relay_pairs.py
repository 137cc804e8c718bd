# ruff: noqa: D102 - what a method should do is in proof.relay_pairs, and that it does not do so is in its class
"""FEED-15 between two relays, step by step, and mutants that only some schedules show."""

from __future__ import annotations

import asyncio

import pytest

from emco_store._aio.relaying import AsyncRelay
from emco_store.flows import consuming
from proof import relay_pairs
from proof.relay_pairs import Kind, Numbered, Stream, StreamSink
from tests.contracts.broken_relaying import trust_the_store_alone

PLAYS = 40


def found(make, *, plays=PLAYS, batches=1):
    """Play schedules of two relays."""
    return asyncio.run(relay_pairs.sample(make, batches=batches, plays=plays, seed=3))


@pytest.mark.parametrize("name", relay_pairs.SINKS)
def test_relays_that_take_over_leave_each_message_once(name):
    """Whenever a second relay takes over from one that still sends, the sink has each message once (FEED-15)."""
    outcome = found(relay_pairs.SINKS[name])

    assert [] == outcome.problems
    assert PLAYS == outcome.schedules
    assert 4 < len(outcome.takeovers)


class ChecksFirst(Stream):
    """Looks where it stands, and stores a moment later."""

    def sink(self):
        return ChecksFirstSink(self)

    def store(self, one):
        self.kept.append(one)


class ChecksFirstSink(StreamSink):
    """See :class:`ChecksFirst`."""

    async def send(self, batch):
        for one in batch:
            await self.stream.turns.step(Kind.LOOK)
            last = self.stream.last
            await self.stream.turns.step(Kind.PUT)
            if last is None or one.position.place > last.place:
                self.stream.store(one)


class KeepsAll(Numbered):
    """Takes every message, whoever sends it."""

    def sink(self):
        return StreamSink(self)


@pytest.mark.parametrize("mutant", [ChecksFirst, KeepsAll])
def test_sink_that_does_not_refuse_what_it_has_is_caught(mutant):
    """A sink that stores in two steps, or refuses nothing, has a message twice."""
    assert found(mutant, plays=200).problems


def test_relay_that_saves_before_it_sends_is_caught(monkeypatch):
    """What is saved and not sent comes too late where the relay that takes over has sent what follows."""
    deal = AsyncRelay._deal

    async def save_first(self, batch, place, leader):
        saved = await self._save(place, leader, batch[-1].event.cursor, batch[-1].number)
        return await deal(self, batch, saved, leader)

    monkeypatch.setattr(AsyncRelay, "_deal", save_first)
    assert found(Stream, plays=200, batches=2).problems


def test_relay_that_does_not_ask_the_sink_is_caught(monkeypatch):
    """What was sent and not saved is sent again to a sink that knows numbers only."""
    monkeypatch.setattr(consuming, "ahead", trust_the_store_alone)
    monkeypatch.setattr(relay_pairs.NumberedSink, "position", _nothing)
    assert found(Numbered, plays=200).problems


async def _nothing(self):
    """Know how many messages there are, and not which."""
    await self.stream.turns.step(Kind.LOOK)
    self.expected = len(self.stream.kept)
