"""What the author of a backend supplies, and what each test receives."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeVar

from emco_store.connect import connect, connect_async
from emco_store.contracts.blocking import Loop, blocking, raw
from emco_store.contracts.damaging import Damage
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.contracts.pauses import Pauses
from emco_store.contracts.witnessing import bear_witness
from emco_store.core.documents import decode
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import NotSupported, StoreError
from emco_store.flows.context import RetryPolicy
from emco_store.ports import AsyncPort, Backend, Commit, Get, Port, Receipt, Request, Scan

T = TypeVar("T")
START = datetime(2030, 1, 1, tzinfo=UTC)
"""The start of the clock of each test."""
AT_ONCE = RetryPolicy(deadline_s=5.0, first_pause_s=0.0, longest_pause_s=0.0)
"""Repeats without pauses: in the suite, races are lost on purpose and never by chance."""


class Mode(StrEnum):
    """How the backend is used."""

    BLOCKING = "blocking"
    ASYNCIO = "asyncio"


@dataclass(frozen=True, slots=True)
class Gap:
    """A rule that a backend does not keep. Gaps are strict: each test of the rule must fail with this exception.

    Attributes:
        rule: The id of the rule.
        kind: ``notimpl``: possible, but not written; ``notyet``: this version of the server cannot do it; ``never``:
            it contradicts what the server is.
        raises: The exceptions with which the tests fail.
        reason: Why, for the report.
        tests: Names of tests, if not all tests of the rule fail.
        modes: The modes with the gap.
    """

    rule: str
    kind: Literal["notimpl", "notyet", "never"]
    raises: type[BaseException] | tuple[type[BaseException], ...]
    reason: str
    tests: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = tuple(Mode)


@dataclass(frozen=True, slots=True)
class Harness:
    """A backend under test.

    Attributes:
        name: The name for the report.
        backend: Returns the backend, which has two ports on the same data for each namespace. Called once for each
            class of tests and mode; each test uses its own namespace.
        gaps: The rules that it does not keep.
        drop: Called with the backend and a namespace when a test has ended, if data outlives the tests.
        empty: For servers on which a new namespace costs much more than a commit. Called with the backend and the
            namespace of an earlier test; empties the namespace and returns True, or returns False. A namespace that was
            not emptied, or in which a test planned faults, is dropped and not used again.
        examples: Number of random programs that the state machine runs.
        stride: Run every n-th pair of interleaved transactions: 1 for all, more if a commit takes milliseconds.
        inside: Called with the backend and :class:`.pauses.Pauses`; a context manager that gives a backend with the
            same data whose requests pass points: it calls ``point`` between its own steps, or stands behind a
            :class:`.proxy.Proxy`. Without it, declare the gap ``ONE_STEP``.
        damage: Called with the backend, a namespace, a record in it and :class:`.damaging.Damage`; does that to the
            entries beside the record and returns True, or False where the backend has no such entry. Without it,
            declare the gap ``UNDAMAGED``.
    """

    name: str
    backend: Callable[[], Backend]
    gaps: tuple[Gap, ...] = ()
    drop: Callable[[Backend, str], None] | None = None
    empty: Callable[[Backend, str], bool] | None = None
    examples: int = 100
    stride: int = 1
    inside: Callable[[Any, Pauses], AbstractContextManager[Backend]] | None = None
    damage: Callable[[Any, str, Record, Damage], bool] | None = None

    def every(self, for_a_pair: int) -> int:
        """Return the stride of other cases, if so many of them take as long as one pair."""
        return max(1, self.stride // for_a_pair)


ONE_STEP = Gap(
    "OCC-17", "never", NotSupported, "each request is one step under one lock, so nothing can come into its middle"
)
"""The gap of a backend into whose requests the suite cannot get, because no other client could either."""


UNDAMAGED = Gap("CHK-9", "notimpl", NotSupported, "the suite cannot reach the entries that the backend keeps")
"""The gap of a backend whose entries the suite cannot damage."""


class SetClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self._now = START

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._now

    def advance(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        """Move the clock forward, and return the time."""
        self._now += by
        return self._now


class CountedIds:
    """Identifiers that count; except for the name of the namespace they are the same in every run."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._count = 0

    def new(self) -> str:
        """Return a new identifier."""
        self._count += 1
        return f"{self._namespace}-{self._count:06}"


class Space:
    """A namespace and its source of ids: no id occurs twice, not even in two labs.

    Attributes:
        namespace: Its name.
        ids: The source of ids.
    """

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.ids = CountedIds(namespace)


class Bench:
    """One backend in one mode, for any number of tests."""

    def __init__(self, harness: Harness, mode: Mode, backend: Backend | None = None) -> None:
        self.harness = harness
        self.mode = mode
        self.backend = backend or harness.backend()
        self.loop = Loop()
        self.witness = f"w{secrets.token_hex(8)}"
        self._has_begun = False
        self._used: list[Space] = []

    def begin(self) -> None:
        """Note in a namespace of its own what must still be there at the end of the run; once."""
        if not self._has_begun:
            self._has_begun = True
            with closing(self.backend.port(self.witness)) as port:
                port.open()
                bear_witness(port)

    def close(self) -> None:
        """Drop the namespaces that were kept, and close the event loop."""
        while self._used:
            self.drop(self._used.pop().namespace)
        if self._has_begun:
            self.drop(self.witness)
        self.loop.close()

    @contextmanager
    def lab(self) -> Generator[Lab]:
        """Open a lab on an empty namespace that no other lab uses; close everything at the end."""
        space = self._space()
        lab = Lab(self, space)
        try:
            yield lab
        finally:
            lab.close()
            if self.harness.empty is None or lab.faults.were_planned:
                self.drop(space.namespace)
            else:
                self._used.append(space)

    def _space(self) -> Space:
        while self._used:
            space = self._used.pop()
            if self.harness.empty is not None and self.harness.empty(self.backend, space.namespace):
                return space
            self.drop(space.namespace)
        return Space(f"t{secrets.token_hex(8)}")

    def drop(self, namespace: str) -> None:
        """Drop what a namespace holds, if data outlives the tests."""
        if self.harness.drop is not None:
            self.harness.drop(self.backend, namespace)


