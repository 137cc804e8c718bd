"""Whether an application is ready: what its store has registered is complete, and the backend answers."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from emco_store import InvalidCall, Readiness, Unavailable
from emco_store.fastapi.opening import find_async_store, find_store


class ReadyBody(BaseModel):
    """The answer of the route of :func:`add_ready_route`."""

    model_config = ConfigDict(title="Ready")

    ready: bool
    awaits: list[str] = []


def add_ready_route(app: FastAPI, path: str = "/ready") -> None:
    """Add a route for the readiness probe of an orchestrator.

    It answers 200 if all segments that the store of the application has registered are active, and 503 with what they
    wait for, or if the backend does not answer. It does not belong into a liveness probe: a service that waits for
    another one is not to be restarted.

    Args:
        app: An application whose lifespan opens a store; see :func:`lifespan` and :func:`blocking_lifespan`.
        path: The path of the route.
    """

    async def ready(request: Request) -> JSONResponse:
        try:
            found = await _readiness(request)
            body = ReadyBody(ready=found.is_ready, awaits=list(found.awaits))
        except Unavailable:
            body = ReadyBody(ready=False, awaits=["the backend does not answer"])
        status = HTTPStatus.OK if body.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(body.model_dump(), status)

    app.add_api_route(
        path,
        ready,
        response_model=ReadyBody,
        responses={503: {"model": ReadyBody, "description": "Something is awaited."}},
        summary="Whether the service is ready",
    )


async def _readiness(request: Request) -> Readiness:
    try:
        store = await find_async_store(request)
    except InvalidCall:
        return await run_in_threadpool((await find_store(request)).ready)
    return await store.ready()
