"""Readers of the feed beside a workload: what each is told must be the history of every record, or a clear gap.

A reader begins before the first commit, replays each event, and compares what it has replayed with what is stored at
the end. Where it was told of a gap, it reads everything anew and goes on from there, as any reader must.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from emco_store._aio.drive import drive as drive_async
from emco_store._sync.drive import drive
from emco_store.contracts.feed import site
from emco_store.core.keys import Key
from emco_store.errors import FeedGap, Misconfigured, StoreError, Unavailable
from emco_store.ports import (
    AsyncPortWrapper,
    Backend,
    Commit,
    Events,
    OutcomeLost,
    PortWrapper,
    Request,
    Scan,
    Unreachable,
)
from proof.nemesis import seeded
from proof.replays import END, Replay, Sent, State

T = TypeVar("T")
ENOUGH_S: Final = 180.0
"""For how long a reader may be told nothing new, and servers may not answer, before it is given up."""
WAIT: Final = timedelta(seconds=0.5)
"""For how long a reader asks for an event that is not there yet."""
_PAUSE_S: Final = 0.02
_PAGE: Final = 1000
_FICKLE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Pause:
    """Ask for nothing, for a moment."""

    seconds: float


@dataclass(slots=True)
class Reader:
    """One reader of the feed.

    Attributes:
        number: Tells it from others.
        is_slow: Whether it pauses between pages, and asks for small ones.
        is_task: Whether it reads by asyncio.
        is_fickle: Whether it begins anew now and then, although nobody tells it of a gap.
        replay: What it was told.
        cursor: Where it is.
        stands_still: Whether it asks for nothing at the moment.
        patience_s: For how long it may be told nothing new before it gives up.
    """

    number: int
    is_slow: bool
    is_task: bool
    is_fickle: bool
    replay: Replay
    cursor: str = ""
    stands_still: bool = False
    patience_s: float = ENOUGH_S

    def reads(self, random: Random) -> Generator[Any, Any, None]:
        """Read until the end of the feed was told; while servers do not answer, ask again."""
        silent_until_s = time.monotonic() + self.patience_s
        while END not in self.replay.live and time.monotonic() < silent_until_s:
            if self.stands_still:
                yield Pause(_PAUSE_S)
                continue
            limit = random.choice([1, 2, 5]) if self.is_slow else random.choice([3, 100, 1000])
            try:
                page = yield Events(self.cursor, limit=limit, wait=WAIT)
            except FeedGap:
                self.replay.gaps += 1
                yield from self._begin_anew()
                continue
            except (Unreachable, StoreError) as problem:
                yield from _outwaited(problem)
                continue
            for event in page.events:
                self.replay.note(event)
            if page.events:
                silent_until_s = time.monotonic() + self.patience_s
            self.cursor = page.cursor
            if self.is_fickle and random.random() < _FICKLE:
                yield from self._begin_anew()
            if self.is_slow:
                yield Pause(random.uniform(0, 2 * _PAUSE_S))

    def _begin_anew(self) -> Generator[Any, Any, None]:
        page = yield from _insisting(Events())
        stored = yield from stored_now()
        self.cursor = page.cursor
        self.replay.begin_anew(stored)


def stored_now() -> Generator[Any, Any, dict[Key, State]]:
    """Read the states of all records."""
    found: dict[Key, State] = {}
    after: tuple[str, str] | None = None
    while True:
        page = yield from _insisting(Scan(None, after=after, limit=_PAGE))
        found |= {record.key: (record.uid, record.version) for record in page.records}
        if page.next is None:
            return found
        after = page.next


def _insisting(request: Request[T]) -> Generator[Any, Any, T]:
    """Ask again until there is an answer.

    Raises:
        TimeoutError: There is none for too long.
    """
    end_s = time.monotonic() + ENOUGH_S
    while time.monotonic() < end_s:
        try:
            reply: T = yield request
        except (Unreachable, OutcomeLost, StoreError) as problem:
            yield from _outwaited(problem)
        else:
            return reply
    message = f"no answer to {request.verb} for {ENOUGH_S:.0f} s"
    raise TimeoutError(message)


def _outwaited(problem: Exception) -> Generator[Any, Any, None]:
    """Wait for a moment, if a problem may be over then; else raise it.

    Raises:
        StoreError: It is no problem of a moment.
    """
    if isinstance(problem, StoreError) and not isinstance(problem, Unavailable | Misconfigured):
        raise problem
    yield Pause(_PAUSE_S)


class Audience:
    """Readers of a namespace, for a ``with`` block in which others commit.

    Args:
        backend: Makes a backend with clients of its own, for each reader.
        namespace: A namespace in which nothing was committed yet.
        size: How many readers. Of four, two are slow, two read by asyncio, and the last begins anew now and then.
        seed: How they read.
        sent: The commits of all clients; None where they are not known.
        tasks: Whether some may read by asyncio.

    Attributes:
        patience_s: For how long a reader may be told nothing new, once the last commit was sent.
    """

    patience_s = ENOUGH_S

    def __init__(
        self,
        backend: Callable[[], Backend],
        namespace: str,
        size: int,
        *,
        seed: int,
        sent: Sent | None = None,
        tasks: bool = True,
    ) -> None:
        self._backend = backend
        self._namespace = namespace
        self._seed = seed
        self._sent = sent
        self.readers = [
            Reader(number, number % 4 in {1, 3}, tasks and number % 4 in {1, 2}, number % 4 == 3, Replay(sent))
            for number in range(size)
        ]
        self._threads = [threading.Thread(target=self._read, args=(one,), daemon=True) for one in self.readers]
        self._problems: list[str] = []

    def __enter__(self) -> Self:
        begin = self._ask(_insisting(Events())).cursor
        for reader, thread in zip(self.readers, self._threads, strict=True):
            reader.cursor = begin
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if problem is not None:  # nobody asks what they were told
            for reader in self.readers:
                reader.replay.live[END] = "", 0
            return
        self._ask(_insisting(Commit(f"{END.name}-{self._namespace}", {END: None}, puts=(site(END),))))
        for reader in self.readers:
            reader.is_slow, reader.patience_s = False, self.patience_s
        for thread in self._threads:
            thread.join(2 * ENOUGH_S)
        stored = self._ask(stored_now())
        for reader in self.readers:
            reader.replay.compare(stored)
        self._ask(_insisting(Commit(f"{END.name}-gone-{self._namespace}", {END: site(END).stamp}, deletes=(END,))))

    @contextmanager
    def standing_still(self) -> Generator[None]:
        """Let every second reader stand still during the block."""
        for reader in self.readers[1::2]:
            reader.stands_still = True
        try:
            yield
        finally:
            for reader in self.readers:
                reader.stands_still = False

    def told(self, *, gaps: bool = False) -> Told:
        """Return what the readers were told, once the block is over.

        Args:
            gaps: Whether there may be gaps.
        """
        replays = [one.replay for one in self.readers]
        found = Told(len(replays), sum(one.told for one in replays), sum(one.gaps for one in replays))
        found.violations += self._problems
        for reader in self.readers:
            wrong = [*reader.replay.wrong]
            if reader.replay.gaps and not gaps:
                wrong.append(f"{reader.replay.gaps} gaps, and nothing was forgotten")
            if self._sent is not None:
                refused = self._sent.refused & reader.replay.txids
                wrong += [f"{txid} was refused, and is told" for txid in sorted(refused)]
                missing = (
                    self._sent.acknowledged - reader.replay.txids if reader.replay.is_whole and not gaps else set[str]()
                )
                wrong += [f"{txid} was acknowledged, and is never told" for txid in sorted(missing)]
            found.violations += [f"reader {reader.number}: {text}" for text in wrong]
        return found

    def _read(self, reader: Reader) -> None:
        try:
            self._ask(reader.reads(seeded("reader", self._seed, reader.number)), is_task=reader.is_task)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is a finding
            self._problems.append(f"reader {reader.number} was told {problem!r:.300}")

    def _ask(self, asking: Generator[Any, Any, T], *, is_task: bool = False) -> T:
        backend = self._backend()
        if not is_task:
            with closing(_Patient(backend.port(self._namespace))) as port:
                return drive(asking, port)

        async def answered() -> T:
            port = _PatientAsync(backend.async_port(self._namespace))
            try:
                return await drive_async(asking, port)
            finally:
                await port.close()

        return asyncio.run(answered())


@dataclass(slots=True)
class Told:
    """What readers were told.

    Attributes:
        readers: How many they were.
        events: How many events, all readers together.
        gaps: How many gaps.
        violations: What must not be.
    """

    readers: int
    events: int
    gaps: int
    violations: list[str] = field(default_factory=list[str])


class _Patient(PortWrapper):
    """A port that is opened by the first request, since there may be no server yet, and knows how to pause."""

    _is_open = False

    def ask(self, request: Any) -> Any:
        """See :meth:`emco_store.ports.Port.ask`."""
        if isinstance(request, Pause):
            return threading.Event().wait(request.seconds)
        if not self._is_open:
            self.open()
            self._is_open = True
        return super().ask(request)


class _PatientAsync(AsyncPortWrapper):
    """The same for asyncio."""

    _is_open = False

    async def ask(self, request: Any) -> Any:
        """See :meth:`emco_store.ports.AsyncPort.ask`."""
        if isinstance(request, Pause):
            return await asyncio.sleep(request.seconds)
        if not self._is_open:
            await self.open()
            self._is_open = True
        return await super().ask(request)
