"""Tasks that are cancelled in the midst of a request: at each place where they wait, on a real server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pymongo import MongoClient

from emco_store import AsyncStore, Outcome, Resource, connect_async
from tests.backends.cancelling import CancelledAt, Ids
from tests.backends.mongo.conftest import Thing


class Child(Resource, parent=Thing):
    """A kind whose creation moves the guard of its parent."""


async def create(store: AsyncStore) -> Any:
    """Create a resource with a parent."""
    return await store.create(Child(parent=await store.get(Thing, "a"), name="new"))


async def delete(store: AsyncStore) -> Any:
    """Delete a resource."""
    return await store.delete(await store.get(Child, "a", "old"))


async def refused(store: AsyncStore) -> Any:
    """Create what is there, with a change before it in the same transaction, so that there is something to abort."""
    thing = await store.get(Thing, "a")
    async with store.transaction() as tx:
        await tx.update(thing.model_copy(update={"note": "changed"}))
        await tx.create(Child(parent=thing, name="old"))


async def run(store: AsyncStore) -> Any:
    """Read, change and create in one transaction."""

    async def change(tx: Any) -> None:
        thing = await tx.get(Thing, "a")
        await tx.update(thing.model_copy(update={"note": "changed"}))
        await tx.create(Child(parent=thing, name="new"))

    return await store.run(change)


BEFORE = ("", "old")
CALLS: dict[str, tuple[Callable[[AsyncStore], Coroutine[Any, Any, Any]], tuple[str, ...]]] = {
    "get": (lambda store: store.get(Thing, "a"), BEFORE),
    "list": (lambda store: store.list(Child), BEFORE),
    "resolve": (lambda store: store.resolve("another"), BEFORE),
    "create": (create, ("", "new", "old")),
    "delete": (delete, ("",)),
    "refused": (refused, BEFORE),
    "run": (run, ("changed", "new", "old")),
}
"""Calls, and what is stored after each."""


@pytest.mark.parametrize("call", list(CALLS))
def test_call_that_is_cancelled_anywhere_leaves_all_or_nothing(url, namespace, records, root, call):
    """A commit is whole or absent, as ``resolve`` says, no transaction stays open, and the next call works (ATM-1)."""
    for late in (False, True):
        for place in itertools.count():
            waited = asyncio.run(_cancel(url, namespace, call, place, late=late))
            assert [] == open_transactions(root, namespace)
            records.delete_many({})
            if waited <= place:
                break  # it came to its end without having waited so often
        assert place


async def _cancel(url: str, namespace: str, call: str, place: int, *, late: bool) -> int:
    """Cancel the call at one place, see that all is well, and say how often it waited."""
    work, after = CALLS[call]
    ids = Ids()
    async with connect_async(url, namespace=namespace, ids=ids) as store:
        await store.create(Child(parent=await store.create(Thing(name="a")), name="old"))
        before = len(ids.given)
        cancelled = CancelledAt(work(store), place, late=late)

        (ended,) = await asyncio.gather(asyncio.create_task(cancelled.run()), return_exceptions=True)

        happened = Outcome.COMMITTED in [await store.resolve(txid) for txid in ids.given[before:]]
        assert (after if happened else BEFORE) == await state(store)
        assert happened or BEFORE == after or isinstance(ended, asyncio.CancelledError), ended
        assert "next" == (await store.update((await store.get(Thing, "a")).model_copy(update={"note": "next"}))).note
    return cancelled.waited


async def state(store: AsyncStore) -> tuple[str, ...]:
    """Return what is stored."""
    thing = await store.get(Thing, "a")
    return (thing.note, *(child.name for child in await store.list(Child)))


def open_transactions(root: MongoClient[Any], namespace: str) -> list[Any]:
    """Return the transactions that the clients of a namespace have left open on the server."""
    stages = [
        {"$currentOp": {"idleSessions": True}},
        {"$match": {"transaction": {"$exists": True}, "appName": namespace}},
    ]
    return list(root.admin.aggregate(stages))
