"""Every schedule of two relays under one name, request by request: the sink has each message once, in order.

The first relay holds the lease and works; the second one takes over at any moment, while requests and messages of the
first are still to come. A step is a request to the store, a question to the sink where it stands, or one message that
the sink stores. ``python -m proof.relay_pairs`` runs all schedules for each kind of sink, in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from itertools import count
from random import Random
from typing import Any, Final, Protocol, TypeVar

from emco_store import AsyncStore, Backoff, Delivery, LeaseLost, MemoryBackend, NotFound, Position, connect_async
from emco_store.core.consumers import seat_of
from emco_store.ports import AsyncPort, AsyncPortWrapper, Backend, Commit, Port, Request

FIRST, SECOND = 0, 1
T = TypeVar("T")


class Kind(Enum):
    """What a step does. Steps of one place that read, and steps of two places, may change their order."""

    READ = "read"
    WRITE = "write"
    LOOK = "look"
    PUT = "put"

    def commutes(self, other: Kind) -> bool:
        """Return whether it makes no difference which of two steps comes first."""
        store = {Kind.READ, Kind.WRITE}
        return (self in store) != (other in store) or (self is other and self in {Kind.READ, Kind.LOOK})


class Turns:
    """Lets relays take one step at a time, as a schedule says."""

    def __init__(self) -> None:
        self.actor: ContextVar[int | None] = ContextVar("actor", default=None)
        self.pending: dict[int, tuple[Kind, asyncio.Future[None]]] = {}

    async def step(self, kind: Kind) -> None:
        """Wait until the actor that runs may take a step; whoever is no actor need not wait."""
        actor = self.actor.get()
        if actor is not None:
            turn = asyncio.get_running_loop().create_future()
            self.pending[actor] = kind, turn
            await turn


class Stepped(AsyncPortWrapper):
    """A port whose requests take turns."""

    def __init__(self, inner: AsyncPort, turns: Turns) -> None:
        super().__init__(inner)
        self._turns = turns

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """Ask in turn."""

        async def asked() -> Any:
            await self._turns.step(Kind.WRITE if isinstance(request, Commit) else Kind.READ)
            return await self._inner.ask(request)

        return asked()


@dataclass(frozen=True, slots=True)
class SteppedBackend:
    """A backend for asyncio whose requests take turns."""

    inner: Backend
    turns: Turns

    def port(self, namespace: str) -> Port:
        """Open one namespace without turns."""
        return self.inner.port(namespace)

    def async_port(self, namespace: str) -> AsyncPort:
        """Open one namespace."""
        return Stepped(self.inner.async_port(namespace), self.turns)


class Stream:
    """What a sink stores, as a stream of Redis does: it passes over what is not after its last message.

    Each relay has its own sink on it, which :meth:`sink` makes.
    """

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.kept: list[Delivery] = []

    @property
    def last(self) -> Position | None:
        """The position of its last message."""
        return self.kept[-1].position if self.kept else None

    def sink(self) -> StreamSink:
        """Return a sink of one relay."""
        return StreamSink(self)

    def store(self, one: Delivery) -> None:
        """Store a message, unless it is there."""
        if self.last is None or one.position.place > self.last.place:
            self.kept.append(one)


class StreamSink:
    """A sink that leaves the order to its stream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def position(self) -> Position | None:
        """See ``AsyncSink``."""
        await self.stream.turns.step(Kind.LOOK)
        return self.stream.last  # type: ignore[no-any-return]  # of any stream

    async def send(self, batch: Sequence[Delivery]) -> None:
        """See ``AsyncSink``."""
        for one in batch:
            await self.stream.turns.step(Kind.PUT)
            self.stream.store(one)


class Numbered(Stream):
    """A stream that refuses a message whose sender expects another number, as JetStream does."""

    def sink(self) -> NumberedSink:
        """Return a sink of one relay."""
        return NumberedSink(self)

    def store(self, one: Delivery) -> None:
        """Store a message."""
        self.kept.append(one)


