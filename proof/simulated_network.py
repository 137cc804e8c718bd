"""A server in memory behind a network that loses, delays and repeats messages, by a seed."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Final, TypeVar

from sortedcontainers import SortedList

from emco_store.backends.feeds import Ring
from emco_store.backends.memory import MemoryBackend
from emco_store.backends.pulses import PulseTable
from emco_store.contracts.faults import ClientDied
from emco_store.ports import Commit, Outcome, Receipt, Refusal
from proof.virtual_time import VirtualLoop

T = TypeVar("T")
NAMESPACE: Final = "simulated"
PATIENCE_S: Final = 1.0
"""Seconds that a client waits for a reply."""
LATEST_S: Final = 20.0
"""Seconds that a request may be under way after its client has given up."""
_FASTEST_S, _SLOWEST_S, _SLOW_S = 1e-4, 2e-3, 0.4


class NotSent(Exception):
    """The request has not reached the server and never will."""


class NoAnswer(Exception):
    """The request was sent, and no reply came."""


@dataclass(frozen=True, slots=True)
class Weather:
    """The share of requests that meet each fault, 0 to 1.

    Attributes:
        not_sent: They do not leave the client, and it knows.
        lost_request: They never arrive.
        lost_reply: They are executed, and the reply is lost.
        late: They arrive after the client has given up.
        again: They are executed, the reply is lost, and the network delivers them again later.
        slow: They take long.
        collided: Groups that conflict with others on the server and must try again.
        cut: Requests of several commands, of which only the first are executed.
    """

    not_sent: float = 0.0
    lost_request: float = 0.0
    lost_reply: float = 0.0
    late: float = 0.0
    again: float = 0.0
    slow: float = 0.0
    collided: float = 0.0
    cut: float = 0.0


CALM: Final = Weather()


class Trace:
    """The events so far as one number: two runs with the same seed have the same."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._hash = hashlib.sha256()
        self.lines = 0

    def note(self, *words: object) -> None:
        """Add one event."""
        line = f"{self._loop.time():.9f} {' '.join(map(str, words))}\n"
        self._hash.update(line.encode())
        self.lines += 1

    @property
    def digest(self) -> str:
        """The number so far."""
        return self._hash.hexdigest()


