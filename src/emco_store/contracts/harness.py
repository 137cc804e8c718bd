"""What the author of a backend supplies, and what one test is given of it."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from emco_store.connect import connect, connect_async
from emco_store.contracts.blocking import Loop, blocking, raw
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import StoreError
from emco_store.flows.context import RetryPolicy
from emco_store.ports import Backend, Commit, Get, Port, Receipt, Scan

START = datetime(2030, 1, 1, tzinfo=UTC)
"""Where the clock of each test begins."""
AT_ONCE = RetryPolicy(deadline_s=5.0, first_pause_s=0.0, longest_pause_s=0.0)
"""Repeats without pauses: here, a race is lost by plan and never by chance."""


class Mode(StrEnum):
    """How the backend is used."""

    BLOCKING = "blocking"
    ASYNCIO = "asyncio"


@dataclass(frozen=True, slots=True)
class Gap:
    """A rule that a backend does not keep. Strict: each of its tests must fail, and with this exception.

    Attributes:
        rule: The id of the rule.
        kind: ``notimpl``: the backend could, and nobody has written it; ``notyet``: the server cannot in this
            version; ``never``: it contradicts what the server is.
        raises: The exceptions with which the tests fail.
        reason: Why, for the report.
        tests: Names of tests, where it is not all tests of the rule.
        modes: The modes that it holds in.
    """

    rule: str
    kind: Literal["notimpl", "notyet", "never"]
    raises: type[BaseException] | tuple[type[BaseException], ...]
    reason: str
    tests: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = tuple(Mode)


@dataclass(frozen=True, slots=True)
class Harness:
    """A backend, as the suite sees it.

    Attributes:
        name: The name for the report.
        backend: Gives the backend: two ports on the same data, by namespace. Called once for each class of tests and
            mode; each test takes a namespace of its own.
        gaps: The rules that it does not keep.
        drop: Called with the backend and a namespace when a test has ended, where data outlives the tests.
        empty: For a server where a new namespace costs much more than a commit. Called with the backend and a namespace
            of an earlier test, it makes the namespace as good as new and returns True, or returns False. What was not
            made new is dropped, and so is a namespace in which a test planned faults: both are never used again.
        examples: How many random programs the state machine runs.
        stride: Of the pairs of interleaved transactions, run each one whose number is a multiple of this; 1 for all,
            more where a server needs milliseconds for a commit.
    """

    name: str
    backend: Callable[[], Backend]
    gaps: tuple[Gap, ...] = ()
    drop: Callable[[Backend, str], None] | None = None
    empty: Callable[[Backend, str], bool] | None = None
    examples: int = 100
    stride: int = 1


class SetClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        """Give the time, in UTC."""
        return self._now

    def advance(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        """Move the clock forward, and give the time."""
        self._now += by
        return self._now


class CountedIds:
    """Identifiers that count, the same in every run but for the name of the namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._count = 0

    def new(self) -> str:
        """Give a new identifier."""
        self._count += 1
        return f"{self._namespace}-{self._count:06}"