class NumberedSink(StreamSink):
    """A sink that says how many messages it expects before its own."""

    expected = -1

    async def position(self) -> Position | None:
        """See ``AsyncSink``."""
        found = await super().position()
        self.expected = len(self.stream.kept)
        return found

    async def send(self, batch: Sequence[Delivery]) -> None:
        """See ``AsyncSink``."""
        for one in batch:
            await self.stream.turns.step(Kind.PUT)
            if len(self.stream.kept) != self.expected:
                raise ConnectionError("wrong last sequence")
            self.stream.store(one)
            self.expected += 1


class MakesStream(Protocol):
    """A class of streams."""

    def __call__(self, turns: Turns, /) -> Any:
        """Return a new stream."""
        ...


SINKS: Final[dict[str, MakesStream]] = {"positions": Stream, "numbers": Numbered}


@dataclass(slots=True)
class Found:
    """What came of all schedules.

    Attributes:
        schedules: How many were run.
        takeovers: After how many steps of the first relay the second one took over.
        problems: What is missing, doubled or out of order.
    """

    schedules: int = 0
    takeovers: set[int] = field(default_factory=set[int])
    problems: list[str] = field(default_factory=list[str])


class Stage:
    """Two stores on one backend, on which one schedule after the other is played."""

    def __init__(self, turns: Turns, stores: Sequence[AsyncStore], make: MakesStream) -> None:
        self._turns = turns
        self._stores = stores
        self._make = make
        self._runs = count()

    async def play(self, prefix: Sequence[int], batches: int, found: Found, *, skips_twins: bool) -> list[int]:
        """Play the schedule that begins with a prefix; return its choices.

        Args:
            prefix: The relays that take the first steps; then the first one goes on while it can.
            batches: How many commits of two messages each there are.
            found: Gets what comes of it.
            skips_twins: Give up a schedule for which another one stands, in which steps have changed their order.
        """
        name, stream = f"r{next(self._runs)}", self._make(self._turns)
        calm = self._stores[FIRST]
        begin = await calm.feed_cursor()
        bodies: list[str] = []
        for batch in range(batches):
            async with calm.transaction() as tx:
                for part in "ab":
                    bodies.append(f"{batch}{part}")
                    tx.emit("t", bodies[-1])
        relays = [store.relay(name, stream.sink(), after=begin, batch=1, retry=Backoff("0s")) for store in self._stores]
        taken = asyncio.Event()

        async def first() -> None:
            async with calm.lease(relays[FIRST].seat) as lease:
                taken.set()
                await self._work(FIRST, relays[FIRST], lease)

        async def second() -> None:
            await taken.wait()
            token = self._turns.actor.set(SECOND)
            await self._turns.step(Kind.WRITE)
            self._turns.actor.reset(token)
            with suppress(NotFound):
                await self._stores[SECOND].expire(seat_of(name).key)
            async with self._stores[SECOND].lease(relays[SECOND].seat) as lease:
                await self._work(SECOND, relays[SECOND], lease)

        actors = [asyncio.ensure_future(first()), asyncio.ensure_future(second())]
        try:
            choices, taken_over = await self._scheduled(actors, prefix, skips_twins=skips_twins)
        finally:
            for actor in actors:
                actor.cancel()
            ends = await asyncio.gather(*actors, return_exceptions=True)
            self._turns.pending.clear()
        if taken_over is None:
            return choices
        found.schedules += 1
        found.takeovers.add(taken_over)
        problems = [end for end in ends if isinstance(end, Exception) and not isinstance(end, LeaseLost)]
        with suppress(NotFound):
            await calm.expire(seat_of(name).key)
        heir = calm.relay(name, stream.sink(), retry=Backoff("0s"))
        async with calm.lease(heir.seat) as lease:
            await _until_idle(heir, lease)
        came = [one.body for one in stream.kept]
        if problems or came != bodies:
            found.problems.append(f"{choices}: {came}, {problems}")
        return choices

    async def _work(self, actor: int, relay: Any, lease: Any) -> None:
        token = self._turns.actor.set(actor)
        try:
            await _until_idle(relay, lease)
        finally:
            self._turns.actor.reset(token)

    async def _scheduled(
        self, actors: Sequence[asyncio.Future[None]], prefix: Sequence[int], *, skips_twins: bool
    ) -> tuple[list[int], int | None]:
        """Let the relays take their steps; return the choices, and after which step of the first one was taken over."""
        choices: list[int] = []
        before: Kind | None = None  # of the step that the second one has just taken
        taken_over, steps = -1, 0
        while live := [at for at, actor in enumerate(actors) if not actor.done()]:
            if any(at not in self._turns.pending for at in live):
                await asyncio.sleep(0)
                continue
            is_twin = before is not None and FIRST in live and before.commutes(self._turns.pending[FIRST][0])
            if is_twin and len(live) == 1:
                return choices, None
            at = live[0] if len(live) == 1 else SECOND
            if len(live) > 1 and not is_twin:
                at = prefix[len(choices)] if len(choices) < len(prefix) else FIRST
                choices.append(at)
            kind, turn = self._turns.pending.pop(at)
            if at == SECOND and taken_over < 0:
                taken_over = steps
            steps += at == FIRST
            before = kind if at == SECOND and skips_twins else None
            turn.set_result(None)
            await asyncio.sleep(0)
        return choices, taken_over


