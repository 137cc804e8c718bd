"""Resources over HTTP with FastAPI: install ``emco-store[fastapi]``.

::

    app = FastAPI(lifespan=lifespan(lambda: connect_async(URL, namespace="shop")))
    add_problem_handlers(app)

    @app.get("/projects/{name}", responses=problem_responses(404))
    async def read_project(name: str, store: AsyncStoreDep, answer: ConditionalAnswer) -> Representation[Project]:
        return answer(await store.get(Project, name))
"""

from emco_store.fastapi.opening import (
    AsyncStoreDep,
    StoreDep,
    blocking_lifespan,
    find_async_store,
    find_store,
    lifespan,
)
from emco_store.fastapi.preconditions import (
    Answer,
    Answering,
    ConditionalAnswer,
    IfMatch,
    OptionalIfMatch,
    PutCondition,
    PutOnly,
)
from emco_store.fastapi.problems import (
    TABLE,
    Problem,
    ProblemBody,
    Row,
    add_problem_handlers,
    problem_responses,
)
from emco_store.fastapi.readiness import ReadyBody, add_ready_route
from emco_store.fastapi.representations import Changes, Listed, MetaBody, Representation

__all__ = [
    "TABLE",
    "Answer",
    "Answering",
    "AsyncStoreDep",
    "Changes",
    "ConditionalAnswer",
    "IfMatch",
    "Listed",
    "MetaBody",
    "OptionalIfMatch",
    "Problem",
    "ProblemBody",
    "PutCondition",
    "PutOnly",
    "ReadyBody",
    "Representation",
    "Row",
    "StoreDep",
    "add_problem_handlers",
    "add_ready_route",
    "blocking_lifespan",
    "find_async_store",
    "find_store",
    "lifespan",
    "problem_responses",
]
