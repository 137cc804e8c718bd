"""Each call of an instrumented store is a span and measurements, in the words of the store."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from emco_store import (
    CASCADE,
    InvalidCall,
    Key,
    MemoryBackend,
    NotFound,
    Ref,
    Resource,
    Unavailable,
    connect,
    connect_async,
)
from emco_store.otel import OPERATIONS, instrument
from emco_store.ports import Unreachable
from tests.backends.shared import ON_EACH

SECRET = "hunter2"  # noqa: S105 - of nobody


class Project(Resource):
    """Has a secret."""

    text: str = ""
    number: int = 0


class App(Resource, parent=Project, on_parent_delete=CASCADE):
    """Goes with its project."""


class Seen:
    """The spans and the measurements so far."""

    def __init__(self):
        self._spans, self._metrics = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.providers = {"tracer_provider": tracers, "meter_provider": MeterProvider([self._metrics])}

    @property
    def spans(self):
        """The spans that have ended, by name and in order."""
        return self._spans.get_finished_spans()

    def call(self, name):
        """Return the newest span of a call."""
        return [span for span in self.spans if span.name == name and span.kind is SpanKind.INTERNAL][-1]

    def under(self, parent):
        """Return the spans of the requests of a call, in order."""
        return [span for span in self.spans if span.parent and span.parent.span_id == parent.context.span_id]

    def points(self, name):
        """Return the measurements of one instrument."""
        (resource,) = self._metrics.get_metrics_data().resource_metrics
        (scope,) = resource.scope_metrics
        return next(metric.data.data_points for metric in scope.metrics if metric.name == name)


@pytest.fixture
def seen():
    """What an exporter gets."""
    return Seen()


@pytest.fixture
def backend():
    """Data that several stores share."""
    return MemoryBackend()


@pytest.fixture
def store(backend, seen):
    """An instrumented store."""
    with connect(backend, namespace="shop") as store:
        yield instrument(store, **seen.providers)


def ours(span):
    """Return what a span says in the words of the store."""
    return {
        name.removeprefix("emco_store."): value
        for name, value in span.attributes.items()
        if name.startswith("emco_store.")
    }


def test_call_is_a_span_over_its_requests(store, seen):
    """The call says what it took; its requests follow the conventions for database clients."""
    store.create(Project(name="p", text=SECRET))

    call = seen.call("create Project")
    (request,) = seen.under(call)
    assert {"attempts": 1, "conflicts": 0, "round_trips": 1, "commit.size": 1} == ours(call)
    assert ("commit Project", SpanKind.CLIENT) == (request.name, request.kind)
    assert {
        "db.system.name": "memory",
        "db.namespace": "shop",
        "db.operation.name": "commit",
        "db.collection.name": "Project",
    } == dict(request.attributes)


def test_lost_race_is_counted(backend, store, seen):
    """Attempts and conflicts are those of the call, and the refused commit says which precondition failed."""
    store.create(Project(name="p"))
    rival = connect(backend, namespace="shop")
    lost = []

    def grow(tx):
        project = tx.get(Project, "p")
        if not lost:
            lost.append(rival.patch(project, {"number": 5}))
        return tx.update(project.model_copy(update={"number": project.number + 1}))

    assert 6 == store.run(grow).number

    call = seen.call("run shop")
    assert {"attempts": 2, "conflicts": 1, "round_trips": 4, "commit.size": 1} == ours(call)
    refused = [span.attributes.get("emco_store.refused") for span in seen.under(call)]
    assert [None, ("Stale",), None, None] == refused
    assert [1] == [point.value for point in seen.points("emco_store.call.conflicts")]


def test_asyncio_store_is_the_same(backend, seen):
    """Spans of tasks at once stand under their own calls."""

    async def work():
        async with instrument(connect_async(backend, namespace="shop"), **seen.providers) as store:
            await asyncio.gather(*(store.create(Project(name=name)) for name in "abc"))
            await store.get(Key("Project", "a"))

    asyncio.run(work())

    calls = [span for span in seen.spans if span.name == "create Project"]
    assert [1, 1, 1] == [len(seen.under(call)) for call in calls]
    assert ["get Project"] == [span.name for span in seen.under(seen.call("get Project"))]


def test_error_is_named_by_its_code_alone(backend, store, seen):
    """No text of an error reaches a span, since it may hold a key or an address."""
    with pytest.raises(NotFound):
        store.get(Project, SECRET)
    backend.hook = lambda *_: (_ for _ in ()).throw(Unreachable(SECRET))
    with pytest.raises(Unavailable):
        store.get(Project, "p")

    first, second = (span for span in seen.spans if span.kind is SpanKind.INTERNAL)
    assert ["NOT-FOUND", "UNAVAILABLE"] == [span.attributes["error.type"] for span in (first, second)]
    assert {StatusCode.ERROR} == {first.status.status_code, second.status.status_code}
    assert "Unreachable" == seen.under(second)[0].attributes["error.type"]
    backend.hook = None


def test_no_content_and_no_name_is_in_a_trace(store, seen):
    """A trace holds kinds and numbers, and nothing of a document, a key or a text of an error."""
    project = store.create(Project(name=SECRET, text=SECRET))
    store.create(App(parent=project, name=SECRET))
    store.update(project.model_copy(update={"text": f"{SECRET}!"}))
    store.list(App, parent=project)
    store.plan_delete(project)
    store.delete(project)

    assert SECRET not in "".join(span.to_json() for span in seen.spans)
    assert ("delete Project", 2) == (seen.spans[-1].name, seen.spans[-1].attributes["emco_store.commit.size"])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda store, project: store.get(project), "get Project"),
        (lambda store, project: store.get(project.ref), "get Project"),
        (lambda store, project: store.get(project.key), "get Project"),
        (lambda store, _: store.count(Project), "count Project"),
        (lambda store, project: store.get_many([project]), "get_many shop"),
        (lambda store, _: store.list(Resource), "list shop"),
        (lambda store, _: store.list(model=Project), "list Project"),
        (lambda store, project: store.exists(Ref(project)), "exists Project"),
    ],
)
def test_span_is_named_by_call_and_kind(store, seen, call, name):
    """Without one kind, the namespace stands in its place."""
    call(store, store.create(Project(name="p")))

    assert name == seen.call(name).name


def test_times_and_sizes_are_measured(store, seen):
    """The histogram of the conventions has each request, ours have each call and each commit."""
    project = store.create(Project(name="p"))
    with pytest.raises(NotFound):
        store.get(Project, "q")
    store.delete(project)

    requests = {p.attributes["db.operation.name"] for p in seen.points("db.client.operation.duration")}
    calls = {
        (p.attributes["db.operation.name"], p.attributes.get("error.type"))
        for p in seen.points("emco_store.call.duration")
    }
    assert {"get", "commit", "referrers"} >= requests >= {"get", "commit"}
    assert {("create", None), ("get", "NOT-FOUND"), ("delete", None)} == calls
    assert 2 == sum(point.count for point in seen.points("emco_store.commit.size"))
    assert 3 == sum(point.count for point in seen.points("emco_store.call.round_trips"))


@pytest.mark.parametrize("name", ON_EACH)
def test_backend_is_named_as_the_conventions_name_it(name, request, seen):
    """The names of the systems are ``redis`` and ``mongodb``."""
    fixture = {"redis": "redis_server", "mongodb": "mongo_server"}.get(name)
    url = "memory://" if fixture is None else request.getfixturevalue(fixture).url
    with instrument(connect(url, namespace="test-otel"), **seen.providers) as store:
        store.list(Project)

    assert {name} == {span.attributes["db.system.name"] for span in seen.spans}


def test_watching_makes_no_spans(backend, seen):
    """A reader that waits does no work, and would fill a trace."""
    with instrument(connect(backend, namespace="shop"), **seen.providers) as store:
        store.feed_cursor()

    assert ["feed_cursor shop"] == [span.name for span in seen.spans]


def test_store_is_instrumented_once(store):
    """A second time would count everything twice."""
    with pytest.raises(InvalidCall, match="already"):
        instrument(store)
    with pytest.raises(InvalidCall, match="no store"):
        instrument(MemoryBackend())


def test_every_call_that_waits_is_observed():
    """What makes requests is a span, and nothing else is."""
    assert {"create", "update", "patch", "put", "delete", "get", "list", "run", "apply", "transition"} <= set(
        OPERATIONS
    )
    assert not {"open", "aclose", "iterate", "watch", "transaction", "acting"} & set(OPERATIONS)


def test_store_that_is_not_instrumented_imports_nothing():
    """OpenTelemetry is imported by ``emco_store.otel`` alone."""
    code = "import sys, emco_store; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode  # noqa: S603 - our own