class Space:
    """A namespace, and what makes the ids in it: none occurs twice, not even in two labs.

    Attributes:
        namespace: Its name.
        ids: The source of ids.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.ids = CountedIds(namespace)


class Bench:
    """One backend in one mode, for as many tests as wanted."""

    def __init__(self, harness: Harness, mode: Mode, backend: Backend | None = None) -> None:
        self.harness = harness
        self.mode = mode
        self.backend = backend or harness.backend()
        self.loop = Loop()
        self._used: list[Space] = []

    def close(self) -> None:
        """Drop the namespaces that were kept, and end the event loop."""
        while self._used:
            self._drop(self._used.pop())
        self.loop.close()

    @contextmanager
    def lab(self) -> Generator[Lab]:
        """Take a namespace that holds nothing and that no other lab has; give everything back at the end."""
        space = self._space()
        lab = Lab(self, space)
        try:
            yield lab
        finally:
            lab.close()
            if self.harness.empty is None or lab.faults.were_planned:
                self._drop(space)
            else:
                self._used.append(space)

    def _space(self) -> Space:
        while self._used:
            space = self._used.pop()
            if self.harness.empty is not None and self.harness.empty(self.backend, space.namespace):
                return space
            self._drop(space)
        return Space(f"t{secrets.token_hex(8)}")

    def _drop(self, space: Space) -> None:
        if self.harness.drop is not None:
            self.harness.drop(self.backend, space.namespace)


class Lab:
    """What one test is given: a store in a namespace of its own, the clock, the faults, and a look behind the store.

    Attributes:
        store: A store that knows only the models it has met.
        faults: What happens around the requests of every store of this lab.
        clock: The time.
        port: The namespace's blocking port, without faults, in both modes.
    """

    def __init__(self, bench: Bench, space: Space) -> None:
        self.bench = bench
        self.namespace = space.namespace
        self.faults = Faults()
        self.clock = SetClock()
        self._ids = space.ids
        self._opened = ExitStack()
        self.port: Port = bench.backend.port(self.namespace)
        self.port.open()
        self._opened.callback(self.port.close)
        self.store = self.open()

    def open(self, *, retry: RetryPolicy = AT_ONCE, **options: Any) -> Any:
        """Open one more store on the same data; it has met no model yet, as a service that knows none.

        Returns:
            A ``Store``, or what is used like one: a blocking view of an ``AsyncStore``.
        """
        backend = FaultyBackend(self.bench.backend, self.faults)
        settings: dict[str, Any] = {
            "namespace": self.namespace,
            "clock": self.clock,
            "ids": self._ids,
            "retry": retry,
            **options,
        }
        if self.bench.mode is Mode.BLOCKING:
            return self._opened.enter_context(connect(backend, **settings))
        return self._opened.enter_context(blocking(connect_async(backend, **settings), self.bench.loop))

    def close(self) -> None:
        """Close every store."""
        self.faults.clear()
        self._opened.close()

    @staticmethod
    def inside(thing: Any) -> Any:
        """Give a store or transaction as the action of a fault uses it, in the midst of a request.

        There the event loop is running, so its methods give what the port then awaits.
        """
        return raw(thing)

    def together(self, calls: Sequence[Callable[[Any], Any]]) -> list[Any]:
        """Make calls on the store at once, each in a thread or a task of its own; give each result or exception.

        Args:
            calls: Each is given the store as its mode has it, and gives a result or an awaitable.
        """
        store = raw(self.store)
        if self.bench.mode is Mode.ASYNCIO:

            async def gather() -> list[Any]:
                return await asyncio.gather(*(call(store) for call in calls), return_exceptions=True)

            return self.bench.loop.call(gather())
        start = threading.Barrier(len(calls))

        def one(call: Callable[[Any], Any]) -> Any:
            start.wait()
            try:
                return call(store)
            except StoreError as problem:
                return problem

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(one, calls))

    def records(self) -> dict[str, Record]:
        """Give all records as they are stored, by the text of their keys."""
        found: dict[str, Record] = {}
        after: tuple[str, str] | None = None
        while batch := self.port.ask(Scan(kind=None, after=after)):
            assert found.keys().isdisjoint(record.key.text for record in batch), "a scan repeats itself"
            found |= {record.key.text: record for record in batch}
            after = ("", batch[-1].key.text)
        return found

    def state(self) -> dict[str, tuple[int, Any]]:
        """Give the version and the document of every resource."""
        return {text: (record.version, decode(record.document)) for text, record in self.records().items()}

    def dangling(self) -> list[str]:
        """Name the references that resolve nowhere."""
        records = self.records()
        return [
            f"{text} {edge.place} -> {edge.target}"
            for text, record in records.items()
            for edge in record.edges
            if edge.target.text not in records
        ]

    def tamper(self, key: Key, document: bytes) -> None:
        """Put bytes in the place of a document, as a hand or a faulty program would."""
        record = self.port.ask(Get((key,)))[key]
        broken = replace(record, version=record.version + 1, document=document)
        reply = self.port.ask(Commit(f"{self._ids.new()}-tamper", {key: record.stamp}, puts=(broken,)))
        assert isinstance(reply, Receipt)
