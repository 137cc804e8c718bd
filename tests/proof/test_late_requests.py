"""Requests that arrive when nobody expects them any more: a refusal is told only when it is final."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest

from emco_store import MemoryBackend, connect
from emco_store.backends.batcher import AsyncBatcher
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.refs import Ref
from emco_store.errors import MissingReference, UnknownOutcome
from emco_store.ports import Commit, Fenced, Get, OutcomeLost, Receipt, Refusal, Settle
from proof.models import Hub, Pin
from proof.nemesis import seeded
from proof.simulated_groups import GroupingPort, PipingPort
from proof.simulated_network import CALM, Client, Network, Server, Weather
from proof.simulated_ports import Site
from proof.virtual_time import VirtualLoop, run, virtual_time

PIN = Pin(name="p", to=Ref("Hub/h"))


@pytest.fixture
def backend() -> FaultyBackend:
    """Return data in memory, with faults around it."""
    return FaultyBackend(MemoryBackend(), Faults())


def test_refusal_after_a_lost_answer_is_final(backend):
    """ATM-4, ATM-5: what was refused when it was sent again does not happen when the first request arrives."""
    backend.faults.lose_request()
    with connect(backend, namespace="n") as store:
        with pytest.raises(MissingReference):
            store.create(PIN)
        first = backend.faults.asked(Commit)[0]
        store.create(Hub(name="h"))

        late = backend.inner.port("n").ask(first)

        assert Refusal((Fenced(first.txid),)) == late
        assert [] == list(store.list(Pin))


def test_commit_that_arrives_between_refusal_and_settlement_has_happened(backend):
    """ATM-2, ATM-5: when the first request arrives before the refusal is settled, the call succeeds."""
    backend.faults.lose_request()
    with connect(backend, namespace="n") as store:
        port = backend.inner.port("n")

        def arrive() -> None:
            port.ask(replace(commits(backend)[0], txid="hub", require=frozenset(), puts=(hub,)))
            assert isinstance(port.ask(commits(backend)[0]), Receipt)

        with connect(backend.inner, namespace="other") as other:
            hub = backend.inner.port("other").ask(Get((other.create(Hub(name="h")).key,)))[Key("Hub", "h")]
        backend.faults.do(Settle, arrive)

        store.create(PIN)

        assert ["p"] == [pin.name for pin in store.list(Pin)]


def test_refusal_that_cannot_be_settled_is_unknown(backend):
    """ATM-4: a refusal after a lost answer is not told as one while the first request may still arrive."""
    backend.faults.lose_request()
    backend.faults.unreachable(Settle)
    with connect(backend, namespace="n") as store:
        with pytest.raises(UnknownOutcome) as caught:
            store.create(PIN)

        assert "aborted" == store.resolve(caught.value.txid)


def commits(backend: FaultyBackend) -> list[Commit]:
    """Return the commits that were sent."""
    return backend.faults.asked(Commit)


class OnePipe(PipingPort):
    """Sends one group at a time, so that those who come together go together."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._batchers = cycle([AsyncBatcher[Any, Any](members=100, weight=100)])


@pytest.mark.parametrize(("design", "then"), [(OnePipe, CALM), (GroupingPort, Weather(late=1.0))])
def test_commit_that_was_cut_off_with_its_group_is_lost(design, then):
    """ATM-4: whoever went with one that was interrupted is told that its answer is lost: it may still happen."""
    loop = VirtualLoop(seeded("order"), max_steps=10_000)
    network = Network(loop, seeded("network"), CALM)
    port = design(Site(Server(loop), network, Client("c")))

    with virtual_time(loop, seeded("pauses")):
        ended = run(loop, _cut_off(port, network, then))

    assert isinstance(ended[0], Receipt)
    assert isinstance(ended[1], asyncio.CancelledError)
    assert isinstance(ended[2], OutcomeLost)


async def _cut_off(port: Any, network: Network, then: Weather) -> list[Any]:
    """Let one commit go, and two together after it, the first of which is cancelled before anything is answered."""
    network.weather = Weather(slow=1.0)
    names = ("first", "leader", "member")
    tasks = [asyncio.create_task(port.ask(Commit(name, puts=(_record(name),)))) for name in names]
    await tasks[0]
    await asyncio.sleep(0.001)
    network.weather = then
    tasks[1].cancel()
    await asyncio.wait({tasks[1]})
    network.weather = CALM
    return await asyncio.gather(*tasks, return_exceptions=True)


def _record(name: str) -> Record:
    return Record(Key("Hub", name), f"u-{name}", 1, b"{}", (), (), (), 0, 0)
