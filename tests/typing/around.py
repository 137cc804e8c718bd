"""The types that users of FastAPI, OpenTelemetry and pytest see; the type checkers read this file, nobody runs it."""

from __future__ import annotations

from typing import assert_type

from emco_store import AsyncStore, Page, Resource, Store, connect, connect_async
from emco_store.fastapi import Answer, AsyncStoreDep, Changes, IfMatch, Listed, PutCondition, Representation, StoreDep
from emco_store.otel import instrument
from pytest_emco_store import MovableClock


class Project(Resource):
    """A root."""

    text: str = ""


async def handlers(
    store: AsyncStoreDep, blocking: StoreDep, answer: Answer, body: Representation[Project], page: Page[Project]
) -> Representation[Project]:
    """The marked types are the ones that they mark."""
    assert_type(store, AsyncStore)
    assert_type(blocking, Store)
    assert_type(body, Project)
    assert_type(answer(body), Project)
    assert_type(answer.created(body, "projects", body.name), Project)
    assert_type(answer.page(page), Listed[Project])
    assert_type(answer.page(page).items, list[Project])
    return answer(await store.create(body))


async def writes(
    store: AsyncStoreDep, body: Project, changes: Changes[Project], only: PutCondition, tag: IfMatch
) -> None:
    """What requests demand fits the calls of a store."""
    assert_type(await store.put(body, **only), Project)
    assert_type(await store.patch(body, changes, if_match=tag), Project)


def observed() -> None:
    """An instrumented store is of the type that it was."""
    assert_type(instrument(connect("memory://", namespace="n", clock=MovableClock())), Store)
    assert_type(instrument(connect_async("memory://", namespace="n")), AsyncStore)
