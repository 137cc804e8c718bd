"""A store is opened with an application and closed with it, and its handlers find it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from fastapi import FastAPI

from emco_store import InvalidCall, MemoryBackend, Resource, Unavailable, connect, connect_async
from emco_store.fastapi import AsyncStoreDep, StoreDep, add_problem_handlers, blocking_lifespan, lifespan
from tests.service.conftest import calling


class Shelf(Resource):
    """Holds books."""


def asking(app):
    """Add a handler for asyncio, and return the application."""

    @app.get("/")
    async def read(store: AsyncStoreDep) -> bool:
        return await store.exists(Shelf, "s")

    return app


def test_store_is_open_while_the_application_runs():
    """Handlers find the store, and afterwards it is closed."""
    made = []

    def make():
        made.append(connect_async("memory://", namespace="n"))
        return made[0]

    with calling(asking(FastAPI(lifespan=lifespan(make)))) as call:
        assert (200, False) == (call("GET", "/").status_code, call("GET", "/").json())

    with pytest.raises(InvalidCall, match="closed"):
        made[0].exists(Shelf, "s").send(None)


def test_blocking_store_is_opened_and_used_in_threads():
    """The event loop waits neither for the store nor for its calls."""
    backend, threads = MemoryBackend(), []

    def make():
        threads.append(threading.current_thread())
        return connect(backend, namespace="n")

    app = FastAPI(lifespan=blocking_lifespan(make))

    @app.get("/")
    def read(store: StoreDep) -> str:
        threads.append(threading.current_thread())
        return store.create(Shelf(name="s")).name

    with calling(app) as call:
        assert "s" == call("GET", "/").json()

    assert 2 == len(threads)
    assert threading.main_thread() not in threads


def test_store_that_cannot_be_opened_stops_the_start():
    """An application without its data does not begin to answer."""
    soon = timedelta(milliseconds=50)
    app = FastAPI(lifespan=lifespan(lambda: connect_async("redis://127.0.0.1:1", namespace="n", deadline=soon)))

    with pytest.raises(Unavailable), calling(app):
        pass


def test_mounted_application_finds_the_store_of_the_one_around_it():
    """The state of the lifespan reaches mounted applications, whose own lifespans do not run."""
    app, inner = FastAPI(lifespan=lifespan(lambda: connect_async("memory://", namespace="n"))), asking(FastAPI())
    app.mount("/inner", inner)
    state = {}

    async def with_state(scope, receive, send):
        await app({**scope, "state": dict(state)}, receive, send)

    with_state.router = app.router
    enter = app.router.lifespan_context

    def remembering(_):
        class Remembering:
            async def __aenter__(self):
                self.context = enter(app)
                state.update(await self.context.__aenter__())

            async def __aexit__(self, *problem):
                await self.context.__aexit__(*problem)

        return Remembering()

    app.router.lifespan_context = remembering
    with calling(with_state) as call:
        assert False is call("GET", "/inner/").json()


def test_missing_store_is_a_fault_of_the_program():
    """An application without a lifespan says so in its log, and 500 to its clients."""
    app = asking(FastAPI())
    add_problem_handlers(app)

    with calling(app) as call:
        reply = call("GET", "/")

    assert (500, "INVALID-CALL") == (reply.status_code, reply.json()["code"])
