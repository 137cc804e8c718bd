"""Open a store when an application starts, close it when it ends, and give it to the handlers of requests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from emco_store import AsyncStore, InvalidCall, Segment, Store

S = TypeVar("S", AsyncStore, Store)
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[Mapping[str, Any]]]
_ASYNC = "emco_async_store"
_BLOCKING = "emco_store"


def lifespan(make: Callable[[], AsyncStore], *, segment: Segment | None = None) -> Lifespan:
    """Build a lifespan for ``FastAPI(lifespan=…)`` that opens a store for asyncio and closes it at the end.

    If the store cannot be opened, the application does not start. In a lifespan of your own, write
    ``async with lifespan(make)(app) as state: …`` and yield ``state``, so that mounted applications find the store.

    Args:
        make: Makes the store, as ``connect_async`` does; called once for each start, in the event loop.
        segment: What the service declares, to be registered at each start. If it is refused, the application does not
            start; if it waits, the application starts, and its kinds are not written yet.
    """

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncGenerator[Mapping[str, Any]]:
        async with make() as store:
            if segment is not None:
                await store.register(segment)
            setattr(app.state, _ASYNC, store)
            yield {_ASYNC: store}

    return opened


def blocking_lifespan(make: Callable[[], Store], *, segment: Segment | None = None) -> Lifespan:
    """Build a lifespan as :func:`lifespan` does, for a blocking store and handlers that are declared with ``def``.

    FastAPI calls such handlers in threads, and a store may be used by many threads at once. The store is opened and
    closed in a thread too, so the event loop never waits for it.

    Args:
        make: Makes the store, as ``connect`` does; called once for each start.
        segment: See :func:`lifespan`.
    """

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncGenerator[Mapping[str, Any]]:
        store = await run_in_threadpool(make)
        try:
            if segment is not None:
                await run_in_threadpool(store.register, segment)
            setattr(app.state, _BLOCKING, store)
            yield {_BLOCKING: store}
        finally:
            await run_in_threadpool(store.close)

    return opened


async def find_async_store(connection: HTTPConnection) -> AsyncStore:
    """Return the store that :func:`lifespan` has opened, for ``Depends``.

    Raises:
        InvalidCall: There is none.
    """
    return _found(connection, _ASYNC, AsyncStore)


async def find_store(connection: HTTPConnection) -> Store:
    """Return the store that :func:`blocking_lifespan` has opened, for ``Depends``.

    Raises:
        InvalidCall: There is none.
    """
    return _found(connection, _BLOCKING, Store)


AsyncStoreDep = Annotated[AsyncStore, Depends(find_async_store)]
"""The type of a parameter that gets the store of :func:`lifespan`."""
StoreDep = Annotated[Store, Depends(find_store)]
"""The type of a parameter that gets the store of :func:`blocking_lifespan`; for handlers declared with ``def``."""


def _found(connection: HTTPConnection, name: str, kind: type[S]) -> S:
    """Return a store from the application, or, where that one is mounted in another, from the one that was started."""
    for state in (connection.app.state, connection.state):
        store = getattr(state, name, None)
        if isinstance(store, kind):
            return store
    raise InvalidCall(
        "Cannot give a store to this request.",
        why=[f"the application has opened no {kind.__name__}"],
        hint="make it with FastAPI(lifespan=lifespan(…)), and let its lifespan run in tests too.",
    )