class Lab:
    """What one test receives: a store in its own namespace, the clock, the faults, and the port below the store.

    Attributes:
        store: A store that knows only the models it has met.
        faults: The faults around the requests of every store of this lab.
        clock: The clock.
        port: The blocking port of the namespace, without faults, in both modes.
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
        """Open one more store on the same data. Like a new service, it has met no models yet.

        Returns:
            A ``Store``, or a blocking view of an ``AsyncStore``.
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

    @cached_property
    def port_of_mode(self) -> Port | AsyncPort:
        """The port of the namespace in the mode of the test, without faults; for :meth:`together`."""
        if self.bench.mode is Mode.BLOCKING:
            return self.port
        port = self.bench.backend.async_port(self.namespace)
        self.bench.loop.call(port.open())
        self._opened.callback(lambda: self.bench.loop.call(port.close()))
        return port

    def ask(self, request: Request[T]) -> T:
        """Ask the port of the namespace in the mode of the test."""
        reply: Any = self.port_of_mode.ask(request)
        answer: T = reply if self.bench.mode is Mode.BLOCKING else self.bench.loop.call(reply)
        return answer

    @contextmanager
    def inside_of_requests(self) -> Generator[tuple[Port, Pauses]]:
        """Open one more blocking port on the namespace, whose requests pass points.

        Raises:
            NotSupported: The harness does not say how.
        """
        if self.bench.harness.inside is None:
            raise NotSupported(
                "The suite cannot get into the middle of a request of this backend.",
                why=["its harness has no inside="],
                hint="call Pauses.point() between the steps of your backend, put a Proxy before its server, or declare "
                "the gap ONE_STEP if each request is one step.",
            )
        pauses = Pauses()
        with ExitStack() as opened:
            backend = opened.enter_context(self.bench.harness.inside(self.bench.backend, pauses))
            port = opened.enter_context(closing(backend.port(self.namespace)))
            port.open()
            yield port, pauses

    @contextmanager
    def beside(self, namespace: str) -> Generator[Port]:
        """Open the blocking port of another namespace, which is dropped in the end."""
        with closing(self.bench.backend.port(namespace)) as port:
            port.open()
            try:
                yield port
            finally:
                self.bench.drop(namespace)

    def close(self) -> None:
        """Close all stores."""
        self.faults.clear()
        self._opened.close()

    @staticmethod
    def inside(thing: Any) -> Any:
        """Return a store or transaction for use in the action of a fault, during a request.

        The event loop is running then, so its methods return awaitables for the port.
        """
        return raw(thing)

    def together(self, calls: Sequence[Callable[[Any], Any]]) -> list[Any]:
        """Make concurrent calls on the store, each in its own thread or task; return each result or exception.

        Args:
            calls: Each receives the store of the mode, and returns a result or an awaitable.
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
        """Return all records as they are stored, by the text of their keys."""
        every = list(scanned(self.port, Scan(None)))
        found = {record.key.text: record for record in every}
        assert len(found) == len(every), "a scan repeats itself"
        return found

    def state(self) -> dict[str, tuple[int, Any]]:
        """Return the version and the document of every resource."""
        return state_of(self.records())

    def dangling(self) -> list[str]:
        """Return the unresolved references."""
        return dangling_in(self.records())

    def wipe(self) -> None:
        """Remove every record, those of the store's own included; only the outcomes of commits stay."""
        stamps = {record.key: record.stamp for record in self.records().values()}
        reply = self.port.ask(Commit(f"{self._ids.new()}-wipe", {**stamps}, deletes=tuple(stamps)))
        assert isinstance(reply, Receipt)

    def tamper(self, key: Key, document: bytes) -> None:
        """Replace a document by other bytes, as a manual edit or a faulty program would."""
        record = self.port.ask(Get((key,)))[key]
        broken = replace(record, version=record.version + 1, document=document)
        reply = self.port.ask(Commit(f"{self._ids.new()}-tamper", {key: record.stamp}, puts=(broken,)))
        assert isinstance(reply, Receipt)


def state_of(records: Mapping[str, Record]) -> dict[str, tuple[int, Any]]:
    """Return the version and the document of each record."""
    return {text: (record.version, decode(record.document)) for text, record in records.items()}


def dangling_in(records: Mapping[str, Record]) -> list[str]:
    """Return the references of records that resolve to none of them."""
    return [
        f"{text} {edge.place} -> {edge.target}"
        for text, record in records.items()
        for edge in record.edges
        if edge.target.text not in records
    ]


def scanned(port: Port, scan: Scan) -> Iterator[Record]:
    """Yield everything that a scan finds, page by page."""
    step: Scan | None = scan
    while step is not None:
        page = port.ask(step)
        yield from page.records
        assert page.next is None or page.next != step.after, "a page does not go on"
        step = None if page.next is None else replace(step, after=page.next)
