"""Spans and metrics of a store, by OpenTelemetry: install ``emco-store[otel]``.

::

    store = instrument(connect(URL, namespace="shop"))

A call such as ``store.update(app)`` is a span, and each request to the backend that it makes is a span under it. They
say what was done to which kind and what it took, and never what is in a document. A store that is not instrumented does
nothing for any of this.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from opentelemetry import metrics, trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from emco_store import AsyncStore, Key, Ref, Resource, Store, StoreError, Untyped, tallies
from emco_store.errors import InvalidCall
from emco_store.ports import (
    AsyncPort,
    AsyncPortWrapper,
    Commit,
    Count,
    Events,
    Get,
    Port,
    PortWrapper,
    Receipt,
    ReferrerQuery,
    Refusal,
    Request,
    Scan,
)

__all__ = ["OPERATIONS", "instrument"]

S = TypeVar("S", AsyncStore, Store)
T = TypeVar("T")
NAME = "emco_store"
BOUNDARIES_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""Bounds of the histograms of times, in seconds, as the semantic conventions for databases advise."""
_NO_CALLS = {"aclose", "open"}


def instrument(
    store: S,
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> S:
    """Have each call of a store make a span and measurements, and return the store.

    Args:
        store: A store; before its first call.
        tracer_provider: Makes the spans. Default: the global one.
        meter_provider: Takes the measurements. Default: the global one.

    Raises:
        InvalidCall: It is no store, or is instrumented already.
    """
    given: Any = store
    if not isinstance(given, AsyncStore | Store):
        raise InvalidCall(
            f"Cannot instrument {store!r:.80}.",
            why=["it is no store"],
            hint="give what connect() or connect_async() has returned.",
        )
    if set(OPERATIONS) & vars(store).keys():
        raise InvalidCall("Cannot instrument this store.", why=["it is instrumented already"], hint="do it once.")
    observer = _Observer(store, trace.get_tracer_provider() if tracer_provider is None else tracer_provider,
                         metrics.get_meter_provider() if meter_provider is None else meter_provider)  # fmt: skip
    wrap: Any = _AsyncObservedPort if isinstance(given, AsyncStore) else _ObservedPort
    store._observe(lambda port: wrap(port, observer))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # made for this
    for name in OPERATIONS:
        setattr(store, name, observer.call(name, getattr(store, name)))
    return store


OPERATIONS = tuple(
    name
    for name, _ in inspect.getmembers(AsyncStore, inspect.iscoroutinefunction)
    if not name.startswith("_") and name not in _NO_CALLS
)
"""The calls that are spans: all that wait for the backend."""


class _Observer:
    """What observes one store."""

    def __init__(self, store: AsyncStore | Store, tracers: trace.TracerProvider, meters: metrics.MeterProvider) -> None:
        self._store = store
        self._tracer = tracers.get_tracer(NAME)
        meter = meters.get_meter(NAME)
        times: Mapping[str, Any] = {"unit": "s", "explicit_bucket_boundaries_advisory": BOUNDARIES_S}
        self._request_s = meter.create_histogram(
            "db.client.operation.duration", description="Time of one request to the backend.", **times
        )
        self._call_s = meter.create_histogram("emco_store.call.duration", description="Time of one call.", **times)
        self._round_trips = meter.create_histogram(
            "emco_store.call.round_trips", unit="{request}", description="Requests to the backend in one call."
        )
        self._conflicts = meter.create_counter(
            "emco_store.call.conflicts", unit="{conflict}", description="Attempts that lost a race."
        )
        self._commit_size = meter.create_histogram(
            "emco_store.commit.size", unit="{record}", description="Records that one commit writes."
        )
        self._system = ""

    def _common(self, operation: str, kind: str) -> dict[str, str]:
        if not self._system:
            self._system = self._store.guarantees.backend.lower()
        named = {"db.system.name": self._system, "db.namespace": self._store.namespace, "db.operation.name": operation}
        return {**named, "db.collection.name": kind} if kind else named

    # calls

    def call(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method of the store that is observed."""
        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def awaiting(*args: Any, **kwargs: Any) -> Any:
                with self._calling(name, args, kwargs):
                    return await method(*args, **kwargs)

            return awaiting

        @functools.wraps(method)
        def calling(*args: Any, **kwargs: Any) -> Any:
            with self._calling(name, args, kwargs):
                return method(*args, **kwargs)

        return calling

    @contextmanager
    def _calling(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Generator[None]:
        around = tallies.current()
        if around is not None and around.owner is self._store and not around.is_over:
            yield  # a call of the store that another one makes
            return
        common = self._common(name, _only(map(_kind_of, args or tuple(kwargs.values())[:1])))
        tally = tallies.Tally(self._store)
        token = tallies.begin(tally)
        try:
            with self._measured(common, SpanKind.INTERNAL, self._call_s) as (span, measured):
                try:
                    yield
                finally:
                    tally.is_over = True
                    span.set_attributes({
                        "emco_store.attempts": tally.attempts,
                        "emco_store.conflicts": tally.conflicts,
                        "emco_store.round_trips": tally.round_trips,
                        "emco_store.commit.size": tally.written,
                    })  # fmt: skip
                    self._round_trips.record(tally.round_trips, measured)
                    if tally.conflicts:
                        self._conflicts.add(tally.conflicts, measured)
        finally:
            tallies.end(token)

    # requests

    @contextmanager
    def request(self, request: Request[Any]) -> Generator[Callable[[Any], None]]:
        """Observe one request; yield what takes its reply."""
        tally = tallies.current()
        if tally is not None:
            tally.round_trips += 1
        kinds, size = _asked(request)
        common = self._common(request.verb, _only(kinds))
        with self._measured(common, SpanKind.CLIENT, self._request_s) as (span, measured):
            if size > 1:
                span.set_attribute("db.operation.batch.size", size)

            def answered(reply: Any) -> None:
                if isinstance(request, Commit):
                    if isinstance(reply, Refusal):
                        span.set_attribute("emco_store.refused", [type(one).__name__ for one in reply.failures])
                    elif isinstance(reply, Receipt) and size:
                        self._commit_size.record(size, measured)
                        if tally is not None:
                            tally.written += size

            yield answered

    @contextmanager
    def _measured(
        self, common: dict[str, str], kind: SpanKind, histogram: metrics.Histogram
    ) -> Generator[tuple[Span, dict[str, str]]]:
        name = f"{common['db.operation.name']} {common.get('db.collection.name', common['db.namespace'])}"
        measured, begin_s = dict(common), perf_counter()
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=common, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span, measured
            except BaseException as problem:
                # The code alone: the text of an error holds keys and addresses.
                measured["error.type"] = problem.code if isinstance(problem, StoreError) else type(problem).__qualname__
                span.set_attribute("error.type", measured["error.type"])
                span.set_status(StatusCode.ERROR)
                raise
            finally:
                histogram.record(perf_counter() - begin_s, measured)


class _ObservedPort(PortWrapper):
    """A port whose requests are observed. A reader that waits for events is not."""

    def __init__(self, inner: Port, observer: _Observer) -> None:
        super().__init__(inner)
        self._observer = observer

    def ask(self, request: Request[T]) -> T:
        """See :meth:`emco_store.ports.Port.ask`."""
        if request.verb == Events.verb:
            return self._inner.ask(request)
        with self._observer.request(request) as answered:
            reply = self._inner.ask(request)
            answered(reply)
        return reply


class _AsyncObservedPort(AsyncPortWrapper):
    """See :class:`_ObservedPort`."""

    def __init__(self, inner: AsyncPort, observer: _Observer) -> None:
        super().__init__(inner)
        self._observer = observer

    def ask(self, request: Request[T]) -> Awaitable[T]:
        """See :meth:`emco_store.ports.AsyncPort.ask`."""
        return self._inner.ask(request) if request.verb == Events.verb else self._observed(request)

    async def _observed(self, request: Request[T]) -> T:
        with self._observer.request(request) as answered:
            reply = await self._inner.ask(request)
            answered(reply)
        return reply


def _asked(request: Request[Any]) -> tuple[Iterable[str], int]:
    """Return the kinds that a request is about, and how many records it names."""
    if isinstance(request, Commit):
        keys = [*(put.key for put in request.puts), *request.deletes]
        return [key.kind for key in keys], request.size
    if isinstance(request, Get):
        return [key.kind for key in request.keys], len(request.keys)
    if isinstance(request, ReferrerQuery):
        return [key.kind for key in request.targets], len(request.targets)
    scan = request.scan if isinstance(request, Count) else request
    return [scan.kind or ""] if isinstance(scan, Scan) else [], 0


def _kind_of(target: Any) -> str:
    """Return the kind that the argument of a call names; empty where it names none."""
    if isinstance(target, type):
        return getattr(getattr(target, "__emco__", None), "kind", "")
    if isinstance(target, Resource):
        return type(target).__emco__.kind
    if isinstance(target, Ref):
        return target.key.kind if target.has_key else ""
    return target.kind if isinstance(target, Key) else target.key.kind if isinstance(target, Untyped) else ""


def _only(kinds: Iterable[str]) -> str:
    """Return the one kind that is named; empty where several are, or none."""
    named = {kind for kind in kinds if kind}
    return named.pop() if len(named) == 1 else ""
