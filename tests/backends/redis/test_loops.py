"""One event loop for each asyncio store: another one is told so, and no commit is called what it was not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from emco_store import connect_async
from emco_store.errors import InvalidCall
from tests.backends.redis.conftest import NAMESPACE, Site
from tests.servers.process import HOST

pytestmark = pytest.mark.redis


@pytest.fixture
def home(newest) -> Iterator[asyncio.Runner]:
    """The event loop of a store, whose server is empty."""
    newest.ask("FLUSHALL")
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def other() -> Iterator[asyncio.Runner]:
    """Another event loop."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def store(newest, home):
    """A store that is open in its loop."""
    store = connect_async(newest.url, namespace=NAMESPACE)
    home.run(store.open())
    yield store
    home.run(store.aclose())


@pytest.fixture
def shared(newest, home) -> Iterator[redis.asyncio.Redis]:
    """A client that is handed in."""
    client = redis.asyncio.Redis(host=HOST, port=newest.port, retry=Retry(NoBackoff(), 0))
    yield client
    home.run(client.aclose())


CALLS = {
    "get": lambda store: store.get(Site, "a"),
    "create": lambda store: store.create(Site(name="a")),
    "resolve": lambda store: store.resolve("any"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_call_in_another_event_loop_is_refused_and_the_store_goes_on_in_its_own(store, home, other, call):
    """A store belongs to the event loop in which it was opened; nothing is sent from another one."""
    with pytest.raises(InvalidCall):
        other.run(call(store))

    assert 1 == home.run(store.create(Site(name="a"))).meta.version


def test_call_after_the_end_of_the_event_loop_is_refused(newest, other):
    """The connections of a store are as dead as the loop in which it was opened."""
    with asyncio.Runner() as home:
        store = connect_async(newest.url, namespace=NAMESPACE)
        home.run(store.open())
        with pytest.raises(InvalidCall):
            other.run(store.aclose())
        home.run(store.aclose())
        again = connect_async(newest.url, namespace=NAMESPACE)
        home.run(again.open())
        home.run(again._port._client.aclose())

    with pytest.raises(InvalidCall):
        other.run(again.get(Site, "a"))


def test_client_that_another_event_loop_has_used_is_refused(shared, home, other):
    """A client brings its connections along, so a store on it can only be opened where they are."""
    other.run(shared.ping())

    with pytest.raises(InvalidCall):
        home.run(connect_async(shared, namespace=NAMESPACE).open())


def test_commit_over_a_connection_of_another_event_loop_happens_once(shared, home, other):
    """ATM-2: such a commit was sent before its reply could not be waited for, so it counts as lost."""
    store = connect_async(shared, namespace=NAMESPACE)
    home.run(store.open())
    with pytest.raises(RuntimeError):
        other.run(shared.ping())
    other.run(shared.ping())  # the one connection belongs to the other loop by now

    made = home.run(store.create(Site(name="a")))

    assert 1 == made.meta.version
    assert [made] == list(home.run(store.list(Site)))


def test_read_over_a_connection_of_another_event_loop_is_refused(shared, home, other):
    """Who shares a client among event loops learns it from the first read that meets the wrong connection."""
    store = connect_async(shared, namespace=NAMESPACE)
    home.run(store.open())
    with pytest.raises(RuntimeError):
        other.run(shared.ping())
    other.run(shared.ping())

    with pytest.raises(InvalidCall):
        home.run(store.list(Site))