async def _until_idle(relay: Any, lease: Any) -> None:
    """Let a relay send all that there is."""
    while await relay.step(lease, wait=timedelta(0)) or not relay._is_end:  # noqa: SLF001 - 0 steps are not the end
        pass


@asynccontextmanager
async def staged(make: MakesStream) -> AsyncGenerator[Stage]:
    """Open a stage for relays that send to streams of one class."""
    turns, backend = Turns(), MemoryBackend()
    stepped = SteppedBackend(backend, turns)
    async with connect_async(stepped, namespace="pairs") as one, connect_async(stepped, namespace="pairs") as other:
        yield Stage(turns, [one, other], make)


async def explore(make: MakesStream, *, batches: int) -> Found:
    """Play all schedules, each once but for the order of steps that may change theirs, up to the first problem.

    Args:
        make: The class of the stream behind the sinks.
        batches: How many commits of two messages each there are.
    """
    found, prefix = Found(), list[int]()
    async with staged(make) as stage:
        while not found.problems:
            choices = await stage.play(prefix, batches, found, skips_twins=True)
            while choices and choices[-1] == SECOND:
                choices.pop()
            if not choices:
                break
            prefix = [*choices[:-1], SECOND]
    return found


async def sample(make: MakesStream, *, batches: int, plays: int, seed: int) -> Found:
    """Play schedules that are drawn, up to the first problem: each relay takes some steps, then both take turns."""
    found, random = Found(), Random(seed)  # noqa: S311 - repeatable, not secret
    async with staged(make) as stage:
        for _ in range(plays):
            most = 8 * batches
            drawn = [FIRST] * random.randrange(most) + [SECOND] * random.randrange(most)
            drawn += random.choices((FIRST, SECOND), k=most)
            await stage.play(drawn, batches, found, skips_twins=False)
            if found.problems:
                break
    return found


def main(given: Sequence[str] | None = None) -> int:
    """Run all schedules for each kind of sink, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=2)
    batches = parser.parse_args(given).batches
    problems = 0
    for name, make in SINKS.items():
        found = asyncio.run(explore(make, batches=batches))
        problems += len(found.problems)
        sys.stdout.write(
            f"{name}: {found.schedules:,} schedules, takeovers after {min(found.takeovers)} to {max(found.takeovers)} "
            f"steps, {len(found.problems)} problems\n"
        )
        sys.stdout.write("".join(f"  {problem}\n" for problem in found.problems[:20]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
