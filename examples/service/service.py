"""A registry of clusters and of the apps that run on them, as a service over HTTP.

``STORE_URL=redis://… uvicorn service:app`` runs it, ``/docs`` shows it. Without ``STORE_URL`` data is in memory.
"""

import os
from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Query
from pydantic import Field

from emco_store import (
    REMOVE,
    AsyncStore,
    F,
    Key,
    Lifecycle,
    Ref,
    Resource,
    connect_async,
    indexed,
    on_delete,
    transition,
)
from emco_store.fastapi import (
    Answer,
    AsyncStoreDep,
    Changes,
    ConditionalAnswer,
    IfMatch,
    Listed,
    OptionalIfMatch,
    Problem,
    PutCondition,
    Representation,
    add_problem_handlers,
    lifespan,
    problem_responses,
)


class Cluster(Resource):
    """A place where apps run."""

    region: Annotated[str, indexed()]
    nodes: Annotated[int, Field(ge=1, le=1000)] = 1


class Project(Resource):
    """What belongs together."""

    description: str = ""


class Stage(StrEnum):
    """Where an app is on its way."""

    DRAFT = "draft"
    RELEASED = "released"


class Release(Lifecycle[Stage]):
    """A released app keeps its image, and is not deleted."""

    initial = Stage.DRAFT
    release = transition(Stage.DRAFT, to=Stage.RELEASED)
    withdraw = transition(Stage.RELEASED, to=Stage.DRAFT)
    deletable = {Stage.DRAFT}
    frozen = {Stage.RELEASED: [F.image]}


class App(Resource, parent=Project, lifecycle=Release):
    """A program that runs on clusters."""

    image: str
    replicas: Annotated[int, Field(ge=0, le=100)] = 1
    runs_on: Annotated[list[Ref[Cluster]], on_delete(REMOVE)] = []


Name = Annotated[str, Header(alias="X-User", pattern="^[a-z]{1,64}$")]


async def acting_store(store: AsyncStoreDep, user: Name = "nobody") -> AsyncGenerator[AsyncStore]:
    """Give the store to one request: what it writes bears the name of the user."""
    with store.acting(actor=user):
        yield store


UserStore = Annotated[AsyncStore, Depends(acting_store)]
Limit = Annotated[int, Query(ge=1, le=1000)]
api = APIRouter(responses=problem_responses(404, 409))


@api.post("/clusters", status_code=201)
async def create_cluster(
    cluster: Representation[Cluster], store: UserStore, answer: Answer
) -> Representation[Cluster]:  # fmt: skip
    """Add a cluster."""
    return answer.created(await store.create(cluster), "clusters", cluster.name)


@api.get("/clusters")
async def list_clusters(
    store: UserStore, answer: Answer, region: str | None = None, limit: Limit = 100, after: str | None = None
) -> Listed[Cluster]:
    """List clusters, page by page."""
    where = () if region is None else F.region == region
    return answer.page(await store.list(Cluster, where=where, limit=limit, after=after))


@api.get("/clusters/{name}", responses={304: {"description": "The client has this state."}})
async def read_cluster(name: str, store: UserStore, answer: ConditionalAnswer) -> Representation[Cluster]:
    """Read a cluster."""
    return answer(await store.get(Cluster, name))


@api.delete("/clusters/{name}", status_code=204, responses=problem_responses(412, 428))
async def delete_cluster(name: str, store: UserStore, if_match: IfMatch) -> None:
    """Delete a cluster; apps no longer run on it."""
    await store.delete(Key("Cluster", name), if_match=if_match)


@api.post("/projects", status_code=201)
async def create_project(
    project: Representation[Project], store: UserStore, answer: Answer
) -> Representation[Project]:  # fmt: skip
    """Add a project."""
    return answer.created(await store.create(project), "projects", project.name)


@api.get("/projects/{project}/apps")
async def list_apps(
    project: str, store: UserStore, answer: Answer, limit: Limit = 100, after: str | None = None
) -> Listed[App]:
    """List the apps of a project, page by page."""
    return answer.page(await store.list(App, parent=Key("Project", project), limit=limit, after=after))


@api.put(
    "/projects/{project}/apps/{name}",
    responses={201: {"description": "Created.", "model": Representation[App]}, **problem_responses(412, 428)},
)
async def put_app(
    project: str, name: str, app: Representation[App], store: UserStore, answer: Answer, only: PutCondition
) -> Representation[App]:
    """Create an app, or replace the one that was read."""
    if app.key != Key("App", project, name):
        raise Problem(422, "The path and the body name different apps.", code="OTHER-APP", detail=f"It is {app.key}.")
    made = await store.put(app, **only)
    return answer.created(made, "projects", project, "apps", name) if "if_version" in only else answer(made)


@api.get("/projects/{project}/apps/{name}", responses={304: {"description": "The client has this state."}})
async def read_app(project: str, name: str, store: UserStore, answer: ConditionalAnswer) -> Representation[App]:
    """Read an app."""
    return answer(await store.get(App, project, name))


@api.patch("/projects/{project}/apps/{name}", responses=problem_responses(412))
async def change_app(
    project: str, name: str, changes: Changes[App], store: UserStore, answer: Answer, if_match: OptionalIfMatch
) -> Representation[App]:
    """Change fields of an app."""
    changed: App = await store.patch(Key("App", project, name), changes, if_match=if_match)
    return answer(changed)


@api.delete("/projects/{project}/apps/{name}", status_code=204, responses=problem_responses(412, 428))
async def delete_app(project: str, name: str, store: UserStore, if_match: IfMatch) -> None:
    """Delete an app."""
    await store.delete(Key("App", project, name), if_match=if_match)


@api.post("/projects/{project}/apps/{name}/release")
async def release_app(project: str, name: str, store: UserStore) -> Stage:
    """Release an app."""
    record = await store.transition(Key("App", project, name), Release.release)
    return Stage(record.state)


def make_app(url: str, namespace: str = "registry") -> FastAPI:
    """Return the service on a backend."""
    models = [Cluster, Project, App]
    app = FastAPI(title="Registry", lifespan=lifespan(lambda: connect_async(url, namespace=namespace, models=models)))
    add_problem_handlers(app)
    app.include_router(api)
    return app


app = make_app(os.environ.get("STORE_URL", "memory://"))