class Server:
    """The memory backend, as one server that all services reach.

    Args:
        loop: Its clock.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.backend = MemoryBackend(clock=loop.time)
        self.port = self.backend.port(NAMESPACE)

    def outcomes(self) -> dict[str, Outcome]:
        """Return the outcome of each commit that has one."""
        with self.backend.request(NAMESPACE, "look", None) as space:
            return {txid: outcome for txid, (outcome, _) in space.outcomes.items()}

    def together(self, commits: list[Commit], *, keep: bool = True) -> bool:
        """Execute several commits as one transaction, in their order; return False if nothing was written.

        Args:
            commits: The commits.
            keep: Whether to write; otherwise only return whether it would succeed.
        """
        with self.backend.request(NAMESPACE, "transaction", commits) as space:
            if any(commit.txid in space.outcomes for commit in commits):
                return False  # each inserts its outcome, and fails if there is one already
            before = {field.name: _copied(getattr(space, field.name)) for field in fields(space)}
            done = all(isinstance(self.port.ask(commit), Receipt) for commit in commits)
            if not (done and keep):
                for name, value in before.items():
                    setattr(space, name, value)
            return done


def _copied(index: Any) -> Any:
    """Copy an index, whose entries are values or collections of values."""
    if isinstance(index, PulseTable):
        return PulseTable(index)
    if isinstance(index, Ring):
        return index.copy()
    copied = {key: value.copy() if isinstance(value, SortedList | set) else value for key, value in index.items()}
    return defaultdict(index.default_factory, copied) if isinstance(index, defaultdict) else copied


class Network:
    """Brings requests to the server, and replies back.

    Args:
        loop: The clock.
        random: Decides what goes wrong.
        weather: How often something goes wrong.

    Attributes:
        weather: How often something goes wrong from now on.
        struck: How often each fault struck.
        trace: Everything that was sent and answered.
    """

    def __init__(self, loop: VirtualLoop, random: Random, weather: Weather) -> None:
        self.loop = loop
        self.random = random
        self.weather = weather
        self.struck: Counter[str] = Counter()
        self.trace = Trace(loop)

    def strikes(self, share: float, name: str) -> bool:
        """Return whether a fault strikes, and count it."""
        if self.random.random() >= share:
            return False
        self.struck[name] += 1
        return True

    async def call(self, client: Client, name: str, told: object, execute: Callable[[], T]) -> T:
        """Send a request, and wait for the reply.

        Args:
            client: The client.
            name: The name of the request, for the trace.
            told: Its argument, for the trace.
            execute: What the server does when it arrives.

        Raises:
            NotSent: It had no effect.
            NoAnswer: It has had its effect, will have it, or never will.
            ClientDied: The client is dead. What it has sent is still under way.
        """
        fault, to_s, back_s = self.draw(client, name, told)
        reply: asyncio.Future[T] = self.loop.create_future()
        if fault not in {"not sent", "lost request"}:
            self.loop.call_later(to_s, self._arrive, execute, None if fault else reply, back_s)
        if fault == "again":
            self.loop.call_later(self.random.uniform(0.0, LATEST_S), self._arrive, execute, None, 0.0)
        try:
            async with asyncio.timeout(self._patience(fault)):
                answer = await reply
        except TimeoutError:
            client.check_alive()
            raise (NotSent if fault == "not sent" else NoAnswer) from None
        client.check_alive()
        return answer

    def draw(self, client: Client, name: str, told: object) -> tuple[str, float, float]:
        """Return the fault of a request, and the times that it and its reply are under way; see :meth:`call`."""
        client.check_alive()
        fault = self._fault()
        self.trace.note(client.name, name, told, fault)
        return fault, self._delay(fault), self._delay(fault)

    def _arrive(self, execute: Callable[[], T], reply: asyncio.Future[T] | None, back_s: float) -> None:
        answer = execute()
        self.trace.note("server", _brief(answer))
        if reply is not None:
            self.loop.call_later(back_s, _deliver, reply, answer)

    def _fault(self) -> str:
        """Draw the fault of a request; empty for none."""
        chance = self.random.random()
        for name in ("not_sent", "lost_request", "lost_reply", "late", "again"):
            chance -= getattr(self.weather, name)
            if chance < 0:
                named = name.replace("_", " ")
                self.struck[named] += 1
                return named
        return ""

    def _delay(self, fault: str) -> float:
        if fault == "late":
            return self.random.uniform(PATIENCE_S, LATEST_S)
        if self.random.random() < self.weather.slow:
            self.struck["slow"] += 1
            return self.random.uniform(_SLOWEST_S, _SLOW_S)
        return self.random.uniform(_FASTEST_S, _SLOWEST_S)

    def _patience(self, fault: str) -> float:
        """Return how long a client waits: it notices a reset connection at once, and silence late."""
        if fault and self.random.random() < 0.5:
            return self.random.uniform(_FASTEST_S, 2 * _SLOWEST_S)
        return PATIENCE_S


class Client:
    """A process with a store. What it has in memory dies with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False

    def check_alive(self) -> None:
        """Stop code that runs in a dead process; its cleanup does not happen either.

        Raises:
            ClientDied: The process is dead.
        """
        if self.is_dead:
            raise ClientDied


def _deliver(reply: asyncio.Future[T], answer: T) -> None:
    if not reply.done():
        reply.set_result(answer)


def _brief(answer: object) -> str:
    if isinstance(answer, Refusal):
        return " ".join(sorted(f"{type(each).__name__}" for each in answer.failures))
    if isinstance(answer, dict):
        return " ".join(f"{key}@{record.version}" for key, record in answer.items())
    return type(answer).__name__ if isinstance(answer, Receipt | tuple) else str(answer)[:80]
